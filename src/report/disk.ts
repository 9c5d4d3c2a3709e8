// What is kept takes how much now, how much more by day, and when a budget is used up. Pure: rates and lifetimes are constant.
//
//     bytes of a table after d days = min(bytes now + bytes per day x d, bytes per day x lifetime)

import { DAY_US, SECOND_US } from "../period.ts";
import type { Retention, TableSize } from "../store/store.ts";
import { formatBytes } from "../units.ts";
import type { DiskSection, RateSection } from "./model.ts";
import { isoOf, rounded, span as spanWords } from "./numbers.ts";
import type { StoreReading } from "./reading.ts";
import type { Tally } from "./statistics/tally.ts";

const SECONDS_PER_DAY = DAY_US / SECOND_US;
const MINUTES_PER_DAY = 1_440;
const FORECAST_DAYS = [1, 7, 30, 365];

/** Rows of minutes, with which a table has not filled a few pages. */
const ROWS_FEW = 120;

/** Longer than anybody plans a disk for. */
const DAYS_MAX = 36_500;

interface Table extends TableSize {
  isRaw: boolean;
  keptSeconds: number | null;
  bytesPerDay: number | null;
}

export function diskSection(
  reading: StoreReading,
  rate: RateSection | null,
  retention: Retention,
  { budgetBytes, nowUs }: { budgetBytes: number | null; nowUs: number },
): DiskSection {
  const tables = reading.sizes.map((size) => tableOf(size, reading, rate, retention));
  const known = tables.filter(({ bytes }) => bytes !== null);
  const perDay = (isRaw: boolean) => {
    const rates = tables.filter((table) => table.isRaw === isRaw).map(({ bytesPerDay }) => bytesPerDay);
    return rates.every((one) => one === null)
      ? null
      : Math.round(rates.reduce<number>((sum, one) => sum + (one ?? 0), 0));
  };
  const atMost = tables.reduce((sum, table) => sum + Math.max(table.bytes ?? 0, limitOf(table)), 0);
  const countBytesPerDay = perDay(false);
  const isTold = rate !== null && countBytesPerDay !== null && known.length > 0;
  const section: Omit<DiskSection, "says"> = {
    tables: tables.map(({ name, rows, bytes, keptSeconds }) => ({ name, rows, bytes, keptSeconds })),
    bytes: known.length === 0 ? null : known.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0),
    countBytesPerDay,
    rawBytesPerDay: perDay(true),
    bytesAtMost: Number.isFinite(atMost) && isTold ? Math.round(atMost) : null,
    forecast: isTold ? FORECAST_DAYS.map((days) => ({ days, bytes: Math.round(sizeAfter(tables, days)) })) : [],
    budget: null,
  };
  if (budgetBytes !== null && isTold) {
    const days = daysUntil(tables, budgetBytes);
    const at = days === null ? null : isoOf(nowUs + days * DAY_US);
    section.budget = { bytes: budgetBytes, days: days === null ? null : rounded(days, 4), at };
  }
  return { says: sentences(section, rate), ...section };
}

function tableOf(size: TableSize, reading: StoreReading, rate: RateSection | null, retention: Retention): Table {
  const isRaw = size.name.startsWith("event");
  const keptSeconds = lifetimeOf(size.name, retention);
  const bytesPerDay = bytesPerDayOf(size, reading, rate, keptSeconds);
  if (!isRaw || retention.rawBytesMax === null || !bytesPerDay) return { ...size, isRaw, keptSeconds, bytesPerDay };
  const fullAfter = (retention.rawBytesMax / bytesPerDay) * SECONDS_PER_DAY;
  return { ...size, isRaw, keptSeconds: Math.min(keptSeconds ?? fullAfter, fullAfter), bytesPerDay };
}

/** From the size of a row; where the store does not tell how many there are, from how the table has grown so far. */
function bytesPerDayOf(
  { name, rows, bytes }: TableSize,
  reading: StoreReading,
  rate: RateSection | null,
  keptSeconds: number | null,
): number | null {
  // No bytes: this store does not use that table.
  if (!bytes) return bytes === null ? null : 0;
  if (rows) return rate ? (bytes / rows) * rowsPerDayOf(name, reading, rate) : null;
  const newestUs = reading.claimedHours.at(-1) ?? 0;
  const fromUs = keptSeconds === null ? Number.NEGATIVE_INFINITY : newestUs - keptSeconds * SECOND_US;
  const hours = reading.claimedHours.filter((hourUs) => hourUs >= fromUs).length;
  return hours > 0 && rows === null ? (bytes / hours) * 24 : null;
}

