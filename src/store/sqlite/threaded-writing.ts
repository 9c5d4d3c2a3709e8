// The store's calls that change it, done by the writing thread one after another. Knows messages, no SQL.

import { settlesWithin } from "../../deadline.ts";
import { Reto3Error } from "../../errors.ts";
import type { RawLayout, Store } from "../store.ts";
import { attempt } from "./errors.ts";
import { packed } from "./packing.ts";
import { lastWords, startThread } from "./thread.ts";
import type { Answer, Call, Opening } from "./writing-thread.ts";

/**
 * On a disk that hangs a sync never ends. The same again waits behind it, and changes nothing if it was done after all. What
 * the thread comes to later than this it leaves undone: a flush that was given up must not come when its minute is settled.
 */
const ANSWER_MAX_MS = 20_000;

/** What was asked before may take this long to end. */
const CLOSE_MS = 5_000;

export interface ThreadedWriting extends Pick<Store, "write" | "claim" | "seal" | "merge"> {
  close(): Promise<void>;
}

interface Thread {
  worker: Worker;
  tasks: bigint;
  /** The number of the last task that was given up: a clock that both threads see can be set. */
  givenUp: BigInt64Array;
  /** Answers come in the order of the questions. */
  waiting: PromiseWithResolvers<void>[];
}

export function threadedWriting(
  file: Omit<Opening, "givenUp">,
  rawLayout: RawLayout,
  answerMaxMs = ANSWER_MAX_MS,
): ThreadedWriting {
  let thread: Thread | undefined;
  let isClosed = false;

  function start(): Thread {
    const worker = startThread("writing-thread.ts");
    const waiting: Thread["waiting"] = [];
    const end = (why: string) => {
      // Whether it has committed nobody knows; the next call starts another thread.
      if (thread?.worker === worker) thread = undefined;
      const error = new Reto3Error("STORE_UNKNOWN", `SQLite: the writing thread has ended${why}`);
      for (const asked of waiting.splice(0)) asked.reject(error);
    };
    worker.addEventListener("message", ({ data }: MessageEvent<Answer>) => {
      const asked = waiting.shift();
      // While somebody waits, the process must not end.
      if (waiting.length === 0) worker.unref();
      if (data) asked?.reject(new Reto3Error(data.code, data.message));
      else asked?.resolve();
    });
    worker.addEventListener("error", (event) => end(`: ${lastWords(event)}`));
    worker.addEventListener("close", () => end(""));
    const givenUp = new BigInt64Array(new SharedArrayBuffer(8));
    worker.postMessage({ ...file, givenUp } satisfies Opening);
    return { worker, tasks: 0n, givenUp, waiting };
  }

  async function ask(message: Call | "close"): Promise<void> {
    if (isClosed) throw new Reto3Error("STORE_REFUSED", "SQLite: the store is closed");
    const asking = (thread ??= start());
    const { worker, waiting, givenUp } = asking;
    const number = ++asking.tasks;
    // It throws what cannot be sent. Who waited for an answer to that would take somebody else's.
    attempt(() => worker.postMessage(message === "close" ? message : { call: message, number }));
    const asked = Promise.withResolvers<void>();
    waiting.push(asked);
    worker.ref();
    if (await settlesWithin(asked.promise, answerMaxMs)) return;
    // In their order: whoever asked before had as long.
    Atomics.store(givenUp, 0, number);
    throw new Reto3Error("STORE_UNKNOWN", `SQLite: no answer in ${answerMaxMs} ms; does the disk hang?`);
  }

  return {
    async write(flush) {
      return ask(rawLayout === "rows" ? ["write", flush] : ["writePacked", packed(flush)]);
    },
    claim: (partition) => ask(["claim", partition]),
    seal: (partition, events) => ask(["seal", partition, events]),
    merge: (level, minute, writtenAtUs) => ask(["merge", level, minute, writtenAtUs]),
    async close() {
      const last = thread;
      const ending = last && ask("close");
      isClosed = true;
      if (ending) await settlesWithin(ending, CLOSE_MS).catch(() => false);
      last?.worker.terminate();
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
