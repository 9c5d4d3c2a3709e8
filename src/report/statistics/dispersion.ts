// Do events come as independent arrivals would, or in bursts? Counts of a Poisson process vary as much as their mean.
// Source: R. A. Fisher (1925), index of dispersion; D. R. Cox, P. A. W. Lewis, The Statistical Analysis of Series of
// Events (1966), 6.3; U. Fano (1947) for the index over growing windows.

import { chiSquare, chiSquareQuantileOfTail, poissonTails, studentQuantile } from "./distributions.ts";
import { Moments } from "./moments.ts";

export type DispersionVerdict = "as a Poisson process" | "more even" | "more bursty" | "too few events";

export interface Dispersion {
  /** Variance / mean of the counts: 1 of a Poisson process, 0 of a clock. */
  index: number;
  /** The 95 % interval of the index, from (n - 1) index ~ chi-square(n - 1); of several blocks also from how theirs differ. */
  low: number;
  high: number;
  /** Two-sided, of the index being 1. */
  pValue: number;
  verdict: DispersionVerdict;
}

/** With fewer events or buckets the chi-square distribution is no good approximation. */
const EVENTS_MIN = 20;
const BUCKETS_MIN = 5;

/** Millions of buckets prove the smallest difference; one of less than this is no matter to anybody. */
const INDEX_TOLERANCE = 0.05;

const ALPHA = 0.05;

/** As many as the stretches of a series (batches.ts). */
const BLOCKS_MIN = 12;

interface Counts {
  count: number;
  mean: number;
  variance: number;
}

/**
 * The dispersion of counts in equal buckets, empty ones included. Assumes a steady rate: one that changes over the
 * range counts as bursts of that length, see FanoCurve; DispersionWithin does without.
 */
export function dispersion(counts: Counts): Dispersion {
  const within = new DispersionWithin();
  within.add(counts);
  return within.dispersion;
}

/**
 * The dispersion within blocks of buckets, such as the 10 ms within each minute, whatever the rate does from block to
 * block: the blocks' sums of squares over their means are added up, and so are their degrees of freedom.
 */
export class DispersionWithin {
  #buckets = 0;
  #events = 0;
  /** Sum of (count - 1) variance / mean: chi-square distributed with `#freedom`, of a Poisson process. */
  #chiSquare = 0;
  #freedom = 0;
  /** Over the blocks: sums of the squares and products of their shares in the two above. */
  readonly #blocks = { count: 0, chiSquares: 0, products: 0, freedoms: 0 };

  /** Takes a block, as Moments of its buckets. */
  add({ count, mean, variance }: Counts): void {
    this.#buckets += count;
    this.#events += count * mean;
    if (count < 2 || mean <= 0) return;
    const freedom = count - 1;
    const chi = (freedom * variance) / mean;
    this.#chiSquare += chi;
    this.#freedom += freedom;
    this.#blocks.count++;
    this.#blocks.chiSquares += chi * chi;
    this.#blocks.products += chi * freedom;
    this.#blocks.freedoms += freedom * freedom;
  }

