// The executable: finds the command, parses its flags, runs it, turns errors into exit statuses.
// 0 done, 1 failed, 2 wrong usage (nothing was done), others: see a command's help.

import { constants } from "node:os";
import { Reto3Error } from "../src/errors.ts";
import type { Command } from "./flags.ts";
import { printError, printHelp, printUsage, watchOutput } from "./output.ts";
import { versionText } from "./version.ts";

const commands: Record<string, () => Promise<{ command: Command }>> = {
  serve: () => import("./serve.ts"),
  count: () => import("./count.ts"),
  load: () => import("./load.ts"),
  report: () => import("./report.ts"),
  "bench-insert": () => import("./bench-insert.ts"),
  store: () => import("./store.ts"),
  verify: () => import("./verify.ts"),
  merge: () => import("./merge.ts"),
  export: () => import("./export.ts"),
  import: () => import("./import.ts"),
  health: () => import("./health.ts"),
  "monitor host": () => import("./monitor-host.ts"),
  "monitor pipeline": () => import("./monitor-pipeline.ts"),
  "monitor counts": () => import("./monitor-counts.ts"),
  "setup elastic": () => import("./setup-elastic.ts"),
};

const USAGE = `reto3 ${versionText}: counts a stream of events exactly, per 10 ms, second and minute

  reto3 serve              takes events over HTTP and makes them durable
  reto3 count              prints how many events arrived, per 10 ms, second or minute
  reto3 load               sends events at a fixed rate and proves that what was acked was counted
  reto3 report             says how evenly events came, how late, what went wrong, what a change did
  reto3 bench-insert       measures how many events a second the store takes

  reto3 store              shows what is in a store, and how long it is kept
  reto3 verify             compares raw events and all counts with one another
  reto3 merge              adds up closed minutes over their writers, as serve does by itself
  reto3 export             writes counts or raw events to CSV or Parquet
  reto3 import             copies a store into another, such as an SQLite file into Cassandra

  reto3 monitor host       writes CPU, memory, disks and network of this machine into a log
  reto3 monitor pipeline   writes events per second and LAG into a log
  reto3 monitor counts     writes the counts into a log, each bucket once it has closed
  reto3 setup elastic      prepares Elasticsearch and Kibana for these logs
  reto3 health             asks a running serve whether it takes events, for health checks

  reto3 COMMAND --help  flags and examples      reto3 --version

To start:  reto3 serve        then, elsewhere:  reto3 load --rps 5000 --duration 10s && reto3 count --period 1s
`;

const LINGER_MAX_MS = 500;

async function main(argv: string[]): Promise<number> {
  // `reto3 help count` is `reto3 count --help`.
  const [first, ...others] = argv[0] === "help" ? [...argv.slice(1), "--help"] : argv;
  if (first === "--help" || first === "-h") {
    await printHelp(USAGE);
    return 0;
  }
  if (first === "--version" && others.length === 0) {
    await printHelp(`${versionText}\n`);
    return 0;
  }
  const { name, rest } = commandIn(first, others);
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!load) {
    printUsage(USAGE);
    if (name !== "") printUsage(`\nreto3: ${JSON.stringify(name)} is not a command${subcommandsOf(name)}\n`);
    return 2;
  }
  const { command } = await load();
  if (rest.includes("--help") || rest.includes("-h")) {
    await printHelp(await command.help());
    return 0;
  }
  try {
    return await command.run(rest, process.env);
  } catch (error) {
    printError(error);
    if (!(error instanceof Reto3Error) || error.code !== "USAGE") return 1;
    printUsage(command.synopsis());
    return 2;
  }
}

/** Some commands are two words. */
function commandIn(first = "", others: string[]): { name: string; rest: string[] } {
  const [second, ...rest] = others;
  const isPair = second !== undefined && !second.startsWith("-") && subcommandsOf(first) !== "";
  return isPair ? { name: `${first} ${second}`, rest } : { name: first, rest: others };
}

function subcommandsOf(name: string): string {
  const [first = ""] = name.split(" ");
  const found = Object.keys(commands).filter((one) => one.startsWith(`${first} `));
  return found.length > 0 ? `; there are ${found.join(", ")}` : "";
}

watchOutput();
// Servers of ours are met as they are named, never through a proxy; Docker hands its proxy to every container.
for (const name of ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
  delete process.env[name];
if (process.pid === 1) endOnSignals();
process.exitCode = await main(process.argv.slice(2));
// All is done, said and closed. A connection that the Cassandra driver leaves behind when a node has come back in the
// meantime would keep the process for good.
setTimeout(() => process.exit(), LINGER_MAX_MS).unref();

/** The first process of a container gets no signal that it does not ask for: without this, Ctrl-C would not end it. */
function endOnSignals(): void {
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      // A command that ends in its own way has a listener of its own.
      if (process.listenerCount(name) === 1) process.exit(128 + constants.signals[name]);
    });
  }
}
