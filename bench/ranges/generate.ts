// Fills a store with what months of several writers leave behind: counts and sealed claims, no raw events.
//
//   bun bench/ranges/generate.ts STORE --days 30 --seconds-days 1 --writers 20 --to 2026-11-01
//
// 5,000 events/s shared by the writers; 1 s counts for the last --seconds-days only, 10 ms counts for the last --ms-hours. A
// writer lives for an hour. --merged writes merged minutes too, as `reto3 merge` would; with one writer these are its own rows.

import { parseArgs } from "node:util";
import { Histogram } from "../../src/histogram.ts";
import { DAY_US, HOUR_US, MINUTE_US, SECOND_US } from "../../src/period.ts";
import { openStore } from "../../src/store/open.ts";
import type { CountRow, Store } from "../../src/store/store.ts";
import { parseInstantUs } from "../../src/units.ts";
import { retryUntilKnown } from "../../src/writer/retry.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    days: { type: "string", default: "30" },
    "seconds-days": { type: "string", default: "1" },
    "ms-hours": { type: "string", default: "0" },
    writers: { type: "string", default: "20" },
    merged: { type: "boolean", default: false },
    to: { type: "string", default: "2026-11-01" },
  },
});
const EVENTS_PER_SEC = 5_000;
const PARTITIONS_AT_ONCE = 128;

const RETRY_MS = 60_000;

/** With 10 ms counts a partition has 6,000 rows more. */
const LARGE_PARTITIONS_AT_ONCE = 4;

const writers = Number(values.writers);
if (values.merged && writers !== 1) throw new Error("--merged goes with --writers 1; else use reto3 merge");
const toUs = parseInstantUs(values.to) ?? Number.NaN;
const fromUs = toUs - Math.round(Number(values.days) * DAY_US);
const secondsFromUs = toUs - Math.round(Number(values["seconds-days"]) * DAY_US);
const msFromUs = toUs - Math.round(Number(values["ms-hours"]) * HOUR_US);
const perSecond = Math.round(EVENTS_PER_SEC / writers);
const secondLags = Array.from({ length: 32 }, () => lagsOf(perSecond));
const minuteLags = Array.from({ length: 32 }, () => lagsOf(perSecond * 60));

const store = await openStore(positionals[0] ?? "", { mode: "serve" });
const started = performance.now();
let partitions = 0;
for (let hourUs = fromUs; hourUs < toUs; hourUs += HOUR_US) {
  const ids = Array.from({ length: writers }, () => Bun.randomUUIDv7());
  const wanted = Array.from({ length: 60 }, (_, at) => hourUs + at * MINUTE_US).flatMap((minuteUs) =>
    ids.map((writer) => ({ minuteUs, writer })),
  );
  const queue = wanted.values();
  const work = async () => {
    for (const partition of queue) await untilDone(() => fill(store, partition));
  };
  const atOnce = hourUs + HOUR_US > msFromUs ? LARGE_PARTITIONS_AT_ONCE : PARTITIONS_AT_ONCE;
  await Promise.all(Array.from({ length: atOnce }, work));
  partitions += wanted.length;
}
console.error(`${partitions} partitions in ${((performance.now() - started) / 1_000).toFixed(0)} s`);
await store.close();

/** A busy database times out; all writes may be repeated. */
async function untilDone(attempt: () => Promise<void>): Promise<void> {
  const options = { deadlineMs: performance.now() + RETRY_MS, signal: new AbortController().signal };
  const result = await retryUntilKnown(attempt, options);
  if (result.outcome !== "done") throw result.error;
}

async function fill(into: Store, { minuteUs, writer }: { minuteUs: number; writer: string }): Promise<void> {
  const seconds = minuteUs < secondsFromUs ? 0 : 60;
  const counts = {
    "10ms": Array.from({ length: minuteUs < msFromUs ? 0 : 6_000 }, (_, at) => ({
      ...row(minuteUs + at * 10_000, perSecond / 100, secondLags),
      lagHist: null,
    })),
    "1s": Array.from({ length: seconds }, (_, at) => row(minuteUs + at * SECOND_US, perSecond, secondLags)),
    "1m": [row(minuteUs, perSecond * 60, minuteLags)],
  };
  const writtenAtUs = minuteUs + MINUTE_US;
  const flush = { minuteUs, writer, firstSeq: 0, createdUs: [], receivedUs: [], counts, writtenAtUs };
  await into.write(flush);
  await into.seal({ minuteUs, writer }, perSecond * 60, writtenAtUs);
  if (!values.merged) return;
  for (const level of ["1s", "1m"] as const) {
    const merged = { minuteUs, writers: [writer], writerCount: 1, rows: counts[level] };
    if (merged.rows.length > 0) await into.merge(level, merged, writtenAtUs);
  }
}

function row(bucketUs: number, events: number, lags: readonly Uint8Array[]): CountRow {
  const lagHist = lags[Math.floor(Math.random() * lags.length)] ?? new Uint8Array();
  return { bucketUs, events, lagSumUs: events * 8_000, lagMinUs: 1_000, lagMaxUs: 40_000, lagHist };
}

/** Lags around 8 ms with a tail, as a server under load has them. */
function lagsOf(events: number): Uint8Array {
  const lags = new Histogram();
  for (let at = 0; at < events; at++) lags.record(1_000 + Math.random() * 12_000 + (Math.random() < 0.02 ? 30_000 : 0));
  return lags.encode();
}
