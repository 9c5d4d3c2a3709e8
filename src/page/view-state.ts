// What is looked at, as the query of the page's address, so that it can be sent to somebody. Pure.
//
//     ?last=15m&tz=utc                         follows now
//     ?from=2026-11-26T02:00:00.000Z&to=2026-11-26T02:00:10.000Z&tz=local&view=history
//
// `view` names the charts that are shown as tables; `view=table` all of them. What is left out is at its default.

import { formatDurationMs, formatIso, parseDurationMs, parseInstantUs } from "../units.ts";
import { SPAN_MAX_MS, SPAN_MIN_MS, type Range } from "./span.ts";
import type { Zone } from "./zone.ts";

export const CHARTS = ["rate", "recent", "history"] as const;
export type ChartName = (typeof CHARTS)[number];

export interface ViewState {
  /** The last so many milliseconds, or a range that stays. */
  range: { lastMs: number } | Range;
  /** Null: nobody has said. */
  zone: Zone | null;
  tables: ReadonlySet<ChartName>;
}

export const DEFAULT_LAST_MS = 3_600_000;

/** What is not understood is at its default: an old link still shows something. */
export function parseView(search: string): ViewState {
  const query = new URLSearchParams(search);
  const zone = query.get("tz");
  const names = query.get("view") === "table" ? CHARTS : (query.get("view") ?? "").split(",");
  return {
    range: parseRange(query),
    zone: zone === "utc" || zone === "local" ? zone : null,
    tables: new Set(CHARTS.filter((name) => names.includes(name))),
  };
}

export function formatView({ range, zone, tables }: ViewState): string {
  const query: string[] = [];
  if (!("lastMs" in range))
    query.push(`from=${formatIso(range.fromMs * 1_000)}`, `to=${formatIso(range.toMs * 1_000)}`);
  else if (range.lastMs !== DEFAULT_LAST_MS) query.push(`last=${formatDurationMs(range.lastMs)}`);
  if (zone) query.push(`tz=${zone}`);
  if (tables.size > 0) query.push(`view=${tables.size === CHARTS.length ? "table" : [...tables].join(",")}`);
  return query.length === 0 ? "" : `?${query.join("&")}`;
}

function parseRange(query: URLSearchParams): ViewState["range"] {
  const fromUs = parseInstantUs(query.get("from") ?? "");
  const toUs = parseInstantUs(query.get("to") ?? "");
  if (fromUs !== undefined && toUs !== undefined && toUs > fromUs && fromUs >= 0) {
    return { fromMs: Math.floor(fromUs / 1_000), toMs: Math.ceil(toUs / 1_000) };
  }
  const lastMs = parseDurationMs(query.get("last") ?? "") ?? DEFAULT_LAST_MS;
  return { lastMs: Math.min(Math.max(lastMs, SPAN_MIN_MS), SPAN_MAX_MS) };
}
