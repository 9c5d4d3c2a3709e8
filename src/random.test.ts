import { expect, test } from "bun:test";
import { Random } from "./random.ts";

const DRAWS = 200_000;

function meanAndVariance(draw: () => number): { mean: number; variance: number } {
  let sum = 0;
  let squares = 0;
  for (let at = 0; at < DRAWS; at++) {
    const value = draw();
    sum += value;
    squares += value * value;
  }
  return { mean: sum / DRAWS, variance: squares / DRAWS - (sum / DRAWS) ** 2 };
}

test("says what its authors' program says", () => {
  const random = new Random([1, 2, 3, 4]);
  // Printed by xoshiro128starstar.c 1.1 from this state.
  const wanted = [11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804];
  expect(wanted.map(() => random.uint32())).toEqual(wanted);
});

test("repeats itself for the same seed, and for no other", () => {
  const first = (seed: number) => {
    const random = Random.seeded(seed);
    return [random.uint32(), random.uint32(), random.uint32()];
  };
  expect(first(7)).toEqual(first(7));
  const words = Array.from({ length: 1_000 }, (_, seed) => first(seed)).flat();
  expect(new Set(words).size).toBe(3_000);
});

test("is uniform between 0 and 1, without these", () => {
  const random = Random.seeded(1);
  const { mean, variance } = meanAndVariance(() => {
    const value = random.uniform();
    if (value <= 0 || value >= 1) throw new Error(`${value} is not between 0 and 1`);
    return value;
  });
  expect(mean).toBeCloseTo(1 / 2, 2);
  expect(variance).toBeCloseTo(1 / 12, 2);
});

test("has exponential gaps: as wide a deviation as their mean, and none below 0", () => {
  const random = Random.seeded(2);
  const { mean, variance } = meanAndVariance(() => {
    const value = random.exponential(5);
    if (value <= 0) throw new Error(`${value} is no gap`);
    return value;
  });
  expect(mean / 5).toBeCloseTo(1, 1);
  expect(variance / 25).toBeCloseTo(1, 1);
});

test.each([[1], [1.5], [50]])("has geometric sizes of mean %d, from 1 on", (wanted) => {
  const random = Random.seeded(3);
  const { mean, variance } = meanAndVariance(() => {
    const value = random.geometric(wanted);
    if (!Number.isInteger(value) || value < 1) throw new Error(`${value} is no size`);
    return value;
  });
  expect(mean / wanted).toBeCloseTo(1, 1);
  // Of sizes from 1 on, mean m: m (m - 1).
  expect((variance + 1) / (wanted * (wanted - 1) + 1)).toBeCloseTo(1, 1);
});
