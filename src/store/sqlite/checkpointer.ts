// A thread of its own that moves committed pages from the write-ahead log into the database file, so that no flush waits
// for it. Without this the log would be checkpointed by a commit, in the middle of the flush path (5 to 20 ms).
// Its owner sends { file }, later "close"; it answers "closed". An entry point of the build; imports nothing of the project.

import { Database } from "bun:sqlite";

declare const self: Worker;

const INTERVAL_MS = 1_000;

/** A pass leaves behind what was committed while it ran; a few short ones catch up, and the log can start over. */
const PASSES_MAX = 5;

let stop = () => {};

self.addEventListener("message", ({ data }: MessageEvent<{ file: string } | "close">) => {
  if (data !== "close") {
    stop = checkpointEverySecond(data.file);
    return;
  }
  stop();
  self.postMessage("closed");
});

function checkpointEverySecond(file: string): () => void {
  const db = new Database(file, { readwrite: true, create: false });
  db.run("PRAGMA fullfsync = ON");
  const passive = db.query<{ log: number; checkpointed: number }, []>("PRAGMA wal_checkpoint(PASSIVE)");
  const timer = setInterval(() => {
    try {
      for (let pass = 1; pass <= PASSES_MAX; pass++) {
        const done = passive.get();
        if (!done || done.checkpointed >= done.log) break;
      }
    } catch {
      // The disk is full, or another process has the lock: the log only grows meanwhile; the next turn tries again.
    }
  }, INTERVAL_MS);
  return () => {
    clearInterval(timer);
    passive.finalize();
    db.close();
  };
}
