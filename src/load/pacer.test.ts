import { describe, expect, test } from "bun:test";
import { burstySchedule, poissonSchedule, steadySchedule, type Schedule } from "./pacer.ts";

const RATE = 5_000;
const BURST = 20;
const DURATION_MS = 100_000;
const WINDOW_MS = 10;

/** All due times, up to `count`. */
function dueTimes(schedule: Schedule, count = schedule.total): number[] {
  const walk = schedule.walk();
  return Array.from({ length: count }, () => {
    const { dueMs } = walk;
    walk.step();
    return dueMs;
  });
}

/** Mean, and variance by mean, of how many are due in each window. */
function countsOf(schedule: Schedule): { mean: number; dispersion: number; counts: number[] } {
  const times = dueTimes(schedule);
  const counts = Array.from({ length: Math.floor((times.at(-1) ?? 0) / WINDOW_MS) }, () => 0);
  for (const dueMs of times) {
    const window = Math.floor(dueMs / WINDOW_MS);
    if (window < counts.length) counts[window] = (counts[window] ?? 0) + 1;
  }
  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  const variance = counts.reduce((sum, count) => sum + (count - mean) ** 2, 0) / (counts.length - 1);
  return { mean, dispersion: variance / mean, counts };
}

test("steady arrivals are evenly spaced, the first at once", () => {
  expect(dueTimes(steadySchedule(RATE, 10_000), 5_001).at(-1)).toBe(1_000);
  expect(dueTimes(steadySchedule(4, 1_000))).toEqual([0, 250, 500, 750]);
});

describe.each([
  ["steady", () => steadySchedule(RATE, DURATION_MS), 0, 0.01],
  ["poisson", (seed: number) => poissonSchedule(RATE, DURATION_MS, seed), 1, 0.05],
  ["bursty", (seed: number) => burstySchedule(RATE, DURATION_MS, BURST, seed), 2 * BURST - 1, 3],
  ["bursty, of one event each,", (seed: number) => burstySchedule(RATE, DURATION_MS, 1, seed), 1, 0.05],
])("%s arrivals", (_, scheduled, dispersion, tolerance) => {
  test("are as many as rate times duration, and none after the last", () => {
    const schedule = scheduled(1);
    expect(schedule.total).toBe((RATE * DURATION_MS) / 1_000);
    const times = dueTimes(schedule, schedule.total + 2);
    expect(times.slice(-3).map(Number.isFinite)).toEqual([true, false, false]);
  });

  test("never go back", () => {
    const times = dueTimes(scheduled(2));
    expect(times.every((dueMs, at) => at === 0 || dueMs >= (times[at - 1] ?? Number.NaN))).toBe(true);
  });

  test("have the rate and the index of dispersion that they say", () => {
    const found = countsOf(scheduled(3));
    expect(Math.abs(found.mean / ((RATE * WINDOW_MS) / 1_000) - 1)).toBeLessThan(0.02);
    expect(Math.abs(found.dispersion - dispersion)).toBeLessThanOrEqual(tolerance);
  });

  test("crowd a window more than they say once in fifty times at most", () => {
    const schedule = scheduled(4);
    const { counts } = countsOf(schedule);
    const most = schedule.crowd(WINDOW_MS);
    expect(counts.filter((count) => count > most).length / counts.length).toBeLessThan(0.02);
    expect(Math.max(...counts)).toBeGreaterThan(most / 2);
  });

  test("are the same for every walk, side by side", () => {
    const schedule = scheduled(5);
    const [ahead, behind] = [schedule.walk(), schedule.walk()];
    const early: number[] = [];
    for (let at = 0; at < 1_000; at++) {
      early.push(ahead.dueMs);
      ahead.step();
    }
    for (const dueMs of early) {
      expect(behind.dueMs).toBe(dueMs);
      behind.step();
    }
    expect(behind.dueMs).toBe(ahead.dueMs);
  });

  test("keep nothing of where a walk has been", () => {
    const walk = scheduled(6).walk();
    Bun.gc(true);
    const before = process.memoryUsage().heapUsed;
    for (let at = 0; at < 400_000; at++) walk.step();
    Bun.gc(true);
    // As numbers alone, what it has met would be 3.2 MB.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(1_000_000);
  });
});

test.each([
  ["poisson", poissonSchedule],
  ["bursty", (rate: number, ms: number, seed: number) => burstySchedule(rate, ms, BURST, seed)],
])("%s arrivals are others for another seed", (_, scheduled) => {
  expect(dueTimes(scheduled(RATE, 100, 1))).toEqual(dueTimes(scheduled(RATE, 100, 1)));
  expect(dueTimes(scheduled(RATE, 100, 1))).not.toEqual(dueTimes(scheduled(RATE, 100, 2)));
});

test("a burst is due at one moment, and its size is geometric", () => {
  const sizes = new Map<number, number>();
  for (const dueMs of dueTimes(burstySchedule(RATE, DURATION_MS, BURST, 7)))
    sizes.set(dueMs, (sizes.get(dueMs) ?? 0) + 1);
  expect((DURATION_MS * (RATE / 1_000)) / sizes.size / BURST).toBeCloseTo(1, 1);
  const alone = [...sizes.values()].filter((size) => size === 1).length;
  expect(alone / sizes.size).toBeCloseTo(1 / BURST, 2);
});
