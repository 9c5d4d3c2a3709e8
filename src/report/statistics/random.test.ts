import { describe, expect, test } from "bun:test";
import { Moments } from "./moments.ts";
import { exponential, geometric, normal, poisson, seededRandom } from "./random.ts";

describe("random numbers", () => {
  test("are the same again for the same seed, and others for another", () => {
    const draw = (seed: number) => Array.from({ length: 5 }, seededRandom(seed));
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
  });

  test.each([
    ["exponential", exponential, 1, 1],
    ["normal", normal, 0, 1],
    ["geometric of mean 5", (random: () => number) => geometric(random, 5), 5, 20],
    ["Poisson of mean 0.3", (random: () => number) => poisson(random, 0.3), 0.3, 0.3],
    ["Poisson of mean 300", (random: () => number) => poisson(random, 300), 300, 300],
  ])("%s: mean and variance are those of the distribution", (_, generate, mean, variance) => {
    const random = seededRandom(11);
    const moments = new Moments();
    for (let drawn = 0; drawn < 40_000; drawn++) moments.add(generate(random));
    // Four standard errors; the variance of an exponential number has the largest.
    expect(Math.abs(moments.mean - mean)).toBeLessThan(4 * Math.sqrt(variance / 40_000));
    expect(Math.abs(moments.variance / variance - 1)).toBeLessThan(4 * Math.sqrt(9 / 40_000));
  });
});
