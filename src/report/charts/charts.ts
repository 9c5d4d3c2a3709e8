// Which charts a report has, and what is in each. Pure: from the report as data to charts as data.

import { percent, several, span, words } from "../numbers.ts";
import type {
  AutocorrelationFigures,
  ComparisonSection,
  LagSection,
  RateSection,
  Report,
  RunSection,
} from "../model.ts";
import type { Chart, Mark, Point } from "./chart.ts";

/** A distance between points that is so many times the usual one is a gap. */
const GAP_TIMES = 5;

/** In the order of the report; those without anything to show are left out. */
export function chartsOf({ comparison, rate, lag, runs, sentAgainstCounted, knee }: Report): Chart[] {
  return [
    ...(comparison ? [changes(comparison)] : []),
    ...(rate ? rateCharts(rate) : []),
    ...(lag ? lagCharts(lag) : []),
    ...runs.map(latencyOverTime),
    ...(runs.length > 0 ? [latencyQuantiles(runs)] : []),
    ...(knee ? [latencyByRate(runs, knee.ratePerSec)] : []),
    ...(sentAgainstCounted ? [sentChart(sentAgainstCounted.overTime)] : []),
  ].filter(({ marks }) => marks.some((mark) => mark.kind !== "level" && mark.points.length > 1));
}

function rateCharts(rate: RateSection): Chart[] {
  const { stepSeconds, points } = rate.overTime;
  const step = stepSeconds === 1 ? "second" : span(stepSeconds);
  const marks: Mark[] = [
    {
      kind: "line",
      colour: 0,
      name: stepSeconds === 1 ? "events/s" : `mean of ${step}`,
      points: points.map((point) => [us(point.at), point.meanPerSec]),
    },
  ];
  if (stepSeconds > 1)
    marks.unshift({
      kind: "band",
      colour: 0,
      name: "its emptiest to its fullest second",
      points: points.map(({ at, minPerSec, maxPerSec }) => [us(at), minPerSec, maxPerSec]),
    });
  const bySecond = rate.levels.find(({ period }) => period === "1s");
  return [
    {
      id: "rate",
      title: `Events a second, by ${step}`,
      description: `${words(rate.meanPerSec)} on average, from ${words(bySecond?.min ?? 0)} to ${words(bySecond?.max ?? 0)} in a second.`,
      x: { label: "time (UTC)", scale: "utc" },
      y: { label: "events/s", scale: "linear", from: 0 },
      marks,
    },
    distribution(rate),
    {
      id: "fano",
      title: "Index of dispersion by length of window",
      description: `Variance / mean of the events in a window: ${rate.fano.map(({ windowSeconds, index }) => `${span(windowSeconds)}: ${words(index)}`).join(", ")}. A Poisson process has 1.`,
      x: { label: "window, seconds", scale: "log" },
      y: { label: "variance / mean", scale: "log", from: 0.5, to: 2 },
      marks: [
        { kind: "level", colour: 1, name: "a Poisson process", y: 1 },
        {
          kind: "line",
          colour: 0,
          name: "this stream",
          points: rate.fano.map(({ windowSeconds, index }) => [windowSeconds, index]),
        },
        { kind: "points", colour: 0, points: rate.fano.map(({ windowSeconds, index }) => [windowSeconds, index]) },
      ],
    },
    ...rate.autocorrelation.map(correlation),
    periods(rate),
  ];
}

function distribution({ histogram10ms: bars, dispersion }: RateSection): Chart {
  const width = bars[0]?.width ?? 1;
  return {
    id: "distribution-10ms",
    title: "Events in 10 ms: how often there were how many",
    description: dispersion
      ? `Variance / mean is ${words(dispersion.index)}; of a Poisson process of the same rate it is 1.`
      : "There are too few buckets to compare them with a Poisson process.",
    x: { label: "events in 10 ms", scale: "linear" },
    y: { label: "buckets", scale: "linear", from: 0 },
    marks: [
      {
        kind: "bars",
        colour: 0,
        name: "this stream",
        width,
        points: bars.map(({ fromEvents, buckets }) => [fromEvents - 0.5, buckets]),
      },
      {
        kind: "line",
        colour: 1,
        name: "a Poisson process of this rate",
        points: bars.map(({ fromEvents, poissonBuckets }) => [fromEvents + (width - 1) / 2, poissonBuckets]),
      },
    ],
  };
}

