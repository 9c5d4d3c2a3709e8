// What went wrong, and what was held: gaps, late flushes, open partitions, the asked rate, minutes that do not fit. Pure.

import { bucketCeilUs, bucketStartUs, MINUTE_US } from "../period.ts";
import type { AnomalySection, EpisodeFigures, HealthSection, HeldFigures } from "./model.ts";
import { instant, isoOf, msOf, percent, rounded, several, span as spanWords, words } from "./numbers.ts";
import type { StoreReading } from "./reading.ts";
import { HELD_SHARE, type Episodes } from "./seconds.ts";
import { findAnomalies } from "./statistics/anomalies.ts";
import { poissonTails } from "./statistics/distributions.ts";

const ANOMALIES_SHOWN_MAX = 30;

/** With fewer minutes there is nothing to say of what fits. */
const ANOMALY_MINUTES_MIN = 10;

export function healthSection(reading: StoreReading, askedPerSec: number | null): HealthSection {
  const { seconds, lateLagUs, claims } = reading;
  const isAny = seconds.span !== null;
  const figures: Omit<HealthSection, "says"> = {
    gaps: isAny ? episodes(seconds.silences, false) : null,
    lateFlushes: isAny && lateLagUs !== null ? { ...episodes(seconds.late, true), thresholdMs: msOf(lateLagUs) } : null,
    partitions:
      claims.claimed > 0
        ? {
            claimed: claims.claimed,
            open: claims.open,
            openBecauseRecent: claims.openRecent,
            leftOpen: claims.open - claims.openRecent,
          }
        : null,
    held: askedPerSec !== null && isAny ? heldFigures(reading, askedPerSec) : null,
  };
  return { says: sentences(figures), ...figures };
}

function episodes({ count, seconds, longest, shown }: Episodes, hasPeak: boolean): EpisodeFigures {
  return {
    count,
    seconds,
    longest: longest && { from: isoOf(longest.fromUs), seconds: longest.seconds },
    first: shown.map(({ fromUs, seconds: length, peak }) => ({
      from: isoOf(fromUs),
      seconds: length,
      peakMs: hasPeak ? msOf(peak) : null,
    })),
  };
}

function heldFigures({ seconds }: StoreReading, askedPerSec: number): HeldFigures {
  const thresholdPerSec = Math.ceil(HELD_SHARE * askedPerSec);
  const { count } = seconds.tally;
  const { longest } = seconds.held;
  const minuteThreshold = HELD_SHARE * 60 * askedPerSec;
  const heldMinutes = seconds.minutes
    .entries()
    .reduce((sum, [events, times]) => sum + (events >= minuteThreshold ? times : 0), 0);
  return {
    askedPerSec,
    thresholdPerSec,
    seconds: count,
    heldSeconds: seconds.held.seconds,
    // One second of a year must not vanish.
    share: rounded(seconds.held.seconds / count, 9),
    minutes: seconds.minutes.count,
    heldMinutes,
    poissonShare: rounded(poissonTails(thresholdPerSec - 1, askedPerSec).over, 4),
    longestStretch: longest && { from: isoOf(longest.fromUs), seconds: longest.seconds },
  };
}

