// Which rows are due, and their removal in steps that are short enough to go unnoticed beside the flushes.
// Needs a database handle and is told the time; knows no worker, no timers.
//
//     a minute is due when        minute end + lifetime <= now
//     a step is                   seek the key `rowsMax` rows on, outside of any lock; DELETE all below it
//
// A DELETE below a key runs along the tree once: 2,000 rows hold the lock for 0.4 ms, a DELETE ... ORDER BY ... LIMIT
// of as many, which first gathers their keys, 2.3 ms (measured on 41-byte rows, two shared cores).

import { MINUTE_US, SECOND_US } from "../../period.ts";
import type { Retention } from "../store.ts";
import type { Statements } from "./statements.ts";
import { inTurns } from "./turn.ts";

/** 5,000 rows at once would hold the lock for 1.2 ms. */
export const STEP_ROWS_MAX = 2_000;

/**
 * What a raw event takes on disk, its share of the pages included. Measured with dbstat: 41.3 for one writer, in flushes
 * of 50 as of 5,000; 40.9 for two and 40.0 for sixteen writers side by side (3,000,000 rows each).
 */
export const RAW_EVENT_BYTES = 41;

/**
 * A packed row takes so much beside its batch, and a page has room for whole rows only; of all pages, those that a second
 * writer has split are not full. Measured with dbstat, flushes of 1 to 5,000 events, one writer and two: within 8 %.
 */
const BATCH_ROW_BYTES = 24;
const PAGE_BYTES = 4_096;
const SPLIT_SHARE = 1.05;

/** Counting the raw rows may take so small a share of the time. */
const COUNT_SHARE_MAX = 1 / 100;

/** So many partitions are counted before others have their turn: some 5 ms. */
const PARTITIONS_AT_ONCE = 1_000;

interface ExpiringTable {
  name: string;
  lifetime: "events" | "10ms" | "1s" | "1m";
  key: readonly string[];
  stepRowsMax: number;
}

const EVENTS: ExpiringTable = {
  name: "events",
  lifetime: "events",
  key: ["minute", "writer", "seq"],
  stepRowsMax: STEP_ROWS_MAX,
};
/** A row of them has 250 bytes at 5,000 events/s and 1,000 at most (packing.ts). */
const EVENT_BATCHES: ExpiringTable = { ...EVENTS, name: "event_batches", stepRowsMax: 200 };
const COUNT_KEY = ["minute", "writer", "bucket_us"];
/** A minute of merged seconds has pages of its own: a hundred of them take as long as 2,000 raw events. */
const TABLES: readonly ExpiringTable[] = [
  EVENTS,
  EVENT_BATCHES,
  { name: "counts_10ms", lifetime: "10ms", key: COUNT_KEY, stepRowsMax: STEP_ROWS_MAX },
  { name: "counts_1s", lifetime: "1s", key: COUNT_KEY, stepRowsMax: 1_000 },
  { name: "merged_1s", lifetime: "1s", key: ["minute"], stepRowsMax: 100 },
  { name: "counts_1m", lifetime: "1m", key: COUNT_KEY, stepRowsMax: 1_000 },
  { name: "merged_1m", lifetime: "1m", key: ["minute"], stepRowsMax: 1_000 },
];

/** Removes what is past its lifetime, the oldest first; each `next()` is one step and tells how many rows went. */
export function* expireDue(statements: Statements, retention: Retention, nowUs: number): Generator<number> {
  for (const table of TABLES) {
    const seconds = retention[table.lifetime];
    if (seconds === null) continue;
    const lastMinuteUs = nowUs - seconds * SECOND_US - MINUTE_US;
    yield* removeUpTo(statements, table, [lastMinuteUs, ...table.key.slice(1).map(() => Number.MAX_SAFE_INTEGER)]);
  }
}

/** Where the raw events lie. */
export const EVENT_TABLES = ["events", "event_batches"] as const;
export type EventTable = (typeof EVENT_TABLES)[number];

/** Where a raw event lies among those of its table, which is by age: `[minute, writer, seq]`. */
export type EventKey = readonly [number, number, number];

/** Removes the raw events of a table up to `last` and nothing else; in steps as above. Several may do so at once: it is the same rows. */
export function* cutEvents(statements: Statements, table: EventTable, last: EventKey): Generator<number> {
  yield* removeUpTo(statements, table === "events" ? EVENTS : EVENT_BATCHES, last);
}

function* removeUpTo(
  statements: Statements,
  { name, key, stepRowsMax }: ExpiringTable,
  last: readonly number[],
): Generator<number> {
  const columns = key.join(", ");
  const upTo = `WHERE (${columns}) <= (${key.map(() => "?").join(", ")})`;
  const seek = statements.get<Record<string, number>>(
    `SELECT ${columns} FROM ${name} ${upTo} ORDER BY ${columns} LIMIT 1 OFFSET ?`,
  );
  const remove = statements.get(`DELETE FROM ${name} ${upTo}`);
  for (;;) {
    const bound = seek.get(...last, stepRowsMax - 1);
    // Without looking first, an idle second would take the lock for nothing.
    if (!bound && seek.get(...last, 0) === null) return;
    yield remove.run(...(bound ? key.map((column) => bound[column] ?? 0) : last)).changes;
    if (!bound) return;
  }
}

