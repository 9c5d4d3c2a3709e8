// Counts and raw events as Parquet, a stream of bytes: one row group is in memory, however long the file gets.
// Knows the format's library, hyparquet-writer, and nothing of files or stores.
//
//     counts:  bucket timestamp, events int64, lag_min_us, lag_avg_us, lag_max_us int64 or null
//     events:  received, created, minute timestamp, writer string, seq int32
//
// A timestamp is an INT64 of microseconds, adjusted to UTC.

import { ByteWriter, ParquetWriter, type SchemaElement } from "hyparquet-writer";
import type { Bucket } from "../counts/read.ts";
import type { EventPage } from "./events.ts";

/** A group is near 0.3 MB of events in the file; while it is encoded the process stays below 250 MB (seen with 10 million events). */
export const ROW_GROUP_ROWS = 100_000;

type Cell = bigint | number | string | null;
/** Some rows, as one list of cells a column. */
type Portion = Cell[][];

interface Column {
  name: string;
  type: "timestamp" | "int64" | "int32" | "string";
  optional?: true;
}

const COUNT_COLUMNS: readonly Column[] = [
  { name: "bucket", type: "timestamp" },
  { name: "events", type: "int64" },
  { name: "lag_min_us", type: "int64", optional: true },
  { name: "lag_avg_us", type: "int64", optional: true },
  { name: "lag_max_us", type: "int64", optional: true },
];

const EVENT_COLUMNS: readonly Column[] = [
  { name: "received", type: "timestamp" },
  { name: "created", type: "timestamp" },
  { name: "minute", type: "timestamp" },
  { name: "writer", type: "string" },
  { name: "seq", type: "int32" },
];

/** Each portion of bytes is good until the next is asked for. */
export function countsParquet(buckets: AsyncIterable<Bucket[]>, rowGroupRows?: number): AsyncGenerator<Uint8Array> {
  return parquet(COUNT_COLUMNS, mapEach(buckets, countCells), rowGroupRows);
}

/** Each portion of bytes is good until the next is asked for. */
export function eventsParquet(pages: AsyncIterable<EventPage>, rowGroupRows?: number): AsyncGenerator<Uint8Array> {
  return parquet(EVENT_COLUMNS, mapEach(pages, eventCells), rowGroupRows);
}

function countCells(buckets: Bucket[]): Portion {
  const lags = (of: (lag: NonNullable<Bucket["lag"]>, events: number) => number) =>
    buckets.map(({ lag, events }) => (lag && events > 0 ? BigInt(of(lag, events)) : null));
  return [
    buckets.map(({ bucketUs }) => BigInt(bucketUs)),
    buckets.map(({ events }) => BigInt(events)),
    lags(({ minUs }) => minUs),
    lags(({ sumUs }, events) => Math.round(sumUs / events)),
    lags(({ maxUs }) => maxUs),
  ];
}

function eventCells({ minuteUs, writer, rows }: EventPage): Portion {
  return [
    rows.map(({ receivedUs }) => BigInt(receivedUs)),
    rows.map(({ createdUs }) => createdUs),
    Array<bigint>(rows.length).fill(BigInt(minuteUs)),
    Array<string>(rows.length).fill(writer),
    rows.map(({ seq }) => seq),
  ];
}

async function* parquet(
  columns: readonly Column[],
  portions: AsyncIterable<Portion>,
  rowGroupRows = ROW_GROUP_ROWS,
): AsyncGenerator<Uint8Array> {
  const bytes = new ByteWriter();
  const writer = new ParquetWriter({ writer: bytes, schema: schemaOf(columns) });
  const writeGroup = (cells: Portion): Uint8Array => {
    const columnData = columns.map((column, at) => ({
      ...encodingOf(column),
      name: column.name,
      data: cells[at] ?? [],
    }));
    void writer.write({ columnData, rowGroupSize: rowGroupRows });
    return take(bytes);
  };
  const pending: Portion = columns.map(() => []);
  const rowsPending = () => pending[0]?.length ?? 0;
  for await (const portion of portions) {
    portion.forEach((cells, at) => {
      for (const cell of cells) pending[at]?.push(cell);
    });
    while (rowsPending() >= rowGroupRows) yield writeGroup(pending.map((cells) => cells.splice(0, rowGroupRows)));
  }
  if (rowsPending() > 0) yield writeGroup(pending);
  void writer.finish();
  yield take(bytes);
}

/** What was written since the last call. `offset`, which counts from the start of the file, goes on. */
function take(writer: ByteWriter): Uint8Array {
  const bytes = writer.getBytes();
  writer.index = 0;
  return bytes;
}

function schemaOf(columns: readonly Column[]): SchemaElement[] {
  const elements = columns.map(({ name, type, optional }): SchemaElement => {
    const repetition_type = optional ? "OPTIONAL" : "REQUIRED";
    if (type === "string") return { name, repetition_type, type: "BYTE_ARRAY", converted_type: "UTF8" };
    if (type === "int32") return { name, repetition_type, type: "INT32" };
    if (type === "int64") return { name, repetition_type, type: "INT64" };
    return {
      name,
      repetition_type,
      type: "INT64",
      converted_type: "TIMESTAMP_MICROS",
      logical_type: { type: "TIMESTAMP", isAdjustedToUTC: true, unit: "MICROS" },
    };
  });
  return [{ name: "root", num_children: columns.length }, ...elements];
}

/** Differences of neighbours: an event takes 3 bytes rather than 13. No index of pages: those of all groups would stay in memory. */
function encodingOf({ type }: Column) {
  return { offsetIndex: false, ...(type !== "string" && { encoding: "DELTA_BINARY_PACKED" as const }) };
}

async function* mapEach<T, R>(items: AsyncIterable<T>, work: (item: T) => R): AsyncGenerator<R> {
  for await (const item of items) yield work(item);
}
