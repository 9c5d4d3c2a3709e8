// What the figures of the rate mean, in sentences. Pure.

import type { RateSection } from "./model.ts";
import { instant, percent, probability, several, span as spanWords, words } from "./numbers.ts";
import type { StoreReading } from "./reading.ts";

/** A shorter stream has no periods worth telling. */
export const PERIODS_SECONDS_MIN = 60;

/** A weaker correlation is no matter to anybody. */
const MEMORY_MIN = 0.05;

/** Of 200 correlations of what has no memory the strongest lies beyond so many times the bound of one in a few of 100 streams. */
const BOUNDS_MIN = 2;

/** Of fewer windows chance alone doubles or halves the index, of 5 in a third of all Poisson streams. */
const WINDOWS_MIN = 30;

export function rateWords(rate: Omit<RateSection, "says">, { buckets, bucketMinutes }: StoreReading): string[] {
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
      `Figures of 10 ms are from a sample: ${several(buckets.minutes, "minute")} of ${words(bucketMinutes)} with events, evenly spread, and as large a share of the silent ones. ` +
        "Their extremes, and silences below a second, are therefore lower bounds: --minutes-10ms all reads every one.",
    );
  return says;
}

function dispersionWords({ index, low, high, verdict, pValue }: NonNullable<RateSection["dispersion"]>): string {
  if (verdict === "too few events") return "There are too few events to tell whether they come evenly or in bursts.";
  const interval = `index of dispersion within minutes ${words(index)}, with 95 % confidence between ${words(low)} and ${words(high)}`;
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
    Math.abs(value) < Math.max(MEMORY_MIN, BOUNDS_MIN * fine.bound)
      ? "What came in one 10 ms bucket tells nothing of the next two seconds: no memory is seen."
      : `Counts of 10 ms remember: most of all those ${spanWords(strongest * fine.stepSeconds)} apart (correlation ${words(value)}).`,
  );
  return says;
}

function fanoWords(fano: RateSection["fano"]): string | null {
  const [first, last] = [fano[0], fano.findLast(({ windows }) => windows >= WINDOWS_MIN)];
  if (!first || !last || first === last) return null;
  const change = last.index > 2 * first.index ? "grows" : last.index < first.index / 2 ? "falls" : "stays alike";
  const meaning = {
    grows: "the rate itself changes over such times, or bursts last that long",
    falls: "what comes early or late is made up for, as by a paced sender",
    "stays alike": "no longer rhythm or drift is seen",
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
