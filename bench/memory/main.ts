// What memory serve takes, at rest, under load and with many connections; and how soon commands start. The question: README.md.

import { executable, serve, temporaryFolder } from "../../test/support/reto3.ts";
import { benchFlags } from "../support/flags.ts";
import { loadInto } from "../support/load.ts";
import { finish, rssBytes } from "../support/process.ts";
import { Measured, report } from "../support/result.ts";
import { inTurns } from "../support/rounds.ts";
import { openIdle } from "./idle.ts";

const flags = benchFlags(
  { store: "", rates: "5000,20000", minutes: "10", connections: "10000", starts: "20" },
  { minutes: "0.2", starts: "3" },
);
const minutes = flags.number("minutes");

const REST_MS = 10_000;
const SAMPLE_MS = 1_000;

/** Of a run: memory grows to its level in the first part. */
const LATE_SHARE = 0.5;

using folder = temporaryFolder();
const store = flags.values.store || `sqlite:${folder.path}/memory.db`;

const memory = new Measured("Resident memory of serve, MB");
const starts = new Measured("Milliseconds from the start of a process");
await startUps();
for (const rps of flags.numbers("rates")) await underLoad(rps);
await withIdleConnections();
await report("memory", flags, [memory, starts]);

/** `--help` of each command to its exit, and serve until it listens; in turns. */
async function startUps(): Promise<void> {
  const { stdout } = await finish([executable, "--help"]);
  const commands = [...Bun.stripANSI(stdout).matchAll(/^ {2}reto3 ([a-z][a-z -]*?) {2,}\S/gm)].flatMap(
    ([, name]) => name ?? [],
  );
  const helps = commands.map((name) => ({
    name: `${name} --help`,
    run: () => finish([executable, ...name.split(" "), "--help"]),
  }));
  const all = [{ name: "--version", run: () => finish([executable, "--version"]) }, ...helps];
  await inTurns(
    all,
    flags.number("starts"),
    ({ name }) => name,
    async ({ name, run }) => {
      const startedMs = performance.now();
      await run();
      starts.add({ command: name }, { ms: performance.now() - startedMs });
    },
  );
  // Made once; from then on it is there, as after a restart.
  const fresh = await timeServe();
  starts.add({ command: "serve, until it listens, new store" }, { ms: fresh });
  for (let time = 0; time < flags.number("starts"); time++)
    starts.add({ command: "serve, until it listens" }, { ms: await timeServe() });
}

async function timeServe(): Promise<number> {
  const startedMs = performance.now();
  const child = Bun.spawn([executable, "serve", "--store", store, "--port", "0"], { stdout: "ignore", stderr: "pipe" });
  let said = "";
  for await (const chunk of child.stderr) {
    said += new TextDecoder().decode(chunk);
    if (said.includes("listening on ")) break;
  }
  const ms = performance.now() - startedMs;
  child.kill("SIGTERM");
  if ((await child.exited) !== 0) throw new Error(`serve did not end well:\n${said}`);
  return ms;
}

async function underLoad(rps: number): Promise<void> {
  await using server = await serve(store);
  await Bun.sleep(REST_MS);
  memory.add({ serve: "at rest, after a start" }, { MB: rssBytes(server.pid) / 1e6 });
  const samples: number[] = [];
  const sampler = setInterval(() => samples.push(rssBytes(server.pid) / 1e6), SAMPLE_MS);
  const { report: load } = await loadInto(server.url, rps, minutes * 60);
  clearInterval(sampler);
  if (!load.holds) throw new Error(`at ${rps}/s: ${load.problem}`);
  const late = samples.slice(Math.floor(samples.length * LATE_SHARE));
  memory.add({ serve: `at ${rps}/s, first half` }, { MB: samples.slice(0, samples.length - late.length) });
  memory.add({ serve: `at ${rps}/s, second half` }, { MB: late });
  await Bun.sleep(REST_MS);
  memory.add({ serve: `at rest, after ${rps}/s` }, { MB: rssBytes(server.pid) / 1e6 });
}

async function withIdleConnections(): Promise<void> {
  await using server = await serve(store);
  await Bun.sleep(REST_MS);
  const before = rssBytes(server.pid);
  const connections = flags.number("connections");
  await using idle = await openIdle(server.url, connections);
  await Bun.sleep(REST_MS);
  const all = rssBytes(server.pid);
  if (idle.closed() > 0) throw new Error(`${idle.closed()} of the idle connections were closed`);
  memory.add({ serve: `with ${connections} idle connections` }, { MB: all / 1e6 });
  memory.add({ serve: "of that each connection, kB" }, { MB: (all - before) / connections / 1e3 });
}
