// A throw-away OpenSearch of one node on 127.0.0.1: start, wait until it is healthy, stop. Its data goes with it.
// Nothing is left behind, whichever way the owner ends; see ../cassandra/temp-folder.ts and ../cassandra/guarded-process.ts.

import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type GuardedProcess, startGuarded } from "../cassandra/guarded-process.ts";
import { findJava } from "../cassandra/java.ts";
import { readLastLines } from "../cassandra/log-tail.ts";
import { makeTempFolder } from "../cassandra/temp-folder.ts";
import { ensureJars } from "../jars.ts";
import { opensearchJars } from "./artifacts.ts";
import { httpPortIn, javaArguments, log4jProperties, opensearchYaml } from "./node-config.ts";

const heapMbDefault = 512;
const startTimeoutMsDefault = 120_000;
const stopGraceMs = 10_000;
const probeEveryMs = 100;
const probeTimeoutMs = 2_000;

export interface OpensearchOptions {
  /** Java's heap, in MiB. Default: 512. */
  readonly heapMb?: number;
  /** How long the start may take, without the download. Default: 120 s; some 5 s are usual. */
  readonly startTimeoutMs?: number;
  /** Is told of a download. Default: stderr is. */
  readonly log?: (line: string) => void;
}

export interface RunningOpensearch extends AsyncDisposable {
  /** "http://127.0.0.1:PORT", without a slash at the end. No user, no password. */
  readonly url: string;
  /** Of java itself. */
  readonly pid: number;
  /** All that java prints. */
  readonly logFile: string;
  /** Ends it and removes its data. Harmless when it is down already. */
  stop(): Promise<void>;
}

/** Resolves when the cluster is healthy. Needs Java 17, and Maven the first time. */
export async function startOpensearch(options: OpensearchOptions = {}): Promise<RunningOpensearch> {
  const java = await findJava(process.env, "OpenSearch 2.19");
  if (java.path === undefined) throw new Error(`cannot start OpenSearch: ${java.problem}`);
  const lib = await ensureJars(opensearchJars, options.log ? { log: options.log } : {});
  const temp = await makeTempFolder(join(tmpdir(), "reto3-opensearch-"));
  try {
    const folder = temp.path;
    const logFile = join(folder, "node.log");
    await mkdir(join(folder, "tmp"));
    await mkdir(join(folder, "config"));
    await Bun.write(join(folder, "config", "opensearch.yml"), opensearchYaml);
    await Bun.write(join(folder, "config", "log4j2.properties"), log4jProperties);
    const { heapMb = heapMbDefault, startTimeoutMs = startTimeoutMsDefault } = options;
    const node = await startGuarded([java.path, ...javaArguments({ folder, lib, heapMb })], { folder, logFile });
    const url = await waitUntilHealthy(node, logFile, startTimeoutMs);
    const stop = async () => {
      await node.end(stopGraceMs);
      await temp.remove();
    };
    return { url, pid: node.pid, logFile, stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await temp.remove();
    throw error;
  }
}

/** Resolves with its address; throws, with the process gone, when it ends or the time is over. */
async function waitUntilHealthy(node: GuardedProcess, logFile: string, timeoutMs: number): Promise<string> {
  const deadline = performance.now() + timeoutMs;
  const ended = node.exited.then((code) => `it ended with exit code ${code}`);
  let problem = `it was not healthy within ${timeoutMs} ms`;
  while (performance.now() < deadline) {
    const port = httpPortIn(await textOf(logFile));
    const url = `http://127.0.0.1:${port}`;
    if (port !== undefined && (await isHealthy(url))) return url;
    const end = await Promise.race([ended, Bun.sleep(probeEveryMs)]);
    if (end === undefined) continue;
    problem = end;
    break;
  }
  await node.end(0);
  throw new Error(`cannot start OpenSearch: ${problem}. The end of its log:\n${await readLastLines(logFile)}`);
}

/** Yellow is healthy: a node that is alone has nobody for replicas. */
async function isHealthy(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/_cluster/health`, { signal: AbortSignal.timeout(probeTimeoutMs) });
    const { status } = (await response.json()) as { status?: unknown };
    return response.ok && (status === "green" || status === "yellow");
  } catch {
    return false;
  }
}

async function textOf(path: string): Promise<string> {
  const file = Bun.file(path);
  return (await file.exists()) ? file.text() : "";
}