function correlation({ stepSeconds, bound, values }: AutocorrelationFigures): Chart {
  const isFine = stepSeconds < 1;
  // The first is 1 by definition, and would make all others look small.
  const points = values.slice(1).map((value, at): Point => [(at + 1) * stepSeconds, value]);
  const strongest = points.reduce(
    (best, point) => (Math.abs(point[1]) > Math.abs(best[1]) ? point : best),
    points[0] ?? [0, 0],
  );
  return {
    id: isFine ? "autocorrelation-10ms" : "autocorrelation-1s",
    title: `Autocorrelation of the counts of ${span(stepSeconds)}`,
    description: `Strongest at ${span(strongest[0])}: ${words(strongest[1])}. Without memory, 95 % of the values lie within ${words(bound)} of 0.`,
    x: { label: "distance, seconds", scale: "linear", from: 0 },
    y: { label: "correlation", scale: "linear", from: -0.1, to: 0.2 },
    marks: [
      { kind: "line", colour: 0, points },
      { kind: "level", colour: 1, name: `without memory 95 % lie within +-${words(bound)}`, y: bound },
      { kind: "level", colour: 1, y: -bound },
    ],
  };
}

function periods({ periods: found }: RateSection): Chart {
  const points = found.map(({ seconds, share }): Point => [seconds, share * 100]);
  return {
    id: "periods",
    title: "What repeats itself",
    description: found
      .map(({ seconds, share }) => `every ${span(seconds)}: ${percent(share)} of the variation`)
      .join("; "),
    x: { label: "period, seconds", scale: "log" },
    y: { label: "% of the variation", scale: "linear", from: 0 },
    marks: [
      { kind: "line", colour: 0, points: strokes(points.map(([at, value]) => [at, 0, value])) },
      { kind: "points", colour: 0, points },
    ],
  };
}

/** How far each thing has changed, against what it was; what was 0 or less has no such share. */
function changes({ differences }: ComparisonSection): Chart {
  const shown = differences.flatMap((one) => {
    const { what, before, difference, low, high } = one;
    if (before <= 0 || low === null || high === null) return [];
    const share = (value: number) => (value / before) * 100;
    return { what, change: share(difference), low: share(low), high: share(high), verdict: one.verdict };
  });
  return {
    id: "changes",
    title: "How far it has changed, with 95 % confidence",
    description: shown
      .map(({ what, low, high, verdict }) => `${what}: ${verdict}, ${words(low)} to ${words(high)} %`)
      .join("; "),
    x: {
      label: "a line that crosses 0: no difference beyond chance",
      scale: "linear",
      from: 0.5,
      to: shown.length + 0.5,
      ticks: shown.map(({ what }, at) => [at + 1, what] as const),
    },
    y: { label: "after against before, %", scale: "linear" },
    marks: [
      { kind: "level", colour: 1, name: "as before", y: 0 },
      {
        kind: "line",
        colour: 0,
        name: "95 % of the difference",
        points: strokes(shown.map(({ low, high }, at) => [at + 1, low, high])),
      },
      { kind: "points", colour: 0, name: "difference", points: shown.map(({ change }, at) => [at + 1, change]) },
    ],
  };
}

/** Upright lines, each from one value to another. */
function strokes(lines: readonly (readonly [x: number, from: number, to: number])[]): Point[] {
  return lines.flatMap(([at, from, to]) => [
    [at, from],
    [at, to],
    [at, Number.NaN],
  ]);
}

function lagCharts(lag: LagSection): Chart[] {
  const { points, stepSeconds } = lag.overTime;
  const line = (colour: number, name: string, of: (point: (typeof points)[number]) => number): Mark => ({
    kind: "line",
    colour,
    name,
    points: withGaps(points.map((point) => [us(point.at), of(point)])),
  });
  const isWide = lag.maxMs > 20 * lag.p50Ms && lag.p50Ms > 0 && lag.minMs >= 0;
  const charts: Chart[] = [
    {
      id: "lag",
      title: `LAG, by ${span(stepSeconds)}`,
      description: `Half of the events within ${words(lag.p50Ms, "ms")}, 99 of 100 within ${words(lag.p99Ms, "ms")}, the slowest within ${words(lag.maxMs, "ms")}.`,
      x: { label: "time (UTC)", scale: "utc" },
      y: isWide ? { label: "ms", scale: "log" } : { label: "ms", scale: "linear", from: 0 },
      marks: [
        line(1, "the slowest", ({ maxMs }) => maxMs),
        line(4, "p99", ({ p99Ms }) => p99Ms),
        line(0, "half (p50)", ({ p50Ms }) => p50Ms),
      ],
    },
  ];
  if (lag.againstRate) {
    const { rho, takeOff, points: pairs } = lag.againstRate;
    charts.push({
      id: "lag-by-rate",
      title: "LAG against rate",
      description: `Rank correlation ${words(rho)}. ${takeOff ? `LAG takes off above ${words(takeOff.ratePerSec)} events a second.` : "There is no rate at which LAG takes off."}`,
      x: { label: "events/s", scale: "linear" },
      y: { label: "mean LAG, ms", scale: "linear", from: 0 },
      marks: [{ kind: "points", colour: 0, points: pairs.map(({ ratePerSec, lagMs }) => [ratePerSec, lagMs]) }],
    });
  }
  return charts;
}

