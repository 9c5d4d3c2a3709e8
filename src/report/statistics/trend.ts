// Does y change along x? A straight line, rank correlation, and where a lag takes off.
// Both x and y may be series in time, each value close to the one before; what assumes independence says so.

import { studentQuantile, studentTwoSided } from "./distributions.ts";

type Values = readonly number[] | Float64Array;

export interface Trend {
  /** Change of y for 1 of x, with its 95 % interval. */
  slope: number;
  low: number;
  high: number;
  /** Two-sided, of there being no change. */
  pValue: number;
}

/**
 * The straight line through values in the order of time: least squares, with errors that hold for correlated and
 * unequal ones too. Source: W. K. Newey, K. D. West (1987), with the bandwidth of D. W. K. Andrews (1991) for AR(1).
 * Why not Theil-Sen and Mann-Kendall: they take n^2 and assume independent values; seconds next to one another are not.
 */
export function trend(x: Values, y: Values): Trend {
  const n = x.length;
  const [meanX, meanY] = [meanOf(x), meanOf(y)];
  let [squares, products] = [0, 0];
  for (let at = 0; at < n; at++) {
    const distance = (x[at] ?? 0) - meanX;
    squares += distance * distance;
    products += distance * ((y[at] ?? 0) - meanY);
  }
  if (n < 3 || squares === 0)
    return { slope: 0, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY, pValue: 1 };
  const slope = products / squares;
  const scores = Float64Array.from({ length: n }, (_, at) => {
    const distance = (x[at] ?? 0) - meanX;
    return distance * ((y[at] ?? 0) - meanY - slope * distance);
  });
  const error = Math.sqrt((longRunSum(scores, bandwidth(scores)) * n) / (n - 2)) / squares;
  const reach = error * studentQuantile(0.05, n - 2);
  const pValue = error > 0 ? studentTwoSided(slope / error, n - 2) : slope === 0 ? 1 : 0;
  return { slope, low: slope - reach, high: slope + reach, pValue };
}

/** n times the long-run variance of `scores` with mean 0, by Bartlett's weights. */
export function longRunSum(scores: Float64Array, lags: number): number {
  let sum = 0;
  for (let lag = 0; lag <= lags; lag++) {
    const weight = lag === 0 ? 1 : 2 * (1 - lag / (lags + 1));
    for (let at = lag; at < scores.length; at++) sum += weight * (scores[at] ?? 0) * (scores[at - lag] ?? 0);
  }
  return Math.max(0, sum);
}

/** Andrews' bandwidth, at least Newey and West's rule of thumb and at most a third of the values. */
export function bandwidth(scores: Float64Array): number {
  const n = scores.length;
  let [now, before] = [0, 0];
  for (let at = 1; at < n; at++) {
    now += (scores[at] ?? 0) * (scores[at - 1] ?? 0);
    before += (scores[at - 1] ?? 0) ** 2;
  }
  const rho = before > 0 ? Math.max(-0.97, Math.min(0.97, now / before)) : 0;
  const alpha = (4 * rho * rho) / (1 - rho * rho) ** 2;
  const lags = Math.max(4 * (n / 100) ** (2 / 9), 1.1447 * (alpha * n) ** (1 / 3));
  return Math.min(Math.floor(n / 3), Math.ceil(lags));
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

function centredRanks(values: Values): Float64Array {
  const n = values.length;
  const order = Array.from({ length: n }, (_, at) => at).sort((i, j) => (values[i] ?? 0) - (values[j] ?? 0));
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

function meanOf(values: Values): number {
  let sum = 0;
  for (const value of values) sum += value;
  return values.length > 0 ? sum / values.length : 0;
}

export interface TakeOff {
  rate: number;
  before: number;
  after: number;
}

const BINS = 20;
const PER_BIN_MIN = 5;

/** Above it the lag must be so many times what it was below, or the bend is no matter to anybody. */
const RISE_MIN = 1.5;

/**
 * The rate above which lag rises, with the median lag below it and that of the highest twentieth of the rates; null
 * where it does not. Medians over bins of equally many values, then the flat line with a bend upwards that fits them
 * best (D. V. Hinkley, 1969, two-phase regression).
 */
export function takeOff(rate: Values, lag: Values): TakeOff | null {
  const order = Array.from({ length: rate.length }, (_, at) => at).sort((i, j) => (rate[i] ?? 0) - (rate[j] ?? 0));
  const bins = Math.min(BINS, Math.floor(order.length / PER_BIN_MIN));
  if (bins < 5) return null;
  const rates: number[] = [];
  const lags: number[] = [];
  for (let bin = 0; bin < bins; bin++) {
    const members = order.slice(Math.floor((bin * order.length) / bins), Math.floor(((bin + 1) * order.length) / bins));
    rates.push(medianOf(members.map((at) => rate[at] ?? 0)));
    lags.push(medianOf(members.map((at) => lag[at] ?? 0)));
  }
  return bestBend(rates, lags);
}

function bestBend(rates: readonly number[], lags: readonly number[]): TakeOff | null {
  const n = rates.length;
  let best: { at: number; error: number } | null = null;
  for (let at = 1; at < n - 1; at++) {
    const bent = rates.map((rate) => Math.max(0, rate - (rates[at] ?? 0)));
    const error = lineError(bent, lags);
    if (best === null || error < best.error) best = { at, error };
  }
  if (best === null) return null;
  const before = medianOf(lags.slice(0, best.at + 1));
  const after = lags.at(-1) ?? 0;
  const isStraight = lineError([...rates], lags) <= best.error;
  return isStraight || after < RISE_MIN * before || after <= before
    ? null
    : { rate: rates[best.at] ?? 0, before, after };
}

/** The squared error of the best straight line. */
function lineError(x: readonly number[], y: readonly number[]): number {
  const [meanX, meanY] = [meanOf(x), meanOf(y)];
  let [xx, xy, yy] = [0, 0, 0];
  for (const [at, one] of x.entries()) {
    const [dx, dy] = [one - meanX, (y[at] ?? 0) - meanY];
    xx += dx * dx;
    xy += dx * dy;
    yy += dy * dy;
  }
  return xx > 0 ? yy - (xy * xy) / xx : yy;
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}
