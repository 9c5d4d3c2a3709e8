// The keyspace and the five tables, as other programs read them too (cqlsh). Creating them is safe to repeat.
// What each table is for: src/store/store.ts.

import type { Client } from "cassandra-driver";
import { COUNTS_10MS_TTL_SECONDS, RAW_TTL_SECONDS } from "../../config.ts";
import { Reto3Error } from "../../errors.ts";
import { changeSchema } from "./session.ts";
import type { CassandraAddress } from "./url.ts";

const SCHEMA = "reto3 schema 1";
const TABLES = ["events", "counts_10ms", "counts_1s", "counts_1m", "claims"];

/**
 * Never less on any table: a mutation's hint lives no longer than the smallest gc_grace_seconds among its tables
 * (Hint.java), and hints are kept for three hours.
 */
const GC_GRACE_SECONDS = 10_800;

const LZ = "compression = {'class': 'ZstdCompressor', 'chunk_length_in_kb': 64}";
const COUNTS = `minute bigint, writer uuid, bucket_us bigint, events int,
  lag_sum_us bigint, lag_min_us bigint, lag_max_us bigint`;

/** Whole windows expire as whole files; 20 to 30 windows in a lifetime is the advice of the TWCS documentation. */
function expiring(ttlSeconds: number, windowMinutes: number): string {
  return `default_time_to_live = ${ttlSeconds} AND gc_grace_seconds = ${GC_GRACE_SECONDS} AND compaction = {
  'class': 'TimeWindowCompactionStrategy', 'compaction_window_unit': 'MINUTES', 'compaction_window_size': ${windowMinutes}}`;
}

function createTables(keyspace: string): string[] {
  const table = (name: string, columns: string, options: string) =>
    `CREATE TABLE IF NOT EXISTS ${keyspace}.${name} (${columns}) WITH comment = '${SCHEMA}' AND ${options}`;
  return [
    table(
      "events",
      `minute bigint, writer uuid, seq int, created_us bigint, received_us bigint, PRIMARY KEY ((minute, writer), seq)`,
      `${LZ} AND ${expiring(RAW_TTL_SECONDS, 3)}`,
    ),
    table(
      "counts_10ms",
      `${COUNTS}, PRIMARY KEY ((minute, writer), bucket_us)`,
      `${LZ} AND ${expiring(COUNTS_10MS_TTL_SECONDS, 360)}`,
    ),
    table("counts_1s", `${COUNTS}, lag_hist blob, PRIMARY KEY ((minute, writer), bucket_us)`, LZ),
    table("counts_1m", `${COUNTS}, lag_hist blob, PRIMARY KEY ((minute, writer), bucket_us)`, LZ),
    table(
      "claims",
      `hour bigint, minute bigint, writer uuid, sealed_events int, PRIMARY KEY ((hour), minute, writer)`,
      LZ,
    ),
  ];
}

/** Replicas per row in the address's data centre; undefined where the keyspace is missing. */
async function replicationOf(client: Client, address: CassandraAddress): Promise<number | undefined> {
  const cql = "SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = ?";
  const row = (await client.execute(cql, [address.keyspace])).first();
  if (!row) return undefined;
  const replication = row.get("replication") as Record<string, string>;
  const replicas = Number(replication[address.datacenter] ?? Number.NaN);
  if (replicas > 0) return replicas;
  throw new Reto3Error(
    "STORE_OPEN",
    `store ${address.location}: the keyspace has no replicas in data centre ${address.datacenter} (${JSON.stringify(replication)})`,
    { hint: "want NetworkTopologyStrategy with that data centre; name the right one with ?dc=, or alter the keyspace" },
  );
}

/** Makes sure that keyspace and tables are there and are ours; creates what is missing if `create`. Returns the rf in force. */
export async function ensureSchema(client: Client, address: CassandraAddress, create: boolean): Promise<number> {
  const { keyspace, datacenter, location } = address;
  let rf = await replicationOf(client, address);
  if (rf === undefined && create) {
    const wanted = address.rf ?? 1;
    await changeSchema(
      client,
      `CREATE KEYSPACE IF NOT EXISTS ${keyspace} WITH replication = {'class': 'NetworkTopologyStrategy', '${datacenter}': ${wanted}}`,
    );
    rf = (await replicationOf(client, address)) ?? wanted;
  }
  if (rf === undefined) throw missing(location, "there is no such keyspace");
  if (address.rf !== undefined && address.rf !== rf) {
    throw new Reto3Error("STORE_OPEN", `store ${location}: rf is ${address.rf}, but the keyspace has ${rf}`, {
      hint: `leave rf out, or: ALTER KEYSPACE ${keyspace} ..., then nodetool repair, then start again`,
    });
  }
  if (create && (await missingTables(client, address)).length > 0) {
    for (const cql of createTables(keyspace)) await changeSchema(client, cql);
  }
  const absent = await missingTables(client, address);
  if (absent.length > 0) throw missing(location, `it has no table ${absent.join(", ")}`);
  return rf;
}

/** The tables that are not there; throws STORE_OPEN for one that is there but not of this version. */
async function missingTables(client: Client, { keyspace, location }: CassandraAddress): Promise<string[]> {
  const cql = "SELECT table_name, comment FROM system_schema.tables WHERE keyspace_name = ?";
  const found = (await client.execute(cql, [keyspace])).rows;
  const foreign = found.find((row) => TABLES.includes(String(row.get("table_name"))) && row.get("comment") !== SCHEMA);
  if (foreign) {
    throw new Reto3Error(
      "STORE_OPEN",
      `store ${location}: the table ${String(foreign.get("table_name"))} is not of '${SCHEMA}'`,
      { hint: "use the reto3 that made it, or name another keyspace" },
    );
  }
  return TABLES.filter((name) => !found.some((row) => row.get("table_name") === name));
}

function missing(location: string, problem: string): Reto3Error {
  return new Reto3Error("STORE_OPEN", `store ${location}: ${problem}`, {
    hint: `start 'reto3 serve --store ${location}' first: it creates what is missing`,
  });
}
