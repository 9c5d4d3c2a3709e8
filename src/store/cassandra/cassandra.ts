// The Cassandra store: flushes as one mutation, claims, and reads by partition key. Never scans.
// Tables: schema.ts. Connection: session.ts. What an error means: errors.ts.

import { types, type Client } from "cassandra-driver";
import { bucketStartUs, HOUR_US } from "../../period.ts";
import type { Claim, CountRow, EventRow, OpenOptions, Store, StoreInfo } from "../store.ts";
import { storeError } from "./errors.ts";
import { flushStatements, uuidBytes } from "./flush.ts";
import { ensureSchema } from "./schema.ts";
import { changeSchema, commitLogSyncs, connect, type CommitLogSync } from "./session.ts";
import type { CassandraAddress } from "./url.ts";

/** Hours of claims that are asked for at once; a long range is mostly empty hours. */
const HOURS_AT_ONCE = 24;

const CLOCK_QUESTIONS = 8;

/** Opens the store at `address`. Throws STORE_OPEN with a hint when it cannot be used. */
export async function openCassandra(asked: CassandraAddress, options: OpenOptions): Promise<Store> {
  const scratch = options.mode === "scratch";
  const address = scratch ? scratchOf(asked) : asked;
  const client = await connect(address);
  try {
    const rf = await ensureSchema(client, address, options.mode !== "read");
    const info = describe(address, rf, await commitLogSyncs(client, address.datacenter));
    return {
      info,
      ...operations(client, address.keyspace),
      async close() {
        try {
          if (scratch) await changeSchema(client, `DROP KEYSPACE IF EXISTS ${address.keyspace}`);
        } catch (error) {
          options.log?.(`the keyspace ${address.keyspace} could not be dropped: ${storeError(error).message}`);
        } finally {
          await client.shutdown();
        }
      },
    };
  } catch (error) {
    await client.shutdown();
    throw storeError(error);
  }
}

/** A name that nobody has: what is dropped at the end was made here. A keyspace's has 48 characters at most. */
function scratchOf(address: CassandraAddress): CassandraAddress {
  const keyspace = `${address.keyspace.slice(0, 30)}_scratch_${crypto.randomUUID().slice(0, 8)}`;
  return { ...address, keyspace, location: address.location.replace(`/${address.keyspace}?`, `/${keyspace}?`) };
}

function describe(address: CassandraAddress, rf: number, syncs: readonly CommitLogSync[]): StoreInfo {
  const quorum = Math.floor(rf / 2) + 1;
  const replicas =
    rf === 1 ? "in the commit log of its one replica" : `in the commit logs of ${quorum} of ${rf} replicas`;
  const unsynced = syncs.filter(({ mode }) => mode !== "batch" && mode !== "group" && mode !== "down");
  const survives =
    rf === 1 ? "a killed process and a power cut, not a lost disk" : "killed nodes, a power cut and a lost disk";
  const modes = [...new Set(syncs.map(({ mode }) => mode))].join(", ");
  const down = syncs.filter(({ mode }) => mode === "down");
  return {
    location: address.location,
    durability:
      unsynced.length === 0
        ? `${replicas}, synced (commitlog_sync: ${modes}); it survives ${survives}`
        : `${replicas}, NOT yet synced (commitlog_sync: ${modes}); it may not survive a killed node or a power cut`,
    warnings: [
      ...unsynced.map(
        ({ host, mode }) =>
          `node ${host} has commitlog_sync: ${mode}: events that were answered 200 are LOST when it is killed or loses power,` +
          " and its counts may then disagree; set commitlog_sync: batch in its cassandra.yaml",
      ),
      ...down.map(({ host }) => `node ${host} is down: whether it syncs its commit log before it answers is not known`),
    ],
  };
}

