import { describe, expect, test } from "bun:test";
import { knee } from "./knee.ts";
import { normal } from "../../../test/support/draws.ts";
import { Random } from "../../random.ts";

const RATES = Array.from({ length: 19 }, (_, at) => (at + 1) * 50);

describe("the knee", () => {
  // kneed 0.9.0: KneeLocator(rate, latency, S=1, curve="convex", direction="increasing").knee
  test.each([
    ["a queue", (rate: number) => 5 / (1 - rate / 1_000), 800],
    ["a bent line", (rate: number) => 5 + Math.max(0, rate - 600) / 10, 600],
    ["an exponential curve", (rate: number) => 5 * Math.exp(rate / 200), 650],
    ["a parabola", (rate: number) => 5 + rate ** 2 / 10_000, 500],
    ["a straight line", (rate: number) => 2 * rate, null],
    ["a line that is hardly bent", (rate: number) => rate / 10 + rate ** 2 / 100_000, null],
  ])("of %s is where kneed finds it", (_, latencyAt, expected) => {
    const points = RATES.map((rate) => ({ rate, latency: latencyAt(rate) }));
    expect(knee(points.toReversed())?.rate ?? null).toBe(expected);
  });

  // 1,000 runs each of 8 to 40 points, each latency with a noise of 2, 10, 30 %:
  //     none found in a level or rising straight line:  100, 99.6-100, 95-99.4 %
  //     found in a queue and in a bent line:            100, 100, 96-100 %, the rate within +-42, 58, 74 of 1,000
  test.each([
    ["a level curve", () => 10, 0],
    ["a straight line", (rate: number) => 5 + rate / 100, 0],
    ["a queue", (rate: number) => 5 / (1 - rate / 1_050), 1],
  ])("in %s with noise of a tenth is found in %p of 1 run", (_, latencyAt, share) => {
    const random = Random.seeded(2);
    let found = 0;
    for (let run = 0; run < 200; run++)
      if (knee(RATES.map((rate) => ({ rate, latency: latencyAt(rate) * Math.exp(0.1 * normal(random)) })))) found += 1;
    expect(Math.abs(found / 200 - share)).toBeLessThan(0.03);
  });

  test("is none where the curve levels off", () => {
    expect(knee(RATES.map((rate) => ({ rate, latency: 1 + 9 * (1 - Math.exp(-rate / 60)) })))).toBeNull();
  });

  test("is none where latency rises by less than half", () => {
    expect(knee(RATES.map((rate) => ({ rate, latency: 500 + Math.max(0, rate - 500) / 4 })))).toBeNull();
  });

  test("is none of constants or of four points", () => {
    expect(knee(RATES.map((rate) => ({ rate, latency: 5 })))).toBeNull();
    expect(knee([1, 2, 3, 9].map((latency, at) => ({ rate: at, latency })))).toBeNull();
    expect(knee([])).toBeNull();
  });
});
