// Expected figures: SciPy 1.17.1, by the calls named in each table.

import { describe, expect, test } from "bun:test";
import {
  chiSquare,
  chiSquareQuantileOfTail,
  incompleteBeta,
  incompleteGamma,
  logGamma,
  negativeBinomialTails,
  normalQuantileOfTail,
  normalTail,
  poissonTails,
  studentQuantile,
  studentTwoSided,
} from "./distributions.ts";

function expectNear(value: number, expected: number, relative = 1e-10): void {
  expect(Math.abs(value - expected)).toBeLessThanOrEqual(relative * Math.abs(expected) + 1e-14 * relative);
}

describe("distributions agree with SciPy", () => {
  test("ln gamma: scipy.special.gammaln(x)", () => {
    expectNear(logGamma(0.5), 0.5723649429247);
    expectNear(logGamma(3.7), 1.428072326665388);
    expectNear(logGamma(100), 359.1342053695754);
    expectNear(logGamma(12345.6), 103959.18506616844);
  });

  test("incomplete gamma: scipy.special.gammainc(a, x), gammaincc(a, x)", () => {
    for (const [a, x, below, above] of [
      [0.5, 0.1, 0.34527915398142317, 0.6547208460185768],
      [3, 10, 0.9972306042844884, 0.0027693957155115775],
      [50, 40, 0.07033506665939494, 0.9296649333406051],
      [1_000, 1_100, 0.9989406767460701, 0.0010593232539299773],
    ] as const) {
      expectNear(incompleteGamma(a, x).below, below);
      expectNear(incompleteGamma(a, x).above, above);
    }
    expectNear(incompleteGamma(2_000_000, 2_001_000).below, 0.7602865609469363, 1e-7);
  });

  test("incomplete beta: scipy.special.betainc(a, b, x)", () => {
    expectNear(incompleteBeta(0.5, 0.5, 0.3).below, 0.36901011956554536);
    expectNear(incompleteBeta(2, 7, 0.1).below, 0.18689527000000009);
    expectNear(incompleteBeta(200, 30, 0.9).below, 0.9231109018409299);
  });

  test("normal: scipy.stats.norm.sf(z), isf(p), far out too", () => {
    for (const [z, tail] of [
      [-1, 0.8413447460685429],
      [0.5, 0.3085375387259869],
      [3, 0.0013498980316300933],
      [10, 7.61985302416047e-24],
      [30, 4.906713927147908e-198],
    ] as const)
      expectNear(normalTail(z), tail);
    for (const [tail, z] of [
      [0.9, -1.2815515655446004],
      [0.025, 1.9599639845400545],
      [1e-5, 4.264890793922825],
      [1e-100, 21.273453560965322],
      [1e-290, 36.420731673207996],
    ] as const)
      expectNear(normalQuantileOfTail(tail), z);
  });

  test("chi-square: scipy.stats.chi2.sf(x, f), isf(p, f)", () => {
    for (const [x, freedom, above, relative] of [
      [3, 1, 0.08326451666355042, 1e-10],
      [20, 10, 0.029252688076961124, 1e-10],
      [5, 10, 0.8911780189141513, 1e-10],
      [1_100, 1_000, 0.014614408126295192, 1e-10],
      [20_500, 20_000, 0.006517863488342558, 1e-3],
      [1_003_000, 1_000_000, 0.017016772933266328, 1e-3],
    ] as const)
      expectNear(chiSquare(x, freedom).above, above, relative);
    for (const [tail, freedom, x] of [
      [0.025, 4, 11.143286781877796],
      [0.975, 4, 0.48441855708793014],
      [0.025, 100, 129.5611971858366],
      [0.975, 9_999, 9723.73223701499],
      [0.025, 20_000, 20393.883649999767],
      [0.975, 1_000_000, 997230.0871432901],
    ] as const)
      expectNear(chiSquareQuantileOfTail(tail, freedom), x, freedom > 10_000 ? 1e-6 : 1e-10);
  });

  test("Student's t: 2 * scipy.stats.t.sf(t, f), isf(0.025, f)", () => {
    for (const [t, freedom, both] of [
      [1, 1, 0.5],
      [2, 10, 0.07338803477074037],
      [5, 3.5, 0.010550178991867776],
      [2, 1_000, 0.04577034649325166],
      [8, 40, 7.905084110104538e-10],
    ] as const)
      expectNear(studentTwoSided(t, freedom), both);
    expectNear(studentQuantile(0.05, 1), 12.706204736174705);
    expectNear(studentQuantile(0.05, 30), 2.042272456301238);
    expectNear(studentQuantile(0.05, 1_000), 1.9623390808264085);
  });

  test("Poisson: scipy.stats.poisson.cdf(k, m), sf(k, m)", () => {
    for (const [events, mean, upTo, over] of [
      [0, 0.5, 0.6065306597126334, 0.3934693402873665],
      [3, 2.5, 0.7575761331330662, 0.2424238668669339],
      [120, 100, 0.9773306709216473, 0.022669329078352663],
      [40, 100, 7.519646690906881e-12, 0.9999999999924803],
      [10_000, 9_800, 0.978317940494796, 0.02168205950520394],
    ] as const) {
      expectNear(poissonTails(events, mean).upTo, upTo);
      expectNear(poissonTails(events, mean).over, over);
    }
    expect(poissonTails(-1, 5)).toEqual({ upTo: 0, over: 1 });
  });

  test("negative binomial: scipy.stats.nbinom.cdf(k, m / (s - 1), 1 / s), sf of the same", () => {
    for (const [events, mean, spread, upTo, over] of [
      [0, 2, 9, 0.5773502691896257, 0.42264973081037427],
      [5, 2, 9, 0.8846954970801353, 0.1153045029198647],
      [60, 100, 1.5, 0.00019854196530765867, 0.9998014580346923],
      [180, 100, 1.5, 0.9999999943143909, 5.685609086654175e-9],
      [500, 100, 4, 1, 7.222109630251538e-31],
    ] as const) {
      expectNear(negativeBinomialTails(events, mean, spread).upTo, upTo);
      expectNear(negativeBinomialTails(events, mean, spread).over, over);
    }
    expectNear(negativeBinomialTails(20_500, 20_000, 1.01).over, 0.00022573074970281984, 1e-6);
    expect(negativeBinomialTails(3, 2.5, 1)).toEqual(poissonTails(3, 2.5));
  });
});
