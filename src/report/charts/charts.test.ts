import { describe, expect, test } from "bun:test";
import type { DifferenceFigures, RateSection, Report } from "../model.ts";
import { drawChart, type Mark } from "./chart.ts";
import { chartsOf } from "./charts.ts";

const NOTHING: Report = {
  version: 1,
  writtenAt: "2026-11-26T06:00:00.000000Z",
  notes: [],
  store: null,
  rate: null,
  lag: null,
  health: null,
  anomalies: null,
  runs: [],
  knee: null,
  sentAgainstCounted: null,
  disk: null,
  comparison: null,
};

function difference(what: string, before: number, by: number, interval: [number, number] | null): DifferenceFigures {
  const [low, high] = interval ?? [null, null];
  const after = before + by;
  return { what, unit: "ms", before, after, difference: by, low, high, ratio: null, pValue: 0.01, verdict: "lower" };
}

function chartOf(id: string, given: Partial<Report>) {
  return chartsOf({ ...NOTHING, ...given }).find((chart) => chart.id === id);
}

/** The upright lines of a mark: where, from, to. */
function strokesOf(marks: readonly Mark[]): number[][] {
  const points = marks.flatMap((mark) => (mark.kind === "line" ? mark.points : []));
  return points.flatMap(([at, from], index) =>
    index % 3 === 0 ? [[at, from, points[index + 1]?.[1] ?? Number.NaN]] : [],
  );
}

describe("periods", () => {
  const rate = (periods: RateSection["periods"]): RateSection => ({
    says: [],
    from: "2026-11-26T06:00:00.000000Z",
    to: "2026-11-26T07:00:00.000000Z",
    seconds: 3_600,
    silentSeconds: 0,
    meanPerSec: 10,
    busyMeanPerSec: 10,
    levels: [],
    dispersion: null,
    fano: [],
    peakToMean: { "10ms": null, "1s": null, "1m": null },
    longestSilence: null,
    autocorrelation: [],
    periods,
    histogram10ms: [],
    overTime: { stepSeconds: 1, points: [] },
  });
  const period = { seconds: 300, share: 0.25, pValue: 0.001, overtoneOfSeconds: null };

  test("stand as high as their share of the variation", () => {
    const chart = chartOf("periods", { rate: rate([period]) });
    expect(strokesOf(chart?.marks ?? [])).toEqual([[300, 0, 25]]);
    expect(chart?.description).toBe("every 5 min: 25 % of the variation");
    expect(drawChart(chart!)).not.toMatch(/NaN|Infinity|undefined/);
  });

  test("that are not there have no chart", () => {
    expect(chartOf("periods", { rate: rate([]) })).toBeUndefined();
  });
});

describe("before and after", () => {
  const comparison = (differences: DifferenceFigures[]) => ({ says: [], before: "a", after: "b", differences });

  test("are shown as shares of before, with their intervals, in the order of the table", () => {
    const differences = [difference("LAG p50", 8, -2, [-3, -1]), difference("LAG p99", 20, 5, [-1, 16])];
    const chart = chartOf("changes", { comparison: comparison(differences) });
    expect(strokesOf(chart?.marks ?? [])).toEqual([
      [1, -37.5, -12.5],
      [2, -5, 80],
    ]);
    expect(chart?.marks).toContainEqual(
      expect.objectContaining({
        kind: "points",
        points: [
          [1, -25],
          [2, 25],
        ],
      }),
    );
    expect(chart?.x.ticks).toEqual([
      [1, "LAG p50"],
      [2, "LAG p99"],
    ]);
    expect(chart?.description).toBe("LAG p50: lower, -37.5 to -12.5 %; LAG p99: lower, -5 to 80 %");
    expect(drawChart(chart!)).not.toMatch(/NaN|Infinity|undefined/);
  });

  test("leave out what has no interval, or was not above 0", () => {
    const unclear = [
      difference("rate", 8, -2, null),
      difference("LAG p50", -1, 2, [1, 3]),
      difference("LAG p99", 0, 2, [1, 3]),
    ];
    expect(chartOf("changes", { comparison: comparison(unclear) })).toBeUndefined();
    const one = comparison([...unclear, difference("latency p99", 10, 1, [0, 2])]);
    expect(chartOf("changes", { comparison: one })?.x.ticks).toEqual([[1, "latency p99"]]);
  });
});
