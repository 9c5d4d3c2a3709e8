import { describe, expect, test } from "bun:test";
import { powers } from "./fft.ts";
import { normal, poisson } from "../../../test/support/draws.ts";
import { Random } from "../../random.ts";
import { autocorrelation, dominantPeriods, periodogram, whiteNoiseBound } from "./series.ts";

/** In Python: c = np.array([(i*i*7 + 3*i) % 11 for i in range(40)], float). */
const C = Float64Array.from({ length: 40 }, (_, i) => (i * i * 7 + 3 * i) % 11);

const random = Random.seeded(21);

/** An AR(1) series: each value is `memory` times the one before, plus noise. */
function remembering(count: number, memory: number): Float64Array {
  let value = normal(random) / Math.sqrt(1 - memory * memory);
  return Float64Array.from({ length: count }, () => {
    value = memory * value + normal(random);
    return value;
  });
}

function expectAllClose(values: Float64Array, expected: readonly number[]): void {
  for (const [at, one] of expected.entries()) expect(values[at]!).toBeCloseTo(one, 9);
}

describe("the Fourier transform", () => {
  test("of 37 values agrees with NumPy 2.4.6: np.abs(np.fft.rfft(c[:37]))**2", () => {
    const told = powers(C.subarray(0, 37));
    expect(told.length).toBe(19);
    expectAllClose(told, [22_201, 1.2560975813717061, 2.550923878691093, 21.23143171231723, 8.823210539007276]);
  });

  test("keeps the sum of squares, whatever the length (Parseval)", () => {
    for (const length of [1, 2, 3, 64, 97, 1_000]) {
      const values = remembering(length, 0.5);
      const half = powers(values);
      const mirrored = length - half.length;
      const total = half.reduce((sum, one, at) => sum + one * (at > 0 && at <= mirrored ? 2 : 1), 0);
      expect(total / length).toBeCloseTo(
        values.reduce((sum, one) => sum + one * one, 0),
        6,
      );
    }
  });
});

describe("autocorrelation", () => {
  test("agrees with statsmodels 0.15.0: acf(c, nlags=6, fft=False)", () => {
    expectAllClose(
      autocorrelation(C, 6),
      [
        1, -0.7453838535253493, 0.4733631350714706, -0.43910675089672896, 0.2656405589164302, -0.036518282563306366,
        -0.08764655495476201,
      ],
    );
  });

  test("of an AR(1) series falls as powers of its memory; that of noise stays within the bound in 95 %", () => {
    const told = autocorrelation(remembering(50_000, 0.8), 3);
    for (const lag of [1, 2, 3]) expect(Math.abs(told[lag]! - 0.8 ** lag)).toBeLessThan(0.03);
    const noise = autocorrelation(remembering(5_000, 0), 1_000).subarray(1);
    const outside = noise.filter((one) => Math.abs(one) > whiteNoiseBound(5_000)).length;
    expect(outside).toBeGreaterThan(20);
    expect(outside).toBeLessThan(80);
  });

  test("of a constant, and beyond the series' length, is 0", () => {
    expect([...autocorrelation(new Float64Array(5).fill(3), 7)]).toEqual([1, 0, 0, 0, 0, 0, 0, 0]);
  });
});

describe("periods", () => {
  test("have the power that NumPy and SciPy tell, under the same window", () => {
    // w = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(40) + 0.5) / 40)
    // np.abs(np.fft.rfft(scipy.signal.detrend(c) * w))**2, SciPy 1.17.1
    const told = periodogram(C, 1_000);
    expectAllClose(
      Float64Array.from(told, ({ power }) => power),
      [0.1747548104553706, 0.15321350706263814, 4.699440461465833, 7.464132605959987, 0.29629714296137966],
    );
    expect([told.length, told[0]?.periodMs, told[3]?.periodMs]).toEqual([19, 40_000, 10_000]);
    expect(told.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 9);
  });

  // Of 400 to 1,000 runs 0 to 1.5 % (of 3,600 values 1.25 % in noise, 0.25 to 1 % in the others) had any at alpha 0.01,
  // 1 to 5.8 % at 0.05. Fisher's g over the whole spectrum finds one in every random walk.
  test.each([
    ["white noise", () => remembering(600, 0)],
    ["noise that remembers", () => remembering(600, 0.9)],
    ["a random walk", () => remembering(600, 0.9999)],
    ["sparse counts", () => Float64Array.from({ length: 600 }, () => poisson(random, 0.3))],
    ["a single spike", () => remembering(600, 0).map((one, at) => (at === 200 ? 50 : one))],
    ["a step", () => remembering(600, 0).map((one, at) => (at > 250 ? one + 10 : one))],
  ])("are none in %s", (_, series) => {
    let alarms = 0;
    for (let run = 0; run < 200; run++) if (dominantPeriods(series(), 1_000).length > 0) alarms += 1;
    expect(alarms).toBeLessThan(8);
  });

  // Amplitude / deviation of the noise, of 3,600 values: found 0.2: 7 %, 0.3: 64 %, 0.5: 100 %, within 0.2 % on average.
  test("that do not fit into the range are found within half a percent, in noise that remembers", () => {
    for (let run = 0; run < 20; run++) {
      const series = remembering(3_600, 0.5).map((one, at) => one + 0.6 * Math.sin((2 * Math.PI * at) / 57.3));
      const [found, ...others] = dominantPeriods(series, 1_000);
      expect(Math.abs(found!.periodMs / 57_300 - 1)).toBeLessThan(0.005);
      expect(others.length).toBeLessThan(2);
      expect(found!.pValue).toBeLessThan(0.01);
    }
  });

  test("that are strong do not bring others along", () => {
    const series = remembering(3_600, 0).map((one, at) => one + 1_000 * Math.sin((2 * Math.PI * at) / 57.3));
    const found = dominantPeriods(series, 1_000);
    expect(found).toHaveLength(1);
    expect(Math.abs(found[0]!.periodMs / 57_300 - 1)).toBeLessThan(1e-5);
  });

  test("of a job that runs every minute are a minute and its overtones", () => {
    const series = remembering(3_600, 0).map((one, at) => one + (at % 60 === 0 ? 20 : 0));
    const found = dominantPeriods(series, 1_000);
    const ground = found.filter(({ overtoneOfMs }) => overtoneOfMs === null);
    expect(found.length).toBeGreaterThan(20);
    expect(ground.map(({ periodMs }) => Math.round(periodMs / 1_000))).toEqual([60]);
  });

  test("of a day with two peaks are a day and half a day", () => {
    const series = remembering(14 * 288, 0.5).map(
      (one, at) => one + 10 * Math.sin((2 * Math.PI * at) / 288) + 4 * Math.sin((2 * Math.PI * at) / 144),
    );
    const found = dominantPeriods(series, 300_000);
    expect(found.map(({ periodMs }) => Math.round(periodMs / 360_000) / 10)).toEqual([24, 12]);
    expect(found[1]?.overtoneOfMs).toBe(found[0]?.periodMs ?? 0);
  });

  test("of a constant or of next to nothing are none", () => {
    expect(dominantPeriods(new Float64Array(100).fill(7), 1_000)).toEqual([]);
    for (let count = 0; count < 10; count++) expect(dominantPeriods(remembering(count, 0), 1_000)).toEqual([]);
  });
});
