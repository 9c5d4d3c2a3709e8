import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Histogram } from "./histogram.ts";

const value = fc.oneof(
  fc.integer({ min: -3_600_000_000, max: 3_600_000_000 }),
  fc.integer({ min: -70, max: 70 }),
  fc.integer({ min: 0, max: 40_000 }),
);
const values = fc.array(value, { minLength: 1, maxLength: 300 });

function histogramOf(recorded: readonly number[]): Histogram {
  const histogram = new Histogram();
  for (const one of recorded) histogram.record(one);
  return histogram;
}

describe("a histogram", () => {
  test("tells each quantile within 1.6 % or one unit", () => {
    fc.assert(
      fc.property(values, fc.double({ min: 0, max: 1, noNaN: true }), (recorded, q) => {
        const sorted = recorded.toSorted((a, b) => a - b);
        const exact = sorted[Math.max(1, Math.ceil(q * sorted.length)) - 1] ?? 0;
        expect(Math.abs(histogramOf(recorded).quantile(q) - exact)).toBeLessThanOrEqual(
          Math.max(1, Math.abs(exact) * 0.016),
        );
      }),
      { numRuns: 2_000 },
    );
  });

  test("tells quantiles that grow with the share, within the bin of the plain ones", () => {
    fc.assert(
      fc.property(values, fc.double({ min: 0.01, max: 1, noNaN: true }), (recorded, q) => {
        const histogram = histogramOf(recorded);
        const plain = histogram.quantile(q);
        const even = histogram.evenQuantile(q);
        expect(Math.abs(even - plain)).toBeLessThanOrEqual(Math.max(1, Math.abs(plain) / 32));
        expect(histogram.evenQuantile(q * 0.9)).toBeLessThanOrEqual(even);
      }),
    );
    const two = histogramOf([1_000, 1_001]);
    expect(two.evenQuantile(0.75)).toBeGreaterThan(two.evenQuantile(0.5));
  });

  test("comes back whole from its binary form", () => {
    fc.assert(
      fc.property(values, (recorded) => {
        const histogram = histogramOf(recorded);
        const copy = Histogram.decode(histogram.encode());
        expect(copy.encode()).toEqual(histogram.encode());
        expect(copy.total).toBe(recorded.length);
      }),
    );
  });

  test("merged with another is that of all values together", () => {
    fc.assert(
      fc.property(values, values, (some, others) => {
        const merged = histogramOf(some);
        merged.merge(histogramOf(others));
        expect(merged.encode()).toEqual(histogramOf([...some, ...others]).encode());
      }),
    );
  });

  test("is small: the lags of an ordinary second take less than 400 bytes", () => {
    const lags = Array.from({ length: 5_000 }, (_, at) => 1_000 + ((at * 7_919) % 11_000));
    expect(histogramOf(lags).encode().length).toBeLessThan(400);
  });

  test("counts what lies at or below a value", () => {
    const histogram = histogramOf([1, 5, 10, 20, 20, 30]);
    expect([0, 5, 20, 30].map((bound) => histogram.countUpTo(bound))).toEqual([0, 2, 5, 6]);
  });

  test("of nothing has quantile 0 and comes back too", () => {
    expect(new Histogram().quantile(0.99)).toBe(0);
    expect(Histogram.decode(new Histogram().encode()).total).toBe(0);
  });

  test("clamps what is beyond its range", () => {
    expect(histogramOf([1e15]).quantile(1)).toBeGreaterThan(4.2e9);
    expect(histogramOf([-1e15]).quantile(1)).toBeLessThan(-4.2e9);
  });

  test.each([
    ["an unknown format", [9]],
    ["nothing", []],
    ["a count that is cut off", [1, 2, 128]],
    ["a bin out of range", [1, 255, 255, 127, 1]],
  ])("cannot be read from %s", (_, bytes) => {
    expect(() => Histogram.decode(Uint8Array.from(bytes))).toThrow(RangeError);
  });
});
