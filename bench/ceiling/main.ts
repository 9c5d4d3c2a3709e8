// How near reto3 comes to what Bun.serve can answer at all, and whether two load generators say the same. The question: README.md.

import { join } from "node:path";
import type { RunningCassandra } from "../../scripts/cassandra/cluster.ts";
import { executable, startListening, type Server } from "../../test/support/reto3.ts";
import { benchFlags } from "../support/flags.ts";
import { loadInto } from "../support/load.ts";
import { requireOha, runOha } from "../support/oha.ts";
import { pinned, SERVER_CORE, treeCpuSeconds } from "../support/process.ts";
import { Measured, report } from "../support/result.ts";
import { inTurns, median, ratios } from "../support/rounds.ts";
import { cassandraCpuSeconds, newStore, warmCassandra, sqliteFolder } from "../support/stores.ts";

const flags = benchFlags(
  {
    oha: "oha",
    pairs: "5",
    seconds: "5",
    warmup: "2",
    connections: "1024",
    stores: "memory,sqlite,cassandra",
    keeps: "events,summary",
    rates: "10000,20000",
  },
  { pairs: "1", seconds: "1", warmup: "1", rates: "10000" },
);
const connections = flags.number("connections");
const seconds = flags.number("seconds");
const CONNECTION_SECONDS = 0.03;
const warmUpSeconds = flags.short ? 3 : 20;
const { oha } = flags.values;
requireOha(oha);

interface Side {
  of: Record<string, string>;
  start: () => Promise<Server>;
}

const onServerCore = (command: readonly string[]) => startListening(pinned(SERVER_CORE, command));
const script = (name: string, ...args: string[]) => [process.execPath, join(import.meta.dir, name), ...args];
const serve = (store: string, keep = "events") =>
  onServerCore([executable, "serve", "--port", "0", "--store", store, "--keep", keep]);

using folder = sqliteFolder();
// It takes its time where there is some, from the server's core and from the client's: how much is told.
await using cassandra = flags.words("stores").includes("cassandra")
  ? await warmCassandra("all", { warmUpSeconds })
  : undefined;

const BARE: Side = { of: { server: "Bun.serve", keep: "" }, start: () => onServerCore(script("bare-server.ts")) };
const PARSING: Side = {
  of: { server: "Bun.serve + parse", keep: "" },
  start: () => onServerCore(script("bare-server.ts", "parse")),
};

const ceiling = new Measured(`At saturation, closed loop, ${connections} connections`);
const shares = new Measured("Share of what Bun.serve does (1: no dearer)");
await saturate();
const agreement = new Measured("`reto3 load` and oha into the same serve (SQLite), open loop");
await compareTools();
await report("ceiling", flags, [ceiling, shares, agreement]);

async function saturate(): Promise<void> {
  const sides = [BARE, PARSING, ...flags.words("stores").flatMap(sidesOf)];
  const nameOf = ({ of }: Side) => Object.values(of).join(" ");
  await inTurns(sides, flags.number("pairs"), nameOf, async ({ of, start }) => {
    await using server = await start();
    await runOha(server.url, { oha, connections, seconds: flags.number("warmup") });
    const before = spent(server, cassandra);
    const { answers, failed, perSec, cpuSeconds } = await runOha(server.url, { oha, connections, seconds });
    const after = spent(server, cassandra);
    const elapsed = (after.ms - before.ms) / 1_000;
    ceiling.add(of, {
      "requests/s": perSec,
      "server CPU us/request": ((after.server - before.server) * 1e6) / answers,
      "server, cores": (after.server - before.server) / elapsed,
      "client, cores": cpuSeconds / elapsed,
      "Cassandra, cores": (after.cassandra - before.cassandra) / elapsed,
      "not answered 200": failed,
    });
  });
  const allOf = ({ of }: Side, value: string) => ceiling.of(of, value);
  for (const side of sides.slice(1)) {
    const [rate, bareRate] = [allOf(side, "requests/s"), allOf(BARE, "requests/s")];
    const [cpu, bareCpu] = [allOf(side, "server CPU us/request"), allOf(BARE, "server CPU us/request")];
    shares.add(side.of, {
      "of its requests/s, by pairs": ratios(rate, bareRate),
      "of medians": median(rate) / median(bareRate),
      "its CPU over this one's, by pairs": ratios(bareCpu, cpu),
      "over medians": median(bareCpu) / median(cpu),
    });
  }
}

function sidesOf(store: string): Side[] {
  return flags.words("keeps").map((keep) => ({
    of: { server: `reto3, ${store}`, keep },
    start: () => {
      if (store === "memory") return onServerCore(script("memory-server.ts", keep));
      const on = store === "sqlite" ? folder : cassandra;
      if (!on) throw new Error(`--stores: there is no ${store}; want memory, sqlite, cassandra`);
      return serve(newStore(on), keep);
    },
  }));
}

async function compareTools(): Promise<void> {
  await using server = await serve(newStore(folder));
  const tools = {
    async "reto3 load"(rps: number) {
      const { report: said, cpuSeconds } = await loadInto(server.url, rps, seconds, [
        "--connections",
        connectionsOf(rps),
      ]);
      const { p50, p99 } = said.latencyMs.fromSchedule;
      const { p50: error50, p99: error99 } = said.sendErrorMs;
      return { perSec: said.acked / said.seconds, p50, p99, cpuSeconds, error50, error99 };
    },
    async oha(rps: number) {
      const open = { oha, connections: Number(connectionsOf(rps)), seconds, rps };
      const { perSec, p50Ms, p99Ms, cpuSeconds } = await runOha(server.url, open);
      return { perSec, p50: p50Ms, p99: p99Ms, cpuSeconds, error50: Number.NaN, error99: Number.NaN };
    },
  };
  const names = Object.keys(tools) as (keyof typeof tools)[];
  for (const rps of flags.numbers("rates")) {
    for (const name of names) await tools[name](rps);
    await inTurns(
      names,
      flags.number("pairs"),
      (name) => `${name}, ${rps}/s`,
      async (name) => {
        const { perSec, p50, p99, cpuSeconds, error50, error99 } = await tools[name](rps);
        const told = Number.isNaN(error50) ? {} : { "send error p50 ms": error50, "send error p99 ms": error99 };
        agreement.add(
          { "rate, /s": rps, tool: name },
          { "reached, /s": perSec, "p50 ms": p50, "p99 ms": p99, "tool, cores": cpuSeconds / seconds, ...told },
        );
      },
    );
    const medianOf = (tool: string, value: string) => median(agreement.of({ "rate, /s": rps, tool }, value));
    const apart = (value: string) => (medianOf("reto3 load", value) / medianOf("oha", value) - 1) * 100;
    agreement.add(
      { "rate, /s": rps, tool: "reto3 load over oha, %" },
      Object.fromEntries(["reached, /s", "p50 ms", "p99 ms"].map((value) => [value, apart(value)])),
    );
  }
}

/** Each waits for its answer, 12 ms or so; oha opens all at once, and the more there are, the longer is its tail. */
function connectionsOf(rps: number): string {
  return String(Math.ceil(rps * CONNECTION_SECONDS));
}

function spent(server: Server, cluster: RunningCassandra | undefined) {
  return {
    ms: performance.now(),
    server: treeCpuSeconds(server.pid),
    cassandra: cluster ? cassandraCpuSeconds(cluster) : 0,
  };
}
