// The counts of a range: a stream of buckets, ascending, merged over all writers. What is in memory is a few minutes.
// Reads the store's contract only; the same for `count`, GET /counts and tests.
//
//     claims -> minutes -> (writers of a minute, side by side) -> merged buckets -> the caller

import { Reto3Error } from "../errors.ts";
import { bucketStartUs, MINUTE_US, type Period, type PeriodName } from "../period.ts";
import type { Claim, CountRow, Store } from "../store/store.ts";
import { formatTimestamp } from "../units.ts";
import { planMinutes, Watermark, type MinutePlan } from "./plan.ts";

/** `counts`: the stored totals. `events`: counted again from the raw events, for as long as these are there. */
export type Source = "counts" | "events";

/** All writers together. Lags in microseconds; null where the source does not tell them. */
export interface Bucket {
  bucketUs: number;
  events: number;
  lag: { sumUs: number; minUs: number; maxUs: number } | null;
}

export interface CountQuestion {
  period: Period;
  /** A bucket belongs to the answer when its start is in [fromUs, toUs). */
  fromUs: number;
  toUs: number;
  /** The reader's clock, for the watermark. */
  nowUs: number;
  source: Source;
  /** Aborted: nobody wants the answer any more. */
  signal?: AbortSignal;
}

export interface Reading {
  /** Buckets that have events, ascending, in portions of a minute. Throws EXPIRED where rows that are needed have gone. */
  buckets: AsyncIterable<Bucket[]>;
  /** Once `buckets` has ended: events in all, and until when that is complete and final (see Watermark). */
  summary(): { events: number; completeUs: number; finalUs: number };
}

/** Minutes that are read at once: bounds memory, hides round trips. */
const MINUTES_AT_ONCE: Record<PeriodName, number> = { "10ms": 4, "1s": 16, "1m": 64 };

/** A claim of a minute that began so many minutes ago, and is not sealed, belongs to a writer that has died. */
const LIVE_MINUTES = 2;

export function readCounts(store: Store, question: CountQuestion): Reading {
  const { fromUs, toUs, period, source } = question;
  const watermark = new Watermark(toUs, question.nowUs);
  let events = 0;
  const readMinute = (minute: MinutePlan): Promise<Bucket[]> =>
    source === "counts" ? mergeCounts(store, minute, question) : recount(store, minute, question);

  async function* buckets(): AsyncGenerator<Bucket[]> {
    const minutes = planMinutes(store, fromUs, toUs, question.signal);
    const atOnce = source === "counts" ? MINUTES_AT_ONCE[period.name] : 1;
    for await (const { item, result } of mapInOrder(minutes, atOnce, readMinute)) {
      watermark.see(item);
      for (const bucket of result) events += bucket.events;
      if (result.length > 0) yield result;
    }
  }
  const summary = () => ({ events, completeUs: watermark.completeUs, finalUs: watermark.finalUs });
  return { buckets: buckets(), summary };
}

async function mergeCounts(store: Store, { claims }: MinutePlan, question: CountQuestion): Promise<Bucket[]> {
  // A sealed claim without events has no rows to ask for.
  const filled = claims.filter((claim) => claim.sealedEvents !== 0);
  const perWriter = await Promise.all(filled.map((claim) => countsOf(store, claim, question)));
  const merged = new Map<number, Bucket>();
  for (const row of perWriter.flat()) addRow(merged, row);
  return ascending(merged);
}

/**
 * The rows of one writer. 10 ms counts expire, and only a whole minute of them tells whether all are there: an earlier
 * minute is read whole and held against its total. One that is being written has nothing that could have expired.
 */
async function countsOf(
  store: Store,
  claim: Claim,
  { period, fromUs, toUs, nowUs }: CountQuestion,
): Promise<CountRow[]> {
  const isLive = claim.sealedEvents === null && nowUs < claim.minuteUs + LIVE_MINUTES * MINUTE_US;
  if (period.name !== "10ms" || isLive) return store.counts(claim, period.name, fromUs, toUs);
  const expected = await eventsOf(store, claim);
  const rows = await store.counts(claim, "10ms", claim.minuteUs, claim.minuteUs + MINUTE_US);
  const found = rows.reduce((sum, row) => sum + row.events, 0);
  if (found < expected) throw expired("10 ms counts", claim, found, expected);
  return rows.filter((row) => row.bucketUs >= fromUs && row.bucketUs < toUs);
}

