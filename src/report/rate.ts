// How evenly the events come: from what was gathered of each level to the figures and sentences of the report. Pure.

import { SECOND_US } from "../period.ts";
import type { Buckets } from "./buckets.ts";
import type { AutocorrelationFigures, LevelFigures, RateSection } from "./model.ts";
import {
  instant,
  isoOf,
  percent,
  probability,
  ratioOf,
  rounded,
  several,
  span as spanWords,
  words,
} from "./numbers.ts";
import type { StoreReading } from "./reading.ts";
import type { Seconds } from "./seconds.ts";
import { dispersion, poissonInterval, type Dispersion, type FanoPoint } from "./statistics/dispersion.ts";
import { logGamma } from "./statistics/distributions.ts";
import { autocorrelation, dominantPeriods, whiteNoiseBound } from "./statistics/series.ts";
import type { Tally } from "./statistics/tally.ts";

/** Distances that the autocorrelation of seconds is shown for. */
const CORRELATION_STEPS = 120;

/** A shorter series has no periods worth telling. */
const PERIODS_SECONDS_MIN = 60;
const PERIODS_SHOWN_MAX = 5;

/** A weaker correlation is no matter to anybody. */
const MEMORY_MIN = 0.05;

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
    longestSilence: silenceOf(seconds, buckets, isSample),
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
  return { says: sentences(figures, reading), ...figures };
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

function dispersionOf({ tally }: Buckets): RateSection["dispersion"] {
  const { mean, count } = tally.moments;
  if (count < 2 || mean === 0) return null;
  const found: Dispersion = dispersion(tally.moments);
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
  const points: FanoPoint[] = [
    ...buckets.fano.curve().filter(({ windowUs }) => windowUs < SECOND_US),
    ...seconds.fano.curve(),
  ];
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

/** A silence of seconds is surely seen; a shorter one only where the 10 ms buckets were read. */
function silenceOf(
  { silences }: Seconds,
  { longestSilence }: Buckets,
  isSample: boolean,
): RateSection["longestSilence"] {
  const bySecond = silences.longest;
  const fine = { seconds: longestSilence.buckets / 100, from: isoOf(longestSilence.fromUs) };
  if (bySecond && bySecond.seconds > fine.seconds)
    return { seconds: bySecond.seconds, from: isoOf(bySecond.fromUs), isLowerBound: true };
  return fine.seconds > 0 ? { ...fine, isLowerBound: isSample } : null;
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

// --- in words ----------------------------------------------------------------------------------------------------------

function sentences(rate: Omit<RateSection, "says">, { buckets, bucketMinutes }: StoreReading): string[] {
  const says: string[] = [];
  const bySecond = rate.levels.find(({ period }) => period === "1s");
  const silent = rate.silentSeconds > 0 ? `, ${percent(rate.silentSeconds / rate.seconds)} of them silent` : "";
  says.push(
    `${words(rate.meanPerSec)} events a second on average over ${several(rate.seconds, "whole second")}${silent}: ` +
      `half of them hold at least ${words(bySecond?.p50 ?? 0)}, the fullest ${words(bySecond?.max ?? 0)}, the emptiest ${words(bySecond?.min ?? 0)}.`,
  );
  if (rate.silentSeconds > 0) says.push(`While events came, there were ${words(rate.busyMeanPerSec)} a second.`);
  if (rate.dispersion) says.push(dispersionWords(rate.dispersion));
  says.push(...burstWords(rate));
  const fanoSentence = fanoWords(rate.fano);
  if (fanoSentence) says.push(fanoSentence);
  if (rate.longestSilence) {
    const { seconds, from, isLowerBound } = rate.longestSilence;
    says.push(`The longest silence${isLowerBound ? " seen" : ""} lasted ${spanWords(seconds)}, from ${instant(from)}.`);
  }
  says.push(periodWords(rate));
  if (buckets.minutes > 0 && buckets.minutes < bucketMinutes)
    says.push(
      `Figures of 10 ms are from a sample: ${several(buckets.minutes, "minute")} of ${words(bucketMinutes)} with events, evenly spread. ` +
        "Their extremes, and silences below a second, are therefore lower bounds: --minutes-10ms all reads every one.",
    );
  return says;
}

function dispersionWords({ index, low, high, verdict, pValue }: NonNullable<RateSection["dispersion"]>): string {
  if (verdict === "too few events") return "There are too few events to tell whether they come evenly or in bursts.";
  const interval = `index of dispersion ${words(index)}, with 95 % confidence between ${words(low)} and ${words(high)}`;
  if (verdict === "as a Poisson process")
    return `Within 10 ms events come as independently of one another as in a Poisson process of that rate (${interval}).`;
  const how = verdict === "more even" ? "more evenly than" : "in bursts, compared with";
  return `Within 10 ms events come ${how} the independent arrivals of a Poisson process (${interval}; ${probability(pValue)} if they were).`;
}

function burstWords({ peakToMean, autocorrelation: found }: Omit<RateSection, "says">): string[] {
  const says: string[] = [];
  if (peakToMean["10ms"] !== null && peakToMean["1s"] !== null)
    says.push(
      `The fullest 10 ms hold ${words(peakToMean["10ms"])} times the mean of 10 ms, the fullest second ${words(peakToMean["1s"])} times that of a second.`,
    );
  const fine = found.find(({ stepSeconds }) => stepSeconds < 1);
  if (!fine) return says;
  const strongest = fine.values.reduce(
    (best, value, at) => (at > 0 && Math.abs(value) > Math.abs(fine.values[best] ?? 0) ? at : best),
    1,
  );
  const value = fine.values[strongest] ?? 0;
  says.push(
    Math.abs(value) < MEMORY_MIN
      ? "What came in one 10 ms bucket tells nothing of the next two seconds: there is no memory."
      : `Counts of 10 ms remember: most of all those ${spanWords(strongest * fine.stepSeconds)} apart (correlation ${words(value)}).`,
  );
  return says;
}

function fanoWords(fano: RateSection["fano"]): string | null {
  const [first, last] = [fano[0], fano.at(-1)];
  if (!first || !last || first === last) return null;
  const change = last.index > 2 * first.index ? "grows" : last.index < first.index / 2 ? "falls" : "stays alike";
  const meaning = {
    grows: "the rate itself changes over such times, or bursts last that long",
    falls: "what comes early or late is made up for, as by a paced sender",
    "stays alike": "no longer rhythm or drift is in it",
  }[change];
  return `From windows of ${spanWords(first.windowSeconds)} to such of ${spanWords(last.windowSeconds)} the index ${change} (${words(first.index)} to ${words(last.index)}): ${meaning}.`;
}

function periodWords({ periods, seconds }: Omit<RateSection, "says">): string {
  if (seconds < PERIODS_SECONDS_MIN) return "The range is too short to look for periods in the rate.";
  const own = periods.filter(({ overtoneOfSeconds }) => overtoneOfSeconds === null);
  if (own.length === 0) return "No period stands out of the noise.";
  const list = own.map(({ seconds: length, share }) => `${spanWords(length)} (${percent(share)} of the variation)`);
  return `The rate repeats itself with ${own.length === 1 ? "a period" : "periods"} of ${list.join(", ")}.`;
}
