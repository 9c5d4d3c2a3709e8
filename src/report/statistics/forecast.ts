// How much will be kept, and when is a budget full? Arithmetic of constant rates and lifetimes; nothing is random here.
//
//     bytes of one kind after d days = bytes per day x min(d, lifetime)

import { DAY_US, type PeriodName, SECOND_US } from "../../period.ts";

const SECONDS_PER_DAY = DAY_US / SECOND_US;

export interface Keeping {
  eventsPerSec: number;
  /** Of a single event, as the store keeps it. */
  bytesPerEvent: number;
  /** How long single events are kept; null: for ever. */
  rawTtlSeconds: number | null;
  /** Rows of counts that a day adds. */
  rowsPerDay: Partial<Record<PeriodName, number>>;
  bytesPerRow: number;
  /** How long counts are kept, by level; null or left out: for ever. */
  ttlSeconds: Partial<Record<PeriodName, number | null>>;
}

/** Days until `budgetBytes` are used, at this pace; 0 where they are, null where that never comes. */
export function fillTime(disk: { bytesPerDay: number; usedBytes: number; budgetBytes: number }): number | null {
  const freeBytes = disk.budgetBytes - disk.usedBytes;
  if (freeBytes <= 0) return 0;
  return disk.bytesPerDay > 0 ? freeBytes / disk.bytesPerDay : null;
}

/** Bytes kept `days` after an empty store began. */
export function sizeAfter(days: number, keeping: Keeping): number {
  return kindsOf(keeping).reduce((bytes, kind) => bytes + kind.bytesPerDay * Math.min(days, kind.lifetimeDays), 0);
}

/** What the store grows to once everything that expires does; null where something is kept for ever. */
export function sizeAtMost(keeping: Keeping): number | null {
  const bytes = sizeAfter(Number.POSITIVE_INFINITY, keeping);
  return Number.isFinite(bytes) ? bytes : null;
}

/** Days after which an empty store has grown to `budgetBytes`; null where it never does. */
export function budgetDay(budgetBytes: number, keeping: Keeping): number | null {
  let day = 0;
  let bytes = 0;
  // The size is a line that bends where a kind's lifetime ends.
  const kinds = kindsOf(keeping).sort((a, b) => a.lifetimeDays - b.lifetimeDays);
  for (const [at, kind] of kinds.entries()) {
    const bytesPerDay = kinds.slice(at).reduce((sum, { bytesPerDay: one }) => sum + one, 0);
    const full = day + (budgetBytes - bytes) / bytesPerDay;
    if (bytesPerDay > 0 && full <= kind.lifetimeDays) return full;
    if (!Number.isFinite(kind.lifetimeDays)) return null;
    bytes += bytesPerDay * (kind.lifetimeDays - day);
    day = kind.lifetimeDays;
  }
  return null;
}

interface Kind {
  bytesPerDay: number;
  lifetimeDays: number;
}

function kindsOf(keeping: Keeping): Kind[] {
  const levels = Object.entries(keeping.rowsPerDay) as [PeriodName, number][];
  return [
    {
      bytesPerDay: keeping.eventsPerSec * SECONDS_PER_DAY * keeping.bytesPerEvent,
      lifetimeDays: lifetimeDays(keeping.rawTtlSeconds),
    },
    ...levels.map(([level, rows]) => ({
      bytesPerDay: rows * keeping.bytesPerRow,
      lifetimeDays: lifetimeDays(keeping.ttlSeconds[level]),
    })),
  ].filter((kind) => kind.bytesPerDay > 0);
}

function lifetimeDays(seconds: number | null | undefined): number {
  return seconds === null || seconds === undefined ? Number.POSITIVE_INFINITY : seconds / SECONDS_PER_DAY;
}