/** Null without events. Only whole minutes count. */
export function anomalySection({ minutes, seconds, completeUs }: StoreReading): AnomalySection | null {
  const [first, last] = [minutes[0], minutes.at(-1)];
  if (!first || !last) return null;
  const { span } = seconds;
  // Where the seconds have expired, the first and the last minute may be cut for all that is known.
  const fromUs = bucketCeilUs(Math.max(first.us + 1, 0), MINUTE_US);
  const startUs = span && span.fromUs <= first.us + MINUTE_US ? bucketCeilUs(span.fromUs, MINUTE_US) : fromUs;
  const endUs = Math.min(span ? bucketStartUs(span.toUs, MINUTE_US) : last.us, bucketStartUs(completeUs, MINUTE_US));
  const events = new Map(minutes.map(({ us, events: count }) => [us, count]));
  const whole = Array.from({ length: Math.max(0, Math.round((endUs - startUs) / MINUTE_US)) }, (_, at) => ({
    startUs: startUs + at * MINUTE_US,
    events: events.get(startUs + at * MINUTE_US) ?? 0,
  }));
  const empty = { minutes: whole.length, method: "none", threshold: 0, expectedFalseAlarms: 0, found: [], more: 0 };
  if (whole.length < ANOMALY_MINUTES_MIN)
    return { says: [`There are too few whole minutes (${whole.length}) to tell which of them do not fit.`], ...empty };
  if (whole.filter((minute) => minute.events === 0).length * 2 > whole.length)
    return { says: ["Most minutes of this range are silent: none is an exception."], ...empty };
  const { found, method, threshold, expectedFalseAlarms } = findAnomalies(whole);
  const worst = [...found].sort((a, b) => Math.abs(b.score) - Math.abs(a.score)).slice(0, ANOMALIES_SHOWN_MAX);
  const section = {
    minutes: whole.length,
    method,
    threshold: rounded(threshold, 3),
    expectedFalseAlarms: rounded(expectedFalseAlarms, 3),
    found: worst
      .sort((a, b) => a.startUs - b.startUs)
      .map(({ startUs: us, events: count, expected, score }) => ({
        at: isoOf(us),
        events: count,
        expected: Math.round(expected),
        score: rounded(score, 4),
      })),
    more: found.length - worst.length,
  };
  return { says: anomalyWords(section, found.length), ...section };
}

function anomalyWords(section: Omit<AnomalySection, "says">, count: number): string[] {
  const rate = `Of ${several(section.minutes, "minute")} in which nothing is the matter, ${words(section.expectedFalseAlarms)} would be taken for one that does not fit (${section.method}, beyond ${words(section.threshold)} deviations).`;
  if (count === 0) return ["Every minute fits: none has more or fewer events than chance explains.", rate];
  const which = `${several(count, "minute does", "minutes do")} not fit: more or fewer events than chance explains.`;
  return [which, rate];
}

// --- in words ----------------------------------------------------------------------------------------------------------

function sentences({ gaps, lateFlushes, partitions, held }: Omit<HealthSection, "says">): string[] {
  const says: string[] = [];
  if (gaps)
    says.push(
      gaps.longest === null
        ? "There is no gap: each second between the first and the last has events."
        : `${several(gaps.count, "gap")}: ${several(gaps.seconds, "second")} without events between others, ${spanWords(gaps.longest.seconds)} at a stretch from ${instant(gaps.longest.from)}.`,
    );
  if (lateFlushes)
    says.push(
      lateFlushes.longest === null
        ? `No second was late: none had a mean LAG above ${words(lateFlushes.thresholdMs, "ms")}, which is far above the median.`
        : `${several(lateFlushes.seconds, "second")} had a mean LAG above ${words(lateFlushes.thresholdMs, "ms")}, far above the median: flushes were late, for ${spanWords(lateFlushes.longest.seconds)} at a stretch from ${instant(lateFlushes.longest.from)}.`,
    );
  if (partitions) says.push(partitionWords(partitions));
  if (held) says.push(...heldWords(held));
  return says;
}

function partitionWords({ claimed, open, leftOpen }: NonNullable<HealthSection["partitions"]>): string {
  if (open === 0)
    return `Of ${several(claimed, "partition")} (a minute of a writer) none is open: the counts are final.`;
  const left =
    leftOpen === 0
      ? "all of them recent, as those of a running server are"
      : `${words(leftOpen)} of them should be sealed by now: a writer died, and no server has settled what it left ('reto3 merge' does)`;
  return `${words(open)} of ${several(claimed, "partition")} (a minute of a writer) are open; ${left}.`;
}

function heldWords(held: HeldFigures): string[] {
  const { askedPerSec, share, thresholdPerSec, longestStretch, poissonShare, minutes, heldMinutes } = held;
  const stretch =
    longestStretch === null
      ? ""
      : `, for ${spanWords(longestStretch.seconds)} at a stretch from ${instant(longestStretch.from)}`;
  const says = [
    `${percent(share)} of the seconds hold the ${words(askedPerSec)} events that were asked for (at least 99 % of them: ${words(thresholdPerSec)})${stretch}.`,
  ];
  if (minutes > 0) says.push(`Of ${several(minutes, "whole minute")}, ${words(heldMinutes)} hold it.`);
  if (share < 1)
    says.push(
      `Independent arrivals of exactly that rate would hold it in ${percent(poissonShare)} of the seconds, by chance alone.`,
    );
  return says;
}
