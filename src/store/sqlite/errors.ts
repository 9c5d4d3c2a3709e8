// What SQLite throws, in the contract's terms.

import { SQLiteError } from "bun:sqlite";
import { messageOf, Reto3Error, type ErrorCode } from "../../errors.ts";

/** Errors that pass by themselves, and errors that never do. Codes: https://sqlite.org/rescode.html */
const PASSING = /^SQLITE_(BUSY|LOCKED|FULL|NOMEM|CANTOPEN)/;
const FOR_GOOD = /^SQLITE_(READONLY|CORRUPT|NOTADB|SCHEMA|CONSTRAINT|MISMATCH|TOOBIG|AUTH|MISUSE|RANGE|ERROR|PERM)/;

/** Runs `action` and classifies what it throws. A transaction that throws is rolled back: nothing of it is visible. */
export function attempt<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new Reto3Error(codeOf(error), `SQLite: ${messageOf(error)}`, { cause: error });
  }
}

/** Whether the same again may succeed later, with nobody doing anything about it. */
export function passes(error: unknown): boolean {
  return error instanceof SQLiteError && PASSING.test(error.code ?? "");
}

export function isDiskFull(error: unknown): boolean {
  return error instanceof SQLiteError && (error.code ?? "").startsWith("SQLITE_FULL");
}

function codeOf(error: unknown): ErrorCode {
  // Not from SQLite, so from the binding or the form of values: the same values will fail again.
  if (!(error instanceof SQLiteError)) return "STORE_REFUSED";
  if (passes(error)) return "STORE_UNAVAILABLE";
  return FOR_GOOD.test(error.code ?? "") ? "STORE_REFUSED" : "STORE_UNKNOWN";
}
