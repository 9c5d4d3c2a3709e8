import { describe, expect, test } from "bun:test";
import { normal } from "../../../test/support/draws.ts";
import { Random } from "../../random.ts";
import { spearman, takeOff, trend } from "./trend.ts";

/** In Python: x = np.arange(40.); y = np.array([(i*i*7 + 3*i) % 11 for i in range(40)]) + 0.1 * x. */
const X = Array.from({ length: 40 }, (_, i) => i);
const Y = X.map((i) => ((i * i * 7 + 3 * i) % 11) + 0.1 * i);

const random = Random.seeded(31);

/** An AR(1) series: each value is `memory` times the one before, plus noise. */
function remembering(count: number, memory: number): number[] {
  let value = normal(random) / Math.sqrt(1 - memory * memory);
  return Array.from({ length: count }, () => {
    value = memory * value + normal(random);
    return value;
  });
}

/** The share of `runs` in which `holds` is true. */
function shareOf(runs: number, holds: () => boolean): number {
  let times = 0;
  for (let run = 0; run < runs; run++) if (holds()) times += 1;
  return times / runs;
}

describe("a trend", () => {
  test("is what SciPy 1.17.1 tells of the means of twelve stretches", () => {
    // m = lambda v: np.array([v[k*40//12:(k+1)*40//12].mean() for k in range(12)])
    // r = scipy.stats.linregress(m(x), m(y)); r.slope -+ scipy.stats.t.isf(.025, 10) * r.stderr
    const told = trend(X, Y);
    expect(told.slope).toBeCloseTo(0.10536390408077412, 10);
    expect(told.low).toBeCloseTo(0.04087696496422251, 10);
    expect(told.high).toBeCloseTo(0.16985084319732574, 10);
    expect(told.pValue).toBeCloseTo(0.004532950785446106, 10);
  });

  // The interval holds the true slope, of 200 to 500 runs, by the memory's length in values: none, 10, 33:
  //     60 values:    96, 66, 49 %     Newey-West over all values: 90, 55, 41 %
  //     600 values:   93, 93, 88 %                                 94, 83, 70 %
  //     3,600 values: 95, 94, 95 %                                 94, 91, 89 %
  test.each([0, 0.5, 0.9])("of 900 values that remember %p is held by its interval in some 95 %%", (memory) => {
    const x = Array.from({ length: 900 }, (_, at) => at);
    const share = shareOf(300, () => {
      const { low, high } = trend(
        x,
        remembering(900, memory).map((one, at) => one + 0.01 * at),
      );
      return low <= 0.01 && high >= 0.01;
    });
    expect(share).toBeGreaterThan(0.88);
    expect(share).toBeLessThan(0.99);
  });

  test("of a constant is 0, of two values unknown, of a straight line exact", () => {
    expect(trend(X, X).slope).toBeCloseTo(1, 12);
    expect(
      trend(
        X,
        Array.from(X, () => 3),
      ),
    ).toEqual({ slope: 0, low: 0, high: 0, pValue: 1 });
    expect(trend([1, 2], [1, 2]).pValue).toBe(1);
  });
});

describe("rank correlation", () => {
  test("is what SciPy 1.17.1 tells: scipy.stats.spearmanr(x, y)", () => {
    const told = spearman([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8], [2, 7, 1, 8, 2, 8, 1, 8, 2, 8, 4, 5]);
    expect(told.rho).toBeCloseTo(0.1415796863640157, 12);
    // No memory in x, so that all 12 count.
    expect(told.effective).toBe(12);
    expect(told.pValue).toBeCloseTo(0.6607268292868227, 10);
    expect(spearman(X, Y).rho).toBeCloseTo(0.34129180580723323, 12);
  });

  // 600 runs each, of 60, 600, 3,600 values and memories up to 33 values: 3.5 to 6.7 %.
  test.each([0, 0.9])("of two series that remember %p and are unrelated is seen in some 5 %%", (memory) => {
    const share = shareOf(300, () => spearman(remembering(600, memory), remembering(600, memory)).pValue < 0.05);
    expect(share).toBeLessThan(0.1);
  });

  test("of related series is seen, though they remember", () => {
    const base = remembering(1_000, 0.8);
    const told = spearman(
      base,
      base.map((one) => Math.exp(one) + normal(random)),
    );
    expect(told.rho).toBeGreaterThan(0.5);
    expect(told.pValue).toBeLessThan(1e-6);
    expect(told.effective).toBeLessThan(700);
  });

  test("of a constant is 0", () => {
    expect(
      spearman(
        X,
        Array.from(X, () => 1),
      ),
    ).toEqual({ rho: 0, pValue: 1, effective: 40 });
  });
});

describe("lag takes off", () => {
  const takeOffOf = (count: number, lagAt: (rate: number) => number) => {
    const rates = Array.from({ length: count }, () => random.uniform() * 1_000);
    return takeOff(rates, rates.map(lagAt));
  };

  // 500 runs of 600 values each: found in all, at 696 +- 16 and at 700 +- 15; of 100 values at 695 +- 19, 700 +- 18.
  test.each([
    ["bends", (rate: number) => 10 * Math.exp(0.3 * normal(random)) + Math.max(0, rate - 700)],
    ["steps", (rate: number) => 10 + normal(random) + (rate > 700 ? 100 : 0)],
  ])("where it %s upwards", (_, lagAt) => {
    for (let run = 0; run < 20; run++) {
      const told = takeOffOf(600, lagAt);
      expect(Math.abs(told!.rate - 700)).toBeLessThan(60);
      expect(Math.abs(told!.before - 10)).toBeLessThan(2);
      expect(told!.after).toBeGreaterThan(90);
    }
  });

  // 500 runs each: of 100 values 1.4 % (exponential), 3.4 % (log-normal), 0.4 % (straight); of 600 0, 1.2, 0 %.
  test.each([
    ["does not depend on the rate", () => 10 + normal(random)],
    ["does not, and is widely spread", () => 10 * random.exponential(1)],
    ["rises evenly all along", (rate: number) => 1 + rate / 100 + normal(random)],
  ])("nowhere if it %s", (_, lagAt) => {
    expect(shareOf(100, () => takeOffOf(300, lagAt) !== null)).toBeLessThan(0.06);
  });

  test("nowhere if it steps upwards in time, at one rate or at some", () => {
    for (const rates of [1, 3]) {
      const rate = Array.from({ length: 400 }, (_, at) => 50 + (at % rates));
      const lag = rate.map((_, at) => (at < 200 ? 5 : 50) + normal(random));
      expect(takeOff(rate, lag)).toBeNull();
    }
  });

  test("nowhere if values are few, or none", () => {
    expect(takeOff([], [])).toBeNull();
    expect(takeOffOf(39, (rate) => (rate > 700 ? 100 : 1))).toBeNull();
  });
});
