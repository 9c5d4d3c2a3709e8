// How large the tables are, for people. Nothing here runs longer than some 100 ms at a time, nor some seconds in all.

import type { Database } from "bun:sqlite";
import type { TableSize } from "../store.ts";
import { attempt } from "./errors.ts";
import { EVENT_TABLES, eventPartitions, type EventTable } from "./expiry.ts";
import { hasTable } from "./schema.ts";
import type { Statements } from "./statements.ts";
import { inTurns, nextTurn } from "./turn.ts";

/** dbstat reads every page of a table: 60 ms for so many (128 MB). In a larger file the bytes are an estimate. */
const EXACT_PAGES_MAX = 32_768;

/** Counting a table takes 0.1 s per million rows or less; after this, the rest of it is an estimate. */
const COUNT_MS_MAX = 1_000;

const ROWS_AT_ONCE = 50_000;
const PARTITIONS_AT_ONCE = 1_000;
const SAMPLE_ROWS = 500;

interface SizedTable {
  name: string;
  key: readonly string[];
  /** What a row takes on disk beside its `blob`; measured with dbstat. */
  rowBytes: number;
  blob?: string;
}

const COUNT_KEY = ["minute", "writer", "bucket_us"];
const TABLES: readonly SizedTable[] = [
  { name: "counts_10ms", key: COUNT_KEY, rowBytes: 43 },
  { name: "counts_1s", key: COUNT_KEY, rowBytes: 68, blob: "lag_hist" },
  { name: "counts_1m", key: COUNT_KEY, rowBytes: 78, blob: "lag_hist" },
  { name: "claims", key: ["hour", "minute", "writer"], rowBytes: 32 },
  { name: "merged_1s", key: ["minute"], rowBytes: 840, blob: "cell" },
  { name: "merged_1m", key: ["minute"], rowBytes: 75, blob: "cell" },
];

/**
 * Rows: exact, unless counting a table took longer than COUNT_MS_MAX: then as if what is left of its span of time were as
 * dense as what was counted. Bytes: exact (dbstat) in a file of up to EXACT_PAGES_MAX pages, of all tables; else the rows times what one
 * takes, for histograms and merged minutes by the newest of them. Pages that expiry has emptied belong to no table: the
 * file keeps them, and new rows fill them.
 */
export async function sizesOf(
  db: Database,
  statements: Statements,
  which: "all" | "raw" = "all",
  countMsMax = COUNT_MS_MAX,
): Promise<TableSize[]> {
  // Raw events are looked at beside the flushes, again and again: nothing of theirs is read to be measured.
  const exact = which === "all" && pagesOf(db) <= EXACT_PAGES_MAX;
  const sizes = [];
  for (const table of EVENT_TABLES) {
    const there = attempt(() => hasTable(db, table));
    const { events, bytes } = there ? await countEvents(statements, table, countMsMax) : { events: 0, bytes: 0 };
    sizes.push({ name: table, rows: events, bytes: there ? bytesOf(table, Math.round(bytes)) : 0 });
  }
  if (which === "raw") return sizes;
  for (const table of TABLES) {
    // A reader of a file of an older version adds no tables to it.
    if (!attempt(() => hasTable(db, table.name))) {
      sizes.push({ name: table.name, rows: 0, bytes: 0 });
      continue;
    }
    const rows = await countRows(statements, table, countMsMax);
    const bytes = bytesOf(table.name, Math.round(rows * (table.rowBytes + blobBytes(statements, table))));
    sizes.push({ name: table.name, rows, bytes });
    await nextTurn();
  }
  return sizes;

  function bytesOf(name: string, estimate: number): number {
    if (!exact) return estimate;
    const dbstat = statements.get<{ bytes: number }>(
      "SELECT pgsize AS bytes FROM dbstat WHERE aggregate = TRUE AND name = ?",
    );
    return attempt(() => dbstat.get(name))?.bytes ?? estimate;
  }
}

async function countEvents(
  statements: Statements,
  table: EventTable,
  countMsMax: number,
): Promise<{ events: number; bytes: number }> {
  const startedMs = performance.now();
  let events = 0;
  let bytes = 0;
  let firstUs: number | undefined;
  for await (const partition of inTurns(eventPartitions(statements, table), PARTITIONS_AT_ONCE)) {
    if (performance.now() - startedMs >= countMsMax) {
      const more = projected(statements, table, events, firstUs ?? partition.minuteUs, partition.minuteUs);
      return { events: events + more, bytes: events > 0 ? bytes * (1 + more / events) : 0 };
    }
    firstUs ??= partition.minuteUs;
    events += partition.events;
    bytes += partition.bytes;
  }
  return { events, bytes };
}

async function countRows(statements: Statements, { name, key }: SizedTable, countMsMax: number): Promise<number> {
  const columns = key.join(", ");
  const above = `FROM ${name} WHERE (${columns}) > (${key.map(() => "?").join(", ")})`;
  const next = statements.get<Record<string, number>>(
    `SELECT ${columns}, minute ${above} ORDER BY ${columns} LIMIT 1 OFFSET ${ROWS_AT_ONCE - 1}`,
  );
  const rest = statements.get<{ rows: number }>(`SELECT count(*) AS rows ${above}`);
  const startedMs = performance.now();
  const firstUs = attempt(() => edgeOf(statements, name, "min"));
  let at = key.map(() => Number.MIN_SAFE_INTEGER);
  for (let rows = 0; ; rows += ROWS_AT_ONCE) {
    const after = at;
    const found = attempt(() => next.get(...after));
    if (!found) return rows + (attempt(() => rest.get(...after))?.rows ?? 0);
    at = key.map((column) => found[column] ?? 0);
    if (performance.now() - startedMs >= countMsMax) {
      return rows + ROWS_AT_ONCE + projected(statements, name, rows + ROWS_AT_ONCE, firstUs, found["minute"] ?? 0);
    }
    await nextTurn();
  }
}

/** The rows after `reachedUs`, if they are as dense as the `rows` from `firstUs` to there. */
function projected(statements: Statements, table: string, rows: number, firstUs: number, reachedUs: number): number {
  const lastUs = attempt(() => edgeOf(statements, table, "max"));
  return reachedUs > firstUs ? Math.round((rows * (lastUs - reachedUs)) / (reachedUs - firstUs)) : 0;
}

function edgeOf(statements: Statements, table: string, edge: "min" | "max"): number {
  // Of claims too the minute ascends with the key; its first column alone is sought.
  const column = table === "claims" ? "hour" : "minute";
  return statements.get<{ us: number | null }>(`SELECT ${edge}(${column}) AS us FROM ${table}`).get()?.us ?? 0;
}

function blobBytes(statements: Statements, { name, key, blob }: SizedTable): number {
  if (!blob) return 0;
  const newest = key.map((column) => `${column} DESC`).join(", ");
  const mean = statements.get<{ bytes: number | null }>(
    `SELECT avg(length(${blob})) AS bytes FROM (SELECT ${blob} FROM ${name} ORDER BY ${newest} LIMIT ${SAMPLE_ROWS})`,
  );
  return attempt(() => mean.get())?.bytes ?? 0;
}

function pagesOf(db: Database): number {
  using statement = db.prepare<{ page_count: number }, []>("PRAGMA page_count");
  return attempt(() => statement.get())?.page_count ?? 0;
}
