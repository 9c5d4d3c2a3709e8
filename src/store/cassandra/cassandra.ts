// The Cassandra store: flushes as one mutation, claims, and reads by partition key. Never scans.
// Tables: schema.ts. Connection: session.ts. What an error means: errors.ts.

import { types, type Client, type QueryOptions } from "cassandra-driver";
import { bucketStartUs, DAY_US, HOUR_US, MINUTE_US, SECOND_US } from "../../period.ts";
import { decodeEvents, eventsAfter } from "../event-batch.ts";
import { decodeMerged, encodeMerged } from "../merged-cell.ts";
import type {
  Claim,
  ClaimCount,
  CountRow,
  EventRow,
  MergedLevel,
  MergedMinute,
  OpenOptions,
  RawLayout,
  ReadOptions,
  Store,
  StoreInfo,
} from "../store.ts";
import { expiredEvents, isReadFailure, storeError } from "./errors.ts";
import { flushStatements, uuidBytes } from "./flush.ts";
import { ensureSchema, type SchemaState } from "./schema.ts";
import { changeSchema, commitLogSyncs, connect, type CommitLogSync } from "./session.ts";
import { sizesOf } from "./sizes.ts";
import type { CassandraAddress } from "./url.ts";

/** Hours of claims that are asked for at once; a long range is mostly empty hours. */
const HOURS_AT_ONCE = 24;

/** A batch of 5,000 events has some 15 kB. */
const BATCHES_PAGE_ROWS = 100;

const CLOCK_QUESTIONS = 8;

/**
 * A hint lives three hours at most (gc_grace_seconds of our tables: schema.ts), and a flush is tried for ten minutes and a
 * half: after four hours nothing of a writer that has died can reach a replica any more.
 */
const SETTLE_AFTER_MS = 4 * 3_600_000;

/** The partitions of merged minutes, and how many of these come in a page: a minute of seconds has some 10 kB. */
const MERGED: Record<MergedLevel, { key: string; partitionUs: number; pageRows: number }> = {
  "1s": { key: "hour", partitionUs: HOUR_US, pageRows: 60 },
  "1m": { key: "day", partitionUs: DAY_US, pageRows: 1_440 },
};

