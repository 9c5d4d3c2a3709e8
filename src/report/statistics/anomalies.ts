// Minutes that hold other than the expected number of events: outages, halved rates, spikes.
//
//     score = (events - expected) / deviation, with deviation^2 = expected x max(1, overdispersion)
//
// Counts vary at least as much as a Poisson process, so that steady loads do not divide by 0.

import { normalQuantileOfTail, normalTail, poissonTails } from "./distributions.ts";
import { DAY_US, MINUTE_US } from "../../period.ts";

export interface MinuteCount {
  startUs: number;
  events: number;
}

export interface Anomaly extends MinuteCount {
  expected: number;
  /** In deviations: negative where events are missing. */
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
  /** Default 0.1. */
  falseAlarmsPerDay?: number;
  /** After what time the load is expected to repeat itself; default a day, a week from four weeks on. */
  seasonUs?: number;
}

/** Above it minutes are compared with the same minute of other days. */
const SEASONAL_ABOVE_US = 14 * DAY_US;
const WEEKLY_FROM_US = 28 * DAY_US;

/** Deviation of a normal distribution / its median absolute deviation. */
const MAD_SCALE = 1.4826;

/** Minutes in the order of time, those without events as 0. */
export function findAnomalies(minutes: readonly MinuteCount[], options: AnomalyOptions = {}): Anomalies {
  const days = (minutes.length * MINUTE_US) / DAY_US;
  const falseAlarmsPerDay = options.falseAlarmsPerDay ?? 0.1;
  const threshold = normalQuantileOfTail(Math.min(0.5, (falseAlarmsPerDay * MINUTE_US) / DAY_US / 2));
  const rangeUs = minutes.length * MINUTE_US;
  const isSeasonal = rangeUs > SEASONAL_ABOVE_US;
  const seasonUs = options.seasonUs ?? (rangeUs >= WEEKLY_FROM_US ? 7 * DAY_US : DAY_US);
  const expected = isSeasonal ? seasonalMedians(minutes, seasonUs) : flatMedian(minutes);
  const spread = overdispersion(minutes, expected);
  const found = minutes
    .map(({ startUs, events }, at) => {
      const mean = expected[at] ?? 0;
      return { startUs, events, expected: mean, score: scoreOf(events, mean, spread) };
    })
    .filter(({ score }) => Math.abs(score) > threshold);
  return {
    found,
    method: isSeasonal ? "seasonal median" : "robust z-score",
    threshold,
    expectedFalseAlarms: falseAlarmsPerDay * days,
  };
}

function flatMedian(minutes: readonly MinuteCount[]): Float64Array {
  return new Float64Array(minutes.length).fill(medianOf(minutes.map(({ events }) => events)));
}

function seasonalMedians(minutes: readonly MinuteCount[], seasonUs: number): Float64Array {
  const slots = new Map<number, number[]>();
  const slotOf = (startUs: number) => Math.floor((startUs % seasonUs) / MINUTE_US);
  for (const { startUs, events } of minutes) {
    const slot = slots.get(slotOf(startUs));
    if (slot) slot.push(events);
    else slots.set(slotOf(startUs), [events]);
  }
  const medians = new Map([...slots].map(([slot, events]) => [slot, medianOf(events)]));
  return Float64Array.from(minutes, ({ startUs }) => medians.get(slotOf(startUs)) ?? 0);
}

/** How many times the variance is that of a Poisson process, at least 1: robust, by the median absolute deviation. */
function overdispersion(minutes: readonly MinuteCount[], expected: Float64Array): number {
  const distances = minutes.map(({ events }, at) => {
    const mean = expected[at] ?? 0;
    return Math.abs(events - mean) / Math.sqrt(Math.max(1, mean));
  });
  return Math.max(1, (MAD_SCALE * medianOf(distances)) ** 2);
}

/** The normal score of the tail that `events` lies in; small counts are skewed, so the Poisson tail itself is taken. */
function scoreOf(events: number, expected: number, spread: number): number {
  const mean = Math.max(expected, 0.1) / spread;
  const isLow = events < expected;
  const tail = isLow ? poissonTails(events / spread, mean).upTo : poissonTails(events / spread - 1, mean).over;
  if (tail >= 0.5) return 0;
  // Beyond what a number can hold: the plain z-score.
  const size =
    tail > normalTail(35)
      ? normalQuantileOfTail(tail)
      : Math.max(35, Math.abs(events / spread - mean) / Math.sqrt(mean));
  return isLow ? -size : size;
}

function medianOf(values: number[]): number {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}
