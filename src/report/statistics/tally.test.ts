import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Tally } from "./tally.ts";

function tallyOf(values: readonly number[], distinctMax?: number): Tally {
  const tally = new Tally(distinctMax);
  for (const value of values) tally.add(value);
  return tally;
}

const values = fc.array(fc.integer({ min: 0, max: 100_000 }), { minLength: 1, maxLength: 300 });
const share = fc.double({ min: 0, max: 1, noNaN: true });

describe("a tally", () => {
  test("tells quantiles as NumPy 2.4.6 does: np.quantile(c, q, method='inverted_cdf')", () => {
    const tally = tallyOf(Array.from({ length: 40 }, (_, i) => (i * i * 7 + 3 * i) % 11));
    expect([0, 0.1, 0.5, 0.9, 0.99, 1].map((q) => tally.quantile(q))).toEqual([0, 0, 3, 10, 10, 10]);
  });

  test("is exact up to its maximum of distinct values, and at most 0.4 % low above", () => {
    fc.assert(
      fc.property(values, share, (recorded, q) => {
        const sorted = recorded.toSorted((a, b) => a - b);
        const truth = sorted[Math.max(1, Math.ceil(q * sorted.length)) - 1] ?? 0;
        const fine = tallyOf(recorded);
        const coarse = tallyOf(recorded, 10);
        expect([fine.quantile(q), fine.exact]).toEqual([truth, true]);
        expect(coarse.exact).toBe(new Set(recorded).size <= 10);
        expect(coarse.quantile(q)).toBeLessThanOrEqual(truth);
        expect(coarse.quantile(q)).toBeGreaterThanOrEqual(truth * (1 - 1 / 256));
        expect(coarse.moments.mean).toBe(fine.moments.mean);
      }),
    );
  });

  test("holds a few thousand bins at most, whatever comes", () => {
    const tally = new Tally(100);
    for (let value = 0; value < 2_000_000; value += 7) tally.add(value);
    expect(tally.entries().length).toBeLessThan(256 * 14);
  });

  test("merged is as if all had been added to one, bins or not", () => {
    fc.assert(
      fc.property(values, values, share, fc.constantFrom(10, 1_000), (some, others, q, distinctMax) => {
        const merged = tallyOf(some, 1_000);
        merged.merge(tallyOf(others, distinctMax));
        const single = tallyOf([...some, ...others], merged.exact ? 1_000 : 0);
        expect(merged.entries()).toEqual(single.entries());
        expect(merged.quantile(q)).toBe(single.quantile(q));
        expect(merged.count).toBe(some.length + others.length);
      }),
    );
  });

  test("counts a value as often as it is told, and quantiles see what comes after they were asked", () => {
    const tally = new Tally();
    tally.add(3, 10);
    expect(tally.quantile(0.5)).toBe(3);
    tally.add(1, 20);
    tally.add(9, 0);
    expect([tally.quantile(0.5), tally.count, tally.quantile(1)]).toEqual([1, 30, 3]);
  });
});