/** Opens the store at `address`. Throws STORE_OPEN with a hint when it cannot be used. */
export async function openCassandra(asked: CassandraAddress, options: OpenOptions): Promise<Store> {
  const scratch = options.mode === "scratch";
  const address = scratch ? scratchOf(asked) : asked;
  const client = await connect(address);
  try {
    const [schema, syncs] = await Promise.all([
      ensureSchema(client, address, options),
      commitLogSyncs(client, address.datacenter),
    ]);
    return {
      info: describe(address, schema, syncs),
      ...operations(client, address.keyspace, schema, options.rawLayout ?? "packed"),
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

function describe(address: CassandraAddress, schema: SchemaState, syncs: readonly CommitLogSync[]): StoreInfo {
  const { rf, retention, hasMerged, hasPacked } = schema;
  const quorum = Math.floor(rf / 2) + 1;
  const replicas =
    rf === 1 ? "in the commit log of its one replica" : `in the commit logs of ${quorum} of ${rf} replicas`;
  const down = syncs.filter(({ mode }) => mode === "down");
  const unsynced = syncs.filter(({ mode }) => mode !== "batch" && mode !== "group" && mode !== "down");
  const survives =
    rf === 1 ? "a killed process and a power cut, not a lost disk" : "killed nodes, a power cut and a lost disk";
  const told = syncs.length - down.length;
  const modes = [...new Set(syncs.map(({ mode }) => mode))].filter((mode) => mode !== "down").join(", ");
  const where = down.length === 0 ? modes : `${modes}, on the ${told} of ${syncs.length} nodes that answered`;
  const promise =
    told === 0
      ? "; whether it is synced, and survives a killed node or a power cut, is not known: no node told its commitlog_sync"
      : unsynced.length === 0
        ? `, synced (commitlog_sync: ${where}); it survives ${survives}`
        : `, NOT yet synced (commitlog_sync: ${where}); it may not survive a killed node or a power cut`;
  return {
    location: address.location,
    identity: schema.id,
    schema: hasPacked ? "1.2" : hasMerged ? "1.1" : "1.0",
    retention,
    settleAfterMs: SETTLE_AFTER_MS,
    durability: `${replicas}${promise}`,
    synced: told === 0 ? null : unsynced.length === 0,
    warnings: [
      ...unsynced.map(
        ({ host, mode }) =>
          `node ${host} has commitlog_sync: ${mode}: events that were answered 200 are LOST when it is killed or loses power,` +
          " and its counts may then disagree; set commitlog_sync: batch in its cassandra.yaml",
      ),
      ...down.map(
        ({ host }) =>
          `node ${host} is down or does not answer: whether it syncs its commit log before it answers is not known`,
      ),
    ],
  };
}

function operations(
  client: Client,
  keyspace: string,
  schema: SchemaState,
  rawLayout: RawLayout,
): Omit<Store, "info" | "close"> {
  const statements = flushStatements(keyspace, rawLayout);
  const countColumns = "bucket_us, events, lag_sum_us, lag_min_us, lag_max_us";
  const cql = {
    claim: `INSERT INTO ${keyspace}.claims (hour, minute, writer) VALUES (?, ?, ?)`,
    seal: `INSERT INTO ${keyspace}.claims (hour, minute, writer, sealed_events) VALUES (?, ?, ?, ?)`,
    claims: `SELECT minute, writer, sealed_events FROM ${keyspace}.claims WHERE hour = ? AND minute >= ? AND minute < ?`,
    "10ms": `SELECT ${countColumns} FROM ${keyspace}.counts_10ms ${inPartition} AND bucket_us >= ? AND bucket_us < ?`,
    "1s": `SELECT ${countColumns}, lag_hist FROM ${keyspace}.counts_1s ${inPartition} AND bucket_us >= ? AND bucket_us < ?`,
    "1m": `SELECT ${countColumns}, lag_hist FROM ${keyspace}.counts_1m ${inPartition} AND bucket_us >= ? AND bucket_us < ?`,
    events: `SELECT seq, created_us, received_us FROM ${keyspace}.events ${inPartition}`,
    batches: `SELECT seq, cell FROM ${keyspace}.event_batches ${inPartition}`,
    claimCounts: `SELECT minute, count(*) AS claims, count(sealed_events) AS sealed FROM ${keyspace}.claims
 WHERE hour = ? AND minute >= ? AND minute < ? GROUP BY hour, minute`,
    claimedHours: `SELECT DISTINCT hour FROM ${keyspace}.claims`,
  };
  const execute = (text: string, params: unknown[], timestampUs?: number) =>
    client
      .execute(text, params, timestampUs === undefined ? {} : { timestamp: types.Long.fromNumber(timestampUs) })
      .catch((error: unknown) => {
        throw storeError(error);
      });

  /** All rows of a query, page by page. */
  async function* pages(text: string, params: unknown[], options: QueryOptions = {}): AsyncGenerator<types.Row[]> {
    let pageState: string | undefined;
    do {
      const page = await client
        .execute(text, params, pageState === undefined ? options : { ...options, pageState })
        .catch((error: unknown) => {
          throw storeError(error);
        });
      yield page.rows;
      pageState = page.pageState;
    } while (pageState);
  }

  async function rowsOf(text: string, params: unknown[], options: QueryOptions = {}): Promise<types.Row[]> {
    const rows: types.Row[] = [];
    for await (const page of pages(text, params, options)) rows.push(...page);
    return rows;
  }

  /** `read` for the hours of a range, a day of them side by side. */
  async function* byHours<T>(
    fromUs: number,
    toUs: number,
    read: (hourUs: number) => Promise<T[]>,
  ): AsyncGenerator<T[]> {
    for (let hourUs = bucketStartUs(fromUs, HOUR_US); hourUs < toUs; hourUs += HOURS_AT_ONCE * HOUR_US) {
      const hours = Array.from({ length: HOURS_AT_ONCE }, (_, at) => hourUs + at * HOUR_US).filter((at) => at < toUs);
      yield (await Promise.all(hours.map(read))).flat();
    }
  }

  async function claimedHours(): Promise<number[]> {
    return (await rowsOf(cql.claimedHours, [])).map((row) => numberAt(row, "hour")).sort((a, b) => a - b);
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
    claims: (fromUs, toUs) =>
      byHours(fromUs, toUs, async (hourUs) => (await rowsOf(cql.claims, [hourUs, fromUs, toUs])).map(claimOf)),
    claimCounts: (fromUs, toUs) =>
      byHours(fromUs, toUs, async (hourUs) =>
        (await rowsOf(cql.claimCounts, [hourUs, fromUs, toUs])).map(claimCountOf),
      ),
    claimedHours,
    async counts({ minuteUs, writer }, level, fromUs, toUs, options) {
      const rows = await rowsOf(cql[level], [minuteUs, uuidBytes(writer), fromUs, toUs], reach(options));
      return rows.map(countOf);
    },
    async *events({ minuteUs, writer }, options) {
      // Expired rows lie on the disk for hours more, and beyond 100,000 of them a node refuses the read.
      if (isPast(minuteUs, schema.retention.events)) throw expiredEvents();
      const partition = [minuteUs, uuidBytes(writer)];
      try {
        const batches = schema.hasPacked
          ? pages(cql.batches, partition, { ...reach(options), fetchSize: BATCHES_PAGE_ROWS })
          : [];
        let packed = false;
        let lastSeq = -1;
        for await (const page of batches) {
          packed ||= page.length > 0;
          for (const row of page) {
            const events = decodeEvents(minuteUs, numberAt(row, "seq"), row.get("cell") as Buffer);
            const fresh = eventsAfter(lastSeq, events);
            if (fresh.length > 0) yield fresh;
            lastSeq = fresh.at(-1)?.seq ?? lastSeq;
          }
        }
        // A writer writes in one layout. Of a copy that was repeated in the other one, what is in rows alone counts as expired.
        if (packed) return;
        for await (const page of pages(cql.events, partition, reach(options))) {
          if (page.length > 0) yield page.map(eventOf);
        }
      } catch (error) {
        throw isReadFailure(error) ? expiredEvents(error) : error;
      }
    },
    async merge(level, minute, writtenAtUs) {
      const { key, partitionUs } = MERGED[level];
      const { minuteUs } = minute;
      const lifetime = schema.retention[level];
      // However late it is written, it goes when the rows go that it was made of.
      const endsUs = minuteUs + MINUTE_US + (lifetime ?? 0) * SECOND_US;
      const ttl = lifetime === null ? 0 : Math.ceil((endsUs - Date.now() * 1_000) / SECOND_US);
      if (lifetime !== null && ttl <= 0) return;
      const insert = `INSERT INTO ${keyspace}.merged_${level} (${key}, minute, cell) VALUES (?, ?, ?) USING TTL ?`;
      const cell = Buffer.from(encodeMerged(minute));
      await execute(insert, [bucketStartUs(minuteUs, partitionUs), minuteUs, cell, ttl], writtenAtUs);
    },
    async *merged(level, fromUs, toUs) {
      if (!schema.hasMerged) return;
      const { key, partitionUs, pageRows } = MERGED[level];
      const select = `SELECT minute, cell FROM ${keyspace}.merged_${level} WHERE ${key} = ? AND minute >= ? AND minute < ?`;
      for (let startUs = bucketStartUs(fromUs, partitionUs); startUs < toUs; startUs += partitionUs) {
        for await (const page of pages(select, [startUs, fromUs, toUs], { fetchSize: pageRows }))
          yield page.flatMap((row) => mergedOf(row) ?? []);
      }
    },
    async sizes(which = "all") {
      try {
        return await sizesOf(client, keyspace, await claimedHours(), schema, which);
      } catch (error) {
        throw storeError(error);
      }
    },
    async gauges() {
      // Of its nodes' disks a client is told nothing.
      return { logBytes: null, diskFreeBytes: null };
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

/** At ALL, what one replica lacks is written to it before the answer (read_repair = 'BLOCKING', the default). */
function reach(options: ReadOptions | undefined): QueryOptions {
  return options?.all ? { consistency: types.consistencies.all } : {};
}

function isPast(minuteUs: number, lifetimeSeconds: number | null): boolean {
  return lifetimeSeconds !== null && Date.now() * 1_000 >= minuteUs + lifetimeSeconds * SECOND_US;
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

function claimCountOf(row: types.Row): ClaimCount {
  return { minuteUs: numberAt(row, "minute"), claims: numberAt(row, "claims"), sealed: numberAt(row, "sealed") };
}

function mergedOf(row: types.Row): MergedMinute | null {
  return decodeMerged(numberAt(row, "minute"), row.get("cell") as Buffer);
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
