// Which rate several workers, or several serves, hold on one Cassandra node and on three, and what an event costs. The question: README.md.

import type { RunningCassandra } from "../../scripts/cassandra/cluster.ts";
import { parseCassandraUrl } from "../../src/store/cassandra/url.ts";
import { executable, type Server } from "../../test/support/reto3.ts";
import { benchFlags } from "../support/flags.ts";
import { loadInto } from "../support/load.ts";
import { finish, treeCpuSeconds } from "../support/process.ts";
import { Measured, report } from "../support/result.ts";
import { inTurns } from "../support/rounds.ts";
import { cassandraCpuSeconds, newStore, startNodes } from "../support/stores.ts";
import { bytesOnDisk } from "./disk.ts";
import { setupsOf, type Setup } from "./setups.ts";

const flags = benchFlags(
  { nodes: "1,3", workers: "1,2,4", instances: "2", rates: "5000,10000,20000,40000", pairs: "5", seconds: "3" },
  { nodes: "1", workers: "1,2", rates: "5000,40000", pairs: "1", seconds: "2" },
);
const seconds = flags.number("seconds");

/** Of the rate that was wanted: the last answers come a little after the last event was due. */
const HELD_SHARE = 0.98;

/** Where a rate is not held, the run ends all the same. */
const OVERLOADED = ["--timeout", "5s", "--settle", "1s"];
const WARM_UP = { rps: 5_000, seconds: 2 };

const setups = await setupsOf(flags.numbers("workers"), flags.numbers("instances"));
const rates = new Measured("Rates, all processes on the same cores");
const disk = new Measured("What all of a setup's runs left on the disks of all nodes");
for (const nodes of flags.numbers("nodes")) await onNodes(nodes);
await report("scale", flags, [rates, disk]);

async function onNodes(nodes: number): Promise<void> {
  await using cluster = await startNodes({ nodes });
  const using = setups.map((setup) => ({ setup, store: `${newStore(cluster)}&rf=${nodes}`, acked: 0 }));
  await inTurns(
    using,
    flags.number("pairs"),
    ({ setup }) => `${nodes} nodes, ${setup.name}`,
    async (turn) => {
      turn.acked += await runRates(cluster, turn.setup, turn.store);
    },
  );
  for (const { setup, store, acked } of using) {
    const bytes = await bytesOnDisk(cluster, parseCassandraUrl(store).keyspace);
    const counted = await countAll(store);
    disk.add(
      { nodes, setup: setup.name },
      { "bytes/event": bytes / acked, acked, "counted, not acked": counted - acked },
    );
  }
}

/** Returns how many events were acked. */
async function runRates(cluster: RunningCassandra, { name, start }: Setup, store: string): Promise<number> {
  const servers = await start(store);
  try {
    let { acked } = await loadAll(servers, WARM_UP.rps, WARM_UP.seconds);
    for (const rps of flags.numbers("rates")) {
      const before = spent(servers, cluster);
      const run = await loadAll(servers, rps, seconds);
      const after = spent(servers, cluster);
      const perEvent = (cpuSeconds: number) => (cpuSeconds * 1e6) / run.acked;
      acked += run.acked;
      rates.add(
        { nodes: cluster.contactPoints.length, setup: name, "rate, /s": rps },
        {
          held: run.acked === run.sent && run.perSec >= rps * HELD_SHARE ? 1 : 0,
          "reached, /s": run.perSec,
          refused: run.refused,
          "unknown, unsent": run.lost,
          "p50 ms": run.p50,
          "p99 ms": run.p99,
          "reto3 CPU us/event": perEvent(after.reto3 - before.reto3),
          "Cassandra CPU us/event, all nodes": perEvent(after.cassandra - before.cassandra),
          "load CPU us/event": perEvent(run.cpuSeconds),
        },
      );
    }
    return acked;
  } finally {
    for (const server of servers) server.kill("SIGTERM");
    await Promise.all(servers.map(({ exited }) => exited));
  }
}

/** An equal part of the rate into each server, at the same time. Latencies are those of the slowest part. */
async function loadAll(servers: readonly Server[], rps: number, duration: number) {
  const parts = await Promise.all(servers.map(({ url }) => loadInto(url, rps / servers.length, duration, OVERLOADED)));
  const sum = (of: (part: (typeof parts)[number]) => number) => parts.reduce((total, part) => total + of(part), 0);
  return {
    sent: sum(({ report: one }) => one.sent),
    acked: sum(({ report: one }) => one.acked),
    refused: sum(({ report: one }) => one.refused),
    lost: sum(({ report: one }) => one.unknown + one.unsent),
    perSec: sum(({ report: one }) => one.acked / one.seconds),
    cpuSeconds: sum(({ cpuSeconds }) => cpuSeconds),
    p50: Math.max(...parts.map(({ report: one }) => one.latencyMs.fromSchedule.p50)),
    p99: Math.max(...parts.map(({ report: one }) => one.latencyMs.fromSchedule.p99)),
  };
}

function spent(servers: readonly Server[], cluster: RunningCassandra) {
  return {
    reto3: servers.reduce((sum, { pid }) => sum + treeCpuSeconds(pid), 0),
    cassandra: cassandraCpuSeconds(cluster),
  };
}

async function countAll(store: string): Promise<number> {
  const { stdout } = await finish([executable, "count", "--store", store, "--period", "1m", "--last", "24h"]);
  return stdout
    .trimEnd()
    .split("\n")
    .reduce((sum, line) => sum + Number(line.split(", ")[1] ?? 0), 0);
}
