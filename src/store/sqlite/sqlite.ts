// The embedded store: one SQLite file in WAL mode with synchronous=FULL, so a commit is on the disk before it is answered.
// Opens it and starts its threads.
//
//     schema, settings    what is in the file, and for how long     reading, sizes      calls, synchronous inside, each short
//     housekeeper         a thread: log and expiry                  threaded-writing    calls, done by writing-thread (writing)
//     packing             how a flush is cut into rows              statements, errors, durable, thread, turn    what these share

import { Database } from "bun:sqlite";
import { existsSync, realpathSync, rmSync } from "node:fs";
import { stat, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { FINAL_AFTER_MS } from "../../config.ts";
import { settlesWithin } from "../../deadline.ts";
import { messageOf, Reto3Error } from "../../errors.ts";
import type { OpenOptions, Retention, Store, StoreGauges } from "../store.ts";
import type { Housekeeping, HousekeeperMessage } from "./housekeeper.ts";
import { reading } from "./reading.ts";
import { makeDurable, WAL_FILE_BYTES_MAX } from "./durable.ts";
import { ensureSchema, SCHEMA_MAJOR } from "./schema.ts";
import { changeRetention, KEPT_FOR_GOOD, readRetention } from "./settings.ts";
import { sizesOf } from "./sizes.ts";
import { Statements } from "./statements.ts";
import { lastWords, startThread } from "./thread.ts";
import { noWriting, threadedWriting } from "./threaded-writing.ts";

/** While it opens nothing waits for the event loop: another process may be adding the same tables. */
const OPEN_BUSY_TIMEOUT_MS = 2_000;

/** Longer waits for another process's lock are the writer's retries. */
const BUSY_TIMEOUT_MS = 100;

/** The housekeeper's last pass or step may take this long; after it the log is left for the next start. */
const HOUSEKEEPER_CLOSE_MS = 2_000;

/** Opens or creates `file`. Throws STORE_OPEN with a hint when it cannot be used. */
export function openSqlite(file: string, options: OpenOptions): Store {
  const { mode, rawLayout = "packed", log = () => {} } = options;
  const scratch = mode === "scratch";
  // A name that nobody has: what is erased at the end was made here.
  const path = scratch ? `${file}.scratch-${crypto.randomUUID().slice(0, 8)}` : file;
  const location = `sqlite:${path}`;
  if ((mode === "read" || mode === "write") && !existsSync(path)) {
    throw new Reto3Error("STORE_OPEN", `store ${location}: there is no such file`, {
      hint: `start 'reto3 serve --store ${location}' first, or name the right file with --store`,
    });
  }
  const { db, minor, retention } = openDatabase(path, location, options);
  const task = { file: path, expires: mode === "serve", walFileBytesMax: WAL_FILE_BYTES_MAX };
  const housekeeper = mode === "read" ? undefined : startHousekeeper(task, log);
  const statements = new Statements(db);
  const opening = { file: path, busyTimeoutMs: BUSY_TIMEOUT_MS };
  const writing = mode === "read" ? noWriting() : threadedWriting(opening, rawLayout);
  return {
    info: {
      location,
      identity: realpathSync(path),
      durability:
        "on this machine's disk (SQLite, synced at each commit); it survives a killed process and a power cut",
      synced: true,
      warnings: [],
      schema: `${SCHEMA_MAJOR}.${minor}`,
      retention,
      settleAfterMs: FINAL_AFTER_MS,
    },
    ...writing,
    ...reading(db, statements),
    sizes: (which) => sizesOf(db, statements, which),
    gauges: () => gaugesOf(path),
    async close() {
      await writing.close();
      await housekeeper?.close();
      statements.finalize();
      db.close();
      if (scratch) removeFiles(path);
    },
  };
}

/** `retention` is what is in force now; serve puts its own in force, and nothing expires in a store for measurements. */
function openDatabase(
  path: string,
  location: string,
  { mode, retention: change = {}, log = () => {} }: OpenOptions,
): { db: Database; minor: number; retention: Retention } {
  let db: Database | undefined;
  try {
    const creates = mode === "serve" || mode === "scratch";
    db = new Database(path, { readwrite: true, create: creates, strict: true });
    db.run(`PRAGMA busy_timeout = ${OPEN_BUSY_TIMEOUT_MS}`);
    if (mode !== "read") {
      const journal = db.query<{ journal_mode: string }, []>("PRAGMA journal_mode = WAL").get()?.journal_mode;
      if (journal !== "wal") throw new Error(`no write-ahead log can be kept there (journal_mode is ${journal})`);
      makeDurable(db);
    }
    const minor = ensureSchema(db, location, mode);
    let retention = minor === 0 ? KEPT_FOR_GOOD : readRetention(db);
    if (mode === "serve") retention = changeRetention(db, change, log);
    if (mode === "read") db.run("PRAGMA query_only = ON");
    db.run(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
    return { db, minor, retention };
  } catch (error) {
    db?.close();
    if (error instanceof Reto3Error) throw error;
    throw new Reto3Error("STORE_OPEN", `store ${location}: cannot be opened: ${messageOf(error)}`, {
      hint: "check that the folder exists, that it can be written to, and that the file is one of reto3's",
      cause: error,
    });
  }
}

function startHousekeeper(task: Housekeeping, log: (line: string) => void): { close(): Promise<void> } {
  const worker = startThread("housekeeper.ts");
  const closed = Promise.withResolvers<void>();
  worker.addEventListener("message", ({ data }: MessageEvent<HousekeeperMessage>) => {
    if (data === "closed") closed.resolve();
    else log(`the store's housekeeping failed and is tried again every second: ${data.problem}`);
  });
  worker.addEventListener("error", (event) => {
    log(`the store's housekeeping has ended, nothing expires any more: ${lastWords(event)}`);
    closed.resolve();
  });
  worker.postMessage(task);
  return {
    async close() {
      worker.postMessage("close");
      await settlesWithin(closed.promise, HOUSEKEEPER_CLOSE_MS);
      worker.terminate();
    },
  };
}

async function gaugesOf(path: string): Promise<StoreGauges> {
  const [log, disk] = await Promise.allSettled([stat(`${path}-wal`), statfs(dirname(path))]);
  return {
    logBytes: log.status === "fulfilled" ? log.value.size : null,
    diskFreeBytes: disk.status === "fulfilled" ? disk.value.bavail * disk.value.bsize : null,
  };
}

function removeFiles(path: string): void {
  for (const suffix of ["", "-wal", "-shm"]) rmSync(path + suffix, { force: true });
}
