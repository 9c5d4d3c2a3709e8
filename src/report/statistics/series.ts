// Does a series repeat itself? Autocorrelation, and the periods in it.
// Values are equally spaced, gaps filled in by the caller. Up to 2^18 of them take about a second; longer ones are
// averaged down first.

import { meanOf } from "./batches.ts";
import { powerOfTwo, powers, transform } from "./fft.ts";

/**
 * The autocorrelation at lags 0 .. maxLag, the first being 1; all 0 after it of a constant. Divided by n at every lag,
 * which keeps it within +-1. Source: G. E. P. Box, G. M. Jenkins, Time Series Analysis (1970), 2.1.5; by FFT.
 */
export function autocorrelation(values: Float64Array, maxLag: number): Float64Array {
  const n = values.length;
  const size = powerOfTwo(n + maxLag + 1);
  const mean = meanOf(values);
  const padded = { re: new Float64Array(size), im: new Float64Array(size) };
  for (let at = 0; at < n; at++) padded.re[at] = (values[at] ?? 0) - mean;
  transform(padded);
  for (let k = 0; k < size; k++) {
    padded.re[k] = (padded.re[k] ?? 0) ** 2 + (padded.im[k] ?? 0) ** 2;
    padded.im[k] = 0;
  }
  transform(padded, true);
  const whole = padded.re[0] ?? 0;
  return Float64Array.from({ length: maxLag + 1 }, (_, lag) => {
    if (lag === 0) return 1;
    return whole > 0 && lag < n ? (padded.re[lag] ?? 0) / whole : 0;
  });
}

/** +-: between these lie 95 % of the autocorrelations of `count` independent values. Source: M. S. Bartlett (1946). */
export function whiteNoiseBound(count: number): number {
  return 1.959964 / Math.sqrt(count);
}

export interface PeriodPower {
  periodMs: number;
  /** |X_k|^2 of the values without their straight line, under a Hann window. */
  power: number;
  /** Of the power of all periods. */
  share: number;
}

/**
 * The power of every period that fits into the range a whole number of times, longest first. The straight line through
 * the values is taken off, and a Hann window keeps a strong period from leaking beyond its two neighbours
 * (F. J. Harris, 1978).
 */
export function periodogram(values: Float64Array, stepMs: number): PeriodPower[] {
  const n = values.length;
  const power = powers(windowed(values)).slice(1, Math.ceil(n / 2));
  const total = power.reduce((sum, one) => sum + one, 0);
  return Array.from(power, (one, at) => ({
    periodMs: (n * stepMs) / (at + 1),
    power: one,
    share: total > 0 ? one / total : 0,
  }));
}

export interface DominantPeriod {
  periodMs: number;
  /** Of the power of all periods, its neighbours in the spectrum included. */
  share: number;
  /** Of a peak as high as this one anywhere in the spectrum, were there none. */
  pValue: number;
  /** The longer period that this is a whole fraction of, as the overtones of any repeated shape are; else null. */
  overtoneOfMs: number | null;
}

/** A period must be seen so often before it is one. */
const CYCLES_MIN = 3;

/** Frequencies whose power a peak takes with it: a Hann window's main lobe. */
const LOBE = 2;

/** The background of a peak: frequencies from 1/BAND to BAND times its own, at least so many a side. */
const BAND = 1.5;
const SIDE_MIN = 8;

const PERIODS_MAX = 100;

/**
 * The periods that stand out of their surroundings in the spectrum, strongest first, with a probability of at most
 * `alpha` that any is found where there is none. Each peak is compared with the mean of its neighbourhood: their ratio
 * is F distributed, P(ratio > x) = (1 + x/w)^-w over w neighbours. That is the first term of R. A. Fisher's g test
 * (1929), with a local background in place of the whole, so that slow drifts (red noise) are not taken for periods.
 * A peak found is taken out and the rest tested again (A. F. Siegel, 1980, for several periods).
 */
export function dominantPeriods(values: Float64Array, stepMs: number, alpha = 0.01): DominantPeriod[] {
  const spectrum = periodogram(values, stepMs);
  const power = Float64Array.from(spectrum, (one) => one.power);
  const taken = new Uint8Array(power.length);
  const found: { frequency: number; share: number; pValue: number }[] = [];
  while (found.length < PERIODS_MAX) {
    const peak = highestPeak(power, taken);
    if (peak === null || peak.pValue > alpha) break;
    const { from, to } = slopesOf(power, peak.at);
    let share = 0;
    for (let at = from; at <= to; at++) share += taken[at] ? 0 : (spectrum[at]?.share ?? 0);
    found.push({ frequency: peak.at + 1 + offset(power, peak.at), share, pValue: peak.pValue });
    taken.fill(1, from, to + 1);
  }
  const rangeMs = values.length * stepMs;
  const grounds = found.toSorted((a, b) => a.frequency - b.frequency);
  return found
    .sort((a, b) => b.share - a.share)
    .map(({ frequency, share, pValue }) => {
      const ground = grounds.find((other) => isOvertone(frequency, other.frequency));
      return {
        periodMs: rangeMs / frequency,
        share,
        pValue,
        overtoneOfMs: ground === undefined ? null : rangeMs / ground.frequency,
      };
    });
}

