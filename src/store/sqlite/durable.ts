// What makes a commit through a handle durable, and keeps checkpoints out of it. Each handle that commits has to be told.

import type { Database } from "bun:sqlite";

/** If the housekeeper ever falls so far behind (64 MB), a commit does its work after all. */
const WAL_PAGES_MAX = 16_000;

/** The log file is cut back to this after a burst. */
export const WAL_FILE_BYTES_MAX = 64 * 1024 * 1024;

export function makeDurable(db: Database): void {
  db.run("PRAGMA synchronous = FULL");
  db.run("PRAGMA fullfsync = ON");
  db.run(`PRAGMA wal_autocheckpoint = ${WAL_PAGES_MAX}`);
  db.run(`PRAGMA journal_size_limit = ${WAL_FILE_BYTES_MAX}`);
}
