// `reto3 monitor ...` as a process of its own, and what it has written. Ends with the test.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startGuarded } from "../../scripts/cassandra/guarded-process.ts";
import type { DatasetName } from "../../src/monitor/documents.ts";
import { executable } from "./reto3.ts";

export interface RunningMonitor extends AsyncDisposable {
  /** All that it has said so far. */
  said(): string;
  kill(signal: "SIGTERM" | "SIGKILL"): void;
  /** Resolves with its exit status; 128 + n after signal n. */
  readonly exited: Promise<number>;
}

export async function monitor(
  name: DatasetName,
  logs: string,
  args: string[] = [],
  { folder = process.cwd() } = {},
): Promise<RunningMonitor> {
  const temporary = mkdtempSync(join(tmpdir(), "reto3-monitor-"));
  const logFile = join(temporary, "said.log");
  writeFileSync(logFile, "");
  const command = [executable, "monitor", name, "--log-dir", logs, "--host-name", "here", ...args];
  const child = await startGuarded(command, { folder, logFile });
  let lastWords: string | undefined;
  const said = () => lastWords ?? readFileSync(logFile, "utf8");
  const exited = child.exited.finally(() => {
    lastWords = said();
    rmSync(temporary, { recursive: true });
  });
  return {
    said,
    exited,
    kill: (signal) => void child.signal(signal),
    async [Symbol.asyncDispose]() {
      child.signal("SIGKILL");
      await exited;
    },
  };
}

/** A line of a log, as far as the tests look at it. */
export interface Line {
  "@timestamp": string;
  event: { id: string; dataset: string };
  host: { name: string };
  reto: { granularity: string; count: number; tps: number; events: number; lag?: Record<string, number> };
}

/** All whole lines of a monitor's log, in the order of writing. */
export function linesOf(name: DatasetName, logs: string): Line[] {
  let files: string[];
  try {
    files = readdirSync(logs).filter((file) => file.startsWith(`${name}-`) && file.endsWith(".ndjson"));
  } catch {
    return [];
  }
  return files
    .sort()
    .flatMap((file) => readFileSync(join(logs, file), "utf8").split("\n").slice(0, -1))
    .map((line) => JSON.parse(line) as Line);
}

/** Of the counts' log, the sum of each period: of the last line of each bucket. */
export function sumsOf(lines: readonly Line[]): Record<string, number> {
  const last = new Map(lines.map(({ event, reto }) => [event.id, reto]));
  const sums: Record<string, number> = { "10ms": 0, "1s": 0, "1m": 0 };
  for (const { granularity, count } of last.values()) sums[granularity] = (sums[granularity] ?? 0) + count;
  return sums;
}
