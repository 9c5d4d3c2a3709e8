// The embedded store: one SQLite file in WAL mode with synchronous=FULL, so a commit is on the disk before it is answered.
// The only place with the file's SQL (its tables: schema.ts). All calls are synchronous inside; each is short.

import { Database, SQLiteError, type SQLQueryBindings } from "bun:sqlite";
import { existsSync, rmSync } from "node:fs";
import { settlesWithin } from "../../deadline.ts";
import { messageOf, Reto3Error, type ErrorCode } from "../../errors.ts";
import { bucketStartUs, HOUR_US } from "../../period.ts";
import type { Claim, CountLevel, CountRow, EventRow, Flush, OpenOptions, Partition, Store } from "../store.ts";
import { ensureSchema } from "./schema.ts";

/** Longer waits for another process's lock would stop the event loop; the writer's retries do the waiting. */
const BUSY_TIMEOUT_MS = 100;

/** If the checkpointer ever falls so far behind (64 MB), a commit does its work after all. */
const WAL_PAGES_MAX = 16_000;

/** The log file is cut back to this after a burst. */
const WAL_FILE_BYTES_MAX = 64 * 1024 * 1024;

const PAGE_ROWS = 5_000;

/** The checkpointer's last pass may take this long; after it the log is left for the next start. */
const CHECKPOINTER_CLOSE_MS = 2_000;

/** Opens or creates `file`. Throws STORE_OPEN with a hint when it cannot be used. */
export function openSqlite(file: string, options: OpenOptions): Store {
  const scratch = options.mode === "scratch";
  // A name that nobody has: what is erased at the end was made here.
  const path = scratch ? `${file}.scratch-${crypto.randomUUID().slice(0, 8)}` : file;
  const location = `sqlite:${path}`;
  if (options.mode === "read" && !existsSync(path)) {
    throw new Reto3Error("STORE_OPEN", `store ${location}: there is no such file`, {
      hint: `start 'reto3 serve --store ${location}' first, or name the right file with --store`,
    });
  }
  const db = openDatabase(path, location, options.mode);
  const checkpointer = options.mode === "read" ? undefined : startCheckpointer(path);
  const { finalize, ...calls } = operations(db);
  return {
    info: {
      location,
      durability:
        "on this machine's disk (SQLite, synced at each commit); it survives a killed process and a power cut",
      warnings: [],
    },
    ...calls,
    async close() {
      await checkpointer?.close();
      finalize();
      db.close();
      if (scratch) removeFiles(path);
    },
  };
}

