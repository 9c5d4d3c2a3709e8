// Numbers as the report has them: rounded for JSON, written for people. Pure.

import { formatIso } from "../units.ts";

/** To `digits` significant ones; never NaN or infinite. */
export function rounded(value: number, digits = 6): number {
  return Number.isFinite(value) ? Number(value.toPrecision(digits)) : 0;
}

export function ratioOf(a: number, b: number): number | null {
  return b > 0 && Number.isFinite(a / b) ? rounded(a / b) : null;
}

/** Milliseconds with three decimals. */
export function msOf(us: number): number {
  return Math.round(us) / 1_000;
}

export function isoOf(us: number): string {
  return formatIso(us);
}

/** Of an ISO time: `2026-11-23 05:11:11.120`, as all commands write it. */
export function instant(iso: string): string {
  return iso.replace("T", " ").replace("Z", "");
}

/** `12,345`, `4.2`, `0.031`: three digits at least. */
export function words(value: number | null, unit = ""): string {
  if (value === null) return "-";
  const size = Math.abs(value);
  const digits = size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  const text = size > 0 && size < 0.001 ? value.toExponential(1) : grouped(value.toFixed(digits));
  return unit === "" ? text : `${text} ${unit}`;
}

function grouped(text: string): string {
  const [whole = "", rest] = text.split(".");
  const withCommas = whole.replaceAll(/\B(?=(\d{3})+$)/g, ",");
  return rest === undefined ? withCommas : `${withCommas}.${rest}`;
}

/** `1 second`, `3 seconds`. */
export function several(count: number, one: string, many = `${one}s`): string {
  return `${words(count)} ${count === 1 ? one : many}`;
}

/** `99.97 %`; never 100 % of what is less than all, nor 0 % of what is more than none. */
export function percent(share: number): string {
  const value = share * 100;
  const text = value.toFixed(value >= 99 || value < 1 ? 2 : 1);
  if (share < 1 && Number(text) >= 100) return "99.99 %";
  if (share > 0 && Number(text) === 0) return "less than 0.01 %";
  return `${text.replace(/\.0+$/, "")} %`;
}

/** `10 ms`, `45 s`, `3.5 min`, `2 h`, `12 d`. */
export function span(seconds: number): string {
  if (seconds < 1) return `${words(rounded(seconds * 1_000, 3))} ms`;
  if (seconds < 120) return `${words(rounded(seconds, 3))} s`;
  if (seconds < 7_200) return `${words(rounded(seconds / 60, 3))} min`;
  return seconds < 172_800 ? `${words(rounded(seconds / 3_600, 3))} h` : `${words(rounded(seconds / 86_400, 3))} d`;
}

/** A probability in words. */
export function probability(p: number): string {
  return p < 0.0001 ? "p < 0.0001" : `p = ${rounded(p, 2)}`;
}
