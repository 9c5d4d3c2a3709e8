// The store's calls that change it, done by the writing thread one after another. Knows messages, no SQL.

import { settlesWithin } from "../../deadline.ts";
import { Reto3Error } from "../../errors.ts";
import { encodeEvents } from "../event-batch.ts";
import type { RawLayout, Store } from "../store.ts";
import { startThread } from "./thread.ts";
import type { Answer, Call, Opening } from "./writing-thread.ts";

/** A row of so many stays below the 1,000 bytes from which SQLite gives a row pages of its own (payload in an index b-tree: https://sqlite.org/fileformat.html). */
const BATCH_EVENTS_MAX = 200;

/** What was asked before may take this long to end. */
const CLOSE_MS = 5_000;

export interface ThreadedWriting extends Pick<Store, "write" | "claim" | "seal" | "merge"> {
  close(): Promise<void>;
}

export function threadedWriting(opening: Opening, rawLayout: RawLayout): ThreadedWriting {
  let thread: Worker | undefined;
  /** Answers come in the order of the questions. */
  let waiting: PromiseWithResolvers<void>[] = [];

  function start(): Worker {
    const started = startThread("writing-thread.ts");
    started.addEventListener("message", ({ data }: MessageEvent<Answer>) => {
      const asked = waiting.shift();
      // While somebody waits, the process must not end.
      if (waiting.length === 0) started.unref();
      if (data) asked?.reject(new Reto3Error(data.code, data.message));
      else asked?.resolve();
    });
    started.addEventListener("error", ({ message }) => {
      // Whether it has committed nobody knows; the next call starts another thread.
      thread = undefined;
      const error = new Reto3Error("STORE_UNKNOWN", `SQLite: the writing thread has ended: ${message}`);
      for (const asked of waiting.splice(0)) asked.reject(error);
    });
    return started;
  }

  function ask(message: Opening | Call | "close"): Promise<void> {
    if (!thread) {
      thread = start();
      // If it fails, so does the call behind it, and says so.
      if (message !== opening) ask(opening).catch(() => {});
    }
    const asked = Promise.withResolvers<void>();
    waiting.push(asked);
    thread.ref();
    thread.postMessage(message);
    return asked.promise;
  }

  return {
    write(flush) {
      if (rawLayout === "rows") return ask(["write", flush]);
      const { minuteUs, writer, firstSeq, counts } = flush;
      const batches = [];
      for (let from = 0; from < flush.receivedUs.length; from += BATCH_EVENTS_MAX) {
        const to = Math.min(from + BATCH_EVENTS_MAX, flush.receivedUs.length);
        batches.push({ seq: firstSeq + from, events: to - from, cell: encodeEvents(flush, from, to) });
      }
      return ask(["writePacked", { minuteUs, writer, counts, batches }]);
    },
    claim: (partition) => ask(["claim", partition]),
    seal: (partition, events) => ask(["seal", partition, events]),
    merge: (level, minute, writtenAtUs) => ask(["merge", level, minute, writtenAtUs]),
    async close() {
      if (!thread) return;
      await settlesWithin(ask("close"), CLOSE_MS).catch(() => false);
      thread?.terminate();
    },
  };
}

/** For a store that is only read. */
export function noWriting(): ThreadedWriting {
  const refuse = async () => {
    throw new Reto3Error("STORE_REFUSED", "SQLite: the store was opened for reading");
  };
  return { write: refuse, claim: refuse, seal: refuse, merge: refuse, async close() {} };
}
