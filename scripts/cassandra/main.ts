// The command `npm run cassandra`: starts a throw-away Cassandra, says how to use it, stays until Ctrl-C.
// It needs no clean-up of its own for the ways in which it may die: the nodes and their data end with this process.

import { readLastLines } from "./log-tail.ts";
import { parseOptions, usage } from "./options.ts";
import { startWithWhatIsThere } from "./provide.ts";
import type { RunningCassandra } from "./cluster.ts";

const exitOk = 0;
const exitFailed = 1;
const exitUsage = 2;
const exitInterrupted = 130;

if (import.meta.main) process.exit(await run(process.argv.slice(2)));

/** Resolves with the exit code. */
async function run(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  if (options.kind === "help") {
    process.stdout.write(usage);
    return exitOk;
  }
  if (options.kind === "wrong") {
    say(`${options.problem}\n\n${usage.trimEnd()}`);
    return exitUsage;
  }
  const { nodes, nativePort, heapMb, commitlogSync } = options;
  try {
    say(`starting Cassandra, ${nodes} ${nodes === 1 ? "node" : "nodes"}; each takes some 5 to 10 s`);
    const started = await startWithWhatIsThere({ nodes, heapMb, nativePort, commitlogSync, log: say });
    if (started.kind === "missing") {
      say(`cannot start Cassandra: ${started.hint}`);
      return exitFailed;
    }
    await using cluster = started.cluster;
    const asked = whenAsked();
    process.stdout.write(howToUse(cluster));
    return await stay(cluster, asked);
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    return exitFailed;
  }
}

function howToUse(cluster: RunningCassandra): string {
  const rf = cluster.contactPoints.length >= 3 ? "&rf=3" : "";
  const store = `cassandra://${cluster.contactPoints.join(",")}/reto3?dc=${cluster.datacenter}${rf}`;
  return `ready: ${store}

use it:  ./dist/reto3 serve --store '${store}'
end it:  Ctrl-C; the data is removed
`;
}

/**
 * Resolves at the first Ctrl-C or the like. Not called before the cluster is up: until then a signal simply ends this
 * process, and what it has started with it.
 */
async function whenAsked(): Promise<"asked"> {
  const { promise, resolve } = Promise.withResolvers<"asked">();
  let isAsked = false;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      // Whoever asks twice is in a hurry; the shells that hold the nodes see to the rest.
      if (isAsked) process.exit(exitInterrupted);
      isAsked = true;
      resolve("asked");
    });
  }
  return promise;
}

/** Stays until the end is asked for, or a node ends unasked; resolves with the exit code. */
async function stay(cluster: RunningCassandra, asked: Promise<"asked">): Promise<number> {
  if ((await Promise.race([asked, cluster.anyNodeEnded()])) === "asked") {
    say("stopping Cassandra");
    return exitOk;
  }
  const ended = cluster.nodes.find((node) => node.pid === undefined);
  say(`Cassandra ended by itself${ended ? `. The end of its log:\n${await readLastLines(ended.logFile)}` : ""}`);
  return exitFailed;
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
