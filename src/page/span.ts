// Which stretch of time is looked at, and in which buckets: the arithmetic of zooming and moving. Pure. Milliseconds.

import { PERIODS, type PeriodName } from "../period.ts";

export interface Range {
  fromMs: number;
  /** Exclusive. */
  toMs: number;
}

/** No view has more buckets than this, but for one of minutes, which have no coarser ones above them. */
export const VISIBLE_BUCKETS_MAX = 2_000;

/** Twenty buckets of 10 ms. */
export const SPAN_MIN_MS = 200;
/** 10,080 minutes: what a browser still draws at once. Longer ones are a matter of `reto3 count`. */
export const SPAN_MAX_MS = 7 * 86_400_000;

const FINE_TO_COARSE: readonly PeriodName[] = ["10ms", "1s", "1m"];

export function periodMs(period: PeriodName): number {
  return PERIODS[period].us / 1_000;
}

/** The finest period whose buckets of such a span can be shown. */
export function periodFor(spanMs: number): PeriodName {
  return FINE_TO_COARSE.find((period) => spanMs / periodMs(period) <= VISIBLE_BUCKETS_MAX) ?? "1m";
}

/** The next that has fewer buckets; null: there is none. */
export function coarser(period: PeriodName): PeriodName | null {
  return FINE_TO_COARSE[FINE_TO_COARSE.indexOf(period) + 1] ?? null;
}

/** The whole buckets that have a part in `range`. */
export function aligned({ fromMs, toMs }: Range, period: PeriodName): Range {
  const ms = periodMs(period);
  return { fromMs: Math.floor(fromMs / ms) * ms, toMs: Math.ceil(toMs / ms) * ms };
}

/** `range` and half as much on either side, where that is not too much: what is there already when somebody moves on. */
export function withMargin(range: Range, period: PeriodName): Range {
  const spanMs = range.toMs - range.fromMs;
  if (spanMs / periodMs(period) > VISIBLE_BUCKETS_MAX) return aligned(range, period);
  return aligned({ fromMs: range.fromMs - spanMs / 2, toMs: range.toMs + spanMs / 2 }, period);
}

/** `factor` 2: half as much time, and `aroundMs` stays where it is. */
export function zoomed({ fromMs, toMs }: Range, factor: number, aroundMs = (fromMs + toMs) / 2): Range {
  const spanMs = clamp((toMs - fromMs) / factor, SPAN_MIN_MS, SPAN_MAX_MS);
  const share = (aroundMs - fromMs) / (toMs - fromMs);
  const start = aroundMs - spanMs * share;
  return { fromMs: Math.round(start), toMs: Math.round(start + spanMs) };
}

/** `share` 0.25: a quarter of what is seen further on. */
export function panned({ fromMs, toMs }: Range, share: number): Range {
  const byMs = Math.round((toMs - fromMs) * share);
  return { fromMs: fromMs + byMs, toMs: toMs + byMs };
}

/** A range of a length that can be shown, which does not begin before 1970 nor end long after `nowMs`: moved, not cut. */
export function within(range: Range, nowMs: number): Range {
  const spanMs = clamp(range.toMs - range.fromMs, SPAN_MIN_MS, SPAN_MAX_MS);
  const fromMs = clamp(range.fromMs, 0, Math.max(0, nowMs + spanMs / 10 - spanMs));
  return { fromMs: Math.round(fromMs), toMs: Math.round(fromMs + spanMs) };
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(Math.max(value, min), max);
}
