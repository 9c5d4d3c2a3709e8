// Did a change make it faster? Two ranges, or two runs, side by side. Pure.

import { Histogram } from "../histogram.ts";
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

function readingDifferences(before: StoreReading, after: StoreReading): DifferenceFigures[] {
  const differences: DifferenceFigures[] = [];
  const [a, b] = [ratesOf(before), ratesOf(after)];
  if (a.length > 0 && b.length > 0)
    differences.push(figures("rate", "events/s", [meanOf(a), meanOf(b)], compareMeans(a, b), 1));
  const [lagsA, lagsB] = [histogramsOf(before), histogramsOf(after)];
  for (const [what, q] of [
    ["LAG p50", 0.5],
    ["LAG p99", 0.99],
  ] as const) {
    if (lagsA.length === 0 || lagsB.length === 0) continue;
    const values = [before.lags.all.quantile(q) / 1_000, after.lags.all.quantile(q) / 1_000] as const;
    differences.push(figures(what, "ms", values, compareQuantiles(lagsA, lagsB, q), 1_000));
  }
  return differences;
}

function ratesOf({ seconds }: StoreReading): number[] {
  const { values, widthUs } = seconds.series;
  return values.map((value) => (value * SECOND_US) / widthUs);
}

function histogramsOf({ lags }: StoreReading) {
  return lags.slots.entries().map(([, { histogram }]) => histogram);
}

function runDifferences(before: readonly Run[], after: readonly Run[]): DifferenceFigures[] {
  const [a, b] = [before, after].map((runs) =>
    runs
      .flatMap((run) => run.latencies.entries().map(([, { sinceDueUs }]) => sinceDueUs))
      .filter(({ total }) => total > 0),
  );
  if (!a || !b || a.length === 0 || b.length === 0) return [];
  return (
    [
      ["latency p50", 0.5],
      ["latency p99", 0.99],
    ] as const
  ).map(([what, q]) => {
    const [one, other] = [before, after].map((runs) => latencyOf(runs, q));
    return figures(what, "ms", [one ?? 0, other ?? 0], compareQuantiles(a, b, q), 1_000);
  });
}

function latencyOf(runs: readonly Run[], q: number): number {
  const [first, ...others] = runs.map(({ result }) => result.sinceDueUs);
  if (!first) return 0;
  if (others.length === 0) return first.quantile(q) / 1_000;
  const all = new Histogram();
  for (const histogram of [first, ...others]) all.merge(histogram);
  return all.quantile(q) / 1_000;
}

/** `scale`: of the compared values to the unit. */
function figures(
  what: string,
  unit: string,
  [before, after]: readonly [number, number],
  { low, high, pValue, verdict }: Comparison,
  scale: number,
): DifferenceFigures {
  const isTold = Number.isFinite(low) && Number.isFinite(high);
  return {
    what,
    unit,
    before: rounded(before),
    after: rounded(after),
    difference: rounded(after - before),
    low: isTold ? rounded(low / scale) : null,
    high: isTold ? rounded(high / scale) : null,
    ratio: before > 0 ? rounded(after / before, 4) : null,
    pValue: isTold ? rounded(pValue, 3) : null,
    verdict,
  };
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
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
