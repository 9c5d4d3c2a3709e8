// A file that is there whole or not at all: written under another name beside it, put on the disk, renamed.

import { statSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { messageOf, quote, Reto3Error } from "../errors.ts";

export interface WholeFile {
  put(data: string | Uint8Array): Promise<void>;
  /** Gives the file its name, replacing one that has it. */
  keep(): Promise<void>;
  /** Erases what was written; nothing to do after `keep`. */
  discard(): Promise<void>;
}

/** Throws USAGE if `path` cannot be written, or is there and `replace` is false. */
export async function createWholeFile(path: string, { replace }: { replace: boolean }): Promise<WholeFile> {
  const existing = statSync(path, { throwIfNoEntry: false });
  // Renaming over a device or a pipe would put a plain file in its place.
  if (existing && !existing.isFile()) throw new Reto3Error("USAGE", `${quote(path, 200)} is not a plain file`);
  if (existing && !replace) throw new Reto3Error("USAGE", `${quote(path, 200)} is there already; --force replaces it`);
  const partial = `${path}.partial-${crypto.randomUUID().slice(0, 8)}`;
  const file = await open(partial, "wx").catch((error: unknown) => {
    throw new Reto3Error("USAGE", `${quote(path, 200)} cannot be written: ${messageOf(error)}`, { cause: error });
  });
  const failed = (error: unknown) => {
    throw new Reto3Error("OUTPUT", `${quote(path, 200)} cannot be written: ${messageOf(error)}`, { cause: error });
  };
  let isOver = false;
  return {
    async put(data) {
      await file.writeFile(data).catch(failed);
    },
    async keep() {
      await file.sync().catch(failed);
      await file.close();
      await rename(partial, path).catch(failed);
      isOver = true;
    },
    async discard() {
      if (isOver) return;
      isOver = true;
      await file.close().catch(() => {});
      await rm(partial, { force: true });
    },
  };
}
