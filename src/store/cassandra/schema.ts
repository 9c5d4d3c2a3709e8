// The keyspace and its tables, as other programs read them too (cqlsh): created, checked, and their lifetimes changed.
// All of it is safe to repeat, and to do at the same time through different nodes (docs/adr/0011). What each table is for:
// src/store/store.ts.

import type { Client, types } from "cassandra-driver";
import { DEFAULT_RETENTION } from "../../config.ts";
import { Reto3Error } from "../../errors.ts";
import type { OpenOptions, Retention } from "../store.ts";
import { storeError } from "./errors.ts";
import { askEachNode, changeSchema, hostsOf, type Query } from "./session.ts";
import type { CassandraAddress } from "./url.ts";

/** In the comment of each table. Another number before the dot: not ours to touch. Version 0.1.0 wants just this text. */
const SCHEMA = "reto3 schema 1";

/** In the comments of the tables that came later; a store without them is read all the same. */
const SCHEMA_MERGED = "reto3 schema 1.1";
const SCHEMA_PACKED = "reto3 schema 1.2";

/**
 * Never less on any table: a mutation's hint lives no longer than the smallest gc_grace_seconds among its tables
 * (Hint.java), and hints are kept for three hours.
 */
const GC_GRACE_SECONDS = 10_800;

/** Expired rows stay on the disk for the grace period too; 20 to 30 windows in that time is the advice of the TWCS documentation. */
const WINDOWS = 24;

const LZ = "compression = {'class': 'ZstdCompressor', 'chunk_length_in_kb': 64}";
const COUNTS = `minute bigint, writer uuid, bucket_us bigint, events int,
  lag_sum_us bigint, lag_min_us bigint, lag_max_us bigint`;

/** A node hears of a change in milliseconds; if not, it asks for it within a minute (SCHEMA_PULL_INTERVAL_MS of Cassandra). */
const AGREE_MS = 90_000;

const AGREE_EVERY_MS = 50;

interface TableDefinition {
  columns: string;
  comment: string;
  /** The entry of Retention that its rows live by; null: for good, whatever happens. */
  lifetime: "events" | "10ms" | "1s" | "1m" | null;
}

const TABLES: Record<string, TableDefinition> = {
  events: {
    columns: `minute bigint, writer uuid, seq int, created_us bigint, received_us bigint, PRIMARY KEY ((minute, writer), seq)`,
    comment: SCHEMA,
    lifetime: "events",
  },
  event_batches: {
    columns: `minute bigint, writer uuid, seq int, cell blob, PRIMARY KEY ((minute, writer), seq)`,
    comment: SCHEMA_PACKED,
    lifetime: "events",
  },
  counts_10ms: {
    columns: `${COUNTS}, PRIMARY KEY ((minute, writer), bucket_us)`,
    comment: SCHEMA,
    lifetime: "10ms",
  },
  counts_1s: {
    columns: `${COUNTS}, lag_hist blob, PRIMARY KEY ((minute, writer), bucket_us)`,
    comment: SCHEMA,
    lifetime: "1s",
  },
  counts_1m: {
    columns: `${COUNTS}, lag_hist blob, PRIMARY KEY ((minute, writer), bucket_us)`,
    comment: SCHEMA,
    lifetime: "1m",
  },
  claims: {
    columns: `hour bigint, minute bigint, writer uuid, sealed_events int, PRIMARY KEY ((hour), minute, writer)`,
    comment: SCHEMA,
    lifetime: null,
  },
  merged_1s: {
    columns: `hour bigint, minute bigint, cell blob, PRIMARY KEY ((hour), minute)`,
    comment: SCHEMA_MERGED,
    lifetime: "1s",
  },
  merged_1m: {
    columns: `day bigint, minute bigint, cell blob, PRIMARY KEY ((day), minute)`,
    comment: SCHEMA_MERGED,
    lifetime: "1m",
  },
};

/** What one node knows, or all of them. */
interface KnownSchema {
  /** The host ids of all nodes, where that was asked. */
  members?: string;
  /** Undefined: there is no such keyspace. */
  replication: Record<string, string> | undefined;
  tables: ReadonlyMap<string, TableState>;
}

interface TableState {
  id: string;
  /** Its rows' time to live; 0: for good. */
  seconds: number;
}