/** Raw events of one partition, `[firstSeq, firstSeq + events)`: only the lowest are ever removed. */
export interface EventPartition {
  table: EventTable;
  minuteUs: number;
  writer: number;
  firstSeq: number;
  events: number;
  /** What they take on disk, about. */
  bytes: number;
}

/** The partitions of raw events in a table, the oldest first, by a few seeks each: the cost is that of the partitions, not of the events. */
export function* eventPartitions(statements: Statements, table: EventTable): Generator<EventPartition> {
  const packed = table === "event_batches";
  const row = packed ? "seq, events, length(cell) AS bytes" : "seq, 1 AS events, 0 AS bytes";
  // With all three columns in the key it is a seek; with two, SQLite would walk through the partition.
  const next = statements.get<{ minute: number; writer: number } & BatchRow, [number, number, number]>(
    `SELECT minute, writer, ${row} FROM ${table} WHERE (minute, writer, seq) > (?, ?, ?)
     ORDER BY minute, writer, seq LIMIT 1`,
  );
  const upTo = statements.get<BatchRow, [number, number, number]>(
    `SELECT ${row} FROM ${table} WHERE minute = ? AND writer = ? AND seq <= ? ORDER BY seq DESC LIMIT 1`,
  );
  let first = next.get(Number.MIN_SAFE_INTEGER, 0, 0);
  while (first) {
    const { minute, writer, seq: firstSeq } = first;
    const last = upTo.get(minute, writer, Number.MAX_SAFE_INTEGER) ?? first;
    const events = last.seq + last.events - firstSeq;
    const middle = (packed && upTo.get(minute, writer, firstSeq + Math.floor(events / 2))) || first;
    const eventBytes = packed ? meanBytes([first, middle, last]) : RAW_EVENT_BYTES;
    yield { table, minuteUs: minute, writer, firstSeq, events, bytes: events * eventBytes };
    first = next.get(minute, writer, Number.MAX_SAFE_INTEGER);
  }
}

/** A packed row, or one event as a row. */
interface BatchRow {
  seq: number;
  events: number;
  bytes: number;
}

/** Of an event, on disk, in such rows. The first and the last of a minute are often small: together they weigh little. */
function meanBytes(rows: readonly BatchRow[]): number {
  const bytes = rows.reduce((sum, row) => sum + diskBytes(row), 0);
  return bytes / rows.reduce((sum, { events }) => sum + events, 0);
}

function diskBytes({ bytes }: BatchRow): number {
  const rowsPerPage = Math.max(1, Math.floor(PAGE_BYTES / (bytes + BATCH_ROW_BYTES)));
  return (PAGE_BYTES / rowsPerPage) * SPLIT_SHARE;
}

/** The partitions of all raw events, the oldest first. */
function* allEventPartitions(statements: Statements): Generator<EventPartition> {
  const tables = EVENT_TABLES.map((table) => eventPartitions(statements, table));
  const heads = tables.map((table) => table.next());
  for (;;) {
    let oldest: { minuteUs: number; at: number } | undefined;
    for (const [at, head] of heads.entries()) {
      if (!head.done && (!oldest || head.value.minuteUs < oldest.minuteUs)) oldest = { ...head.value, at };
    }
    const head = oldest && heads[oldest.at];
    const table = oldest && tables[oldest.at];
    if (!oldest || !head || !table || head.done) return;
    yield head.value;
    heads[oldest.at] = table.next();
  }
}

/** Counts the raw events against a budget of bytes, and remembers when that may be done again. */
export class RawBudget {
  readonly #statements: Statements;
  readonly #clockMs: () => number;
  #nextCountMs = Number.NEGATIVE_INFINITY;

  constructor(statements: Statements, clockMs: () => number = () => performance.now()) {
    this.#statements = statements;
    this.#clockMs = clockMs;
  }

  /** The last of the raw events that are too many, by table; none if nothing is, or if it is too early to look again. */
  async cut(rawBytesMax: number | null): Promise<Map<EventTable, EventKey>> {
    const cuts = new Map<EventTable, EventKey>();
    const startedMs = this.#clockMs();
    if (rawBytesMax === null || startedMs < this.#nextCountMs) return cuts;
    let excess = -rawBytesMax;
    for await (const { bytes } of inTurns(allEventPartitions(this.#statements), PARTITIONS_AT_ONCE)) excess += bytes;
    const elapsedMs = this.#clockMs() - startedMs;
    this.#nextCountMs = startedMs + elapsedMs / COUNT_SHARE_MAX;
    if (excess <= 0) return cuts;
    for await (const partition of inTurns(allEventPartitions(this.#statements), PARTITIONS_AT_ONCE)) {
      const { table, minuteUs, writer, firstSeq, events, bytes } = partition;
      const tooMany = Math.min(events, Math.ceil((excess / bytes) * events));
      cuts.set(table, [minuteUs, writer, firstSeq + tooMany - 1]);
      excess -= bytes;
      if (excess <= 0) break;
    }
    return cuts;
  }
}
