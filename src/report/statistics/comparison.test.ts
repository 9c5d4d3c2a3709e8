import { describe, expect, test } from "bun:test";
import { Histogram } from "../../histogram.ts";
import { compareMeans, compareQuantiles } from "./comparison.ts";
import { normal, poisson } from "../../../test/support/draws.ts";
import { Random } from "../../random.ts";

const random = Random.seeded(41);

/** An AR(1) series of deviation 1: each value is `memory` times the one before, plus noise. */
function remembering(count: number, memory: number): Float64Array {
  let value = normal(random);
  return Float64Array.from({ length: count }, () => {
    value = memory * value + Math.sqrt(1 - memory * memory) * normal(random);
    return value;
  });
}

/** A histogram a second: exponential latencies whose mean wanders around `meanUs`. */
function latencies(seconds: number, meanUs: number, memory: number): Histogram[] {
  return Array.from(remembering(seconds, memory), (level) => {
    const histogram = new Histogram();
    for (let event = 0; event < 20; event++) histogram.record(meanUs * Math.exp(0.3 * level) * random.exponential(1));
    return histogram;
  });
}

function shareOf(runs: number, holds: () => boolean): number {
  let times = 0;
  for (let run = 0; run < runs; run++) if (holds()) times += 1;
  return times / runs;
}

describe("means compared", () => {
  test("are what SciPy 1.17.1 tells of the means of twelve stretches", () => {
    // a = np.array([(i*i*7 + 3*i) % 11 for i in range(48)], float); b: (i*i*5 + 2*i) % 13
    // m = lambda v: v.reshape(12, 4).mean(axis=1)
    // r = scipy.stats.ttest_ind(m(b), m(a), equal_var=False); r.confidence_interval(), r.pvalue
    const told = compareMeans(
      Array.from({ length: 48 }, (_, i) => (i * i * 7 + 3 * i) % 11),
      Array.from({ length: 48 }, (_, i) => (i * i * 5 + 2 * i) % 13),
    );
    expect(told.difference).toBeCloseTo(3.291666666666667, 10);
    expect(told.low).toBeCloseTo(1.4476992806391884, 9);
    expect(told.high).toBeCloseTo(5.1356340526941455, 9);
    expect(told.pValue).toBeCloseTo(0.0021480473706752107, 9);
    // b.mean() / a.mean() * np.exp(s), s = -+ scipy.stats.t.isf(.025, r.df) * np.hypot(of sem(m(v)) / v.mean())
    expect(told.ratio).toBeCloseTo(1.8186528497409329, 10);
    expect(told.ratioLow).toBeCloseTo(1.3956719053908775, 9);
    expect(told.ratioHigh).toBeCloseTo(2.369825010516713, 9);
    expect(told.verdict).toBe("higher");
  });

  // The interval of the difference holds it, of 1,000 runs, by the memory's length in values: none, 2, 10, 33:
  //     60 values:    96, 91, 62, 36 %     series must be some 20 times as long as their memory, better 100
  //     300 values:   95, 95, 89, 69 %     the ratio's interval: within 1 % of these
  //     3,600 values: 95, 93, 95, 94 %     a stationary bootstrap: 95, 96, 92, 87 %
  test.each([0, 0.5, 0.9])("of 1,200 values that remember %p are held by their intervals in some 95 %%", (memory) => {
    let ratios = 0;
    const share = shareOf(300, () => {
      const told = compareMeans(
        remembering(1_200, memory).map((one) => 100 + 10 * one),
        remembering(1_200, memory).map((one) => 120 + 10 * one),
      );
      if (told.ratioLow <= 1.2 && told.ratioHigh >= 1.2) ratios += 1;
      return told.low <= 20 && told.high >= 20;
    });
    for (const one of [share, ratios / 300]) {
      expect(one).toBeGreaterThan(0.9);
      expect(one).toBeLessThan(0.99);
    }
  });

  test("are called lower, higher, or not different, as they are", () => {
    const counts = (mean: number) => Array.from({ length: 600 }, () => poisson(random, mean));
    expect(compareMeans(counts(120), counts(100)).verdict).toBe("lower");
    expect(compareMeans(counts(100), counts(120)).verdict).toBe("higher");
    const same = counts(100);
    expect(compareMeans(same, same)).toMatchObject({ difference: 0, pValue: 1, verdict: "no difference seen" });
  });

  test("of few values, of constants, and of nothing are no NaN but in the ratio", () => {
    const few = compareMeans([1, 2, 3], [4, 5, 6]);
    expect([few.difference, few.verdict, few.low]).toEqual([3, "too few values", Number.NEGATIVE_INFINITY]);
    const ones = new Float64Array(100).fill(1);
    const twos = new Float64Array(100).fill(2);
    expect(compareMeans(ones, twos)).toEqual({
      a: 1,
      b: 2,
      difference: 1,
      low: 1,
      high: 1,
      ratio: 2,
      ratioLow: 2,
      ratioHigh: 2,
      pValue: 0,
      verdict: "higher",
    });
    expect(compareMeans(ones, ones)).toMatchObject({ low: 0, high: 0, pValue: 1, verdict: "no difference seen" });
    const tenths = (count: number) => new Float64Array(count).fill(0.1);
    expect(compareMeans(tenths(100), tenths(77))).toMatchObject({ difference: 0, verdict: "no difference seen" });
    expect(compareMeans([], []).verdict).toBe("too few values");
  });
});

