// Did a change make it faster? Two ranges, or two runs, side by side. Pure.

import type { Histogram } from "../histogram.ts";
import { SECOND_US } from "../period.ts";
import type { ComparisonSection, DifferenceFigures } from "./model.ts";
import { percent, probability, rounded, words } from "./numbers.ts";
import type { StoreReading } from "./reading.ts";
import type { Run } from "./run.ts";
import { compareMeans, compareQuantiles, type Comparison } from "./statistics/comparison.ts";

/** What is compared, with its name in words. */
export interface Side {
  name: string;
  reading: StoreReading | null;
  runs: readonly Run[];
}

/** Null where the two sides have nothing in common. */
export function comparisonSection(before: Side, after: Side): ComparisonSection | null {
  const differences: DifferenceFigures[] = [];
  if (before.reading && after.reading) differences.push(...readingDifferences(before.reading, after.reading));
  if (before.runs.length > 0 && after.runs.length > 0) differences.push(...runDifferences(before.runs, after.runs));
  if (differences.length === 0) return null;
  const section = { before: before.name, after: after.name, differences };
  return { says: differences.map(sentence), ...section };
}

const QUANTILES = [
  ["p50", 0.5],
  ["p99", 0.99],
] as const;

function readingDifferences(before: StoreReading, after: StoreReading): DifferenceFigures[] {
  const [a, b] = [ratesOf(before), ratesOf(after)];
  const rates = a.length > 0 && b.length > 0 ? [figures("rate", "events/s", compareMeans(a, b), 1)] : [];
  return [...rates, ...quantileDifferences("LAG", histogramsOf(before), histogramsOf(after))];
}

function ratesOf({ seconds }: StoreReading): number[] {
  const { values, widthUs } = seconds.series;
  return values.map((value) => (value * SECOND_US) / widthUs);
}

function histogramsOf({ lags }: StoreReading): Histogram[] {
  return lags.slots.entries().map(([, { histogram }]) => histogram);
}

function runDifferences(before: readonly Run[], after: readonly Run[]): DifferenceFigures[] {
  return quantileDifferences("latency", latenciesOf(before), latenciesOf(after));
}

function latenciesOf(runs: readonly Run[]): Histogram[] {
  return runs
    .flatMap((run) => run.latencies.entries().map(([, { sinceDueUs }]) => sinceDueUs))
    .filter(({ total }) => total > 0);
}

/** Of histograms of microseconds. */
function quantileDifferences(what: string, a: readonly Histogram[], b: readonly Histogram[]): DifferenceFigures[] {
  if (a.length === 0 || b.length === 0) return [];
  return QUANTILES.map(([name, q]) => figures(`${what} ${name}`, "ms", compareQuantiles(a, b, q), 1_000));
}

/** `scale`: of the compared values to the unit. */
function figures(what: string, unit: string, found: Comparison, scale: number): DifferenceFigures {
  const { a, b, difference, low, high, ratio, pValue, verdict } = found;
  const isTold = Number.isFinite(low) && Number.isFinite(high);
  return {
    what,
    unit,
    before: rounded(a / scale),
    after: rounded(b / scale),
    difference: rounded(difference / scale),
    low: isTold ? rounded(low / scale) : null,
    high: isTold ? rounded(high / scale) : null,
    ratio: Number.isFinite(ratio) ? rounded(ratio, 4) : null,
    pValue: isTold ? rounded(pValue, 3) : null,
    verdict,
  };
}

function sentence({ what: name, unit, before, after, low, high, ratio, pValue, verdict }: DifferenceFigures): string {
  const what = `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
  const change = `${words(before)} to ${words(after, unit)}`;
  if (low === null || high === null || pValue === null)
    return `${what}: from ${change}; there are too few values to tell whether that is more than chance.`;
  const interval = `the difference is between ${words(low)} and ${words(high, unit)} with 95 % confidence; ${probability(pValue)}`;
  if (verdict === "no difference seen") return `${what}: no difference beyond chance (from ${change}; ${interval}).`;
  const share = ratio === null ? "" : ` by ${percent(Math.abs(ratio - 1))}`;
  return `${what} is ${verdict}${share}: from ${change} (${interval}).`;
}