function operations(client: Client, keyspace: string): Omit<Store, "info" | "close"> {
  const statements = flushStatements(keyspace);
  const countColumns = "bucket_us, events, lag_sum_us, lag_min_us, lag_max_us";
  const cql = {
    claim: `INSERT INTO ${keyspace}.claims (hour, minute, writer) VALUES (?, ?, ?)`,
    seal: `INSERT INTO ${keyspace}.claims (hour, minute, writer, sealed_events) VALUES (?, ?, ?, ?)`,
    claims: `SELECT minute, writer, sealed_events FROM ${keyspace}.claims WHERE hour = ? AND minute >= ? AND minute < ?`,
    "10ms": `SELECT ${countColumns} FROM ${keyspace}.counts_10ms ${inPartition} AND bucket_us >= ? AND bucket_us < ?`,
    "1s": `SELECT ${countColumns}, lag_hist FROM ${keyspace}.counts_1s ${inPartition} AND bucket_us >= ? AND bucket_us < ?`,
    "1m": `SELECT ${countColumns}, lag_hist FROM ${keyspace}.counts_1m ${inPartition} AND bucket_us >= ? AND bucket_us < ?`,
    events: `SELECT seq, created_us, received_us FROM ${keyspace}.events ${inPartition}`,
  };
  const execute = (text: string, params: unknown[], timestampUs?: number) =>
    client
      .execute(text, params, timestampUs === undefined ? {} : { timestamp: types.Long.fromNumber(timestampUs) })
      .catch((error: unknown) => {
        throw storeError(error);
      });

  /** All rows of a query, page by page. */
  async function* pages(text: string, params: unknown[]): AsyncGenerator<types.Row[]> {
    let pageState: string | undefined;
    do {
      const page = await client
        .execute(text, params, pageState === undefined ? {} : { pageState })
        .catch((error: unknown) => {
          throw storeError(error);
        });
      yield page.rows;
      pageState = page.pageState;
    } while (pageState);
  }

  async function claimsOfHour(hourUs: number, fromUs: number, toUs: number): Promise<Claim[]> {
    const claims: Claim[] = [];
    for await (const rows of pages(cql.claims, [hourUs, fromUs, toUs])) claims.push(...rows.map(claimOf));
    return claims;
  }

  return {
    async write(flush) {
      const timestamp = types.Long.fromNumber(flush.writtenAtUs);
      try {
        await client.batch(statements(flush), { logged: false, timestamp });
      } catch (error) {
        throw storeError(error);
      }
    },
    async claim({ minuteUs, writer }, writtenAtUs) {
      await execute(cql.claim, [bucketStartUs(minuteUs, HOUR_US), minuteUs, uuidBytes(writer)], writtenAtUs);
    },
    async seal({ minuteUs, writer }, events, writtenAtUs) {
      await execute(cql.seal, [bucketStartUs(minuteUs, HOUR_US), minuteUs, uuidBytes(writer), events], writtenAtUs);
    },
    async *claims(fromUs, toUs) {
      for (let hourUs = bucketStartUs(fromUs, HOUR_US); hourUs < toUs; hourUs += HOURS_AT_ONCE * HOUR_US) {
        const hours = Array.from({ length: HOURS_AT_ONCE }, (_, at) => hourUs + at * HOUR_US).filter((at) => at < toUs);
        const found = await Promise.all(hours.map((at) => claimsOfHour(at, fromUs, toUs)));
        yield found.flat();
      }
    },
    async counts({ minuteUs, writer }, level, fromUs, toUs) {
      const rows: CountRow[] = [];
      for await (const page of pages(cql[level], [minuteUs, uuidBytes(writer), fromUs, toUs]))
        rows.push(...page.map(countOf));
      return rows;
    },
    async *events({ minuteUs, writer }) {
      for await (const page of pages(cql.events, [minuteUs, uuidBytes(writer)])) {
        if (page.length > 0) yield page.map(eventOf);
      }
    },
    async ping() {
      await execute("SELECT key FROM system.local", []);
    },
    async clockOffsetUs() {
      // The quickest of a few answers says it best: what a question waits on one way only looks like an offset.
      let best = { tripMs: Number.POSITIVE_INFINITY, offsetMs: 0 };
      for (let question = 0; question < CLOCK_QUESTIONS; question++) {
        const sentMs = performance.now();
        const answer = await execute("SELECT toTimestamp(now()) AS now FROM system.local", []);
        const tripMs = performance.now() - sentMs;
        // Both clocks are cut to whole milliseconds, which evens out.
        const offsetMs = Number(answer.first()?.get("now")) - (Date.now() - tripMs / 2);
        if (tripMs < best.tripMs) best = { tripMs, offsetMs };
      }
      return Math.round(best.offsetMs * 1_000);
    },
  };
}

const inPartition = "WHERE minute = ? AND writer = ?";

function numberAt(row: types.Row, column: string): number {
  const value: unknown = row.get(column);
  return types.Long.isLong(value) ? value.toNumber() : Number(value);
}

function claimOf(row: types.Row): Claim {
  const sealed = row.get("sealed_events") as number | null;
  return { minuteUs: numberAt(row, "minute"), writer: String(row.get("writer")), sealedEvents: sealed };
}

function countOf(row: types.Row): CountRow {
  const lagHist = row.get("lag_hist") as Buffer | undefined | null;
  return {
    bucketUs: numberAt(row, "bucket_us"),
    events: numberAt(row, "events"),
    lagSumUs: numberAt(row, "lag_sum_us"),
    lagMinUs: numberAt(row, "lag_min_us"),
    lagMaxUs: numberAt(row, "lag_max_us"),
    lagHist: lagHist ? new Uint8Array(lagHist) : null,
  };
}

function eventOf(row: types.Row): EventRow {
  return {
    seq: numberAt(row, "seq"),
    createdUs: BigInt(String(row.get("created_us"))),
    receivedUs: numberAt(row, "received_us"),
  };
}