function lifetimeOf(table: string, retention: Retention): number | null {
  if (table.startsWith("event")) return retention.events;
  if (table.endsWith("_10ms")) return retention["10ms"];
  if (table.endsWith("_1s")) return retention["1s"];
  return table.endsWith("_1m") ? retention["1m"] : null;
}

/** As many as the range's events, buckets and writers make in a day. */
function rowsPerDayOf(table: string, { seconds, buckets, claims }: StoreReading, rate: RateSection): number {
  const writers = claims.minutes > 0 ? claims.claimed / claims.minutes : 1;
  const events = rate.meanPerSec * SECONDS_PER_DAY;
  // A row has an event at least: of several writers hardly any two share a bucket where events are rare.
  const ofWriters = (bucketsPerDay: number, tally: Tally) =>
    Math.min(events, writers * bucketsPerDay * shareWithEvents(tally.entries()));
  if (table.startsWith("event")) return events;
  if (table.startsWith("merged")) return MINUTES_PER_DAY;
  if (table.endsWith("_10ms")) return ofWriters(SECONDS_PER_DAY * 100, buckets.tally);
  if (table.endsWith("_1s")) return ofWriters(SECONDS_PER_DAY, seconds.tally);
  return writers * MINUTES_PER_DAY;
}

function shareWithEvents(entries: readonly (readonly [value: number, times: number])[]): number {
  const [all, empty] = entries.reduce(
    ([sum, zeros], [value, times]) => [sum + times, zeros + (value === 0 ? times : 0)] as const,
    [0, 0] as readonly [number, number],
  );
  return all > 0 ? (all - empty) / all : 0;
}

function limitOf({ keptSeconds, bytesPerDay, bytes }: Table): number {
  if (bytesPerDay === null || bytesPerDay === 0) return bytes ?? 0;
  return keptSeconds === null ? Number.POSITIVE_INFINITY : (bytesPerDay * keptSeconds) / SECONDS_PER_DAY;
}

function sizeAfter(tables: readonly Table[], days: number): number {
  return tables.reduce((sum, table) => {
    const now = table.bytes ?? 0;
    return sum + Math.min(now + (table.bytesPerDay ?? 0) * days, Math.max(now, limitOf(table)));
  }, 0);
}

/** Null if never, or not in a hundred years. The size only grows. */
function daysUntil(tables: readonly Table[], budgetBytes: number): number | null {
  if (sizeAfter(tables, DAYS_MAX) < budgetBytes) return null;
  let [low, high] = [0, DAYS_MAX];
  if (sizeAfter(tables, 0) >= budgetBytes) return 0;
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (sizeAfter(tables, middle) < budgetBytes) low = middle;
    else high = middle;
  }
  return high;
}

function sentences(section: Omit<DiskSection, "says">, rate: RateSection | null): string[] {
  const { bytes, countBytesPerDay, rawBytesPerDay, bytesAtMost, budget } = section;
  if (bytes === null) return ["The store cannot tell how much it takes."];
  const says = [`The tables take ${formatBytes(bytes)} now.`];
  if (!rate || countBytesPerDay === null) return says;
  if ((section.tables.find(({ name }) => name === "counts_1m")?.rows ?? Number.POSITIVE_INFINITY) < ROWS_FEW)
    says.push("The store holds little yet, so that half-empty pages make what follows look larger than it will be.");
  const raw = rawBytesPerDay ? ` and ${formatBytes(rawBytesPerDay)} of raw events` : "";
  says.push(
    `At the rate of this report a day adds ${formatBytes(countBytesPerDay)} of counts${raw}, of which what has a lifetime goes again` +
      (bytesAtMost === null
        ? ": what is kept for good makes it grow without end."
        : `: it stays below ${formatBytes(bytesAtMost)}.`),
  );
  if (budget)
    says.push(
      budget.days === null
        ? `A budget of ${formatBytes(budget.bytes)} is never used up.`
        : budget.days === 0
          ? `A budget of ${formatBytes(budget.bytes)} is used up already.`
          : `A budget of ${formatBytes(budget.bytes)} is used up in ${spanWords(budget.days * SECONDS_PER_DAY)}, on ${(budget.at ?? "").slice(0, 10)}.`,
    );
  return says;
}
