// How long a store keeps what, in words; the same in serve and store.

import type { Retention } from "../src/store/store.ts";
import { formatBytes, formatDurationMs } from "../src/units.ts";

export function formatLifetime(seconds: number | null): string {
  return seconds === null ? "for good" : formatDurationMs(seconds * 1_000);
}

export function describeRetention(retention: Retention, keep: "events" | "summary"): string {
  const { events, rawBytesMax } = retention;
  const limit = rawBytesMax === null ? "" : `, ${formatBytes(rawBytesMax)} at most`;
  const raw = keep === "summary" ? "no raw events" : `raw events ${formatLifetime(events)}${limit}`;
  const counts = (["10ms", "1s", "1m"] as const).map((level) => `${level} counts ${formatLifetime(retention[level])}`);
  return [raw, ...counts].join(", ");
}
