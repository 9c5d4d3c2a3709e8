import { describe, expect, test } from "bun:test";
import { dispersion, DispersionWithin, FanoCurve, poissonInterval } from "./dispersion.ts";
import { Moments } from "./moments.ts";
import { poisson } from "../../../test/support/draws.ts";
import { Random } from "../../random.ts";

function counts(buckets: number, draw: () => number): Moments {
  const moments = new Moments();
  for (let bucket = 0; bucket < buckets; bucket++) moments.add(draw());
  return moments;
}

/** Bursts come as a Poisson process, their sizes are geometric. */
function bursty(random: Random, bursts: number, burstEvents: number): number {
  let events = 0;
  for (let left = poisson(random, bursts); left > 0; left--) events += random.geometric(burstEvents);
  return events;
}

describe("dispersion", () => {
  test("is what SciPy 1.17.1 tells", () => {
    // c = np.array([(i*i*7 + 3*i) % 11 for i in range(40)], float); D = c.var(ddof=1) / c.mean()
    // 39 * D / chi2.ppf([.975, .025], 39); 2 * chi2.sf(39 * D, 39)
    const told = dispersion({ count: 40, mean: 4.025, variance: 11.97371794871795 });
    expect(told.index).toBeCloseTo(2.974836757445453, 10);
    expect(told.low).toBeCloseTo(1.99618917, 7);
    expect(told.high).toBeCloseTo(4.9047536, 6);
    expect(told.pValue / 2.829878782999506e-9).toBeCloseTo(1, 5);
    expect(told.verdict).toBe("more bursty");
  });

  // 95.7, 95.4, 94.8, 94.8 and (of 3,600 buckets) 95.2 % of 4,000 runs each.
  test.each([
    [0.05, 1_000],
    [0.5, 1_000],
    [5, 60],
    [100, 60],
    [100, 1_000],
  ])("covers 1 in some 95 %% of Poisson runs with %p events in each of %p buckets", (mean, buckets) => {
    const random = Random.seeded(5);
    let covered = 0;
    for (let run = 0; run < 300; run++) {
      const { low, high } = dispersion(counts(buckets, () => poisson(random, mean)));
      if (low <= 1 && high >= 1) covered += 1;
    }
    expect(covered / 300).toBeGreaterThan(0.91);
    expect(covered / 300).toBeLessThan(0.99);
  });

  test("of geometric bursts of mean b is 2b - 1", () => {
    const random = Random.seeded(6);
    for (const burstEvents of [1.2, 2, 5]) {
      const told = dispersion(counts(40_000, () => bursty(random, 5, burstEvents)));
      expect(told.index / (2 * burstEvents - 1)).toBeCloseTo(1, 1);
      expect(told.verdict).toBe("more bursty");
    }
  });

  test("calls what comes like a clock more even, and says when events are too few", () => {
    let bucket = 0;
    const clock = () => (bucket++ % 2 === 0 ? 3 : 4);
    expect(dispersion(counts(1_000, clock)).verdict).toBe("more even");
    expect(dispersion(counts(1_000, () => 0)).verdict).toBe("too few events");
    expect(dispersion(counts(3, () => 50)).verdict).toBe("too few events");
  });

  test("takes a difference that only millions of buckets can prove for none", () => {
    const told = dispersion({ count: 2_600_000, mean: 10, variance: 10.3 });
    expect(told.pValue).toBeLessThan(1e-6);
    expect(told.verdict).toBe("as a Poisson process");
  });

  test("within blocks is not deceived by a rate that changes from block to block", () => {
    const random = Random.seeded(7);
    let covered = 0;
    for (let run = 0; run < 300; run++) {
      const whole = new Moments();
      const within = new DispersionWithin();
      for (let block = 0; block < 12; block++) {
        const mean = 0.1 + block / 2;
        const buckets = counts(60, () => poisson(random, mean));
        whole.merge(buckets);
        within.add(buckets);
      }
      expect(dispersion(whole).verdict).toBe("more bursty");
      const { low, high } = within.dispersion;
      if (low <= 1 && high >= 1) covered += 1;
    }
    expect(covered / 300).toBeGreaterThan(0.91);
    expect(covered / 300).toBeLessThan(0.99);
    const bursts = new DispersionWithin();
    for (let block = 0; block < 100; block++) bursts.add(counts(100, () => bursty(random, block / 10, 2)));
    expect(bursts.dispersion.index).toBeCloseTo(3, 0);
  });

  // Bursts of 20 in one bucket of four: chi-square's own interval holds the index in 57 % of the runs, in 81 % with bursts of 5.
  test.each([
    [1, 5],
    [5, 1],
    [20, 0.25],
  ])("of geometric bursts of mean %p lies within its interval in some 95 %% of the runs", (burstEvents, bursts) => {
    const random = Random.seeded(10);
    let covered = 0;
    for (let run = 0; run < 200; run++) {
      const within = new DispersionWithin();
      for (let block = 0; block < 15; block++) within.add(counts(100, () => bursty(random, bursts, burstEvents)));
      const { low, high } = within.dispersion;
      if (low <= 2 * burstEvents - 1 && high >= 2 * burstEvents - 1) covered += 1;
    }
    expect(covered / 200).toBeGreaterThan(0.82);
    expect(covered / 200).toBeLessThan(0.995);
  });

  test("tells the range that all buckets of a Poisson process lie in", () => {
    // scipy.stats.poisson.ppf([.025 / n, 1 - .025 / n], mean)
    expect(poissonInterval(3, 100_000)).toEqual({ low: 0, high: 15 });
    expect(poissonInterval(100, 3_600)).toEqual({ low: 60, high: 146 });
    expect(poissonInterval(0, 10)).toEqual({ low: 0, high: 0 });
  });
});

