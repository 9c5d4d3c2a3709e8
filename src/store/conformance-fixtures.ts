// For the tests of every store: hours to write into, what is written there, and what is found. The tests: conformance.ts.

import { expect } from "bun:test";
import type { Clock } from "../clock.ts";
import { readCounts, type Source } from "../counts/read.ts";
import { Histogram } from "../histogram.ts";
import { bucketStartUs, HOUR_US, MINUTE_US, PERIOD_NAMES, PERIODS, type PeriodName } from "../period.ts";
import { FlushSequence, type SequenceOptions } from "../writer/sequence.ts";
import type { Claim, Flush, Store } from "./store.ts";

let freeHourUs = Date.UTC(2_024, 0, 1) * 1_000;

/** The first of so many hours that no other test sees. */
export function nextHour(hours = 3): number {
  const hourUs = freeHourUs;
  freeHourUs += hours * HOUR_US;
  return hourUs;
}

export const stillClock: Clock = { nowUs: () => Date.UTC(2_024, 6, 1) * 1_000, epoch: 0 };

export function sequenceOf(store: Store, options: Partial<SequenceOptions> = {}): FlushSequence {
  return new FlushSequence({ store, clock: stillClock, signal: new AbortController().signal, ...options });
}

/** Events that arrived `offsetsUs` after `startUs`, created 2 ms earlier. */
export function eventsAt(startUs: number, offsetsUs: number[]) {
  const receivedUs = offsetsUs.map((offset) => startUs + offset);
  const createdUs = receivedUs.map((received) => BigInt(received - 2_000));
  return { minuteUs: bucketStartUs(startUs, MINUTE_US), epoch: 0, createdUs, receivedUs };
}

export function flushOf(partition: { minuteUs: number; writer: string }, receivedUs: number[]): Flush {
  const lagHist = new Histogram();
  for (const _ of receivedUs) lagHist.record(2_000);
  const events = receivedUs.length;
  const sums = { events, lagSumUs: 2_000 * events, lagMinUs: 2_000, lagMaxUs: 2_000 };
  const row = (level: PeriodName) => [
    {
      bucketUs: bucketStartUs(receivedUs[0] ?? 0, PERIODS[level].us),
      ...sums,
      lagHist: level === "10ms" ? null : lagHist.encode(),
    },
  ];
  return {
    ...partition,
    firstSeq: 0,
    createdUs: receivedUs.map((received) => BigInt(received - 2_000)),
    receivedUs,
    counts: { "10ms": row("10ms"), "1s": row("1s"), "1m": row("1m") },
    writtenAtUs: 2,
  };
}

export async function read(store: Store, level: PeriodName, fromUs: number, toUs: number, source: Source = "counts") {
  const reading = readCounts(store, { period: PERIODS[level], fromUs, toUs, nowUs: toUs, source });
  const found: [number, number][] = [];
  for await (const portion of reading.buckets) {
    for (const { bucketUs, events } of portion) found.push([bucketUs, events]);
  }
  return found;
}

/** Buckets of the hour, as [offset from the hour, events]. */
export async function countAll(store: Store, hour: number): Promise<Record<PeriodName, [number, number][]>> {
  const relative = async (level: PeriodName) =>
    (await read(store, level, hour, hour + HOUR_US)).map(([bucket, events]): [number, number] => [
      bucket - hour,
      events,
    ]);
  return { "10ms": await relative("10ms"), "1s": await relative("1s"), "1m": await relative("1m") };
}

/** Events of the hour by either source; all levels of the counts must agree. */
export async function total(store: Store, hour: number): Promise<{ counts: number; events: number }> {
  const sums = await Promise.all(
    PERIOD_NAMES.map(async (level) =>
      (await read(store, level, hour, hour + HOUR_US)).reduce((sum, [, events]) => sum + events, 0),
    ),
  );
  expect(new Set(sums).size).toBe(1);
  const events = (await read(store, "1m", hour, hour + HOUR_US, "events")).reduce((sum, [, count]) => sum + count, 0);
  return { counts: sums[0] ?? 0, events };
}

export async function claimsOf(store: Store, fromUs: number, toUs = fromUs + HOUR_US): Promise<Claim[]> {
  const found: Claim[] = [];
  for await (const page of store.claims(fromUs, toUs)) found.push(...page);
  return found;
}
