// Where does a curve of latency over rate bend up? Kneedle, for curves that rise and are hollow (convex).
// The knee is the point farthest below the straight line between the ends, both axes scaled to 1. Kneedle's own test of
// whether there is one says yes to every noise: here a bent line must fit better than a straight one (bend.ts).
// Source: V. Satopää, J. Albrecht, D. Irwin, B. Raghavan, "Finding a 'Kneedle' in a Haystack" (ICDCS workshops 2011).

import { bend } from "./bend.ts";

export interface RatePoint {
  rate: number;
  latency: number;
}

/** The highest latency must be so many times that at the knee, or the bend is no matter to anybody. */
const RISE_MIN = 1.5;

const POINTS_MIN = 5;

/** The last point before latency takes off; null where the curve does not bend. Points in any order. */
export function knee(points: readonly RatePoint[]): RatePoint | null {
  const sorted = [...points].sort((a, b) => a.rate - b.rate);
  const first = sorted[0];
  const last = sorted.at(-1);
  if (sorted.length < POINTS_MIN || first === undefined || last === undefined || last.rate === first.rate) return null;
  const latencies = sorted.map((point) => point.latency);
  const lowest = Math.min(...latencies);
  const span = Math.max(...latencies) - lowest;
  if (span <= 0) return null;
  // How far each point lies below the diagonal of the unit square.
  const depths = sorted.map(
    ({ rate, latency }) => (rate - first.rate) / (last.rate - first.rate) - (latency - lowest) / span,
  );
  const deepest = Math.max(...depths);
  const found = sorted[depths.indexOf(deepest)];
  const isRise = found !== undefined && deepest > 0 && lowest + span >= RISE_MIN * found.latency;
  const rates = sorted.map((point) => point.rate);
  return isRise && bend(rates, latencies) !== null ? found : null;
}
