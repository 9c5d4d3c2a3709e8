import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Moments } from "./moments.ts";

/** Also used with NumPy: c = np.array([(i*i*7 + 3*i) % 11 for i in range(40)], float). */
const COUNTS = Array.from({ length: 40 }, (_, i) => (i * i * 7 + 3 * i) % 11);

function momentsOf(values: readonly number[]): Moments {
  const moments = new Moments();
  for (const value of values) moments.add(value);
  return moments;
}

describe("moments", () => {
  test("are those that NumPy 2.4.6 tells: c.mean(), c.var(ddof=1), c.min(), c.max()", () => {
    const moments = momentsOf(COUNTS);
    expect(moments.mean).toBeCloseTo(4.025, 12);
    expect(moments.variance).toBeCloseTo(11.97371794871795, 12);
    expect([moments.count, moments.min, moments.max]).toEqual([40, 0, 10]);
  });

  test("do not lose small differences of large values", () => {
    expect(momentsOf([1e15 + 1, 1e15 + 2, 1e15 + 3]).variance).toBe(1);
  });

  test("are the same merged, repeated, or one by one", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 1_000 }), { minLength: 2 }), fc.nat(5), (values, times) => {
        const split = Math.floor(values.length / 2);
        const merged = momentsOf(values.slice(0, split));
        merged.merge(momentsOf(values.slice(split)));
        merged.add(7, times);
        const single = momentsOf([...values, ...Array.from({ length: times }, () => 7)]);
        expect([merged.count, merged.min, merged.max]).toEqual([single.count, single.min, single.max]);
        expect(merged.mean).toBeCloseTo(single.mean, 8);
        expect(merged.variance).toBeCloseTo(single.variance, 6);
      }),
    );
  });

  test("of nothing are 0", () => {
    const { count, mean, variance, deviation, min, max } = new Moments();
    expect([count, mean, variance, deviation, min, max]).toEqual([0, 0, 0, 0, 0, 0]);
  });
});
