// What the 10 ms buckets of a stream say, from whole minutes that are spread evenly over it. Reads the store's contract.
// Each minute has 6,000 buckets: of a long range not every one is read.

import { mapInOrder } from "../counts/in-order.ts";
import { readCounts } from "../counts/read.ts";
import { MINUTE_US, PERIODS } from "../period.ts";
import type { Store } from "../store/store.ts";
import { DispersionWithin, FanoCurve } from "./statistics/dispersion.ts";
import { Moments } from "./statistics/moments.ts";
import { autocorrelation } from "./statistics/series.ts";
import { Tally } from "./statistics/tally.ts";

const BUCKET_US = PERIODS["10ms"].us;
const BUCKETS_PER_MINUTE = MINUTE_US / BUCKET_US;
const MINUTES_AT_ONCE = 4;

/** Windows of the Fano curve below a second, in buckets; each divides a minute, so that none lies in two minutes of the sample. */
const FANO_BUCKETS = [1, 2, 5, 10, 20, 50];

/** Two seconds. */
const CORRELATION_BUCKETS = 200;
const CORRELATED_MINUTES_MAX = 60;

export class Buckets {
  readonly tally = new Tally();
  /** Minute by minute, so that a rate that changes over the range is not taken for bursts. */
  readonly within = new DispersionWithin();
  readonly fano = new FanoCurve(BUCKET_US, FANO_BUCKETS, 0);
  /** Buckets without events, one after another; of neighbouring minutes together. */
  longestSilence = { buckets: 0, fromUs: 0 };
  minutes = 0;
  readonly #correlations = new Float64Array(CORRELATION_BUCKETS + 1);
  #correlated = { minutes: 0, buckets: 0 };
  /** Of the next bucket in the curve. */
  #position = 0;
  #silent = { buckets: 0, fromUs: 0 };
  #endUs = Number.NaN;

  /** The buckets of a minute, whole or cut. In the curve minutes lie next to one another. `isCorrelated`: see `correlations`. */
  add(fromUs: number, counts: Float64Array, isCorrelated: boolean): void {
    if (fromUs !== this.#endUs) this.#silent = { buckets: 0, fromUs };
    this.#endUs = fromUs + counts.length * BUCKET_US;
    this.minutes++;
    if (isCorrelated) this.#correlate(counts);
    const minute = new Moments();
    for (const [at, events] of counts.entries()) {
      minute.add(events);
      this.tally.add(events);
      this.fano.add(this.#position + at, events);
      if (events > 0) this.#silent = { buckets: 0, fromUs: 0 };
      else this.#hush(fromUs + at * BUCKET_US);
    }
    this.#position += counts.length;
    this.within.add(minute);
  }

  /** Whole minutes without events, which nobody needs to read: they are a part of the stream. */
  addSilent(minutes: number): void {
    const buckets = minutes * BUCKETS_PER_MINUTE;
    if (buckets === 0) return;
    this.tally.add(0, buckets);
    this.#position += buckets;
    this.fano.add(this.#position - 1, 0);
  }

  /** Each minute on its own: a drift of the rate from minute to minute is no matter of 10 ms. */
  #correlate(counts: Float64Array): void {
    if (counts.length < 2 * CORRELATION_BUCKETS) return;
    for (const [lag, value] of autocorrelation(counts, CORRELATION_BUCKETS).entries())
      this.#correlations[lag] = (this.#correlations[lag] ?? 0) + value;
    this.#correlated.minutes++;
    this.#correlated.buckets += counts.length;
  }

  /** The mean of the minutes' autocorrelations, by distance in buckets; null where no minute is long enough. */
  get correlations(): { values: number[]; buckets: number } | null {
    const { minutes, buckets } = this.#correlated;
    return minutes === 0 ? null : { values: Array.from(this.#correlations, (sum) => sum / minutes), buckets };
  }

  #hush(us: number): void {
    if (this.#silent.buckets === 0) this.#silent.fromUs = us;
    this.#silent.buckets++;
    if (this.#silent.buckets > this.longestSilence.buckets) this.longestSilence = { ...this.#silent };
  }
}

/** `count` of `minutes` at most, evenly spread; the first and the last are among them. */
export function spread(minutes: readonly number[], count: number): number[] {
  if (minutes.length <= count) return [...minutes];
  if (count <= 1) return minutes.slice(Math.floor(minutes.length / 2)).slice(0, count);
  const step = (minutes.length - 1) / (count - 1);
  return Array.from({ length: count }, (_, at) => minutes[Math.round(at * step)] ?? 0);
}

/** Yields after each minute. Throws EXPIRED. */
export async function* readBuckets(
  store: Store,
  minutes: readonly number[],
  { fromUs, toUs }: { fromUs: number; toUs: number },
  into: Buckets,
): AsyncGenerator<number> {
  const read = mapInOrder(minutes, MINUTES_AT_ONCE, async (minuteUs) => {
    const startUs = Math.max(fromUs, minuteUs);
    const endUs = Math.min(toUs, minuteUs + MINUTE_US);
    const counts = new Float64Array(Math.max(0, Math.round((endUs - startUs) / BUCKET_US)));
    const question = { period: PERIODS["10ms"], fromUs: startUs, toUs: endUs, nowUs: 0, source: "counts" as const };
    for await (const found of readCounts(store, question).buckets)
      for (const { bucketUs, events } of found) counts[(bucketUs - startUs) / BUCKET_US] = events;
    return { startUs, counts };
  });
  const correlated = new Set(spread(minutes, CORRELATED_MINUTES_MAX));
  for await (const { item, result } of read) {
    if (result.counts.length > 0) into.add(result.startUs, result.counts, correlated.has(item));
    yield item;
  }
}
