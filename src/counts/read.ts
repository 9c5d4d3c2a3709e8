// The counts of a range: a stream of buckets, ascending, merged over all writers. What is in memory is a few minutes.
// Reads the store's contract only; the same for `count`, GET /counts and tests.
//
//     merged minutes, claims -> plan -> (other writers of a minute, side by side) -> summed buckets -> the caller

import { Reto3Error } from "../errors.ts";
import { bucketStartUs, MINUTE_US, type Period, type PeriodName } from "../period.ts";
import type { Claim, CountRow, Store } from "../store/store.ts";
import { formatTimestamp } from "../units.ts";
import { mapInOrder } from "./in-order.ts";
import { planMinutes, Watermark, type MinutePlan } from "./plan.ts";
import { expectedEvents, livingEvents } from "./raw.ts";
import { BucketSums, eventsIn } from "./sum.ts";

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

/** Merged minutes need no reading of their own; so many of their buckets go to the caller together. */
const PORTION_BUCKETS_MIN = 1_000;

/** A claim of a minute that began so many minutes ago, and is not sealed, belongs to a writer that has died. */
const LIVE_MINUTES = 2;

export function readCounts(store: Store, question: CountQuestion): Reading {
  const { fromUs, toUs, period, source, signal } = question;
  const watermark = new Watermark(toUs, question.nowUs);
  let events = 0;
  const readMinute = (minute: MinutePlan): Promise<Bucket[]> =>
    source === "counts" ? sumMinute(store, minute, question) : recount(store, minute, question);
  const mergedLevel = source === "events" || period.name === "10ms" ? null : period.name;

  async function* buckets(): AsyncGenerator<Bucket[]> {
    const atOnce = source === "counts" ? MINUTES_AT_ONCE[period.name] : 1;
    for await (const minutes of planMinutes(store, mergedLevel, fromUs, toUs, signal)) {
      let portion: Bucket[] = [];
      for await (const { item, result } of mapInOrder(minutes, atOnce, readMinute)) {
        watermark.see(item);
        for (const bucket of result) events += bucket.events;
        portion.push(...result);
        if (portion.length > 0 && (item.claims.length > 0 || portion.length >= PORTION_BUCKETS_MIN)) {
          yield portion;
          portion = [];
        }
      }
      if (portion.length > 0) yield portion;
    }
  }
  const summary = () => ({ events, completeUs: watermark.completeUs, finalUs: watermark.finalUs });
  return { buckets: buckets(), summary };
}

async function sumMinute(store: Store, { merged, claims }: MinutePlan, question: CountQuestion): Promise<Bucket[]> {
  const { fromUs, toUs } = question;
  // A sealed claim without events has no rows to ask for.
  const filled = claims.filter((claim) => claim.sealedEvents !== 0);
  const perWriter = await Promise.all(filled.map((claim) => countsOf(store, claim, question)));
  const sums = new BucketSums();
  for (const rows of [merged?.rows ?? [], ...perWriter]) {
    for (const row of rows) if (row.bucketUs >= fromUs && row.bucketUs < toUs) sums.add(row);
  }
  return sums.rows.map(({ bucketUs, events, lagSumUs: sumUs, lagMinUs: minUs, lagMaxUs: maxUs }) => {
    return { bucketUs, events, lag: { sumUs, minUs, maxUs } };
  });
}

/**
 * The rows of one writer. Rows expire, and only a whole minute of them tells whether all are there: an earlier minute is
 * read whole and held against its total. One that is being written has nothing that could have expired.
 */
async function countsOf(
  store: Store,
  claim: Claim,
  { period, fromUs, toUs, nowUs }: CountQuestion,
): Promise<CountRow[]> {
  const isLive = claim.sealedEvents === null && nowUs < claim.minuteUs + LIVE_MINUTES * MINUTE_US;
  if (isLive) return store.counts(claim, period.name, fromUs, toUs);
  const rows = await store.counts(claim, period.name, claim.minuteUs, claim.minuteUs + MINUTE_US);
  const found = eventsIn(rows);
  const expected = claim.sealedEvents ?? (period.name === "1m" ? found : await expectedEvents(store, claim));
  if (found < expected) throw expired(`${period.name} counts`, claim, found, expected);
  return rows;
}

async function recount(
  store: Store,
  { claims }: MinutePlan,
  { period, fromUs, toUs, nowUs }: CountQuestion,
): Promise<Bucket[]> {
  const counted = new Map<number, number>();
  for (const claim of claims) {
    const expected = await expectedEvents(store, claim);
    let found = 0;
    for await (const page of livingEvents(store, claim, nowUs)) {
      found += page.length;
      for (const { receivedUs } of page) {
        const bucketUs = bucketStartUs(receivedUs, period.us);
        if (bucketUs >= fromUs && bucketUs < toUs) counted.set(bucketUs, (counted.get(bucketUs) ?? 0) + 1);
      }
    }
    if (found < expected) throw expired("raw events", claim, found, expected);
  }
  return [...counted]
    .map(([bucketUs, events]) => ({ bucketUs, events, lag: null }))
    .sort((a, b) => a.bucketUs - b.bucketUs);
}

function expired(what: string, { minuteUs, writer }: Claim, found: number, expected: number): Reto3Error {
  return new Reto3Error(
    "EXPIRED",
    `minute ${formatTimestamp(minuteUs)}: the ${what} of writer ${writer} account for ${found} of its ${expected} events; the others have expired or were not kept`,
    { hint: "ask for a later range, or for what is kept: --period 1s or 1m, --source counts; 'reto3 store' tells" },
  );
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