/** What the keyspace is like. */
export interface SchemaState {
  rf: number;
  retention: Retention;
  /** False in a store of 0.1.0 that no later version has served yet. */
  hasMerged: boolean;
  /** False in a store that nothing since 0.6.0 has written to yet. */
  hasPacked: boolean;
  /** That of the table of events, which a node gives it when it is made. */
  id: string;
}

/**
 * Makes sure that keyspace and tables are there and are ours. `serve` and `scratch` create all that is missing, `write`
 * what came after 0.1.0, `read` nothing. `serve` gives the tables the lifetimes that `options` name.
 */
export async function ensureSchema(
  client: Client,
  address: CassandraAddress,
  options: Pick<OpenOptions, "mode" | "retention">,
): Promise<SchemaState> {
  const { keyspace, location } = address;
  const creates = options.mode === "serve" || options.mode === "scratch";
  const lacks = ({ replication, tables }: KnownSchema) =>
    Object.entries(TABLES).filter(([name, { comment }]) => {
      const mayMake = creates || (options.mode === "write" && replication !== undefined && comment !== SCHEMA);
      return mayMake && !tables.has(name);
    });
  // A keyspace for measurements has a name that nobody else can have: there is no race, and nothing that must last.
  const making = options.mode === "scratch" ? undefined : "all nodes";
  const create = (cql: string) => changeSchema(client, cql, making && hostsOf(client, address.datacenter)[0]);
  // Who only reads needs no more than one node's word: a node that hangs must not keep anybody from reading.
  let known =
    options.mode === "read" ? await definitionsAt(anyNode(client), address) : await agreedSchema(client, address);
  if (lacks(known).length > 0) known = await agreedSchema(client, address, making);
  if (!known.replication && creates) {
    const replication = `{'class': 'NetworkTopologyStrategy', '${address.datacenter}': ${address.rf ?? 1}}`;
    await create(`CREATE KEYSPACE IF NOT EXISTS ${keyspace} WITH replication = ${replication}`);
    known = await agreedSchema(client, address, making);
  }
  if (!known.replication) throw missing(location, "there is no such keyspace");
  const rf = replicasOf(known.replication, address);
  if (address.rf !== undefined && address.rf !== rf) {
    throw new Reto3Error("STORE_OPEN", `store ${location}: rf is ${address.rf}, but the keyspace has ${rf}`, {
      hint: `leave rf out, or: ALTER KEYSPACE ${keyspace} ..., then nodetool repair, then start again`,
    });
  }
  const lacking = lacks(known);
  for (const [name, table] of lacking) await create(createTable(keyspace, name, table, known.tables));
  if (lacking.length > 0) known = await agreedSchema(client, address, making);
  const absent = Object.keys(TABLES).filter((name) => TABLES[name]?.comment === SCHEMA && !known.tables.has(name));
  if (absent.length > 0) throw missing(location, `it has no table ${absent.join(", ")}`);
  if (options.mode === "serve" && options.retention) {
    await changeLifetimes(client, address, known.tables, options.retention);
    known = await agreedSchema(client, address);
  }
  const { tables } = known;
  if (options.mode !== "read") await mustReadAndWrite(client, keyspace, tables);
  const lifetimeOf = (name: string) => tables.get(name)?.seconds || null;
  return {
    rf,
    retention: {
      // An older server knows and changes that of the table of rows alone.
      events: lifetimeOf(tables.has("event_batches") ? "event_batches" : "events"),
      "10ms": lifetimeOf("counts_10ms"),
      "1s": lifetimeOf("counts_1s"),
      "1m": lifetimeOf("counts_1m"),
      rawBytesMax: null,
    },
    hasMerged: tables.has("merged_1s") && tables.has("merged_1m"),
    hasPacked: tables.has("event_batches"),
    id: tables.get("events")?.id ?? "",
  };
}

/**
 * Throws STORE_REFUSED for a user that may not read or write: before anything is taken, rather than at the first event. Of no
 * partition at all, so that Cassandra checks the rights and then does nothing.
 */
