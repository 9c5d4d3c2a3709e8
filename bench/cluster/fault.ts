// One run in whose middle something is killed with -9: for how long nothing was answered. A node is started again five seconds
// later, an instance at once, as `restart: unless-stopped` does it.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { LoadRecord } from "../../src/load/result.ts";
import { temporaryFolder } from "../../test/support/reto3.ts";
import { loadInto, type LoadOutput } from "../support/load.ts";
import type { System } from "./system.ts";

export type Victim = "nothing" | "an instance" | "a Cassandra node";

const DOWN_MS = 5_000;

export interface FaultResult {
  report: LoadOutput;
  /** The longest time between two answers 200 that followed one another. */
  gapMs: number;
  /** From when an event was due to its answer 200, the longest. */
  slowestMs: number;
}

export async function fault(system: System, victim: Victim, rps: number, seconds: number): Promise<FaultResult> {
  using folder = temporaryFolder();
  const record = join(folder.path, "run.ndjson");
  const balancer = system.balancers.at(-1);
  if (!balancer) throw new Error("there is no balancer");
  await loadInto(balancer.url, rps, 3);
  const running = loadInto(balancer.url, rps, seconds, ["--record", record, "--settle", "15s"]);
  await Bun.sleep((seconds * 1_000) / 3);
  if (victim === "an instance") {
    await system.restartServer(1);
  } else if (victim === "a Cassandra node") {
    const node = system.nodes.at(-1);
    await node?.kill();
    await Bun.sleep(DOWN_MS);
    await node?.start();
    await system.waitUntilWhole();
  }
  const { report } = await running;
  await balancer.untilUp(3);
  const acked = readFileSync(record, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as LoadRecord)
    .filter(({ outcome }) => outcome === "acked");
  const answers = acked.map(({ doneUs }) => doneUs).toSorted((a, b) => a - b);
  const gaps = answers.slice(1).map((at, before) => at - (answers[before] ?? at));
  return {
    report,
    gapMs: Math.max(...gaps) / 1_000,
    slowestMs: Math.max(...acked.map(({ dueUs, doneUs }) => doneUs - dueUs)) / 1_000,
  };
}