function addRow(merged: Map<number, Bucket>, row: CountRow): void {
  const { bucketUs, events, lagSumUs: sumUs, lagMinUs: minUs, lagMaxUs: maxUs } = row;
  const known = merged.get(bucketUs);
  if (!known?.lag) {
    merged.set(bucketUs, { bucketUs, events, lag: { sumUs, minUs, maxUs } });
    return;
  }
  known.events += events;
  known.lag.sumUs += sumUs;
  known.lag.minUs = Math.min(known.lag.minUs, minUs);
  known.lag.maxUs = Math.max(known.lag.maxUs, maxUs);
}

async function recount(
  store: Store,
  { claims }: MinutePlan,
  { period, fromUs, toUs }: CountQuestion,
): Promise<Bucket[]> {
  const merged = new Map<number, Bucket>();
  for (const claim of claims) {
    const expected = await eventsOf(store, claim);
    let found = 0;
    for await (const page of store.events(claim)) {
      found += page.length;
      for (const { receivedUs } of page) {
        const bucketUs = bucketStartUs(receivedUs, period.us);
        if (bucketUs < fromUs || bucketUs >= toUs) continue;
        const known = merged.get(bucketUs);
        if (known) known.events++;
        else merged.set(bucketUs, { bucketUs, events: 1, lag: null });
      }
    }
    if (found < expected) throw expired("raw events", claim, found, expected);
  }
  return ascending(merged);
}

/** How many events a partition must have at least: what was sealed, else its total at this moment. */
async function eventsOf(store: Store, claim: Claim): Promise<number> {
  if (claim.sealedEvents !== null) return claim.sealedEvents;
  const rows = await store.counts(claim, "1m", claim.minuteUs, claim.minuteUs + 1);
  return rows[0]?.events ?? 0;
}

function expired(what: string, { minuteUs, writer }: Claim, found: number, expected: number): Reto3Error {
  return new Reto3Error(
    "EXPIRED",
    `minute ${formatTimestamp(minuteUs)}: the ${what} of writer ${writer} account for ${found} of its ${expected} events; the others have expired`,
    { hint: "ask for a later range, or for what is kept: --period 1s or 1m, --source counts" },
  );
}

function ascending(merged: Map<number, Bucket>): Bucket[] {
  return [...merged.values()].sort((a, b) => a.bucketUs - b.bucketUs);
}

/** `work` on each item, `atOnce` of them side by side, results in the order of the items. */
async function* mapInOrder<T, R>(
  items: AsyncIterable<T>,
  atOnce: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<{ item: T; result: R }> {
  const running: { item: T; result: Promise<R> }[] = [];
  for await (const item of items) {
    const result = work(item);
    // Whoever awaits it later sees the error; until then it must not count as unhandled.
    result.catch(() => {});
    running.push({ item, result });
    const first = running.length >= atOnce ? running.shift() : undefined;
    if (first) yield { item: first.item, result: await first.result };
  }
  for (const { item, result } of running) yield { item, result: await result };
}

/** The same stream with an empty bucket wherever none was; in portions of at most a minute of 10 ms. */
export async function* withZeros(
  buckets: AsyncIterable<Bucket[]>,
  { period, fromUs, toUs }: Pick<CountQuestion, "period" | "fromUs" | "toUs">,
): AsyncGenerator<Bucket[]> {
  const portionMax = 6_000;
  let nextUs = Math.ceil(fromUs / period.us) * period.us;
  let portion: Bucket[] = [];
  const fillUntil = function* (untilUs: number): Generator<Bucket[]> {
    for (; nextUs < untilUs; nextUs += period.us) {
      portion.push({ bucketUs: nextUs, events: 0, lag: null });
      if (portion.length >= portionMax) yield portion.splice(0);
    }
  };
  for await (const found of buckets) {
    for (const bucket of found) {
      yield* fillUntil(bucket.bucketUs);
      portion.push(bucket);
      nextUs = bucket.bucketUs + period.us;
    }
    yield portion.splice(0);
  }
  yield* fillUntil(toUs);
  if (portion.length > 0) yield portion;
}
