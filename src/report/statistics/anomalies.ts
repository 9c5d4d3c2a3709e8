// Minutes that hold other than the expected number of events: outages, halved rates, spikes.
//
//     expected = season x level          season: the median of the same minute of all days, times that of the same
//                                                part of all weeks (1 in short ranges)
//                                        level:  the moving median of events / season
//     variance = expected x spread       spread: 1 of a Poisson process, measured and never below that
//     score    = the normal score of the tail of the negative binomial distribution with that mean and variance
//
// Counts vary at least as a Poisson process does, so that steady loads do not divide by 0. Mean and spread are robust
// at first and then taken again without what was found (sigma clipping), as medians of small counts are too coarse.

import { DAY_US, MINUTE_US } from "../../period.ts";
import { meanOf, medianOf } from "./batches.ts";
import { negativeBinomialTails, normalQuantileOfTail, studentQuantile } from "./distributions.ts";
import { movingLevel } from "./moving.ts";

export interface MinuteCount {
  startUs: number;
  events: number;
}

export interface Anomaly extends MinuteCount {
  expected: number;
  /** In standard deviations: negative where events are missing. */
  score: number;
}

export interface Anomalies {
  found: Anomaly[];
  method: "robust z-score" | "seasonal median";
  /** |score| that a minute must pass. */
  threshold: number;
  /** In the whole range, if there is no anomaly at all. */
  expectedFalseAlarms: number;
}

export interface AnomalyOptions {
  /** Default 0.1: one in ten days. */
  falseAlarmsPerDay?: number;
  /** After what time the load is expected to repeat itself; default a day. From four weeks on weeks count too. */
  seasonUs?: number;
}

/** Above it minutes are compared with the same minutes of other days. */
const SEASONAL_ABOVE_US = 14 * DAY_US;
const WEEKLY_FROM_US = 28 * DAY_US;

/** Minutes either side that the week's median takes in. */
const WEEK_REACH = 7;

/** Minutes either side that the moving level takes in: two hours, six where the season is known. */
const REACH = 120;
const SEASONAL_REACH = 360;

/** Deviation of a normal distribution / its median absolute deviation. */
const MAD_SCALE = 1.4826;

/** An empty minute among such is an outage, whatever the spread; it must not pull the level down. */
const BUSY_EVENTS = 20;

const ROUNDS = 4;
const SMOOTHINGS = 5;
/** By what is expected; each has so many minutes at least, where there are as many. */
const GROUPS_MAX = 4;
const GROUP_MINUTES_MIN = 60;

/** What level and spread of a group take of its degrees of freedom. */
const FITTED = 3;

/** Events a minute; nothing can be scaled to 0. */
const EXPECTED_MIN = 0.01;

const MINUTES_PER_DAY = DAY_US / MINUTE_US;

/** `minutes`: in the order of time, those without events as 0. */
export function findAnomalies(minutes: readonly MinuteCount[], options: AnomalyOptions = {}): Anomalies {
  const falseAlarmsPerDay = options.falseAlarmsPerDay ?? 0.1;
  const groups = Math.max(1, Math.min(GROUPS_MAX, Math.floor(minutes.length / GROUP_MINUTES_MIN)));
  // Few minutes tell little of how widely they spread: Student's t, as for a mean (W. S. Gosset, 1908).
  const freedom = Math.max(1, Math.floor(minutes.length / groups) - FITTED);
  const threshold = studentQuantile(Math.min(1, falseAlarmsPerDay / MINUTES_PER_DAY), freedom);
  const rangeUs = minutes.length * MINUTE_US;
  const isSeasonal = rangeUs > SEASONAL_ABOVE_US;
  const events = Float64Array.from(minutes, (minute) => minute.events);
  let season: Float64Array = new Float64Array(events.length).fill(1);
  if (isSeasonal) season = seasonOf(minutes, season, options.seasonUs ?? DAY_US, 0);
  // Few weeks: their minutes are taken together with those around them, what happens in single ones is the day's.
  if (rangeUs >= WEEKLY_FROM_US) season = seasonOf(minutes, season, 7 * DAY_US, WEEK_REACH);
  const { expected, scores } = judged(events, season, isSeasonal, threshold, groups);
  return {
    found: minutes
      .map(({ startUs }, at) => ({
        startUs,
        events: events[at] ?? 0,
        expected: expected[at] ?? 0,
        score: scores[at] ?? 0,
      }))
      .filter(({ score }) => Math.abs(score) > threshold),
    method: isSeasonal ? "seasonal median" : "robust z-score",
    threshold,
    expectedFalseAlarms: (falseAlarmsPerDay * minutes.length) / MINUTES_PER_DAY,
  };
}

/**
 * What each minute is to the others: the median of events / scale in the same minutes of all seasons, give or take
 * `reach`; of small counts the mean, as their medians are too coarse.
 */
