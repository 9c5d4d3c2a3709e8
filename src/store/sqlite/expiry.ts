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
const COUNT_KEY = ["minute", "writer", "bucket_us"];
/** A minute of merged seconds has pages of its own: a hundred of them take as long as 2,000 raw events. */
const TABLES: readonly ExpiringTable[] = [
  EVENTS,
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

/** Where a raw event lies among the others, which is by age: `[minute, writer, seq]`. */
export type EventKey = readonly [number, number, number];

/** Removes the raw events up to `last` and nothing else; in steps as above. Several may do so at once: it is the same rows. */
export function* cutEvents(statements: Statements, last: EventKey): Generator<number> {
  yield* removeUpTo(statements, EVENTS, last);
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

/** Raw events of one partition. Their seqs have no gaps: only the lowest are ever removed. */
interface EventPartition {
  minuteUs: number;
  writer: number;
  firstSeq: number;
  rows: number;
}

/** The partitions of raw events, the oldest first, by two seeks each: the cost is that of the partitions, not of the events. */
export function* eventPartitions(statements: Statements): Generator<EventPartition> {
  // With all three columns in the key it is a seek; with two, SQLite would walk through the partition.
  const next = statements.get<{ minute: number; writer: number; seq: number }, [number, number, number]>(
    `SELECT minute, writer, seq FROM events WHERE (minute, writer, seq) > (?, ?, ?)
     ORDER BY minute, writer, seq LIMIT 1`,
  );
  const last = statements.get<{ seq: number | null }, [number, number]>(
    "SELECT max(seq) AS seq FROM events WHERE minute = ? AND writer = ?",
  );
  let at = next.get(Number.MIN_SAFE_INTEGER, 0, 0);
  while (at) {
    const { minute, writer, seq } = at;
    const lastSeq = last.get(minute, writer)?.seq ?? null;
    yield { minuteUs: minute, writer, firstSeq: seq, rows: lastSeq === null ? 0 : lastSeq - seq + 1 };
    at = next.get(minute, writer, Number.MAX_SAFE_INTEGER);
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

  /** The last of the raw events that are too many; null if none is, or if it is too early to look again. */
  async cut(rawBytesMax: number | null): Promise<EventKey | null> {
    const startedMs = this.#clockMs();
    if (rawBytesMax === null || startedMs < this.#nextCountMs) return null;
    let rows = 0;
    for await (const partition of inTurns(eventPartitions(this.#statements), PARTITIONS_AT_ONCE))
      rows += partition.rows;
    const elapsedMs = this.#clockMs() - startedMs;
    this.#nextCountMs = startedMs + elapsedMs / COUNT_SHARE_MAX;
    let excess = rows - Math.floor(rawBytesMax / RAW_EVENT_BYTES);
    if (excess <= 0) return null;
    for await (const partition of inTurns(eventPartitions(this.#statements), PARTITIONS_AT_ONCE)) {
      const { minuteUs, writer, firstSeq } = partition;
      if (partition.rows >= excess) return [minuteUs, writer, firstSeq + excess - 1];
      excess -= partition.rows;
    }
    return null;
  }
}
