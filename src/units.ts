// Text to numbers and back: UTC timestamps, durations, whole numbers.
// Kernel: pure. Parsers return undefined for what they do not accept; callers say what was wanted.

const SECOND_US = 1_000_000;

/** The form of a timestamp, for messages. */
export const TIMESTAMP_FORM = "YYYY-MM-DD HH:MM:SS.ffffff";

/**
 * Microseconds since 1970 UTC of `YYYY-MM-DD HH:MM:SS`, with 1 to 6 fraction digits or none; undefined if `text` is
 * anything else or not a real date (years 1 to 9999). A bigint, because before 1684 and after 2255 microseconds pass 2^53.
 */
export function parseTimestampUs(text: string): bigint | undefined {
  const length = text.length;
  if (length < 19 || length > 26 || length === 20) return undefined;
  const shaped =
    text.charCodeAt(4) === 45 &&
    text.charCodeAt(7) === 45 &&
    text.charCodeAt(10) === 32 &&
    text.charCodeAt(13) === 58 &&
    text.charCodeAt(16) === 58 &&
    (length === 19 || text.charCodeAt(19) === 46);
  if (!shaped) return undefined;
  return timestampUs(
    digits(text, 0, 4),
    digits(text, 5, 7),
    digits(text, 8, 10),
    digits(text, 11, 13),
    digits(text, 14, 16),
    digits(text, 17, 19),
    length === 19 ? 0 : digits(text, 20, length) * 10 ** (26 - length),
  );
}

/** Microseconds since 1970 UTC; undefined where that is not a real date (years 1 to 9999) and time, as when a part is NaN. */
export function timestampUs(
  year: number,
  month: number,
  day: number,
  hour: number,
  minute: number,
  second: number,
  us: number,
): bigint | undefined {
  // A part that is no number is NaN, which fails every comparison.
  const real =
    year >= 1 &&
    month >= 1 &&
    month <= 12 &&
    day >= 1 &&
    day <= daysInMonth(year, month) &&
    hour <= 23 &&
    minute <= 59 &&
    second <= 59 &&
    us >= 0;
  if (!real) return undefined;
  const seconds = daysSinceEpoch(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
  const totalUs = seconds * SECOND_US + us;
  return Number.isSafeInteger(totalUs) ? BigInt(totalUs) : BigInt(seconds) * 1_000_000n + BigInt(us);
}

/** The forms of a point in time that people may write, for messages. */
export const INSTANT_FORM = "YYYY-MM-DD[ HH:MM[:SS[.ffffff]]], UTC";

/** Microseconds since 1970 UTC of a date, with a time or without; `T` for the space and a final `Z` are accepted too. */
export function parseInstantUs(text: string): number | undefined {
  const plain = text.replace(/^(\d{4}-\d\d-\d\d)T/, "$1 ").replace(/Z$/, "");
  const missing = plain.length === 10 ? " 00:00:00" : plain.length === 16 ? ":00" : "";
  const us = parseTimestampUs(plain + missing);
  return us === undefined ? undefined : Number(us);
}

/** `YYYY-MM-DD HH:MM:SS.mmm`, UTC; `us` within the years 0 to 9999. */
export function formatTimestamp(us: number): string {
  const iso = new Date(Math.floor(us / 1_000)).toISOString();
  return `${iso.slice(0, 10)} ${iso.slice(11, 23)}`;
}

/** RFC 3339 with milliseconds, UTC. */
export function formatIso(us: number): string {
  return new Date(Math.floor(us / 1_000)).toISOString();
}

const DURATION_UNITS_MS: Record<string, number> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Milliseconds of `500ms`, `10s`, `1.5m`, `24h`, `7d`; undefined if `text` is not a positive whole number of milliseconds. */
export function parseDurationMs(text: string): number | undefined {
  const match = /^(\d{1,12}(?:\.\d{1,6})?)(ms|s|m|h|d)$/.exec(text);
  if (!match) return undefined;
  const ms = Number(match[1]) * (DURATION_UNITS_MS[match[2] ?? ""] ?? Number.NaN);
  const rounded = Math.round(ms);
  return rounded > 0 && Math.abs(ms - rounded) < 1e-6 && Number.isSafeInteger(rounded * 1_000) ? rounded : undefined;
}

/** `10s`, `1m`, `250ms`: the largest unit that is exact. */
export function formatDurationMs(ms: number): string {
  const unit = Object.entries(DURATION_UNITS_MS).findLast(([, size]) => ms % size === 0);
  return unit && ms > 0 ? `${ms / unit[1]}${unit[0]}` : `${ms}ms`;
}

const BYTE_UNITS: Record<string, number> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** Bytes of `500MB`, `1.5GiB`; undefined if `text` is not a positive whole number of bytes. */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d{1,12}(?:\.\d{1,6})?)([kKMGT]?i?B)$/.exec(text);
  const bytes = Number(match?.[1]) * (BYTE_UNITS[match?.[2] ?? ""] ?? Number.NaN);
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : undefined;
}

/** `1.5 GB`: three digits, for people. */
export function formatBytes(bytes: number): string {
  const unit = ["TB", "GB", "MB", "kB"].find((name) => bytes >= (BYTE_UNITS[name] ?? 0)) ?? "B";
  return `${Number((bytes / (BYTE_UNITS[unit] ?? 1)).toPrecision(3))} ${unit}`;
}

/** A whole number between `min` and `max`, written in digits alone. */
export function parseWhole(text: string, min: number, max: number): number | undefined {
  if (!/^\d{1,15}$/.test(text)) return undefined;
  const value = Number(text);
  return value >= min && value <= max ? value : undefined;
}

/** The number that the digits at [from, to) make; NaN where one of them is none. */
export function digits(text: string, from: number, to: number): number {
  let value = 0;
  for (let at = from; at < to; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Days from 1970-01-01 to a date of the proleptic Gregorian calendar. Source: H. Hinnant, "chrono-compatible low-level date algorithms", days_from_civil. */
function daysSinceEpoch(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}
