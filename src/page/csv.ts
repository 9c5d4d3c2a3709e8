// Counts as CSV, as the server writes it (src/counts/format.ts): UTC, microseconds, no bucket without events. Pure.

import { formatIso } from "../units.ts";
import type { Row } from "./counts.ts";

const HEADER = "bucket,events,lag_min_us,lag_avg_us,lag_max_us\n";

export function toCsv(rows: readonly Row[]): string {
  const lines = rows.map(({ startMs, events, lagUs }) => {
    const lags = lagUs ? [lagUs.min, lagUs.avg, lagUs.max] : ["", "", ""];
    return `${formatIso(startMs * 1_000)},${events},${lags.join(",")}\n`;
  });
  return HEADER + lines.join("");
}

/** `reto3-1s-20261126T020000Z.csv`. */
export function csvName(period: string, fromMs: number): string {
  return `reto3-${period}-${formatIso(fromMs * 1_000).replace(/[-:]|\.\d+/g, "")}.csv`;
}