describe("percentiles compared", () => {
  // The interval of no difference holds it, of 100 to 300 runs, 5 or 50 events a second, quantiles 0.5 to 0.999:
  //     60 seconds:    85-97 % without memory (p99.9 of 300 events is a guess), 75-82 % with one of 10 seconds
  //     300 seconds:   87-96 %,  86-90 %
  //     3,600 seconds: 95-99 %,  95-99 %
  test.each([
    [0.5, 0],
    [0.99, 0],
    [0.5, 0.8],
    [0.99, 0.8],
  ])("at %p of two series alike that remember %p differ in some 5 %%", (q, memory) => {
    const share = shareOf(100, () => {
      const { low, high } = compareQuantiles(latencies(400, 5_000, memory), latencies(400, 5_000, memory), q);
      return low <= 0 && high >= 0;
    });
    expect(share).toBeGreaterThan(0.86);
  });

  test("are seen to differ by a tenth, less than two bins, within the interval", () => {
    const told = compareQuantiles(latencies(1_000, 5_000, 0), latencies(1_000, 5_500, 0), 0.5);
    expect(told.verdict).toBe("higher");
    expect(told.ratioLow).toBeLessThan(1.1);
    expect(told.ratioHigh).toBeGreaterThan(1.1);
    expect(told.ratioLow).toBeGreaterThan(1);
  });

  test("are seen to differ by less than a bin, which is 2.6 % wide here", () => {
    const around = (meanUs: number) =>
      Array.from({ length: 400 }, () => {
        const histogram = new Histogram();
        for (let event = 0; event < 20; event++) histogram.record(meanUs * (1 + 0.1 * normal(random)));
        return histogram;
      });
    const told = compareQuantiles(around(5_000), around(5_050), 0.5);
    expect(told.verdict).toBe("higher");
    expect(Math.abs(told.ratio - 1.01)).toBeLessThan(0.007);
    expect(told.ratioHigh - told.ratioLow).toBeLessThan(0.015);
  });

  test("do not differ where both are the same constant, however often it came", () => {
    const of = (times: number) =>
      Array.from({ length: 30 }, () => {
        const histogram = new Histogram();
        for (let event = 0; event < times; event++) histogram.record(1_000);
        return histogram;
      });
    expect(compareQuantiles(of(3), of(7), 0.99)).toMatchObject({ difference: 0, verdict: "no difference seen" });
  });

  test("of empty histograms are of too few values", () => {
    const empty = Array.from({ length: 100 }, () => new Histogram());
    expect(compareQuantiles(empty, latencies(100, 5_000, 0), 0.5).verdict).toBe("too few values");
    expect(compareQuantiles([], [], 0.5).verdict).toBe("too few values");
  });
});
