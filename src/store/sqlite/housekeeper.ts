// A thread of its own that does what no flush may wait for: it moves committed pages from the write-ahead log into the
// database file (a commit would do it in the middle of the flush path: 5 to 20 ms), and removes what is due (expiry.ts).
// Its owner sends a Housekeeping, later "close"; it answers "closed", and a Problem in between. An entry point of the build.

import { Database } from "bun:sqlite";
import { messageOf } from "../../errors.ts";
import { isDiskFull, passes } from "./errors.ts";
import { cutEvents, expireDue, RawBudget } from "./expiry.ts";
import { readRetention } from "./settings.ts";
import { Statements } from "./statements.ts";

declare const self: Worker;

export interface Housekeeping {
  file: string;
  expires: boolean;
  /** The log file is cut back to this after a burst. */
  walFileBytesMax: number;
}

export type HousekeeperMessage = "closed" | { problem: string };

const INTERVAL_MS = 1_000;

/** A pass leaves behind what was committed while it ran; a few short ones catch up, and the log can start over. */
const PASSES_MAX = 5;

/** A step may wait this long for a flush that has the lock. */
const BUSY_TIMEOUT_MS = 100;

/**
 * Between two steps the flushes have the lock to themselves: for so long, and for so many times what the step took. That
 * removes some 150,000 rows/s. A round of more than a minute falls behind what becomes due meanwhile: it goes on with
 * the shorter pause, at some 350,000 rows/s.
 */
const STEP_PAUSE_MS = 12;
const HURRIED_PAUSE_MS = 4;
const HURRY_AFTER_MS = 60_000;
const STEP_PAUSE_FACTOR = 3;

let stop = async () => {};

self.addEventListener("message", ({ data }: MessageEvent<Housekeeping | "close">) => {
  if (data === "close") void stop().then(() => tell("closed"));
  else stop = keepHouse(data);
});

function tell(message: HousekeeperMessage): void {
  self.postMessage(message);
}

function keepHouse({ file, expires, walFileBytesMax }: Housekeeping): () => Promise<void> {
  const db = new Database(file, { readwrite: true, create: false, strict: true });
  db.run("PRAGMA fullfsync = ON");
  db.run(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
  // What is removed may come back with a power cut: it will be removed again.
  db.run("PRAGMA synchronous = NORMAL");
  db.run("PRAGMA wal_autocheckpoint = 0");
  db.run(`PRAGMA journal_size_limit = ${walFileBytesMax}`);
  const statements = new Statements(db);
  const budget = new RawBudget(statements);
  const stopping = new AbortController();

  const checkpoint = guarded(() => {
    const passive = statements.get<{ log: number; checkpointed: number }>("PRAGMA wal_checkpoint(PASSIVE)");
    for (let pass = 1; pass <= PASSES_MAX; pass++) {
      const done = passive.get();
      if (!done || done.checkpointed >= done.log) break;
    }
  });
  const expire = guarded(async () => {
    // Read each time: another process may have changed it.
    const retention = readRetention(db);
    const hurryMs = performance.now() + HURRY_AFTER_MS;
    await removeInSteps(expireDue(statements, retention, Date.now() * 1_000), hurryMs);
    for (const [table, last] of await budget.cut(retention.rawBytesMax))
      await removeInSteps(cutEvents(statements, table, last), hurryMs);
  });
  const removeInSteps = async (steps: Generator<number>, hurryMs: number) => {
    let startedMs = performance.now();
    while (!stopping.signal.aborted && !steps.next().done) {
      const endedMs = performance.now();
      const pauseMs = endedMs < hurryMs ? STEP_PAUSE_MS : HURRIED_PAUSE_MS;
      await Bun.sleep(Math.max(pauseMs, STEP_PAUSE_FACTOR * (endedMs - startedMs)));
      startedMs = performance.now();
    }
  };

  let expiring = Promise.resolve();
  let idle = true;
  const timer = setInterval(() => {
    void checkpoint();
    if (!expires || !idle) return;
    idle = false;
    expiring = expire().finally(() => (idle = true));
  }, INTERVAL_MS);
  return async () => {
    stopping.abort();
    clearInterval(timer);
    await expiring;
    statements.finalize();
    db.close();
  };
}

/** What passes by itself is just tried again the next time; of what may not, each is told once. */
function guarded(action: () => void | Promise<void>): () => Promise<void> {
  let problem = "";
  return async () => {
    try {
      await action();
      problem = "";
    } catch (error) {
      // A full disk passes only when somebody makes room: removing rows needs some for the log, too.
      const tells = isDiskFull(error) || !passes(error);
      if (!tells || messageOf(error) === problem) return;
      problem = messageOf(error);
      tell({ problem });
    }
  };
}
