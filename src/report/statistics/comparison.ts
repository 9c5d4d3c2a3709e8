// Is B other than A? Means and percentiles of two series, each of which remembers its past (see batches.ts).

import { Histogram } from "../../histogram.ts";
import { batchMeans, meanOf, stretches, type Values } from "./batches.ts";
import { studentQuantile, studentTwoSided } from "./distributions.ts";

export type ComparisonVerdict = "lower" | "higher" | "no difference seen" | "too few values";

export interface Comparison {
  /** The two means or quantiles. */
  a: number;
  b: number;
  /** b - a, with its 95 % interval; infinite ends where there are too few values. */
  difference: number;
  low: number;
  high: number;
  /** b / a, with its 95 % interval; NaN where a or b is not above 0. */
  ratio: number;
  ratioLow: number;
  ratioHigh: number;
  /** Two-sided, of there being no difference. */
  pValue: number;
  /** What b is, compared with a. */
  verdict: ComparisonVerdict;
}

const ALPHA = 0.05;

/** Seconds or minutes on either side. */
const VALUES_MIN = 24;

/**
 * The means of two series of equally long buckets, such as events per second. Welch's t test (B. L. Welch, 1947) of
 * the means of twelve stretches of each.
 */
export function compareMeans(a: Values, b: Values): Comparison {
  return compared(estimate(meanOf(a), batchMeans(a), a.length), estimate(meanOf(b), batchMeans(b), b.length));
}

/**
 * The q quantiles (0..1) of what two series of histograms hold, one for each second or minute. By sectioning
 * (S. Asmussen, P. W. Glynn, Stochastic Simulation, 2007, III.5): the quantile of all, and its error from how those of
 * twelve stretches scatter around it.
 */
export function compareQuantiles(a: readonly Histogram[], b: readonly Histogram[], q: number): Comparison {
  return compared(quantileEstimate(a, q), quantileEstimate(b, q));
}

interface Estimate {
  value: number;
  /** Squared standard error of `value`. */
  squaredError: number;
  freedom: number;
  isEnough: boolean;
}

/** What `value` is worth, if `sections` are estimates of the same from parts of the series. */
function estimate(value: number, sections: Float64Array, count: number): Estimate {
  const squares = sections.reduce((sum, section) => sum + (section - value) ** 2, 0);
  const freedom = sections.length - 1;
  return { value, squaredError: squares / freedom / sections.length, freedom, isEnough: count >= VALUES_MIN };
}

function quantileEstimate(histograms: readonly Histogram[], q: number): Estimate {
  const filled = histograms.filter((histogram) => histogram.total > 0);
  const sections = stretches(filled.length).map(({ from, to }) => merged(filled.slice(from, to)));
  return estimate(
    merged(sections).evenQuantile(q),
    Float64Array.from(sections, (section) => section.evenQuantile(q)),
    filled.length,
  );
}

function compared(a: Estimate, b: Estimate): Comparison {
  const isPositive = a.value > 0 && b.value > 0;
  const ratio = isPositive ? b.value / a.value : Number.NaN;
  // Rounding is no difference.
  const isSame = Math.abs(b.value - a.value) <= 1e-9 * Math.max(Math.abs(a.value), Math.abs(b.value));
  const difference = isSame ? 0 : b.value - a.value;
  const values = { a: a.value, b: b.value, difference, ratio };
  if (!a.isEnough || !b.isEnough) return tooFew(values);
  const squaredError = a.squaredError + b.squaredError;
  const error = Math.sqrt(squaredError);
  // F. E. Satterthwaite (1946).
  const freedom = squaredError ** 2 / (a.squaredError ** 2 / a.freedom + b.squaredError ** 2 / b.freedom);
  const pValue = difference === 0 ? 1 : error > 0 ? studentTwoSided(difference / error, freedom) : 0;
  const times = error > 0 ? studentQuantile(ALPHA, freedom) : 0;
  // The ratio's error by the delta method, on a logarithmic scale.
  const spread = times * Math.sqrt(a.squaredError / a.value ** 2 + b.squaredError / b.value ** 2);
  return {
    ...values,
    low: difference - times * error,
    high: difference + times * error,
    ratioLow: ratio * Math.exp(-spread),
    ratioHigh: ratio * Math.exp(spread),
    pValue,
    verdict: pValue >= ALPHA ? "no difference seen" : difference > 0 ? "higher" : "lower",
  };
}

function tooFew(values: Pick<Comparison, "a" | "b" | "difference" | "ratio">): Comparison {
  const [low, high] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  return { ...values, low, high, ratioLow: 0, ratioHigh: high, pValue: 1, verdict: "too few values" };
}

function merged(histograms: readonly Histogram[]): Histogram {
  const sum = new Histogram();
  for (const histogram of histograms) sum.merge(histogram);
  return sum;
}