/** The frequencies around a peak that its power reaches: its lobe, and on for as long as the power falls. */
function slopesOf(power: Float64Array, peak: number): { from: number; to: number } {
  let from = Math.max(0, peak - LOBE);
  while (from > 0 && (power[from - 1] ?? 0) < (power[from] ?? 0)) from -= 1;
  let to = Math.min(power.length - 1, peak + LOBE);
  while (to < power.length - 1 && (power[to + 1] ?? 0) < (power[to] ?? 0)) to += 1;
  return { from, to };
}

function highestPeak(power: Float64Array, taken: Uint8Array): { at: number; pValue: number } | null {
  const { sums, counts } = cumulated(power, taken);
  let best: { at: number; logP: number } | null = null;
  let tested = 0;
  for (let at = CYCLES_MIN - 1; at < power.length; at++) {
    if (taken[at]) continue;
    tested += 1;
    const side = Math.max(SIDE_MIN, Math.round(((at + 1) * (BAND - 1 / BAND)) / 2));
    const from = Math.max(0, at - side);
    const to = Math.min(power.length, at + side + 1);
    const [inFrom, inTo] = [Math.max(0, at - LOBE), Math.min(power.length, at + LOBE + 1)];
    const around = between(counts, from, to) - between(counts, inFrom, inTo);
    const background = (between(sums, from, to) - between(sums, inFrom, inTo)) / around;
    // Neighbours under a Hann window are correlated: as good as half as many.
    const free = around / 2;
    const ratio = around > 0 && background > 0 ? (power[at] ?? 0) / background : 0;
    const logP = -free * Math.log1p(ratio / free);
    if (ratio > 0 && (best === null || logP < best.logP)) best = { at, logP };
  }
  return best === null ? null : { at: best.at, pValue: -Math.expm1(tested * Math.log1p(-Math.exp(best.logP))) };
}

function cumulated(power: Float64Array, taken: Uint8Array): { sums: Float64Array; counts: Float64Array } {
  const sums = new Float64Array(power.length + 1);
  const counts = new Float64Array(power.length + 1);
  for (let at = 0; at < power.length; at++) {
    sums[at + 1] = (sums[at] ?? 0) + (taken[at] ? 0 : (power[at] ?? 0));
    counts[at + 1] = (counts[at] ?? 0) + (taken[at] ? 0 : 1);
  }
  return { sums, counts };
}

function between(cumulative: Float64Array, from: number, to: number): number {
  return (cumulative[to] ?? 0) - (cumulative[from] ?? 0);
}

/** How far the true frequency lies beside the peak's, -0.5..0.5. Source: T. Grandke (1983), for the Hann window. */
function offset(power: Float64Array, at: number): number {
  const here = Math.sqrt(power[at] ?? 0);
  const [left, right] = [Math.sqrt(power[at - 1] ?? 0), Math.sqrt(power[at + 1] ?? 0)];
  const ratio = Math.max(left, right) / here;
  const distance = Math.max(0, Math.min(0.5, (2 * ratio - 1) / (ratio + 1)));
  return right >= left ? distance : -distance;
}

/** Whether `frequency` is a whole multiple (2, 3, ...) of `ground`, as far as the two are known. */
function isOvertone(frequency: number, ground: number): boolean {
  const multiple = Math.round(frequency / ground);
  const uncertain = Math.min(0.5 + 0.05 * multiple, ground / 4);
  return multiple >= 2 && Math.abs(frequency - multiple * ground) < uncertain;
}

function windowed(values: Float64Array): Float64Array {
  const n = values.length;
  const middle = (n - 1) / 2;
  const mean = meanOf(values);
  let along = 0;
  for (let at = 0; at < n; at++) along += (at - middle) * ((values[at] ?? 0) - mean);
  const slope = n > 1 ? along / ((n * (n * n - 1)) / 12) : 0;
  return values.map(
    (value, at) => (value - mean - slope * (at - middle)) * (0.5 - 0.5 * Math.cos((2 * Math.PI * (at + 0.5)) / n)),
  );
}
