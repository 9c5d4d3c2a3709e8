// The schedule of an open loop: when each request is due, whatever the server does. Pure.
//
//     steady    due(i) = i / rate                     request 0 at once, the last just before the end
//     poisson   due(i) = due(i-1) + Exp(1 / rate)     as many clients that know nothing of each other
//     bursty    so many at once as Geometric(burst) says, after a gap of Exp(burst / rate)
//
// All have rate x duration requests, so that what is to be sent is known before and the same for all seeds; it is when the last one
// is due that varies, for random arrivals by the root of (events x index of dispersion) / rate: 50,000 Poisson events at 5,000/s
// take 10 s +- 45 ms.

import { Random } from "../random.ts";

export const ARRIVALS = ["steady", "poisson", "bursty"] as const;
export type Arrivals = (typeof ARRIVALS)[number];

export interface Schedule {
  /** How many requests there are. */
  total: number;
  /** So many are due within so long at most, in all but one of fifty windows; steady arrivals: in all. */
  crowd(windowMs: number): number;
  /** From the first request on; any two walks meet the same due times. */
  walk(): Walk;
}

/** A place in a schedule, which is all that it keeps, however long the schedule is. */
export interface Walk {
  /** Milliseconds after the start at which this request is due, never less than for the one before; Infinity after the last. */
  readonly dueMs: number;
  /** Goes on to the next request. */
  step(): void;
}

export function steadySchedule(ratePerSec: number, durationMs: number): Schedule {
  const total = totalOf(ratePerSec, durationMs);
  return {
    total,
    crowd: (windowMs) => Math.ceil((ratePerSec * windowMs) / 1_000),
    walk: () => walkOf(total, (index) => (index * 1_000) / ratePerSec),
  };
}

/** A Poisson process: the counts of windows have their mean for variance, an index of dispersion of 1. */
export function poissonSchedule(ratePerSec: number, durationMs: number, seed: number): Schedule {
  const total = totalOf(ratePerSec, durationMs);
  const gapMs = 1_000 / ratePerSec;
  return {
    total,
    crowd: (windowMs) => randomCrowd((ratePerSec * windowMs) / 1_000, 1),
    walk: () => {
      const random = Random.seeded(seed);
      let dueMs = 0;
      return walkOf(total, () => (dueMs += random.exponential(gapMs)));
    },
  };
}

/**
 * A compound Poisson process: bursts come as a Poisson process, all events of one at the same moment. `burst`: their mean size X,
 * geometric, so that one event's burst is usually twice as large.
 *
 * The counts of windows of any length have the index of dispersion (variance by mean) E[X^2] / E[X] = 2 burst - 1; 1 would be Poisson.
 * Source: S. M. Ross, Introduction to Probability Models, section 5.4.2, Compound Poisson Process; a geometric X from 1 on has
 * E[X] = burst and E[X^2] = 2 burst^2 - burst.
 */
export function burstySchedule(ratePerSec: number, durationMs: number, burst: number, seed: number): Schedule {
  const total = totalOf(ratePerSec, durationMs);
  const gapMs = (burst * 1_000) / ratePerSec;
  return {
    total,
    crowd: (windowMs) => randomCrowd((ratePerSec * windowMs) / 1_000, 2 * burst - 1),
    walk: () => {
      const random = Random.seeded(seed);
      let dueMs = 0;
      let left = 0;
      return walkOf(total, () => {
        if (left === 0) {
          dueMs += random.exponential(gapMs);
          left = random.geometric(burst);
        }
        left--;
        return dueMs;
      });
    },
  };
}

function totalOf(ratePerSec: number, durationMs: number): number {
  return Math.round((ratePerSec * durationMs) / 1_000);
}

/** The mean and three standard deviations. */
function randomCrowd(mean: number, dispersion: number): number {
  return Math.ceil(mean + 3 * Math.sqrt(mean * dispersion));
}

/** `dueOf` is asked once for each request, in their order. */
function walkOf(total: number, dueOf: (index: number) => number): Walk {
  let index = 0;
  let dueMs = 0;
  const meet = () => void (dueMs = index < total ? dueOf(index) : Number.POSITIVE_INFINITY);
  meet();
  return {
    get dueMs() {
      return dueMs;
    },
    step() {
      index++;
      meet();
    },
  };
}
