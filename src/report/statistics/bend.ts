// A line that is flat and then bends or steps upwards, where that fits better than one that is straight all along.

import { meanOf, type Values } from "./batches.ts";

export interface Bend {
  /** Where it bends; the middle of a step. */
  rate: number;
  /** The index of the last point before the rise. */
  upTo: number;
}

/** How many times the noise's variance a straight line must be worse by. Chance gets there in a few of 100 runs. */
const GAIN_MIN = 12;

/**
 * Of all lines that are flat up to a point and rise after it, evenly or by a step, the one nearest to the points in the
 * order of their rates; null where a straight line is about as good. Source: D. V. Hinkley (1971), two-phase regression.
 */
export function bend(rates: readonly number[], values: readonly number[]): Bend | null {
  let best: { rate: number; upTo: number; error: number } | null = null;
  for (let at = 1; at < rates.length - 1; at++) {
    const [here, next] = [rates[at] ?? 0, rates[at + 1] ?? 0];
    const shapes = [{ rate: here, shape: rates.map((one) => Math.max(0, one - here)) }];
    // Among equal rates a step is one of the time: points of one rate are in its order.
    if (next > here) shapes.push({ rate: (here + next) / 2, shape: rates.map((one) => (one > here ? 1 : 0)) });
    for (const { rate, shape } of shapes) {
      const { slope, error } = leastSquares(shape, values);
      if (slope > 0 && error < (best?.error ?? Number.POSITIVE_INFINITY)) best = { rate, upTo: at, error };
    }
  }
  if (best === null) return null;
  const variance = best.error / (rates.length - 3);
  const gain = leastSquares(rates, values).error - best.error;
  return gain > GAIN_MIN * variance ? { rate: best.rate, upTo: best.upTo } : null;
}

/** The best straight line, what it leaves (squared), and how far x spreads. */
export function leastSquares(x: Values, y: Values): { slope: number; error: number; squares: number } {
  const [meanX, meanY] = [meanOf(x), meanOf(y)];
  let [xx, xy, yy] = [0, 0, 0];
  for (let at = 0; at < x.length; at++) {
    const [dx, dy] = [(x[at] ?? 0) - meanX, (y[at] ?? 0) - meanY];
    xx += dx * dx;
    xy += dx * dy;
    yy += dy * dy;
  }
  return xx > 0
    ? { slope: xy / xx, error: Math.max(0, yy - (xy * xy) / xx), squares: xx }
    : { slope: 0, error: yy, squares: 0 };
}
