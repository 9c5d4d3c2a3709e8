import { describe, expect, test } from "bun:test";
import { knee } from "./knee.ts";
import { normal, seededRandom } from "./random.ts";

const RATES = Array.from({ length: 19 }, (_, at) => (at + 1) * 50);

describe("the knee", () => {
  // kneed 0.9.0: KneeLocator(rate, latency, S=1, curve="convex", direction="increasing").knee
  test.each([
    ["a queue", (rate: number) => 5 / (1 - rate / 1_000), 800],
    ["a bent line", (rate: number) => 5 + Math.max(0, rate - 600) / 10, 600],
    ["an exponential curve", (rate: number) => 5 * Math.exp(rate / 200), 650],
    ["a parabola", (rate: number) => 5 + rate ** 2 / 10_000, 500],
    ["a straight line", (rate: number) => 2 * rate, null],
  ])("of %s is where kneed finds it", (_, latencyAt, expected) => {
    const points = RATES.map((rate) => ({ rate, latency: latencyAt(rate) }));
    expect(knee(points.toReversed())?.rate ?? null).toBe(expected);
  });

  test("is none in a level curve, in noise around a line, or of four points", () => {
    expect(knee(RATES.map((rate) => ({ rate, latency: 5 })))).toBeNull();
    const random = seededRandom(2);
    expect(knee(RATES.map((rate) => ({ rate, latency: rate / 10 + 2 * normal(random) })))).toBeNull();
    expect(knee([1, 2, 3, 9].map((latency, at) => ({ rate: at, latency })))).toBeNull();
  });
});
