// What the file itself says about how long its rows are kept, so that every process that opens it knows the same.
// A row that is absent was never decided: only files that 0.1.0 made are like that. Absent or null: for good.

import type { Database } from "bun:sqlite";
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
  const stored = settingsOf(db);
  const found = { ...KEPT_FOR_GOOD };
  for (const key of KEYS) found[key] = stored.get(SETTING_NAMES[key]) ?? null;
  return found;
}

/** Sets what `change` names and leaves the rest. */
export function writeRetention(db: Database, change: Partial<Retention>): void {
  using statement = db.prepare("INSERT OR REPLACE INTO settings VALUES (?, ?)");
  for (const key of KEYS) {
    const value = change[key];
    if (value !== undefined) statement.run(SETTING_NAMES[key], value);
  }
}

/** Puts `change` in force, and leaves what it does not name. Says so where nothing was ever decided. */
export function changeRetention(db: Database, change: Partial<Retention>, log: (line: string) => void): Retention {
  if (Object.keys(change).length > 0) db.transaction(() => writeRetention(db, change)).immediate();
  const stored = settingsOf(db);
  if (!KEYS.some((key) => stored.has(SETTING_NAMES[key]))) {
    log("nothing in this file expires: reto3 0.1.0 made it; say how long to keep what with --raw-ttl and --ttl-10ms");
  }
  return readRetention(db);
}

function settingsOf(db: Database): Map<string, number | null> {
  using statement = db.prepare<{ name: string; value: number | null }, []>("SELECT name, value FROM settings");
  return new Map(statement.all().map(({ name, value }) => [name, value]));
}
