// Where and of what a measurement was made.

import { readFileSync } from "node:fs";
import { availableParallelism, cpus, release, tmpdir, totalmem } from "node:os";
import { executable } from "../../test/support/reto3.ts";
import { finish } from "./process.ts";

/** One line for people. */
export function describeMachine(): string {
  const gib = Math.round(totalmem() / 2 ** 30);
  const model = cpus()[0]?.model ?? "unknown processor";
  return `${availableParallelism()} cores (${model}), ${gib} GiB, Linux ${release()}, ${fileSystemOf(tmpdir())}, Bun ${Bun.version}`;
}

/** Of the executable that is measured. */
export async function builtFrom(): Promise<{ version: string; commit: string }> {
  const { stdout } = await finish([executable, "--version"]);
  const [version = "", commit = ""] = stdout.trim().split(" ");
  return { version, commit: commit.replace(/[()]/g, "") };
}

/** The type of the file system that stores are put on: that of the longest mount point above `path`. */
function fileSystemOf(path: string): string {
  const mounts = readFileSync("/proc/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" "));
  const above = mounts.filter(([, point = "?"]) => point === "/" || path === point || path.startsWith(`${point}/`));
  above.sort(([, a = ""], [, b = ""]) => b.length - a.length);
  return above[0]?.[2] ?? "unknown file system";
}
