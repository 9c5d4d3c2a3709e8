// The counts monitor's state file: how far it is, and where in its log to read what it has written since.
// Replaced as a whole, so a crash leaves the old one or the new one.

import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { messageOf, Reto3Error } from "../errors.ts";
import type { PeriodName } from "../period.ts";
import type { LogPosition } from "./log-file.ts";
import type { ShownSums } from "./shown.ts";

export interface CountsState {
  /** Whose counts these are: where it is, without secrets. */
  store: string;
  /** Nothing before it is written. */
  startUs: number;
  /** No line that was written says a later one (`reto.written_ms`). */
  writtenMs: number;
  /** All lines of buckets at or after `bucketsFromUs` come after it; null: the log's start. */
  read: LogPosition | null;
  /** Per period: what is before it was looked at. */
  nextUs: Record<PeriodName, number>;
  /** Per period: of earlier minutes the sums below are known, of this and later ones the log tells every bucket. */
  bucketsFromUs: Record<PeriodName, number>;
  /** Minutes that may still change, and what was written of them in all. */
  minutes: { minuteUs: number; sums: ShownSums }[];
}

export interface StateFile {
  /** Null where there is none. Throws OUTPUT for one that cannot be read. */
  read(): CountsState | null;
  write(state: CountsState): void;
}

const VERSION = 1;

/** Not in the states of 0.4.0. */
const ADDED_LATER = { store: "", startUs: 0, writtenMs: 0 };

export function stateFile(path: string): StateFile {
  return {
    read() {
      if (!existsSync(path)) return null;
      try {
        const { version, ...state } = JSON.parse(readFileSync(path, "utf8")) as CountsState & { version: number };
        if (version !== VERSION) throw new Error(`its version is ${version}, want ${VERSION}`);
        return { ...ADDED_LATER, ...state };
      } catch (error) {
        throw new Reto3Error("OUTPUT", `cannot read the state file ${path}: ${messageOf(error)}`, {
          hint: "remove it to begin anew; buckets that were written already are then written again, with the same ids",
          cause: error,
        });
      }
    },
    write(state) {
      const draft = `${path}.new`;
      try {
        mkdirSync(dirname(path), { recursive: true });
        const descriptor = openSync(draft, "w", 0o644);
        try {
          writeFileSync(descriptor, `${JSON.stringify({ version: VERSION, ...state })}\n`);
          fsyncSync(descriptor);
        } finally {
          closeSync(descriptor);
        }
        renameSync(draft, path);
      } catch (error) {
        throw new Reto3Error("OUTPUT", `cannot write the state file ${path}: ${messageOf(error)}`, {
          hint: "want a folder with room that this user may write to (--log-dir)",
          cause: error,
        });
      }
    },
  };
}