  /**
   * How far the index may be off, from how those of the blocks scatter around it: bursts vary more than the chi-square
   * distribution knows of. 0 of few blocks.
   */
  #reach(index: number): number {
    const { count, chiSquares, products, freedoms } = this.#blocks;
    if (count < BLOCKS_MIN) return 0;
    const squares = Math.max(0, chiSquares - 2 * index * products + index * index * freedoms);
    return (studentQuantile(ALPHA, count - 1) * Math.sqrt((squares * count) / (count - 1))) / this.#freedom;
  }

  get dispersion(): Dispersion {
    const freedom = this.#freedom;
    const index = freedom > 0 ? this.#chiSquare / freedom : 0;
    if (this.#buckets < BUCKETS_MIN || this.#events < EVENTS_MIN || freedom === 0)
      return { index, low: 0, high: 0, pValue: 1, verdict: "too few events" };
    const { below, above } = chiSquare(this.#chiSquare, freedom);
    const pValue = Math.min(1, 2 * Math.min(below, above));
    const reach = this.#reach(index);
    const poissonLike = pValue >= ALPHA || Math.abs(index - 1) < INDEX_TOLERANCE;
    return {
      index,
      low: Math.max(0, Math.min(index - reach, this.#chiSquare / chiSquareQuantileOfTail(ALPHA / 2, freedom))),
      high: Math.max(index + reach, this.#chiSquare / chiSquareQuantileOfTail(1 - ALPHA / 2, freedom)),
      pValue,
      verdict: poissonLike ? "as a Poisson process" : index < 1 ? "more even" : "more bursty",
    };
  }
}

/** Between which counts all of `count` buckets of a Poisson process with this mean lie, with a probability of 95 %. */
export function poissonInterval(mean: number, count: number): { low: number; high: number } {
  if (mean <= 0 || count <= 0) return { low: 0, high: 0 };
  // Bonferroni: each end is passed by any of `count` buckets with at most ALPHA / 2.
  const share = ALPHA / 2 / count;
  return {
    low: firstWhole((events) => poissonTails(events, mean).upTo > share),
    high: firstWhole((events) => poissonTails(events, mean).over <= share),
  };
}

/** The least whole number >= 0 of which `holds` is true, as it is of all greater ones. */
function firstWhole(holds: (value: number) => boolean): number {
  let high = 1;
  while (!holds(high)) high *= 2;
  let low = -1;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (holds(middle)) high = middle;
    else low = middle;
  }
  return high;
}

export interface FanoPoint {
  windowUs: number;
  index: number;
  /** Whole windows that it is of. */
  count: number;
}

/**
 * The index of dispersion over growing windows, of a stream of buckets: level at 1 for a Poisson process; it rises up
 * to the length of the bursts, and on where the rate itself drifts. Constant memory.
 */
export class FanoCurve {
  readonly #baseUs: number;
  readonly #scales: { factor: number; window: number; events: number; counts: Moments }[];
  #from: number | undefined;
  #end = 0;

  /** `factors`: window lengths in base buckets; `fromIndex`: where the range starts, else at the first bucket added. */
  constructor(baseUs: number, factors: readonly number[], fromIndex?: number) {
    this.#baseUs = baseUs;
    this.#scales = factors.map((factor) => ({ factor, window: 0, events: 0, counts: new Moments() }));
    if (fromIndex !== undefined) this.#begin(fromIndex);
  }

  /** Takes a bucket; indices ascend (start / length of the bucket), those left out held nothing. */
  add(bucketIndex: number, events: number): void {
    if (this.#from === undefined) this.#begin(bucketIndex);
    this.#closeUpTo(bucketIndex);
    for (const scale of this.#scales) scale.events += events;
    this.#end = bucketIndex + 1;
  }

  /** The curve over whole windows up to `endIndex` (exclusive), else up to the last bucket added. Ends the stream. */
  curve(endIndex = this.#end): FanoPoint[] {
    this.#closeUpTo(endIndex);
    return this.#scales
      .filter((scale) => scale.counts.count > 1 && scale.counts.mean > 0)
      .map(({ factor, counts }) => ({
        windowUs: factor * this.#baseUs,
        index: counts.variance / counts.mean,
        count: counts.count,
      }));
  }

  #begin(index: number): void {
    this.#from = index;
    this.#end = index;
    for (const scale of this.#scales) scale.window = Math.floor(index / scale.factor);
  }

  /** Closes every window that ends at or before the start of bucket `index`. */
  #closeUpTo(index: number): void {
    for (const scale of this.#scales) {
      if (index < (scale.window + 1) * scale.factor) continue;
      const window = Math.floor(index / scale.factor);
      const isWhole = scale.window * scale.factor >= (this.#from ?? index);
      if (isWhole) scale.counts.add(scale.events);
      scale.counts.add(0, window - scale.window - 1);
      scale.window = window;
      scale.events = 0;
    }
  }
}
