// How full the disks are: asks each mounted file system, with a deadline, and goes on without those that do not answer (each holds
// a thread of the runtime's pool, which has as many as the machine has cores: when all are held, none is asked).

import { stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { settlesWithin } from "../deadline.ts";
import { messageOf } from "../errors.ts";
import type { Fields } from "./documents.ts";
import { codeOf } from "./host-files.ts";
import type { Mount } from "./proc.ts";

/** A disk that is asleep needs seconds to answer; one that takes longer still is asked about again when it has. */
const ANSWER_MAX_MS = 2_000;

/** What a file system says of itself, in blocks. */
export interface Space {
  /** Tells whether two mount points show the same file system. */
  deviceNumber: number;
  isFolder: boolean;
  /** False for a folder of the file system around it: what is mounted there is not visible from here. */
  isMount: boolean;
  blockBytes: number;
  blocks: number;
  free: number;
  /** Free for a plain user. */
  available: number;
}

export interface Filesystems {
  /** In the order of the mounts. */
  found: { mountPoint: string; fields: Fields<"host"> }[];
  /** Mount points that are not visible from here, or not for this user, with why. That is no failure: it will not change. */
  hidden: Map<string, string>;
  /** What did not answer, in words. */
  problems: string[];
}

export class FilesystemSampler {
  readonly #root: string;
  readonly #ask: (path: string, isRoot: boolean) => Promise<Space>;
  readonly #answerMaxMs: number;
  /** Mount points that have not answered yet. Each holds a thread, so none is asked twice. */
  readonly #silent = new Set<string>();

  /** `root`: where the root of the mount points is. */
  constructor(root: string, { ask = askSpace, answerMaxMs = ANSWER_MAX_MS } = {}) {
    this.#root = root;
    this.#ask = ask;
    this.#answerMaxMs = answerMaxMs;
  }

  async sample(mounts: readonly Mount[]): Promise<Filesystems> {
    const result: Filesystems = { found: [], hidden: new Map(), problems: [] };
    const spaces = await Promise.all(mounts.map((mount) => this.#spaceAt(mount, result)));
    const seen = new Set<number>();
    for (const [index, mount] of mounts.entries()) {
      const space = spaces[index];
      // A file: bound there, as Docker does with /etc/hosts.
      if (!space?.isFolder || !space.isMount || space.blocks === 0 || seen.has(space.deviceNumber)) continue;
      seen.add(space.deviceNumber);
      result.found.push({ mountPoint: mount.mountPoint, fields: fieldsOf(mount, space) });
    }
    return result;
  }

  async #spaceAt({ mountPoint }: Mount, { hidden, problems }: Filesystems): Promise<Space | undefined> {
    let space: Space | undefined;
    try {
      if (this.#silent.has(mountPoint)) throw new Error("still no answer");
      this.#silent.add(mountPoint);
      const asked = this.#ask(join(this.#root, mountPoint), mountPoint === "/").finally(() =>
        this.#silent.delete(mountPoint),
      );
      const answered = asked.then((answer) => (space = answer));
      if (!(await settlesWithin(answered, this.#answerMaxMs))) throw new Error(`no answer in ${this.#answerMaxMs} ms`);
    } catch (error) {
      if (HIDDEN.has(codeOf(error))) hidden.set(mountPoint, messageOf(error));
      else problems.push(`file system ${mountPoint}: ${messageOf(error)}`);
    }
    return space;
  }
}

const HIDDEN = new Set<unknown>(["ENOENT", "ENOTDIR", "EACCES", "EPERM"]);

async function askSpace(path: string, isRoot: boolean): Promise<Space> {
  const [place, around] = await Promise.all([stat(path), stat(dirname(path))]);
  const { bsize, blocks, bfree, bavail } = await statfs(path);
  return {
    deviceNumber: place.dev,
    isFolder: place.isDirectory(),
    isMount: isRoot || place.dev !== around.dev,
    blockBytes: bsize,
    blocks,
    free: bfree,
    available: bavail,
  };
}

function fieldsOf({ mountPoint, device, type }: Mount, space: Space): Fields<"host"> {
  const used = space.blocks - space.free;
  return {
    "system.filesystem.mount_point": mountPoint,
    "system.filesystem.device_name": device,
    "system.filesystem.type": type,
    "system.filesystem.total": space.blocks * space.blockBytes,
    "system.filesystem.used.bytes": used * space.blockBytes,
    "system.filesystem.used.pct": used / (used + space.available),
    "system.filesystem.available": space.available * space.blockBytes,
  };
}
