// The report as data: what `reto3 report --format json` prints, and all that the text and the page are made from. Types alone.
//
// Times are UTC in ISO 8601; a name's end tells its unit: Seconds, Ms, Bytes, PerSec. What is not known is null, never NaN.
// `says` of a section: what it means, in plain sentences.

import type { DispersionVerdict } from "./statistics/dispersion.ts";

export interface Report {
  /** Goes up when a name changes its meaning. */
  version: 1;
  writtenAt: string;
  /** What was left out, and why. */
  notes: string[];
  store: StoreSection | null;
  rate: RateSection | null;
  lag: LagSection | null;
  health: HealthSection | null;
  anomalies: AnomalySection | null;
  runs: RunSection[];
  /** Of several runs at different rates: the last rate before latency takes off. */
  knee: KneeSection | null;
  sentAgainstCounted: SentSection | null;
  disk: DiskSection | null;
  comparison: ComparisonSection | null;
}

export interface StoreSection {
  says: string[];
  location: string;
  from: string;
  to: string;
  /** As `reto3 count` over the same range. */
  events: number;
  /** Until when that is complete; an open minute may still grow. */
  completeUntil: string;
  isComplete: boolean;
  minutesWithEvents: number;
}

/** Of events in a bucket. */
export interface LevelFigures {
  period: "10ms" | "1s" | "1m";
  buckets: number;
  /** Some minutes of many: extremes are then at least as far out. */
  isSample: boolean;
  mean: number;
  deviation: number;
  min: number;
  p1: number;
  p50: number;
  p90: number;
  p99: number;
  p999: number;
  max: number;
}

export interface RateSection {
  says: string[];
  /** The seconds that count: from the first whole one to the last. */
  from: string;
  to: string;
  seconds: number;
  silentSeconds: number;
  meanPerSec: number;
  /** Of the seconds that have events. */
  busyMeanPerSec: number;
  levels: LevelFigures[];
  /** Variance / mean of the 10 ms counts within each minute, against 1 of a Poisson process. */
  dispersion: {
    index: number;
    low: number;
    high: number;
    pValue: number;
    verdict: DispersionVerdict;
    /** Between these all 10 ms counts of a Poisson process of this rate would lie, 19 times out of 20. */
    poissonMin: number;
    poissonMax: number;
  } | null;
  fano: { windowSeconds: number; index: number; windows: number }[];
  /** The fullest bucket / the mean. */
  peakToMean: { "10ms": number | null; "1s": number | null; "1m": number | null };
  longestSilence: { seconds: number; from: string; isLowerBound: boolean } | null;
  autocorrelation: AutocorrelationFigures[];
  periods: { seconds: number; share: number; pValue: number; overtoneOfSeconds: number | null }[];
  histogram10ms: { fromEvents: number; width: number; buckets: number; poissonBuckets: number }[];
  overTime: { stepSeconds: number; points: { at: string; meanPerSec: number; minPerSec: number; maxPerSec: number }[] };
}

export interface AutocorrelationFigures {
  stepSeconds: number;
  /** Between -bound and +bound lie 95 % of the values of what has no memory. */
  bound: number;
  /** By distance in steps, from 0. */
  values: number[];
}

export interface LagFigures {
  minMs: number;
  meanMs: number;
  p50Ms: number;
  p90Ms: number;
  p99Ms: number;
  p999Ms: number;
  maxMs: number;
}

export interface LagSection extends LagFigures {
  says: string[];
  events: number;
  /** Of the median over time. */
  trend: { msPerHour: number; lowMsPerHour: number; highMsPerHour: number; pValue: number } | null;
  /** By hour of the day, UTC; hours without events are left out. */
  byHour: { hour: number; events: number; p50Ms: number; p99Ms: number }[];
  overTime: {
    stepSeconds: number;
    points: { at: string; events: number; p50Ms: number; p99Ms: number; maxMs: number }[];
  };
  /** Whether LAG rises with the rate: Spearman's rank correlation, and the rate above which it does. */
  againstRate: {
    rho: number;
    pValue: number;
    takeOff: { ratePerSec: number; beforeMs: number; afterMs: number } | null;
    points: { ratePerSec: number; lagMs: number }[];
  } | null;
}