function seasonOf(minutes: readonly MinuteCount[], scale: Float64Array, seasonUs: number, reach: number): Float64Array {
  const slots = Math.max(1, Math.round(seasonUs / MINUTE_US));
  const slotOf = (startUs: number) => Math.floor(startUs / MINUTE_US) % slots;
  const gathered: number[][] = Array.from({ length: slots }, () => []);
  for (const [at, { startUs }] of minutes.entries()) gathered[slotOf(startUs)]?.push(at);
  const levels = gathered.map((_, slot) => {
    const near: number[] = [];
    for (let by = -reach; by <= reach; by++) near.push(...(gathered[(slot + by + slots) % slots] ?? []));
    const events = near.map((at) => minutes[at]?.events ?? 0);
    if (medianOf(events) >= BUSY_EVENTS)
      return medianOf(near.map((at, index) => (events[index] ?? 0) / (scale[at] ?? 1)));
    return meanOf(events) / Math.max(EXPECTED_MIN, meanOf(near.map((at) => scale[at] ?? 1)));
  });
  return scale.map((one, at) => Math.max(EXPECTED_MIN, one * (levels[slotOf(minutes[at]?.startUs ?? 0)] ?? 1)));
}

interface Judged {
  expected: Float64Array;
  scores: Float64Array;
}

function judged(
  events: Float64Array,
  season: Float64Array,
  isSeasonal: boolean,
  threshold: number,
  groups: number,
): Judged {
  const usual = medianOf(events);
  const busy = usual >= BUSY_EVENTS;
  const isDead = (at: number) => events[at] === 0 && busy && (!isSeasonal || (season[at] ?? 0) >= BUSY_EVENTS);
  let isLeftOut = isDead;
  let result: Judged = { expected: season, scores: season };
  for (let round = 0; round < ROUNDS; round++) {
    const expected = smoothed(events, season, isSeasonal, isLeftOut, busy);
    const distances = events.map((one, at) => (one - (expected[at] ?? 0)) / Math.sqrt(expected[at] ?? 1));
    const distancesOf = (members: Uint32Array) => Float64Array.from(members, (at) => distances[at] ?? 0);
    const spreads = spreadsOf(expected, groups, (members) =>
      round === 0
        ? robustSquare(distancesOf(members))
        : meanSquare(distancesOf(members.filter((at) => !isLeftOut(at)))),
    );
    const scores = events.map((one, at) => scoreOf(one, expected[at] ?? 0, spreads[at] ?? 1));
    result = { expected, scores };
    isLeftOut = (at) => Math.abs(scores[at] ?? 0) > threshold || isDead(at);
  }
  return result;
}

/** The season times its moving level, and without a season that smoothed again: twicing (J. W. Tukey, 1977). */
function smoothed(
  events: Float64Array,
  season: Float64Array,
  isSeasonal: boolean,
  isLeftOut: (at: number) => boolean,
  byMedian: boolean,
): Float64Array {
  let expected = season;
  for (let pass = 0; pass < (isSeasonal ? 1 : SMOOTHINGS); pass++) {
    const level = movingLevel(events, expected, isSeasonal ? SEASONAL_REACH : REACH, isLeftOut, byMedian);
    expected = expected.map((one, at) => Math.max(EXPECTED_MIN, one * (level[at] ?? 0)));
  }
  return expected;
}

/** Minutes in groups by what is expected of them: noise that grows with the load differs between them. */
function spreadsOf(expected: Float64Array, groups: number, spreadOf: (members: Uint32Array) => number): Float64Array {
  const order = Uint32Array.from(expected, (_, at) => at).sort((i, j) => (expected[i] ?? 0) - (expected[j] ?? 0));
  const spreads = new Float64Array(expected.length);
  for (let group = 0; group < groups; group++) {
    const members = order.subarray(
      Math.floor((group * order.length) / groups),
      Math.floor(((group + 1) * order.length) / groups),
    );
    const spread = Math.max(1, spreadOf(members));
    for (const at of members) spreads[at] = spread;
  }
  return spreads;
}

function robustSquare(distances: Float64Array): number {
  return (MAD_SCALE * medianOf(distances.map(Math.abs))) ** 2;
}

function meanSquare(distances: Float64Array): number {
  return distances.length > 0 ? distances.reduce((sum, one) => sum + one * one, 0) / distances.length : 1;
}

/** Nearer than this to the mean nothing is an anomaly: the plain distance will do. */
const NEAR = 1.5;

function scoreOf(events: number, expected: number, spread: number): number {
  const distance = (events - expected) / Math.sqrt(expected * spread);
  if (Math.abs(distance) < NEAR) return distance;
  const { upTo } = negativeBinomialTails(events, expected, spread);
  const tail = distance < 0 ? upTo : negativeBinomialTails(events - 1, expected, spread).over;
  // Beyond what a number can hold.
  if (tail < 1e-290) return distance;
  const size = Math.max(0, normalQuantileOfTail(Math.min(tail, 0.5)));
  return distance < 0 ? -size : size;
}
