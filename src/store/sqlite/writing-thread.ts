// A thread of its own that commits, so that no request waits while the disk syncs (0.5 ms at best, 10 ms on many disks).
// Its owner (threaded-writing.ts) sends an Opening, then calls, later "close"; it answers each of these in turn. An entry
// point of the build.

import { Database } from "bun:sqlite";
import { Reto3Error, messageOf, type ErrorCode } from "../../errors.ts";
import { makeDurable } from "./durable.ts";
import { attempt } from "./errors.ts";
import { Statements } from "./statements.ts";
import { writing, type Writing } from "./writing.ts";

declare const self: Worker;

export interface Opening {
  file: string;
  busyTimeoutMs: number;
  /** Shared: [0] is the number of the last task that was given up. */
  givenUp: BigInt64Array;
}

/** A call of Writing, with its arguments. */
export type Call = { [Name in keyof Writing]: [name: Name, ...args: Parameters<Writing[Name]>] }[keyof Writing];

/** A call; tasks are numbered from 1, in their order. */
export interface Task {
  call: Call;
  number: bigint;
}

/** Null: done, and durable. */
export type Answer = { code: ErrorCode; message: string } | null;

let opening: Opening | undefined;
let opened: { calls: Writing; close: () => void } | undefined;

self.addEventListener("message", ({ data }: MessageEvent<Opening | Task | "close">) => {
  if (data === "close" || "call" in data) self.postMessage(answerTo(data));
  else opening = data;
});

function answerTo(message: Task | "close"): Answer {
  try {
    if (message === "close") opened?.close();
    else run(message);
    return null;
  } catch (error) {
    return { code: error instanceof Reto3Error ? error.code : "STORE_UNKNOWN", message: messageOf(error) };
  }
}

function run({ call: [name, ...args], number }: Task): void {
  if (opening && Atomics.load(opening.givenUp, 0) >= number)
    throw new Reto3Error("STORE_UNAVAILABLE", "SQLite: too late, whoever asked has given it up");
  // By the first call, and by the next one if that fails: what is in the way may pass.
  const { calls } = (opened ??= attempt(open));
  (calls[name] as (...args: unknown[]) => void)(...args);
}

function open(): NonNullable<typeof opened> {
  if (!opening) throw new Error("no file was named");
  const db = new Database(opening.file, { readwrite: true, create: false, strict: true });
  try {
    db.run(`PRAGMA busy_timeout = ${opening.busyTimeoutMs}`);
    makeDurable(db);
    const statements = new Statements(db);
    const close = () => {
      statements.finalize();
      db.close();
    };
    return { calls: writing(db, statements), close };
  } catch (error) {
    db.close();
    throw error;
  }
}
