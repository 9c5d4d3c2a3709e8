// Streams of known properties in a memory store, for the tests of the report.

import { Histogram } from "../../src/histogram.ts";
import { MINUTE_US, PERIODS, SECOND_US } from "../../src/period.ts";
import { memoryStore } from "../../src/store/memory.ts";
import type { CountRow, Store } from "../../src/store/store.ts";

export const START = Date.UTC(2026, 10, 23, 5) * 1_000;

const BUCKET_US = PERIODS["10ms"].us;

export interface Stream {
  minutes: number;
  /** Events of a 10 ms bucket, the first of the stream being 0. */
  countOf: (bucket: number) => number;
  lagUsOf?: (bucket: number) => number;
  /** Leaves the levels out that have expired, by minute. */
  isKept?: (level: "10ms" | "1s" | "1m", minute: number) => boolean;
  isSealed?: boolean;
}

/** One writer, whose first minute starts at START. */
export async function storeWith(stream: Stream, store: Store = memoryStore()): Promise<Store> {
  for (let minute = 0; minute < stream.minutes; minute++) await fillMinute(store, stream, minute);
  return store;
}

async function fillMinute(store: Store, stream: Stream, minute: number): Promise<void> {
  const { countOf, lagUsOf = () => 5_000, isKept = () => true, isSealed = true } = stream;
  const minuteUs = START + minute * MINUTE_US;
  const writer = Bun.randomUUIDv7();
  const fine = Array.from({ length: 6_000 }, (_, at) => {
    const bucket = minute * 6_000 + at;
    return { bucketUs: minuteUs + at * BUCKET_US, events: countOf(bucket), lagUs: lagUsOf(bucket) };
  }).filter(({ events }) => events > 0);
  const rowsOf = (level: "10ms" | "1s" | "1m", us: number) =>
    isKept(level, minute) ? coarser(fine, us, level !== "10ms") : [];
  const writtenAtUs = minuteUs + MINUTE_US;
  await store.claim({ minuteUs, writer }, writtenAtUs);
  const counts = {
    "10ms": rowsOf("10ms", BUCKET_US),
    "1s": rowsOf("1s", SECOND_US),
    "1m": rowsOf("1m", MINUTE_US),
  };
  await store.write({ minuteUs, writer, firstSeq: 0, createdUs: [], receivedUs: [], counts, writtenAtUs });
  const events = fine.reduce((sum, one) => sum + one.events, 0);
  if (isSealed) await store.seal({ minuteUs, writer }, events, writtenAtUs);
}

function coarser(
  fine: readonly { bucketUs: number; events: number; lagUs: number }[],
  us: number,
  hasHistogram: boolean,
): CountRow[] {
  const groups = Map.groupBy(fine, ({ bucketUs }) => bucketUs - (bucketUs % us));
  return [...groups].map(([bucketUs, members]) => {
    const lags = new Histogram();
    for (const { events, lagUs } of members) for (let at = 0; at < events; at++) lags.record(lagUs);
    return {
      bucketUs,
      events: members.reduce((sum, { events }) => sum + events, 0),
      lagSumUs: members.reduce((sum, { events, lagUs }) => sum + events * lagUs, 0),
      lagMinUs: Math.min(...members.map(({ lagUs }) => lagUs)),
      lagMaxUs: Math.max(...members.map(({ lagUs }) => lagUs)),
      lagHist: hasHistogram ? lags.encode() : null,
    };
  });
}
