// The embedded store's file: its tables, its version, and how a file is recognised as one of ours.
// May touch a database handle; knows nothing of flushes.
//
//     user_version         the major version: another one is refused
//     'schema_minor'       the minor version, a setting: a higher one only has tables that we do not know.
//                          0.1.0 wrote no settings; its files are 1.0, and it goes on working beside us on a 1.2.

import type { Database } from "bun:sqlite";
import { DEFAULT_RETENTION } from "../../config.ts";
import { Reto3Error } from "../../errors.ts";
import type { OpenOptions } from "../store.ts";
import { writeRetention } from "./settings.ts";

/** "RTO3" in SQLite's header field for the application's own number. */
const APPLICATION_ID = 0x52_54_4f_33;
export const SCHEMA_MAJOR = 1;
const SCHEMA_MINOR = 2;

/** The writer's UUID is stored once; the rows carry a small number. Times are microseconds since 1970 UTC. */
const TABLES = `
  CREATE TABLE writers (id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE events (
    minute INTEGER NOT NULL, writer INTEGER NOT NULL, seq INTEGER NOT NULL,
    created_us INTEGER NOT NULL, received_us INTEGER NOT NULL,
    PRIMARY KEY (minute, writer, seq)) STRICT, WITHOUT ROWID;
  CREATE TABLE counts_10ms (
    minute INTEGER NOT NULL, writer INTEGER NOT NULL, bucket_us INTEGER NOT NULL, events INTEGER NOT NULL,
    lag_sum_us INTEGER NOT NULL, lag_min_us INTEGER NOT NULL, lag_max_us INTEGER NOT NULL,
    PRIMARY KEY (minute, writer, bucket_us)) STRICT, WITHOUT ROWID;
  CREATE TABLE counts_1s (
    minute INTEGER NOT NULL, writer INTEGER NOT NULL, bucket_us INTEGER NOT NULL, events INTEGER NOT NULL,
    lag_sum_us INTEGER NOT NULL, lag_min_us INTEGER NOT NULL, lag_max_us INTEGER NOT NULL, lag_hist BLOB NOT NULL,
    PRIMARY KEY (minute, writer, bucket_us)) STRICT, WITHOUT ROWID;
  CREATE TABLE counts_1m (
    minute INTEGER NOT NULL, writer INTEGER NOT NULL, bucket_us INTEGER NOT NULL, events INTEGER NOT NULL,
    lag_sum_us INTEGER NOT NULL, lag_min_us INTEGER NOT NULL, lag_max_us INTEGER NOT NULL, lag_hist BLOB NOT NULL,
    PRIMARY KEY (minute, writer, bucket_us)) STRICT, WITHOUT ROWID;
  CREATE TABLE claims (
    hour INTEGER NOT NULL, minute INTEGER NOT NULL, writer INTEGER NOT NULL, sealed_events INTEGER,
    PRIMARY KEY (hour, minute, writer)) STRICT, WITHOUT ROWID;
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_MAJOR};
`;

/** What minor version 1 adds. A cell is as merged-cell.ts says; a setting is null where it means "for good". */
const TABLES_OF_MINOR_1 = `
  CREATE TABLE IF NOT EXISTS merged_1s (
    minute INTEGER PRIMARY KEY, written_at_us INTEGER NOT NULL, cell BLOB NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS merged_1m (
    minute INTEGER PRIMARY KEY, written_at_us INTEGER NOT NULL, cell BLOB NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value INTEGER) STRICT;
`;

/** What minor version 2 adds: the raw events of a flush in one row (event-batch.ts), `seq` being that of the first. */
const TABLES_OF_MINOR_2 = `
  CREATE TABLE IF NOT EXISTS event_batches (
    minute INTEGER NOT NULL, writer INTEGER NOT NULL, seq INTEGER NOT NULL, events INTEGER NOT NULL, cell BLOB NOT NULL,
    PRIMARY KEY (minute, writer, seq)) STRICT, WITHOUT ROWID;
`;

/**
 * Makes the file one of this version, unless `mode` says that nothing may change, and returns its minor version. Throws
 * STORE_OPEN for a file that is not ours, of another major version, or empty where the store must exist.
 */
export function ensureSchema(db: Database, location: string, mode: OpenOptions["mode"]): number {
  const found = minorOf(db, location);
  if (found === null && (mode === "read" || mode === "write")) {
    throw new Reto3Error("STORE_OPEN", `store ${location}: the file is empty`, {
      hint: `start 'reto3 serve --store ${location}' first`,
    });
  }
  if (mode === "read" || (found ?? -1) >= SCHEMA_MINOR) return found ?? 0;
  // Another process may add the tables at the same time: look again under the lock.
  db.transaction(() => {
    const minor = minorOf(db, location);
    if (minor === null) db.run(TABLES);
    if ((minor ?? -1) >= SCHEMA_MINOR) return;
    db.run(TABLES_OF_MINOR_1);
    db.run(TABLES_OF_MINOR_2);
    db.run("INSERT OR REPLACE INTO settings VALUES ('schema_minor', ?)", [SCHEMA_MINOR]);
    if (minor === null && mode === "serve") writeRetention(db, DEFAULT_RETENTION);
  }).immediate();
  return minorOf(db, location) ?? 0;
}

/** Null for an empty file. */
function minorOf(db: Database, location: string): number | null {
  if (numberOf(db, "SELECT count(*) FROM sqlite_schema") === 0) return null;
  if (numberOf(db, "PRAGMA application_id") !== APPLICATION_ID) {
    throw new Reto3Error("STORE_OPEN", `store ${location}: this is a SQLite database, but not one of reto3's`, {
      hint: "name another file: --store sqlite:OTHER.db",
    });
  }
  const major = numberOf(db, "PRAGMA user_version");
  if (major !== SCHEMA_MAJOR) {
    throw new Reto3Error("STORE_OPEN", `store ${location}: its schema has version ${major}, want ${SCHEMA_MAJOR}`, {
      hint: "use the reto3 that wrote it, or name another file",
    });
  }
  if (!hasTable(db, "settings")) return 0;
  return numberOf(db, "SELECT value FROM settings WHERE name = 'schema_minor'");
}

export function hasTable(db: Database, name: string): boolean {
  using statement = db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?");
  return statement.get(name) !== null;
}

function numberOf(db: Database, sql: string): number {
  using statement = db.prepare<Record<string, number>, []>(sql);
  return Object.values(statement.get() ?? {})[0] ?? 0;
}
