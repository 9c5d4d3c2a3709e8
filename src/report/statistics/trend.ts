// Does y change along x? A straight line, rank correlation, and where a lag takes off.
// Both x and y may be series in time, each value close to the one before; what assumes independence says so.

import { batchMeans, medianOf, type Values } from "./batches.ts";
import { bend, leastSquares } from "./bend.ts";
import { studentQuantile, studentTwoSided } from "./distributions.ts";

export interface Trend {
  /** Change of y for 1 of x, with its 95 % interval. */
  slope: number;
  low: number;
  high: number;
  /** Two-sided, of there being no change. */
  pValue: number;
}

/**
 * The straight line through values in the order of time: least squares over the means of twelve stretches, with
 * Student's t (see batches.ts). Least squares, Mann-Kendall and Theil-Sen over all values assume that each is
 * independent of the one before; seconds are not. Newey and West's errors held worse in our runs, see the test.
 */
export function trend(x: Values, y: Values): Trend {
  const [xs, ys] = [batchMeans(x), batchMeans(y)];
  const { slope, error, squares } = leastSquares(xs, ys);
  const freedom = xs.length - 2;
  if (freedom < 1 || squares === 0)
    return { slope: 0, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY, pValue: 1 };
  const deviation = Math.sqrt(error / freedom / squares);
  const reach = deviation * studentQuantile(0.05, freedom);
  const pValue = deviation > 0 ? studentTwoSided(slope / deviation, freedom) : slope === 0 ? 1 : 0;
  return { slope, low: slope - reach, high: slope + reach, pValue };
}

/**
 * Do x and y rise and fall together? Spearman's rank correlation (C. Spearman, 1904), ties ranked in the middle. The
 * p-value takes the series' memory into account: `effective` values instead of n, after M. S. Bartlett (1935):
 * n / (1 + 2 sum r_x(k) r_y(k)), over the first lags at which the product is positive.
 */
export function spearman(x: Values, y: Values): { rho: number; pValue: number; effective: number } {
  const n = x.length;
  const [a, b] = [centredRanks(x), centredRanks(y)];
  const spread = Math.sqrt(dot(a, a, 0) * dot(b, b, 0));
  if (n < 3 || spread === 0) return { rho: 0, pValue: 1, effective: n };
  const rho = dot(a, b, 0) / spread;
  const effective = effectiveCount(a, b);
  const freedom = effective - 2;
  const t = rho * Math.sqrt(freedom / Math.max(1e-300, 1 - rho * rho));
  return { rho, pValue: freedom > 0 ? studentTwoSided(t, freedom) : 1, effective };
}

function effectiveCount(a: Float64Array, b: Float64Array): number {
  const n = a.length;
  const [wholeA, wholeB] = [dot(a, a, 0), dot(b, b, 0)];
  let sum = 0;
  for (let lag = 1; lag < Math.min(n / 3, 2_000); lag++) {
    const [inA, inB] = [dot(a, a, lag) / wholeA, dot(b, b, lag) / wholeB];
    if (inA <= 0 || inB <= 0) break;
    sum += inA * inB;
  }
  return n / (1 + 2 * sum);
}

/** Indices in the order of their values. */
function ascending(values: Values): number[] {
  return Array.from({ length: values.length }, (_, at) => at).sort((i, j) => (values[i] ?? 0) - (values[j] ?? 0));
}

function centredRanks(values: Values): Float64Array {
  const n = values.length;
  const order = ascending(values);
  const ranks = new Float64Array(n);
  for (let from = 0; from < n;) {
    let to = from + 1;
    while (to < n && values[order[to] ?? 0] === values[order[from] ?? 0]) to += 1;
    for (let at = from; at < to; at++) ranks[order[at] ?? 0] = (from + to - 1) / 2 - (n - 1) / 2;
    from = to;
  }
  return ranks;
}

function dot(a: Float64Array, b: Float64Array, lag: number): number {
  let sum = 0;
  for (let at = lag; at < a.length; at++) sum += (a[at] ?? 0) * (b[at - lag] ?? 0);
  return sum;
}

export interface TakeOff {
  rate: number;
  before: number;
  after: number;
}

const BINS = 20;
const BINS_MIN = 8;
const PER_BIN_MIN = 5;

/** Above it the lag must be so many times what it was below, or the bend is no matter to anybody. */
const RISE_MIN = 1.5;

/**
 * The rate above which lag rises, with the median lag up to it and that at the highest rates; null where it does not,
 * or rises evenly all along. By the bend (bend.ts) of the medians of bins of equally many values.
 */
export function takeOff(rate: Values, lag: Values): TakeOff | null {
  const order = ascending(rate);
  const count = Math.min(BINS, Math.floor(order.length / PER_BIN_MIN));
  if (count < BINS_MIN) return null;
  const bins = Array.from({ length: count }, (_, bin) =>
    order.slice(Math.floor((bin * order.length) / count), Math.floor(((bin + 1) * order.length) / count)),
  );
  const rates = bins.map((members) => medianOf(members.map((at) => rate[at] ?? 0)));
  const lags = bins.map((members) => medianOf(members.map((at) => lag[at] ?? 0)));
  const found = bend(rates, lags);
  if (found === null) return null;
  const before = medianOf(bins.slice(0, found.upTo + 1).flatMap((members) => members.map((at) => lag[at] ?? 0)));
  const after = lags.at(-1) ?? 0;
  return after > before && after >= RISE_MIN * before ? { rate: found.rate, before, after } : null;
}
