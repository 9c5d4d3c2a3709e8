// The time levels at which events are counted, and the arithmetic of their buckets.
// Kernel: pure. All times are microseconds since 1970 UTC; a bucket is named by its start.
//
//     |<------------------ 1m: minute ------------------>|
//     |<-- 1s -->|<-- 1s -->| ...
//     |10|10|10| ...            each bucket is [start, start + us)

export const SECOND_US = 1_000_000;
export const MINUTE_US = 60 * SECOND_US;
export const HOUR_US = 60 * MINUTE_US;
export const DAY_US = 24 * HOUR_US;

export type PeriodName = "10ms" | "1s" | "1m";

/** `defaultRangeUs`: what `count` shows when it is not told a range: a few thousand lines at most. */
export interface Period {
  name: PeriodName;
  us: number;
  defaultRangeUs: number;
}

export const PERIODS: Record<PeriodName, Period> = {
  "10ms": { name: "10ms", us: 10_000, defaultRangeUs: MINUTE_US },
  "1s": { name: "1s", us: SECOND_US, defaultRangeUs: HOUR_US },
  "1m": { name: "1m", us: MINUTE_US, defaultRangeUs: DAY_US },
};

export const PERIOD_NAMES = Object.keys(PERIODS) as PeriodName[];

/** The period called `name`, or undefined. */
export function periodNamed(name: string): Period | undefined {
  return Object.hasOwn(PERIODS, name) ? PERIODS[name as PeriodName] : undefined;
}

/** The start of the bucket of length `periodUs` that holds `us`; buckets are aligned to 1970, before it too. */
export function bucketStartUs(us: number, periodUs: number): number {
  return Math.floor(us / periodUs) * periodUs;
}

/** `us` if a bucket starts there, else the start of the next. */
export function bucketCeilUs(us: number, periodUs: number): number {
  return Math.ceil(us / periodUs) * periodUs;
}
