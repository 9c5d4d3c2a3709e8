// How evenly the events come: from what was gathered of each level to the figures of the report. Pure.

import { SECOND_US } from "../period.ts";
import type { Buckets } from "./buckets.ts";
import type { AutocorrelationFigures, LevelFigures, RateSection } from "./model.ts";
import { isoOf, ratioOf, rounded } from "./numbers.ts";
import { PERIODS_SECONDS_MIN, rateWords } from "./rate-words.ts";
import type { StoreReading } from "./reading.ts";
import type { Seconds } from "./seconds.ts";
import { poissonInterval, type FanoPoint } from "./statistics/dispersion.ts";
import { logGamma } from "./statistics/distributions.ts";
import { autocorrelation, dominantPeriods, whiteNoiseBound } from "./statistics/series.ts";
import type { Tally } from "./statistics/tally.ts";

/** Distances that the autocorrelation of seconds is shown for. */
const CORRELATION_STEPS = 120;

const PERIODS_SHOWN_MAX = 5;

const HISTOGRAM_BARS_MAX = 120;

/** Null without events. */
export function rateSection(reading: StoreReading): RateSection | null {
  const { seconds, buckets } = reading;
  const { span } = seconds;
  if (span === null || seconds.tally.moments.mean === 0) return null;
  const isSample = buckets.minutes < reading.bucketMinutes;
  const spread = dispersionOf(buckets);
  const figures: Omit<RateSection, "says"> = {
    from: isoOf(span.fromUs),
    to: isoOf(span.toUs),
    seconds: seconds.tally.count,
    silentSeconds: seconds.silences.seconds,
    meanPerSec: rounded(seconds.tally.moments.mean),
    busyMeanPerSec: rounded(
      (seconds.tally.moments.mean * seconds.tally.count) / (seconds.tally.count - seconds.silences.seconds),
    ),
    levels: [
      levelOf("10ms", buckets.tally, isSample),
      levelOf("1s", seconds.tally, false),
      levelOf("1m", seconds.minutes, false),
    ].filter(({ buckets: count }) => count > 0),
    dispersion: spread,
    fano: fanoOf(seconds, buckets),
    peakToMean: { "10ms": peakOf(buckets.tally), "1s": peakOf(seconds.tally), "1m": peakOf(seconds.minutes) },
    longestSilence: silenceOf(seconds, buckets),
    autocorrelation: correlationsOf(seconds, buckets),
    periods: periodsOf(seconds),
    histogram10ms: histogramOf(buckets.tally),
    overTime: {
      stepSeconds: seconds.slots.widthUs / SECOND_US,
      points: seconds.slots.entries().map(([us, { rate }]) => ({
        at: isoOf(us),
        meanPerSec: rounded(rate.mean),
        minPerSec: rate.min,
        maxPerSec: rate.max,
      })),
    },
  };
  return { says: rateWords(figures, reading), ...figures };
}

function levelOf(period: LevelFigures["period"], tally: Tally, isSample: boolean): LevelFigures {
  const { count, mean, deviation, min, max } = tally.moments;
  const at = (q: number) => tally.quantile(q);
  const percentiles = { p1: at(0.01), p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999) };
  return {
    period,
    buckets: count,
    isSample,
    mean: rounded(mean),
    deviation: rounded(deviation),
    min,
    ...percentiles,
    max,
  };
}

function dispersionOf({ tally, within }: Buckets): RateSection["dispersion"] {
  const { mean, count } = tally.moments;
  if (count < 2 || mean === 0) return null;
  const found = within.dispersion;
  const { low, high } = poissonInterval(mean, count);
  return {
    index: rounded(found.index),
    low: rounded(found.low),
    high: rounded(found.high),
    pValue: rounded(found.pValue),
    verdict: found.verdict,
    poissonMin: low,
    poissonMax: high,
  };
}

/** Below a second from the sample of 10 ms buckets, from a second on from all seconds. */
function fanoOf(seconds: Seconds, buckets: Buckets): RateSection["fano"] {
  const points: FanoPoint[] = [...buckets.fano.curve(), ...seconds.fano.curve()];
  return points
    .filter(({ count }) => count >= 5)
    .map(({ windowUs, index, count }) => ({
      windowSeconds: windowUs / SECOND_US,
      index: rounded(index),
      windows: count,
    }));
}

function peakOf({ moments }: Tally): number | null {
  return ratioOf(moments.max, moments.mean);
}

/** A silence of seconds is surely seen; a shorter one only where the 10 ms buckets were read, and these of every second. */
function silenceOf({ silences, tally }: Seconds, buckets: Buckets): RateSection["longestSilence"] {
  const bySecond = silences.longest;
  const fine = { seconds: buckets.longestSilence.buckets / 100, from: isoOf(buckets.longestSilence.fromUs) };
  if (bySecond && bySecond.seconds > fine.seconds)
    return { seconds: bySecond.seconds, from: isoOf(bySecond.fromUs), isLowerBound: true };
  return fine.seconds > 0 ? { ...fine, isLowerBound: buckets.tally.count < 100 * tally.count } : null;
}

function correlationsOf(seconds: Seconds, buckets: Buckets): AutocorrelationFigures[] {
  const found: AutocorrelationFigures[] = [];
  const fine = buckets.correlations;
  if (fine) {
    const bound = rounded(whiteNoiseBound(fine.buckets));
    found.push({ stepSeconds: 0.01, bound, values: fine.values.map((value) => rounded(value, 4)) });
  }
  const { values, widthUs } = seconds.series;
  const steps = Math.min(CORRELATION_STEPS, Math.floor(values.length / 4));
  if (steps >= 2) {
    const series = autocorrelation(Float64Array.from(values), steps);
    const bound = rounded(whiteNoiseBound(values.length));
    found.push({ stepSeconds: widthUs / SECOND_US, bound, values: Array.from(series, (value) => rounded(value, 4)) });
  }
  return found;
}

function periodsOf(seconds: Seconds): RateSection["periods"] {
  const { values, widthUs } = seconds.series;
  if (values.length < PERIODS_SECONDS_MIN) return [];
  return dominantPeriods(Float64Array.from(values), widthUs / 1_000)
    .slice(0, PERIODS_SHOWN_MAX)
    .map(({ periodMs, share, pValue, overtoneOfMs }) => ({
      seconds: rounded(periodMs / 1_000, 4),
      share: rounded(share, 3),
      pValue: rounded(pValue, 3),
      overtoneOfSeconds: overtoneOfMs === null ? null : rounded(overtoneOfMs / 1_000, 4),
    }));
}

function histogramOf(tally: Tally): RateSection["histogram10ms"] {
  const { min, max, mean, count } = tally.moments;
  if (count === 0) return [];
  const width = Math.max(1, Math.ceil((max - min + 1) / HISTOGRAM_BARS_MAX));
  const bars = Array.from({ length: Math.floor((max - min) / width) + 1 }, (_, at) => ({
    fromEvents: min + at * width,
    width,
    buckets: 0,
    poissonBuckets: rounded(count * poissonShare(min + at * width, width, mean), 4),
  }));
  for (const [value, times] of tally.entries()) {
    const bar = bars[Math.floor((value - min) / width)];
    if (bar) bar.buckets += times;
  }
  return bars;
}

function poissonShare(from: number, width: number, mean: number): number {
  let share = 0;
  for (let k = from; k < from + width; k++) share += Math.exp(k * Math.log(mean) - mean - logGamma(k + 1));
  return share;
}
