// The counts of a range: a stream of buckets, ascending, merged over all writers. What is in memory is a few minutes.
// Reads the store's contract only; the same for `count`, GET /counts and tests.
//
//     merged minutes, claims -> plan -> (other writers of a minute, side by side) -> summed buckets -> the caller

import { Reto3Error } from "../errors.ts";
import { bucketStartUs, MINUTE_US, type Period, type PeriodName } from "../period.ts";
import type { Claim, CountRow, Store } from "../store/store.ts";
import { formatTimestamp } from "../units.ts";
import { Gate, mapInOrder } from "./in-order.ts";
import { planMinutes, Watermark, type MinutePlan } from "./plan.ts";
import { expectedEvents, isPast, livingEvents } from "./raw.ts";
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

/** Partitions that are read at once for one question: several questions share a connection with the flushes. */
const PARTITIONS_AT_ONCE = 96;

export function readCounts(store: Store, question: CountQuestion): Reading {
  const { fromUs, toUs, period, source, signal } = question;
  const watermark = new Watermark(toUs, question.nowUs);
  let events = 0;
  const gate = new Gate(PARTITIONS_AT_ONCE);
  const readMinute = (minute: MinutePlan): Promise<Bucket[]> =>
    source === "counts" ? sumMinute(store, minute, question, gate) : recount(store, minute, question);
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

async function sumMinute(
  store: Store,
  { merged, claims }: MinutePlan,
  question: CountQuestion,
  gate: Gate,
): Promise<Bucket[]> {
  const { fromUs, toUs } = question;
  // A sealed claim without events has no rows to ask for.
  const filled = claims.filter((claim) => claim.sealedEvents !== 0);
  const perWriter = await Promise.all(filled.map((claim) => gate.run(() => countsOf(store, claim, question))));
  const sums = new BucketSums();
  for (const rows of [merged?.rows ?? [], ...perWriter]) {
    for (const row of rows) if (row.bucketUs >= fromUs && row.bucketUs < toUs) sums.add(row);
  }
  return sums.rows.map(({ bucketUs, events, lagSumUs: sumUs, lagMinUs: minUs, lagMaxUs: maxUs }) => {
    return { bucketUs, events, lag: { sumUs, minUs, maxUs } };
  });
}

/**
 * The rows of one writer; some may lie outside of the range. Rows expire, and only a whole minute of them tells whether all are there: it is read whole and held
 * against what was sealed. An open partition has no such number: there the lifetime tells. Throws EXPIRED.
 */
export async function countsOf(
  store: Store,
  claim: Claim,
  { period, fromUs, toUs }: Pick<CountQuestion, "period" | "fromUs" | "toUs">,
): Promise<CountRow[]> {
  const { minuteUs, sealedEvents } = claim;
  if (sealedEvents === null) {
    const rows = await store.counts(claim, period.name, fromUs, toUs);
    if (isPast(period.name, minuteUs, store.info.retention, Date.now() * 1_000)) throw gone(period.name, store, claim);
    return rows;
  }
  const rows = await store.counts(claim, period.name, minuteUs, minuteUs + MINUTE_US);
  const found = eventsIn(rows);
  if (found < sealedEvents) throw gone(period.name, store, claim, { found, expected: sealedEvents });
  return rows;
}

async function recount(
  store: Store,
  { claims }: MinutePlan,
  { period, fromUs, toUs }: CountQuestion,
): Promise<Bucket[]> {
  const counted = new Map<number, number>();
  for (const claim of claims) {
    const expected = await expectedEvents(store, claim);
    // The total that an open partition would be held against has its lifetime, too.
    const isUntold =
      claim.sealedEvents === null && isPast("1m", claim.minuteUs, store.info.retention, Date.now() * 1_000);
    let found = 0;
    for await (const page of livingEvents(store, claim)) {
      found += page.length;
      for (const { receivedUs } of page) {
        const bucketUs = bucketStartUs(receivedUs, period.us);
        if (bucketUs >= fromUs && bucketUs < toUs) counted.set(bucketUs, (counted.get(bucketUs) ?? 0) + 1);
      }
    }
    if (found < expected || isUntold) throw gone("events", store, claim, { found, expected });
  }
  return [...counted]
    .map(([bucketUs, events]) => ({ bucketUs, events, lag: null }))
    .sort((a, b) => a.bucketUs - b.bucketUs);
}

/** The error for rows that should be there: expired, as far as the lifetimes explain it. */
function gone(
  table: "events" | PeriodName,
  store: Store,
  { minuteUs, writer }: Claim,
  seen?: { found: number; expected: number },
): Reto3Error {
  const what = table === "events" ? "raw events" : `${table} counts`;
  const account = seen === undefined ? "" : ` account for ${seen.found} of its ${seen.expected} events; the others`;
  const isExplained = isPast(table, minuteUs, store.info.retention, Date.now() * 1_000);
  const why =
    table === "events"
      ? "have expired or were not kept"
      : isExplained
        ? "have expired"
        : "are missing, or have expired under an earlier lifetime";
  const finer = table === "events" ? "--source counts" : table === "1m" ? "a later range" : "a coarser --period";
  return new Reto3Error(
    "EXPIRED",
    `minute ${formatTimestamp(minuteUs)}: the ${what} of writer ${writer}${account} ${why}`,
    {
      hint: isExplained
        ? `ask for ${finer}; 'reto3 store' tells how long what is kept`
        : `ask for ${finer}; 'reto3 store' tells how long what is kept, 'reto3 verify' what does not add up`,
    },
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
