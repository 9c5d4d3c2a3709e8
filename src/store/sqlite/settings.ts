// What the file itself says about how long its rows are kept, so that every process that opens it knows the same.
// A row that is absent was never decided: only files that 0.1.0 made are like that. A null was decided: for good.

import type { Database } from "bun:sqlite";
import { DEFAULT_RETENTION } from "../../config.ts";
import { formatDurationMs } from "../../units.ts";
import type { Retention } from "../store.ts";

/** Lifetimes in seconds, the budget in bytes. */
const SETTING_NAMES: Record<keyof Retention, string> = {
  events: "keep_events_s",
  "10ms": "keep_counts_10ms_s",
  "1s": "keep_counts_1s_s",
  "1m": "keep_counts_1m_s",
  rawBytesMax: "raw_bytes_max",
};
const KEYS = Object.keys(SETTING_NAMES) as (keyof Retention)[];

export const KEPT_FOR_GOOD: Retention = { events: null, "10ms": null, "1s": null, "1m": null, rawBytesMax: null };

/** What the settings say; nothing expires by a setting that is absent. */
export function readRetention(db: Database): Retention {
  return { ...KEPT_FOR_GOOD, ...decided(db) };
}

/** Sets what `change` names and leaves the rest. */
export function writeRetention(db: Database, change: Partial<Retention>): void {
  using statement = db.prepare("INSERT OR REPLACE INTO settings VALUES (?, ?)");
  for (const key of KEYS) {
    const value = change[key];
    if (value !== undefined) statement.run(SETTING_NAMES[key], value);
  }
}

/** Puts `change` in force, and the defaults for what was never decided; says so, since what was kept so far may go. */
export function ensureRetention(db: Database, change: Partial<Retention>, log: (line: string) => void): Retention {
  const before = decided(db);
  const wanted = { ...DEFAULT_RETENTION, ...before, ...change };
  if (KEYS.some((key) => before[key] !== wanted[key])) {
    db.transaction(() => writeRetention(db, { ...DEFAULT_RETENTION, ...decided(db), ...change })).immediate();
  }
  const now = readRetention(db);
  if (Object.keys(before).length === 0) {
    log(`the store's file was made by a reto3 that kept everything; from now on it keeps ${described(now)}`);
  }
  return now;
}

function decided(db: Database): Partial<Retention> {
  using statement = db.prepare<{ name: string; value: number | null }, []>("SELECT name, value FROM settings");
  const stored = new Map(statement.all().map(({ name, value }) => [name, value]));
  const found: Partial<Retention> = {};
  for (const key of KEYS) {
    const value = stored.get(SETTING_NAMES[key]);
    if (value !== undefined) found[key] = value;
  }
  return found;
}

function described({ events, "10ms": small, "1s": second, "1m": minute, rawBytesMax }: Retention): string {
  const time = (seconds: number | null) => (seconds === null ? "for good" : `for ${formatDurationMs(seconds * 1_000)}`);
  const budget = rawBytesMax === null ? "" : ` and ${rawBytesMax} bytes of them at most`;
  return (
    `raw events ${time(events)}${budget}, counts per 10 ms ${time(small)}, ` +
    `per second ${time(second)}, per minute ${time(minute)}`
  );
}
