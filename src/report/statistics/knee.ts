// Where does a curve of latency over rate bend up? Kneedle, for curves that rise and are hollow (convex).
// Kneedle finds one in every noise: only what a bent line fits better than a straight one (bend.ts) has a knee here.
// Source: V. Satopää, J. Albrecht, D. Irwin, B. Raghavan, "Finding a 'Kneedle' in a Haystack" (ICDCS workshops 2011).

import { bend } from "./bend.ts";

export interface RatePoint {
  rate: number;
  latency: number;
}

/** The paper's S: how far the curve must come back to the diagonal before a bend counts. */
const SENSITIVITY = 1;

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
  const at = bendOf(depths, SENSITIVITY / (sorted.length - 1));
  const found = at === null ? undefined : sorted[at];
  const isRise = found !== undefined && lowest + span >= RISE_MIN * found.latency;
  const rates = sorted.map((point) => point.rate);
  return isRise && bend(rates, latencies) !== null ? found : null;
}

/** The deepest local maximum after which the depth falls by `fall`, before it rises to another. */
function bendOf(depths: readonly number[], fall: number): number | null {
  let best: number | null = null;
  for (let at = 1; at < depths.length - 1; at++) {
    const depth = depths[at] ?? 0;
    const isPeak = depth >= (depths[at - 1] ?? 0) && depth > (depths[at + 1] ?? 0);
    if (!isPeak || depth <= 0 || depth <= (best === null ? 0 : (depths[best] ?? 0))) continue;
    const next = depths.findIndex((later, index) => index > at && (later < depth - fall || later > depth));
    if (next !== -1 && (depths[next] ?? 0) < depth) best = at;
  }
  return best;
}