function latencyOverTime(run: RunSection, at: number): Chart {
  const { points, stepSeconds } = run.overTime;
  const { p50, p99, max } = run.latencyMs.fromSchedule;
  return {
    id: `latency-${at + 1}`,
    title: `Latency of ${run.name}, by ${span(stepSeconds)}`,
    description: `From when an event was due to its answer: half within ${words(p50, "ms")}, 99 of 100 within ${words(p99, "ms")}, the slowest within ${words(max, "ms")}.`,
    x: { label: "time (UTC)", scale: "utc" },
    y: { label: "ms", scale: "log" },
    marks: [
      {
        kind: "line",
        colour: 1,
        name: "p99",
        points: withGaps(points.map((point) => [us(point.at), point.p99Ms ?? Number.NaN])),
      },
      {
        kind: "line",
        colour: 0,
        name: "half (p50)",
        points: withGaps(points.map((point) => [us(point.at), point.p50Ms ?? Number.NaN])),
      },
    ],
  };
}

/** By nines: what only a few have to wait gets as much room as what most wait. */
function latencyQuantiles(runs: readonly RunSection[]): Chart {
  const nines = (share: number) => 1 / (1 - share);
  const shown = [0, 0.5, 0.9, 0.99, 0.999, 0.9999];
  return {
    id: "latency-quantiles",
    title: "Latency by share of the answers",
    description: runs
      .map(
        ({ name, latencyMs: { fromSchedule } }) =>
          `${name}: p50 ${words(fromSchedule.p50)}, p99 ${words(fromSchedule.p99)}, max ${words(fromSchedule.max, "ms")}`,
      )
      .join("; "),
    x: {
      label: "share of the answers that came within",
      scale: "log",
      from: 1,
      to: 10_000,
      ticks: shown.map((share) => [nines(share), percent(share)] as const),
    },
    y: { label: "ms from schedule", scale: "log" },
    marks: runs.map(({ name, quantiles, askedPerSec }, colour) => ({
      kind: "line",
      colour,
      name: askedPerSec === null ? name : `${words(askedPerSec)}/s`,
      points: quantiles.filter(({ share }) => share < 1).map(({ share, ms }): Point => [nines(share), ms]),
    })),
  };
}

function latencyByRate(runs: readonly RunSection[], knee: number | null): Chart {
  const points = runs
    .flatMap(({ askedPerSec, latencyMs }) =>
      askedPerSec === null ? [] : [[askedPerSec, latencyMs.fromSchedule.p99] as const],
    )
    .sort(([a], [b]) => a - b);
  return {
    id: "knee",
    title: "Latency by rate",
    description: `${several(points.length, "run")}; ${knee === null ? "no knee" : `the knee is at ${words(knee)} events a second`}.`,
    x: { label: "events/s", scale: "linear", from: 0 },
    y: { label: "p99 from schedule, ms", scale: "log" },
    marks: [
      { kind: "line", colour: 0, points },
      { kind: "points", colour: 0, points },
    ],
  };
}

function sentChart(points: { at: string; sent: number; counted: number; atLeast: number; atMost: number }[]): Chart {
  return {
    id: "sent",
    title: "Sent and counted, by second",
    description:
      "What was counted lies within the band of what the records allow wherever clocks agree and nobody else sent.",
    x: { label: "time (UTC)", scale: "utc" },
    y: { label: "events/s", scale: "linear", from: 0 },
    marks: [
      {
        kind: "band",
        colour: 2,
        name: "what the records allow",
        points: points.map((point) => [us(point.at), point.atLeast, point.atMost]),
      },
      {
        kind: "line",
        colour: 1,
        name: "sent",
        dashed: true,
        points: withGaps(points.map((point) => [us(point.at), point.sent])),
      },
      {
        kind: "line",
        colour: 0,
        name: "counted",
        points: withGaps(points.map((point) => [us(point.at), point.counted])),
      },
    ],
  };
}

/** Breaks a line where points are much further apart than most are: a straight line over a silence would say something of it. */
export function withGaps(points: readonly Point[]): Point[] {
  const distances = points.slice(1).map(([at], index) => at - (points[index]?.[0] ?? at));
  const usual = distances.toSorted((a, b) => a - b)[distances.length >> 1] ?? 0;
  return points.flatMap((point, index) => {
    const before = points[index - 1];
    const isGap = before !== undefined && point[0] - before[0] > GAP_TIMES * usual;
    return isGap ? [[(before[0] + point[0]) / 2, Number.NaN] as const, point] : [point];
  });
}

function us(iso: string): number {
  return Date.parse(iso) * 1_000;
}
