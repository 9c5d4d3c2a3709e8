// Stores for a bench: an SQLite file, and Cassandra nodes of its own on the client's core, each store with a name of its own.

import { join } from "node:path";
import { type ClusterOptions, type RunningCassandra, startCassandra } from "../../scripts/cassandra/cluster.ts";
import type { CommitlogSync } from "../../scripts/cassandra/node-config.ts";
import { addressOf } from "../../test/support/cassandra.ts";
import { executable, temporaryFolder } from "../../test/support/reto3.ts";
import { cpuSeconds, finish, pin } from "./process.ts";

const HEAP_MB = 1_024;

/** The address of a store that nobody has used. */
export function newStore(on: (Disposable & { readonly path: string }) | RunningCassandra): string {
  const name = `bench_${crypto.randomUUID().slice(0, 8)}`;
  return "path" in on ? `sqlite:${join(on.path, `${name}.db`)}` : addressOf(on.contactPoints, name);
}

/** For SQLite files; gone at the end. */
export const sqliteFolder = temporaryFolder;

/** With the heap that all benches give a node. */
export function startNodes(options: Pick<ClusterOptions, "nodes" | "commitlogSync"> = {}): Promise<RunningCassandra> {
  return startCassandra({ ...options, heapMb: HEAP_MB, log: (line) => console.error(line) });
}

/** One node with all of its threads on one core, or on all, after so many seconds of flushes on all cores: a cold Java is slow for long. */
export async function warmCassandra(
  core: number | "all",
  { commitlogSync = "batch", warmUpSeconds = 0 }: { commitlogSync?: CommitlogSync; warmUpSeconds?: number } = {},
): Promise<RunningCassandra> {
  const cluster = await startNodes({ commitlogSync });
  if (warmUpSeconds > 0) {
    const flushes = ["--store", newStore(cluster), "--duration", `${warmUpSeconds}s`];
    await finish([executable, "bench-insert", ...flushes]);
  }
  if (core !== "all") pinCassandra(cluster, core);
  return cluster;
}

export function pinCassandra(cluster: RunningCassandra, core: number): void {
  for (const pid of pidsOf(cluster)) pin(pid, core);
}

/** CPU seconds of all nodes so far. */
export function cassandraCpuSeconds(cluster: RunningCassandra): number {
  return pidsOf(cluster).reduce((sum, pid) => sum + cpuSeconds(pid), 0);
}

function pidsOf({ nodes }: RunningCassandra): number[] {
  return nodes.flatMap(({ pid }) => pid ?? []);
}
