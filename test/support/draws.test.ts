import { expect, test } from "bun:test";
import { Random } from "../../src/random.ts";
import { Moments } from "../../src/report/statistics/moments.ts";
import { normal, poisson } from "./draws.ts";

test.each([
  ["normal", normal, 0, 1],
  ["Poisson of mean 0.3", (random: Random) => poisson(random, 0.3), 0.3, 0.3],
  ["Poisson of mean 300", (random: Random) => poisson(random, 300), 300, 300],
])("%s: mean and variance are those of the distribution", (_, draw, mean, variance) => {
  const random = Random.seeded(11);
  const moments = new Moments();
  for (let drawn = 0; drawn < 20_000; drawn++) moments.add(draw(random));
  // Four standard errors.
  expect(Math.abs(moments.mean - mean)).toBeLessThan(4 * Math.sqrt(variance / 20_000));
  expect(Math.abs(moments.variance / variance - 1)).toBeLessThan(4 * Math.sqrt(6 / 20_000));
});
