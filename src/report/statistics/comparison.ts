// Is B other than A? Means and percentiles of two series that each remember their past.
// Source: D. N. Politis, J. P. Romano, "The stationary bootstrap" (1994): blocks of random length are drawn, so that
// what lies next to one another stays together. Seeded: the same input gives the same figures.

import { Histogram } from "../../histogram.ts";
import { type Random, seededRandom } from "./random.ts";

export type ComparisonVerdict = "lower" | "higher" | "no difference seen" | "too few values";

export interface Comparison {
  /** b - a, with its 95 % interval. */
  difference: number;
  low: number;
  high: number;
  /** b / a, with its 95 % interval; NaN where a is 0. */
  ratio: number;
  ratioLow: number;
  ratioHigh: number;
  /** Two-sided, of there being no difference. */
  pValue: number;
  /** What b is, compared with a. */
  verdict: ComparisonVerdict;
}

const REPLICATES = 2_000;
const SEED = 3;
const VALUES_MIN = 20;

/** Longer series are averaged down to about so many values. */
const VALUES_MAX = 5_000;

/** Blocks that percentiles are drawn from. */
const BATCHES_MAX = 200;

/** The means of two series of equally long buckets, such as events per second. */
export function compareMeans(a: readonly number[] | Float64Array, b: readonly number[] | Float64Array): Comparison {
  const random = seededRandom(SEED);
  const [left, right] = [shortened(a), shortened(b)];
  return compared(left.length, right.length, meanOf(left), meanOf(right), () => [
    meanOfDraw(random, left),
    meanOfDraw(random, right),
  ]);
}

/** The q quantiles (0..1) of what two series of histograms hold, one for each second or minute. */
export function compareQuantiles(a: readonly Histogram[], b: readonly Histogram[], q: number): Comparison {
  const random = seededRandom(SEED);
  const [left, right] = [batched(a), batched(b)];
  return compared(left.length, right.length, merged(left).quantile(q), merged(right).quantile(q), () => [
    merged(drawn(random, left)).quantile(q),
    merged(drawn(random, right)).quantile(q),
  ]);
}

function compared(
  countA: number,
  countB: number,
  a: number,
  b: number,
  replicate: () => [a: number, b: number],
): Comparison {
  const difference = b - a;
  const ratio = a === 0 ? Number.NaN : b / a;
  if (Math.min(countA, countB) < VALUES_MIN)
    return {
      difference,
      low: Number.NaN,
      high: Number.NaN,
      ratio,
      ratioLow: Number.NaN,
      ratioHigh: Number.NaN,
      pValue: 1,
      verdict: "too few values",
    };
  const pairs = Array.from({ length: REPLICATES }, replicate);
  const differences = pairs.map(([one, other]) => other - one);
  const ratios = pairs.map(([one, other]) => other / one);
  const [low, high] = middle95(differences);
  const [ratioLow, ratioHigh] = middle95(ratios);
  const beyond = differences.filter((one) => Math.abs(one - difference) >= Math.abs(difference)).length;
  const pValue = (beyond + 1) / (REPLICATES + 1);
  const isSeen = low > 0 || high < 0;
  const verdict = isSeen ? (difference > 0 ? "higher" : "lower") : "no difference seen";
  return { difference, low, high, ratio, ratioLow, ratioHigh, pValue, verdict };
}

function middle95(values: number[]): [low: number, high: number] {
  const sorted = Float64Array.from(values).sort();
  return [sorted[Math.floor(0.025 * sorted.length)] ?? 0, sorted[Math.ceil(0.975 * sorted.length) - 1] ?? 0];
}

/** Indices of one draw: blocks of random length, whose mean is `blockLength`, the ends joined. */
function* draw(random: Random, count: number, blockLength: number): Generator<number> {
  let at = 0;
  for (let taken = 0; taken < count; taken++) {
    at = taken === 0 || random() < 1 / blockLength ? Math.floor(random() * count) : (at + 1) % count;
    yield at;
  }
}

function meanOfDraw(random: Random, values: Float64Array): number {
  let sum = 0;
  for (const at of draw(random, values.length, blockLengthOf(values.length))) sum += values[at] ?? 0;
  return sum / values.length;
}

function drawn(random: Random, histograms: readonly Histogram[]): Histogram[] {
  return Array.from(draw(random, histograms.length, 2), (at) => histograms[at] ?? new Histogram());
}

function blockLengthOf(count: number): number {
  return 2 * Math.cbrt(count);
}

function shortened(values: readonly number[] | Float64Array): Float64Array {
  const factor = Math.ceil(values.length / VALUES_MAX);
  return Float64Array.from({ length: Math.floor(values.length / factor) || 0 }, (_, at) =>
    meanOf(values.slice(at * factor, (at + 1) * factor)),
  );
}

function batched(histograms: readonly Histogram[]): Histogram[] {
  const size = Math.ceil(histograms.length / BATCHES_MAX);
  return Array.from({ length: Math.floor(histograms.length / size) || 0 }, (_, at) =>
    merged(histograms.slice(at * size, (at + 1) * size)),
  );
}

function merged(histograms: readonly Histogram[]): Histogram {
  const sum = new Histogram();
  for (const histogram of histograms) sum.merge(histogram);
  return sum;
}

function meanOf(values: readonly number[] | Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return values.length > 0 ? sum / values.length : 0;
}
