// Loads the same events into clusters of different sizes, in turns, and tells what each process of them spends on an event.
// The question, and how to run it: README.md.

import { parseArgs } from "node:util";
import { fault, type Victim } from "./fault.ts";
import { startSystem, type System } from "./system.ts";
import { run } from "./run.ts";
import { Table } from "./table.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rps: { type: "string", default: "5000" },
    seconds: { type: "string", default: "20" },
    rounds: { type: "string", default: "5" },
    nodes: { type: "string", default: "1,3" },
    instances: { type: "string", default: "direct,1,2,3" },
  },
});
const seconds = Number(values.seconds);

/** Three idle nodes take less, with three writers that have nothing to flush. */
const QUIET_CORES = 0.3;
const QUIET_SECONDS = 3;
const SETTLE_MAX_MS = 120_000;

const [question = "sizes"] = positionals;

if (question === "sizes") await sizes();
else if (question === "rates") await rates();
else if (question === "faults") await faults();
else throw new Error(`no such question: ${question}; want sizes, rates or faults`);

/** The same rate into 1 or 3 nodes, through a balancer before 1, 2 or 3 instances, and through none ("direct"). */
async function sizes(): Promise<void> {
  console.log(
    `\n${values.rps} events/s for ${seconds} s, ${values.rounds} rounds in turns, medians (all)\n\n${Table.head}`,
  );
  for (const nodes of values.nodes.split(",").map(Number)) {
    await using system = await startSystem(nodes);
    const table = new Table();
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const instances of values.instances.split(",")) {
        table.add(`${nodes} | ${instances}`, await run(system, instances, Number(values.rps), seconds));
      }
    }
    table.print();
  }
}

/** One instance, no balancer, one node: what an event costs at growing rates, as batches grow. */
async function rates(): Promise<void> {
  console.log(
    `\n1 node, 1 instance, no balancer, ${seconds} s each, ${values.rounds} rounds in turns, medians (all)\n\n${Table.head}`,
  );
  await using system = await startSystem(1);
  const table = new Table();
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const rps of values.rps.split(","))
      table.add(`1 | direct, ${rps}/s`, await run(system, "direct", Number(rps), seconds));
  }
  table.print();
}

/** Three of each; something is killed in the middle of each run and started again some seconds later. */
async function faults(): Promise<void> {
  console.log(
    "\n| killed | sent | acked | counted | refused | unknown | longest time without an answer 200 | at the slowest, an event waited |",
  );
  console.log("| --- | --- | --- | --- | --- | --- | --- | --- |");
  await using system = await startSystem(3);
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const victim of ["nothing", "an instance", "a Cassandra node"] satisfies Victim[]) {
      const { report, gapMs, slowestMs } = await fault(system, victim, Number(values.rps), seconds);
      const { sent, acked, counted, refused, unknown } = report;
      console.log(
        `| ${victim} | ${sent} | ${acked} | ${counted} | ${refused} | ${unknown} | ${Math.round(gapMs)} ms | ${Math.round(slowestMs)} ms |`,
      );
      await settled(system);
    }
  }
}

/** Hints are delivered and files are compacted after a fault; the next run begins when the nodes have become quiet. */
async function settled(system: System): Promise<void> {
  const deadlineMs = performance.now() + SETTLE_MAX_MS;
  while (performance.now() < deadlineMs) {
    const before = system.cassandraCpuSeconds();
    await Bun.sleep(QUIET_SECONDS * 1_000);
    if ((system.cassandraCpuSeconds() - before) / QUIET_SECONDS < QUIET_CORES) return;
  }
}
