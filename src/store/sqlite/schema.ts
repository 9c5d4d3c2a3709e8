// The embedded store's file: its tables, its version, and how a file is recognised as one of ours.
// May touch a database handle; knows nothing of flushes.

import type { Database } from "bun:sqlite";
import { Reto3Error } from "../../errors.ts";

/** "RTO3" in SQLite's header field for the application's own number. */
const APPLICATION_ID = 0x52_54_4f_33;
const SCHEMA_VERSION = 1;

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
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

/** Creates the tables in an empty file (if `create`); throws STORE_OPEN for a file that is not ours or of another version. */
export function ensureSchema(db: Database, location: string, create: boolean): void {
  const check = () => {
    if (numberOf(db, "SELECT count(*) AS value FROM sqlite_schema") === 0) return "empty" as const;
    if (numberOf(db, "PRAGMA application_id") !== APPLICATION_ID) {
      throw new Reto3Error("STORE_OPEN", `store ${location}: this is a SQLite database, but not one of reto3's`, {
        hint: "name another file: --store sqlite:OTHER.db",
      });
    }
    const version = numberOf(db, "PRAGMA user_version");
    if (version !== SCHEMA_VERSION) {
      throw new Reto3Error(
        "STORE_OPEN",
        `store ${location}: its schema has version ${version}, want ${SCHEMA_VERSION}`,
        {
          hint: "use the reto3 that wrote it, or name another file",
        },
      );
    }
    return "ours" as const;
  };
  if (check() === "ours") return;
  if (!create) {
    throw new Reto3Error("STORE_OPEN", `store ${location}: the file is empty`, {
      hint: `start 'reto3 serve --store ${location}' first`,
    });
  }
  // Another process may create the tables at the same time: look again under the lock.
  db.transaction(() => {
    if (check() === "empty") db.run(TABLES);
  }).immediate();
}

function numberOf(db: Database, sql: string): number {
  const row = db.query<Record<string, number>, []>(sql).get();
  return Object.values(row ?? {})[0] ?? 0;
}
