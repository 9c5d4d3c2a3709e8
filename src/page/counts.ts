// Counts as GET /counts answers them (src/counts/format.ts): reading, joining and summing up. Pure.

import type { PeriodName } from "../period.ts";
import { periodMs, type Range } from "./span.ts";

export interface Row {
  startMs: number;
  events: number;
  /** Null in a bucket without events. */
  lagUs: { min: number; avg: number; max: number } | null;
}

export interface Counts extends Range {
  period: PeriodName;
  /** Ascending; buckets without events are left out. */
  rows: readonly Row[];
  /** Every event that arrived before is in `rows`. */
  completeMs: number;
  /** The server's clock when it answered. */
  nowMs: number;
}

interface Answer {
  period: PeriodName;
  from: string;
  to: string;
  now: string;
  completeUntil: string;
  buckets: { bucket: string; events: number; lagUs?: { min: number; avg: number; max: number } }[];
}

/** Throws on what is not a whole answer: the server ends one in the middle when its store fails. */
export function parseCounts(text: string): Counts {
  const { period, from, to, now, completeUntil, buckets } = JSON.parse(text) as Answer;
  return {
    period,
    fromMs: Date.parse(from),
    toMs: Date.parse(to),
    nowMs: Date.parse(now),
    completeMs: Date.parse(completeUntil),
    rows: buckets.map(({ bucket, events, lagUs }) => ({ startMs: Date.parse(bucket), events, lagUs: lagUs ?? null })),
  };
}

/** `held` with its end replaced by `tail`, which begins in it or where it ends. */
export function joined(held: Counts, tail: Counts): Counts {
  const rows = held.rows.slice(0, firstAtOrAfter(held.rows, tail.fromMs)).concat(tail.rows);
  return { ...tail, fromMs: held.fromMs, rows };
}

/** What of `held` begins at `fromMs`, which is the start of a bucket, or later. */
export function since(held: Counts, fromMs: number): Counts {
  if (fromMs <= held.fromMs) return held;
  return { ...held, fromMs, rows: held.rows.slice(firstAtOrAfter(held.rows, fromMs)) };
}

/** Seconds as GET /live tells them; null: nothing is known of that one. */
export interface Seconds extends Range {
  startMs: readonly number[];
  events: readonly (number | null)[];
}

/**
 * `held` with what has been told of the newest seconds since, so that these need not be asked for again and again. Only buckets
 * all of whose seconds are known. A count only ever grows: of two the greater is the newer. A lag stays as it was asked for.
 */
export function overlaid(held: Counts, seconds: Seconds): Counts {
  const stepMs = periodMs(held.period);
  const sinceMs = seconds.startMs[seconds.events.findIndex((events) => events !== null)] ?? Infinity;
  const firstMs = Math.max(held.fromMs, Math.ceil(sinceMs / stepMs) * stepMs);
  if (stepMs < 1_000 || held.toMs < firstMs) return held;
  const sums = new Map<number, number>();
  for (const [at, ms] of seconds.startMs.entries()) {
    const startMs = Math.floor(ms / stepMs) * stepMs;
    if (startMs >= firstMs) sums.set(startMs, (sums.get(startMs) ?? 0) + (seconds.events[at] ?? 0));
  }
  const split = firstAtOrAfter(held.rows, firstMs);
  const rows = new Map(held.rows.slice(split).map((row) => [row.startMs, row]));
  for (const [startMs, events] of sums) {
    const row = rows.get(startMs);
    if (events > (row?.events ?? 0)) rows.set(startMs, { startMs, events, lagUs: row?.lagUs ?? null });
  }
  return {
    ...held,
    toMs: Math.max(held.toMs, Math.ceil(seconds.toMs / stepMs) * stepMs),
    nowMs: Math.max(held.nowMs, seconds.toMs),
    rows: [...held.rows.slice(0, split), ...[...rows.values()].sort((a, b) => a.startMs - b.startMs)],
  };
}

/** The rows whose bucket begins in `range`. */
export function rowsIn({ rows }: Counts, { fromMs, toMs }: Range): readonly Row[] {
  return rows.slice(firstAtOrAfter(rows, fromMs), firstAtOrAfter(rows, toMs));
}

export interface Summary {
  events: number;
  fullest: Row | null;
  lagUs: { avg: number; max: number } | null;
}

export function summaryOf(rows: readonly Row[]): Summary {
  let events = 0;
  let lagSum = 0;
  let lagEvents = 0;
  let lagMax: number | null = null;
  let fullest: Row | null = null;
  for (const row of rows) {
    events += row.events;
    if (row.events > (fullest?.events ?? 0)) fullest = row;
    if (!row.lagUs) continue;
    lagSum += row.lagUs.avg * row.events;
    lagEvents += row.events;
    lagMax = Math.max(lagMax ?? -Infinity, row.lagUs.max);
  }
  return { events, fullest, lagUs: lagMax === null ? null : { avg: lagSum / lagEvents, max: lagMax } };
}

/** For uPlot: every bucket of the range, those without events too. What has not been yet, or was before the first event, is null. */
export interface Columns {
  startMs: number[];
  events: (number | null)[];
  lagAvgMs: (number | null)[];
  lagMaxMs: (number | null)[];
}

export function columnsOf(counts: Counts, firstMs: number | null): Columns {
  const stepMs = periodMs(counts.period);
  const endMs = Math.min(counts.toMs, counts.nowMs);
  const columns: Columns = { startMs: [], events: [], lagAvgMs: [], lagMaxMs: [] };
  let at = 0;
  for (let startMs = counts.fromMs; startMs < endMs; startMs += stepMs) {
    const row = counts.rows[at]?.startMs === startMs ? counts.rows[at++] : undefined;
    columns.startMs.push(startMs);
    columns.events.push(row?.events ?? (firstMs !== null && startMs >= firstMs ? 0 : null));
    columns.lagAvgMs.push(row?.lagUs ? row.lagUs.avg / 1_000 : null);
    columns.lagMaxMs.push(row?.lagUs ? row.lagUs.max / 1_000 : null);
  }
  return columns;
}

/** Where in `rows` the first one is that begins at `ms` or later. */
function firstAtOrAfter(rows: readonly Row[], ms: number): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((rows[middle]?.startMs ?? Infinity) < ms) low = middle + 1;
    else high = middle;
  }
  return low;
}
