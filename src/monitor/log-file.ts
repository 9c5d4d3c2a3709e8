// A log of NDJSON lines in daily files: NAME-2026-11-25.ndjson, and NAME-2026-11-25.1.ndjson when that one is full.
// Made for a reader that follows files by their inode (Logstash's file input): lines are appended, each with one write; nothing
// is renamed or truncated; a file goes only when it has not been written to for so long that its reader has forgotten it.
// The newest file is the one that is written to, also when the clock was set back: what is written later comes later.

import {
  closeSync,
  createReadStream,
  existsSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { messageOf, Reto3Error } from "../errors.ts";

export interface LogFileOptions {
  folder: string;
  /** What the names of its files begin with. */
  name: string;
  /** A file that has so many bytes gets nothing more. */
  bytesMax: number;
  /** A file goes when it has not been written to for so long. */
  keepMs: number;
  warn: (line: string) => void;
}

/** A place in the log: lines that are written later come after it. */
export interface LogPosition {
  file: string;
  offset: number;
}

export class LogFile {
  readonly #options: LogFileOptions;
  #open: { file: string; day: string; descriptor: number; bytes: number; isTorn: boolean } | null = null;

  constructor(options: LogFileOptions) {
    this.#options = options;
  }

  /** Where the next line will be, or before it. Null while there is no file. */
  end(): LogPosition | null {
    if (this.#open) return { file: this.#open.file, offset: this.#open.bytes };
    const file = this.files().at(-1);
    return file === undefined ? null : { file, offset: statSync(join(this.#options.folder, file)).size };
  }

  /** The lines at `from` and after it, without their ends; all where that is null or its file has gone. What a crash cut off comes as it is. */
  async *linesFrom(from: LogPosition | null): AsyncGenerator<string> {
    const { folder, name } = this.#options;
    for (const file of this.files()) {
      if (from && compareFiles(name, file, from.file) < 0) continue;
      const start = file === from?.file ? from.offset : 0;
      yield* createInterface({ input: createReadStream(join(folder, file), { start }) });
    }
  }

  /**
   * Appends lines, which end with a newline, one after another. Throws OUTPUT at the first that cannot be written; what is
   * after it was not tried. `nowMs` names the day, UTC.
   */
  append(lines: readonly string[], nowMs: number): void {
    this.#orOutput(() => {
      for (const line of lines) this.#appendLine(Buffer.from(line), nowMs);
    });
  }

  /** All files of this log, the oldest first. */
  files(): string[] {
    const { folder, name } = this.#options;
    if (!existsSync(folder)) return [];
    return readdirSync(folder)
      .filter((file) => dayAndNumber(name, file) !== undefined)
      .sort((a, b) => compareFiles(name, a, b));
  }

  /** What was appended survives a power cut. Throws OUTPUT. */
  sync(): void {
    this.#orOutput(() => {
      if (this.#open) fdatasyncSync(this.#open.descriptor);
    });
  }

  /** Syncs. */
  close(): void {
    const open = this.#open;
    if (!open) return;
    try {
      this.sync();
    } finally {
      this.#open = null;
      closeSync(open.descriptor);
    }
  }

  #orOutput(act: () => void): void {
    try {
      act();
    } catch (error) {
      if (error instanceof Reto3Error) throw error;
      const { folder, name } = this.#options;
      const what = `cannot write the log ${join(folder, `${name}-*.ndjson`)}`;
      throw new Reto3Error("OUTPUT", `${what}: ${messageOf(error)}`, { hint: hintOf(error), cause: error });
    }
  }

  #appendLine(line: Buffer, nowMs: number): void {
    const open = this.#fileFor(new Date(nowMs).toISOString().slice(0, 10));
    // What a full disk or a crash cut off must not become part of the next line.
    const bytes = open.isTorn ? Buffer.concat([Buffer.from("\n"), line]) : line;
    const written = writeSync(open.descriptor, bytes);
    open.bytes += written;
    if (written > 0) open.isTorn = written < bytes.length && !(open.isTorn && written === 1);
    if (written < bytes.length) throw new Error(`${written} of ${bytes.length} bytes were written: the disk is full`);
  }

  #fileFor(today: string) {
    const { folder, name, bytesMax } = this.#options;
    if (this.#open && this.#open.bytes < bytesMax && this.#open.day >= today) return this.#open;
    mkdirSync(folder, { recursive: true });
    this.close();
    const last = this.files().at(-1);
    const latest = last === undefined ? undefined : dayAndNumber(name, last);
    const goesOn = last !== undefined && latest !== undefined && latest.day >= today;
    const isFull = goesOn && statSync(join(folder, last)).size >= bytesMax;
    const { day, number } = goesOn ? latest : { day: today, number: 0 };
    const file = fileOf(name, day, isFull ? number + 1 : number);
    // Readable for all: Logstash runs as another user.
    const descriptor = openSync(join(folder, file), "a+", 0o644);
    const bytes = fstatSync(descriptor).size;
    this.#open = { file, day, descriptor, bytes, isTorn: bytes > 0 && lastByte(descriptor, bytes) !== NEWLINE };
    syncFolder(folder);
    this.#sweep(Date.now());
    return this.#open;
  }

  #sweep(nowMs: number): void {
    const { folder, keepMs, warn } = this.#options;
    for (const file of this.files()) {
      const path = join(folder, file);
      try {
        if (file !== this.#open?.file && statSync(path).mtimeMs < nowMs - keepMs) unlinkSync(path);
      } catch (error) {
        warn(`cannot remove the old log ${path}, trying again with the next file: ${messageOf(error)}`);
      }
    }
  }
}

const NEWLINE = 10;

function lastByte(descriptor: number, size: number): number {
  const byte = Buffer.alloc(1);
  readSync(descriptor, byte, 0, 1, size - 1);
  return byte[0] ?? NEWLINE;
}

function dayAndNumber(name: string, file: string): { day: string; number: number } | undefined {
  if (!file.startsWith(`${name}-`)) return undefined;
  const [, day, number = "0"] = /^(\d{4}-\d\d-\d\d)(?:\.(\d{1,6}))?\.ndjson$/.exec(file.slice(name.length + 1)) ?? [];
  return day === undefined ? undefined : { day, number: Number(number) };
}

function fileOf(name: string, day: string, number: number): string {
  return `${name}-${day}${number === 0 ? "" : `.${number}`}.ndjson`;
}

/** That a file was made must survive a power cut, as its lines do. */
function syncFolder(folder: string): void {
  const descriptor = openSync(folder, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function compareFiles(name: string, a: string, b: string): number {
  const [one, other] = [dayAndNumber(name, a), dayAndNumber(name, b)];
  return (one?.day ?? "").localeCompare(other?.day ?? "") || (one?.number ?? 0) - (other?.number ?? 0);
}

function hintOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "EACCES" || code === "EPERM" || code === "EROFS")
    return "want a folder that this user may write to (--log-dir)";
  if (code === "ENOSPC" || code === "EDQUOT") return "make room on that disk";
  return "want a folder with room that this user may write to (--log-dir)";
}