export interface EpisodeFigures {
  count: number;
  seconds: number;
  longest: { from: string; seconds: number } | null;
  first: { from: string; seconds: number; peakMs: number | null }[];
}

export interface HealthSection {
  says: string[];
  /** Seconds without events between others. */
  gaps: EpisodeFigures | null;
  /** Seconds whose mean LAG is above `thresholdMs`. */
  lateFlushes: (EpisodeFigures & { thresholdMs: number }) | null;
  partitions: { claimed: number; open: number; openBecauseRecent: number; leftOpen: number } | null;
  held: HeldFigures | null;
}

export interface HeldFigures {
  askedPerSec: number;
  /** A second holds the rate with at least so many events: 99 % of it. */
  thresholdPerSec: number;
  seconds: number;
  heldSeconds: number;
  share: number;
  /** Of minutes, each with 99 % of 60 times the rate. */
  minutes: number;
  heldMinutes: number;
  /** The share of seconds that independent arrivals of exactly that rate would have there. */
  poissonShare: number;
  longestStretch: { from: string; seconds: number } | null;
}

export interface AnomalySection {
  says: string[];
  minutes: number;
  method: string;
  threshold: number;
  expectedFalseAlarms: number;
  found: { at: string; events: number; expected: number; score: number }[];
  /** Those beyond the ones that are listed. */
  more: number;
}

export interface RunSection {
  says: string[];
  name: string;
  from: string;
  to: string;
  seconds: number;
  askedPerSec: number | null;
  ackedPerSec: number | null;
  requests: number;
  outcomes: { acked: number; refused: number; unknown: number; unsent: number };
  reasons: Record<string, number>;
  latencyMs: { fromSchedule: QuantileFigures; fromSend: QuantileFigures };
  sendErrorMs: QuantileFigures;
  /** The share of all answers, from schedule, up to so many milliseconds. */
  quantiles: { share: number; ms: number }[];
  overTime: {
    stepSeconds: number;
    points: { at: string; requests: number; notAcked: number; p50Ms: number | null; p99Ms: number | null }[];
  };
}

export interface QuantileFigures {
  p50: number;
  p99: number;
  p999: number;
  max: number;
}

export interface KneeSection {
  says: string[];
  ratePerSec: number | null;
  p99Ms: number | null;
}

export interface SentSection {
  says: string[];
  sent: number;
  acked: number;
  unknown: number;
  counted: number;
  /** acked <= counted <= acked + unknown */
  holds: boolean;
  /** Seconds in which more or less was counted than the records allow, on one clock; null where their counts have expired. */
  secondsOutside: number | null;
  overTime: { at: string; sent: number; counted: number; atLeast: number; atMost: number }[];
}

export interface DiskSection {
  says: string[];
  tables: { name: string; rows: number | null; bytes: number | null; keptSeconds: number | null }[];
  bytes: number | null;
  countBytesPerDay: number | null;
  rawBytesPerDay: number | null;
  /** Once everything that expires does; null where something is kept for good. */
  bytesAtMost: number | null;
  forecast: { days: number; bytes: number }[];
  budget: { bytes: number; days: number | null; at: string | null } | null;
}

export interface DifferenceFigures {
  what: string;
  unit: string;
  before: number;
  after: number;
  difference: number;
  /** 95 %; null where there are too few values. */
  low: number | null;
  high: number | null;
  ratio: number | null;
  pValue: number | null;
  verdict: string;
}

export interface ComparisonSection {
  says: string[];
  /** What is compared, in words. */
  before: string;
  after: string;
  differences: DifferenceFigures[];
}