describe("a Fano curve", () => {
  test("is level at 1 for a Poisson process, empty buckets left out", () => {
    const random = Random.seeded(8);
    const curve = new FanoCurve(10_000, [1, 10, 100]);
    for (let bucket = 0; bucket < 200_000; bucket++) {
      const events = poisson(random, 0.7);
      if (events > 0 || bucket === 0 || bucket === 199_999) curve.add(bucket, events);
    }
    const points = curve.curve();
    expect(points.map(({ windowUs, count }) => [windowUs, count])).toEqual([
      [10_000, 200_000],
      [100_000, 20_000],
      [1_000_000, 2_000],
    ]);
    // Four standard errors of the index: sqrt(2 / windows).
    for (const { index, count } of points) expect(Math.abs(index - 1)).toBeLessThan(4 * Math.sqrt(2 / count));
  });

  test("rises up to the length of the bursts", () => {
    const random = Random.seeded(9);
    const curve = new FanoCurve(10_000, [1, 10, 100]);
    // In every hundredth bucket a burst begins that lasts ten.
    let active = 0;
    for (let bucket = 0; bucket < 100_000; bucket++) {
      if (random.uniform() < 0.01) active = 10;
      curve.add(bucket, active-- > 0 ? poisson(random, 5) : 0);
    }
    const [short, middle, long] = curve.curve().map(({ index }) => index);
    expect(middle!).toBeGreaterThan(3 * short!);
    expect(long! / middle!).toBeLessThan(2);
  });

  test("counts whole windows only, between the range's ends", () => {
    const curve = new FanoCurve(1, [10], 5);
    for (let bucket = 5; bucket < 47; bucket++) curve.add(bucket, bucket);
    // Windows 10-19, 20-29, 30-39: sums 145, 245, 345.
    expect(curve.curve(49)).toEqual([{ windowUs: 10, index: 10_000 / 245, count: 3 }]);
  });

  test("counts the silence before the first and after the last event", () => {
    const curve = new FanoCurve(1, [10], 0);
    curve.add(10, 4);
    expect(curve.curve(40)).toEqual([{ windowUs: 10, index: 4, count: 4 }]);
  });
});
