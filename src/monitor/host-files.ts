// Reading the kernel's files, of which any may be missing, or go while it is read. Knows nothing of what is in them.

import { readdirSync, readFileSync } from "node:fs";

/** The text of a file; undefined where there is none, or what it told of has ended. Throws where it cannot be read otherwise. */
export function readText(path: string): string | undefined {
  return unlessGone(() => readFileSync(path, "utf8"));
}

/** The same of a process, which may also be none of this user's business (hidepid, SELinux): undefined then. */
export function readTextOfProcess(path: string): string | undefined {
  try {
    return readText(path);
  } catch (error) {
    if (codeOf(error) === "EACCES" || codeOf(error) === "EPERM") return undefined;
    throw error;
  }
}

/** The names of the folders in a folder, or of links to some; none where it is missing. */
export function folderNames(path: string): string[] {
  const entries = unlessGone(() => readdirSync(path, { withFileTypes: true })) ?? [];
  return entries.filter((entry) => entry.isDirectory() || entry.isSymbolicLink()).map(({ name }) => name);
}

/** ENODEV: of a control group that has been removed; ESRCH: of a process that has ended. */
const GONE = new Set<unknown>(["ENOENT", "ENOTDIR", "ENODEV", "ESRCH"]);

function unlessGone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (GONE.has(codeOf(error))) return undefined;
    throw error;
  }
}

/** ENOENT and the like. */
export function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
