// A thread of its own that commits, so that no request waits while the disk syncs (0.5 ms at best, 10 ms on many disks).
// Its owner (threaded-writing.ts) sends an Opening, then calls, later "close"; it answers each in turn. An entry point of the build.

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
}

/** A call of Writing, with its arguments. */
export type Call = { [Name in keyof Writing]: [name: Name, ...args: Parameters<Writing[Name]>] }[keyof Writing];

/** Null: done, and durable. */
export type Answer = { code: ErrorCode; message: string } | null;

let calls: Writing | undefined;
let close = () => {};

self.addEventListener("message", ({ data }: MessageEvent<Opening | Call | "close">) => {
  self.postMessage(answerTo(data));
});

function answerTo(data: Opening | Call | "close"): Answer {
  try {
    if (data === "close") close();
    else if (Array.isArray(data)) run(data);
    else attempt(() => open(data));
    return null;
  } catch (error) {
    return { code: error instanceof Reto3Error ? error.code : "STORE_UNKNOWN", message: messageOf(error) };
  }
}

function run([name, ...args]: Call): void {
  if (!calls) throw new Reto3Error("STORE_UNAVAILABLE", "SQLite: the file is not open");
  (calls[name] as (...args: unknown[]) => void)(...args);
}

function open({ file, busyTimeoutMs }: Opening): void {
  const db = new Database(file, { readwrite: true, create: false, strict: true });
  makeDurable(db);
  db.run(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
  const statements = new Statements(db);
  calls = writing(db, statements);
  close = () => {
    statements.finalize();
    db.close();
  };
}