async function mustReadAndWrite(client: Client, keyspace: string, tables: KnownSchema["tables"]): Promise<void> {
  const query = anyNode(client);
  const must = async (cql: string) => {
    const error = await query(cql).then(() => undefined, storeError);
    // One of several nodes that hangs must not keep a server from starting.
    if (error?.code === "STORE_REFUSED") throw error;
  };
  const there = Object.entries(TABLES).filter(([name]) => tables.has(name));
  await Promise.all(
    there.flatMap(([name, { columns }]) => {
      const keys = /PRIMARY KEY \(\((.*?)\)/.exec(columns)?.[1]?.split(", ") ?? [];
      const from = `FROM ${keyspace}.${name} WHERE ${keys.map((key) => `${key} IN ()`).join(" AND ")}`;
      return [must(`SELECT ${keys[0]} ${from}`), must(`DELETE ${from}`)];
    }),
  );
}

/**
 * What the nodes know that answer, once they know the same. Before that nothing may be written: a node that does not know a
 * table refuses its rows. With "all nodes", for making tables, each must answer, and all must know the same nodes: who knows
 * fewer could make the tables again, and a node that comes back would get rows before it has the tables. Throws STORE_OPEN
 * when it does not come to that.
 */
async function agreedSchema(client: Client, address: CassandraAddress, wanted?: "all nodes"): Promise<KnownSchema> {
  const { datacenter, location } = address;
  const deadlineMs = performance.now() + AGREE_MS;
  for (;;) {
    const answers = await askEachNode(client, datacenter, async (query) => ({
      ...(await tablesAt(query, address)),
      ...(wanted && { members: await membersAt(query) }),
    }));
    const known = answers.flatMap(({ answer }) => answer ?? []);
    const [first] = known;
    const texts = new Set(
      known.map(({ members, replication, tables }) => JSON.stringify([members, replication, ...tables])),
    );
    const isWhole = !wanted || (known.length === answers.length && first?.members === membersOf(client));
    if (first && texts.size === 1 && isWhole) return first;
    if (performance.now() > deadlineMs) {
      const says = answers.map(({ host, answer, problem }) => `${host}: ${answer ? tablesIn(answer) : problem}`);
      const what = !first
        ? "no node answers"
        : texts.size > 1
          ? "its nodes know different tables or different nodes"
          : "tables are made only while all nodes answer";
      throw new Reto3Error(
        first ? "STORE_OPEN" : "STORE_UNAVAILABLE",
        `store ${location}: ${what} (${says.join("; ")})`,
        {
          hint: "see 'nodetool status' and 'nodetool describecluster'; start what is down, restart what does not catch up",
        },
      );
    }
    await Bun.sleep(AGREE_EVERY_MS);
  }
}

function tablesIn({ tables }: KnownSchema): string {
  return `${tables.size} of ${Object.keys(TABLES).length} tables`;
}

/** The host ids of all nodes that a node knows, itself among them. */
async function membersAt(query: Query): Promise<string> {
  const [self, peers] = await Promise.all([
    query("SELECT host_id FROM system.local"),
    query("SELECT host_id FROM system.peers_v2"),
  ]);
  return listOf([...self, ...peers].map((row) => row.get("host_id")));
}

function membersOf(client: Client): string {
  return listOf(client.hosts.values().map((host) => host.hostId));
}

function listOf(hostIds: readonly unknown[]): string {
  return hostIds.map(String).toSorted().join(" ");
}

/**
 * The tables that one node has. It knows a table's definition first and has the table some milliseconds later; in between it
 * throws away what is written, and says that it is stored (applyInternal in Keyspace.java). `disk_usage` lists those it has.
 */
async function tablesAt(query: Query, address: CassandraAddress): Promise<KnownSchema> {
  const [{ replication, tables }, there] = await Promise.all([
    definitionsAt(query, address),
    query("SELECT table_name FROM system_views.disk_usage WHERE keyspace_name = ? ALLOW FILTERING", [address.keyspace]),
  ]);
  const names = new Set(there.map((row) => String(row.get("table_name"))));
  return { replication, tables: new Map([...tables].filter(([name]) => names.has(name))) };
}

/** What one node knows, whether it has the tables already or not. */
async function definitionsAt(query: Query, { keyspace, location }: CassandraAddress): Promise<KnownSchema> {
  const columns = "table_name, id, comment, default_time_to_live";
  const [keyspaces, definitions] = await Promise.all([
    query("SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = ?", [keyspace]),
    query(`SELECT ${columns} FROM system_schema.tables WHERE keyspace_name = ?`, [keyspace]),
  ]);
  return {
    replication: keyspaces[0]?.get("replication") as KnownSchema["replication"],
    tables: tablesOf(definitions, location),
  };
}

/** A question that is asked once is not worth the round trip that prepares it. */
function anyNode(client: Client): Query {
  return async (cql, params = []) => (await client.execute(cql, params, { prepare: false })).rows;
}

/** Replicas per row in the address's data centre. */
function replicasOf(replication: Record<string, string>, address: CassandraAddress): number {
  const replicas = Number(replication[address.datacenter] ?? Number.NaN);
  if (replicas > 0) return replicas;
  throw new Reto3Error(
    "STORE_OPEN",
    `store ${address.location}: the keyspace has no replicas in data centre ${address.datacenter} (${JSON.stringify(replication)})`,
    { hint: "want NetworkTopologyStrategy with that data centre; name the right one with ?dc=, or alter the keyspace" },
  );
}

/** Our tables among those of the keyspace; throws STORE_OPEN for one that is not of this version. */
function tablesOf(rows: readonly types.Row[], location: string): Map<string, TableState> {
  const found = new Map<string, TableState>();
  for (const row of rows) {
    const name = String(row.get("table_name"));
    if (!Object.hasOwn(TABLES, name)) continue;
    const comment = String(row.get("comment"));
    if (comment !== SCHEMA && !comment.startsWith(`${SCHEMA}.`)) {
      throw new Reto3Error(
        "STORE_OPEN",
        `store ${location}: the table ${name} says ${JSON.stringify(comment)}, want '${SCHEMA}'`,
        { hint: "use the reto3 that made it, or name another keyspace" },
      );
    }
    found.set(name, { id: String(row.get("id")), seconds: Number(row.get("default_time_to_live")) });
  }
  return found;
}

function createTable(keyspace: string, name: string, table: TableDefinition, tables: KnownSchema["tables"]): string {
  const { columns, comment, lifetime } = table;
  // A table that comes later lives as long as the one that it goes with.
  const sister =
    lifetime === null ? undefined : tables.get(lifetime === "events" ? "events" : `counts_${lifetime}`)?.seconds;
  const seconds = lifetime === null ? null : sister === undefined ? DEFAULT_RETENTION[lifetime] : sister || null;
  const expiry = seconds === null ? `gc_grace_seconds = ${GC_GRACE_SECONDS}` : expiring(seconds);
  return `CREATE TABLE IF NOT EXISTS ${keyspace}.${name} (${columns}) WITH comment = '${comment}' AND ${LZ} AND ${expiry}`;
}

/** Whole windows expire as whole files. The check for such files runs every ten minutes unless a window is shorter. */
function expiring(seconds: number): string {
  const windowMinutes = Math.max(1, Math.round((seconds + GC_GRACE_SECONDS) / WINDOWS / 60));
  return `default_time_to_live = ${seconds} AND gc_grace_seconds = ${GC_GRACE_SECONDS} AND compaction = {
  'class': 'TimeWindowCompactionStrategy', 'compaction_window_unit': 'MINUTES', 'compaction_window_size': ${windowMinutes},
  'expired_sstable_check_frequency_seconds': ${Math.min(600, windowMinutes * 60)}}`;
}

const KEPT = `default_time_to_live = 0 AND gc_grace_seconds = ${GC_GRACE_SECONDS} AND compaction = {'class': 'SizeTieredCompactionStrategy'}`;

/**
 * Alters the tables whose lifetime is to be another one. Rows that are there keep the time to live that they were written
 * with: nothing goes earlier than was promised when it came.
 */
async function changeLifetimes(
  client: Client,
  { keyspace, location }: CassandraAddress,
  tables: KnownSchema["tables"],
  wanted: Partial<Retention>,
): Promise<void> {
  if (typeof wanted.rawBytesMax === "number") {
    throw new Reto3Error(
      "USAGE",
      `store ${location}: it has no limit in bytes; Cassandra expires raw events by age alone`,
      { hint: "use --raw-ttl: docs/adr/0006 has the bytes that a lifetime takes" },
    );
  }
  for (const [name, { lifetime }] of Object.entries(TABLES)) {
    const seconds = lifetime === null ? undefined : wanted[lifetime];
    if (seconds === undefined || (seconds ?? 0) === tables.get(name)?.seconds) continue;
    await changeSchema(client, `ALTER TABLE ${keyspace}.${name} WITH ${seconds === null ? KEPT : expiring(seconds)}`);
  }
}

function missing(location: string, problem: string): Reto3Error {
  return new Reto3Error("STORE_OPEN", `store ${location}: ${problem}`, {
    hint: `start 'reto3 serve --store ${location}' first, and wait until it listens: it creates what is missing`,
  });
}