function openDatabase(path: string, location: string, mode: OpenOptions["mode"]): Database {
  try {
    const db = new Database(path, { readwrite: true, create: mode !== "read", strict: true });
    db.run(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
    if (mode !== "read") {
      const journal = db.query<{ journal_mode: string }, []>("PRAGMA journal_mode = WAL").get()?.journal_mode;
      if (journal !== "wal") throw new Error(`no write-ahead log can be kept there (journal_mode is ${journal})`);
      db.run("PRAGMA synchronous = FULL");
      db.run("PRAGMA fullfsync = ON");
      db.run(`PRAGMA wal_autocheckpoint = ${WAL_PAGES_MAX}`);
      db.run(`PRAGMA journal_size_limit = ${WAL_FILE_BYTES_MAX}`);
    }
    ensureSchema(db, location, mode !== "read");
    if (mode === "read") db.run("PRAGMA query_only = ON");
    return db;
  } catch (error) {
    if (error instanceof Reto3Error) throw error;
    throw new Reto3Error("STORE_OPEN", `store ${location}: cannot be opened: ${messageOf(error)}`, {
      hint: "check that the folder exists, that it can be written to, and that the file is one of reto3's",
      cause: error,
    });
  }
}

/** In the executable the worker is an entry point named from the build's root; in the sources it lies beside this file. */
function startCheckpointer(file: string): { close(): Promise<void> } {
  const compiled = import.meta.url.includes("$bunfs");
  const worker = new Worker(
    compiled ? "./src/store/sqlite/checkpointer.ts" : new URL("./checkpointer.ts", import.meta.url).href,
  );
  worker.unref();
  worker.postMessage({ file });
  return {
    async close() {
      const closed = Promise.withResolvers<void>();
      worker.addEventListener("message", () => closed.resolve());
      worker.addEventListener("error", () => closed.resolve());
      worker.postMessage("close");
      await settlesWithin(closed.promise, CHECKPOINTER_CLOSE_MS);
      worker.terminate();
    },
  };
}

const COUNT_COLUMNS =
  "bucket_us AS bucketUs, events, lag_sum_us AS lagSumUs, lag_min_us AS lagMinUs, lag_max_us AS lagMaxUs";

function operations(db: Database): Omit<Store, "info" | "close"> & { finalize: () => void } {
  const run = {
    event: db.prepare("INSERT OR REPLACE INTO events VALUES (?, ?, ?, ?, ?)"),
    "10ms": db.prepare("INSERT OR REPLACE INTO counts_10ms VALUES (?, ?, ?, ?, ?, ?, ?)"),
    "1s": db.prepare("INSERT OR REPLACE INTO counts_1s VALUES (?, ?, ?, ?, ?, ?, ?, ?)"),
    "1m": db.prepare("INSERT OR REPLACE INTO counts_1m VALUES (?, ?, ?, ?, ?, ?, ?, ?)"),
    claim: db.prepare("INSERT INTO claims VALUES (?, ?, ?, NULL) ON CONFLICT DO NOTHING"),
    seal: db.prepare("INSERT OR REPLACE INTO claims VALUES (?, ?, ?, ?)"),
    newWriter: db.prepare("INSERT INTO writers (uuid) VALUES (?) ON CONFLICT DO NOTHING"),
  };
  const get = {
    writer: db.query<{ id: number }, [string]>("SELECT id FROM writers WHERE uuid = ?"),
    "10ms": countsQuery(db, "10ms"),
    "1s": countsQuery(db, "1s"),
    "1m": countsQuery(db, "1m"),
    // As text, because a number would round what lies beyond 2^53.
    events: db.query<{ seq: number; created: string; receivedUs: number }, [number, number, number]>(
      `SELECT seq, CAST(created_us AS TEXT) AS created, received_us AS receivedUs FROM events
       WHERE minute = ? AND writer = ? AND seq > ? ORDER BY seq LIMIT ${PAGE_ROWS}`,
    ),
    claims: db.query<Claim & { id: number }, [number, number, number, number, number]>(
      `SELECT minute AS minuteUs, claims.writer AS id, uuid AS writer, sealed_events AS sealedEvents
       FROM claims JOIN writers ON writers.id = claims.writer
       WHERE (hour, minute, claims.writer) > (?, ?, ?) AND hour <= ? AND minute < ?
       ORDER BY hour, minute, claims.writer LIMIT ${PAGE_ROWS}`,
    ),
  };
  const writerId = (uuid: string) => get.writer.get(uuid)?.id;
  const ensureWriterId = (uuid: string) => {
    const known = writerId(uuid);
    if (known !== undefined) return known;
    run.newWriter.run(uuid);
    return writerId(uuid) ?? 0;
  };

  const write = db.transaction((flush: Flush) => {
    const writer = ensureWriterId(flush.writer);
    flush.receivedUs.forEach((receivedUs, at) => {
      run.event.run(flush.minuteUs, writer, flush.firstSeq + at, flush.createdUs[at] ?? 0n, receivedUs);
    });
    for (const level of ["10ms", "1s", "1m"] as const) {
      for (const row of flush.counts[level]) run[level].run(...countValues(flush.minuteUs, writer, row));
    }
  });
  const claim = db.transaction(({ minuteUs, writer }: Partition) => {
    run.claim.run(bucketStartUs(minuteUs, HOUR_US), minuteUs, ensureWriterId(writer));
  });
  const seal = db.transaction(({ minuteUs, writer }: Partition, events: number) => {
    run.seal.run(bucketStartUs(minuteUs, HOUR_US), minuteUs, ensureWriterId(writer), events);
  });

  return {
    async write(flush) {
      attempt(() => write.immediate(flush));
    },
    async claim(partition) {
      attempt(() => claim.immediate(partition));
    },
    async seal(partition, events) {
      attempt(() => seal.immediate(partition, events));
    },
    async *claims(fromUs, toUs) {
      let after = { hourUs: bucketStartUs(fromUs, HOUR_US), minuteUs: fromUs, id: -1 };
      for (;;) {
        const page = attempt(() => get.claims.all(after.hourUs, after.minuteUs, after.id, toUs, toUs));
        yield page.map(({ minuteUs, writer, sealedEvents }) => ({ minuteUs, writer, sealedEvents }));
        const last = page.at(-1);
        if (!last || page.length < PAGE_ROWS) return;
        after = { hourUs: bucketStartUs(last.minuteUs, HOUR_US), minuteUs: last.minuteUs, id: last.id };
      }
    },
    async counts({ minuteUs, writer }, level, fromUs, toUs) {
      return attempt(() => get[level].all(minuteUs, writerId(writer) ?? -1, fromUs, toUs));
    },
    async *events({ minuteUs, writer }) {
      const id = attempt(() => writerId(writer)) ?? -1;
      let after = -1;
      for (;;) {
        const seen = after;
        const page = attempt(() => get.events.all(minuteUs, id, seen));
        if (page.length === 0) return;
        yield page.map(({ seq, created, receivedUs }): EventRow => ({ seq, createdUs: BigInt(created), receivedUs }));
        after = page.at(-1)?.seq ?? after;
      }
    },
    async ping() {
      attempt(() => get.writer.get(""));
    },
    async clockOffsetUs() {
      return null;
    },
    /** SQLite ends a handle, and tidies up its log, only when no statement is left. */
    finalize() {
      for (const statement of [...Object.values(run), ...Object.values(get)]) statement.finalize();
    },
  };
}

function countsQuery(db: Database, level: CountLevel) {
  const lagHist = level === "10ms" ? "NULL AS lagHist" : "lag_hist AS lagHist";
  return db.query<CountRow, [number, number, number, number]>(
    `SELECT ${COUNT_COLUMNS}, ${lagHist} FROM counts_${level}
     WHERE minute = ? AND writer = ? AND bucket_us >= ? AND bucket_us < ? ORDER BY bucket_us`,
  );
}

function countValues(minuteUs: number, writer: number, row: CountRow): SQLQueryBindings[] {
  const values = [minuteUs, writer, row.bucketUs, row.events, row.lagSumUs, row.lagMinUs, row.lagMaxUs];
  return row.lagHist ? [...values, row.lagHist] : values;
}

/** Errors that pass by themselves, and errors that never do. Codes: https://sqlite.org/rescode.html */
const PASSING = /^SQLITE_(BUSY|LOCKED|FULL|NOMEM|CANTOPEN)/;
const FOR_GOOD = /^SQLITE_(READONLY|CORRUPT|NOTADB|SCHEMA|CONSTRAINT|MISMATCH|TOOBIG|AUTH|MISUSE|RANGE|ERROR|PERM)/;

/** Runs `action` and classifies what it throws. A transaction that throws is rolled back: nothing of it is visible. */
function attempt<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new Reto3Error(codeOf(error), `SQLite: ${messageOf(error)}`, { cause: error });
  }
}

function codeOf(error: unknown): ErrorCode {
  // Not from SQLite, so from the binding of values: the same values will fail again.
  if (!(error instanceof SQLiteError)) return "STORE_REFUSED";
  const code = error.code ?? "";
  if (PASSING.test(code)) return "STORE_UNAVAILABLE";
  return FOR_GOOD.test(code) ? "STORE_REFUSED" : "STORE_UNKNOWN";
}

function removeFiles(path: string): void {
  for (const suffix of ["", "-wal", "-shm"]) rmSync(path + suffix, { force: true });
}
