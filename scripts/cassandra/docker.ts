// The way without Java on this machine: one node in a container of the official image, published on 127.0.0.1 only.
// Like a node of java's it does not outlive its owner: a shell on a tether removes the container when the owner is gone.

import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type ClusterOptions,
  commitlogSegmentMbDefault,
  datacenter,
  heapMbDefault,
  type RunningCassandra,
} from "./cluster.ts";
import { startGuarded } from "./guarded-process.ts";
import { readLastLines } from "./log-tail.ts";
import type { CommitlogSync } from "./node-config.ts";
import { startTimeoutMsDefault } from "./node.ts";
import { chooseFreePort, requireFreePort } from "./ports.ts";
import { waitForCql } from "./readiness.ts";
import { makeTempFolder } from "./temp-folder.ts";
import { ignoreSignals, startTether } from "./tether.ts";

const image = "cassandra:5.0";
const host = "127.0.0.1";
const nativePortInside = 9042;
const infoTimeoutMs = 10_000;

/** True when a Docker engine answers, not only its client is installed. */
export async function dockerAnswers(): Promise<boolean> {
  if (Bun.which("docker") === null) return false;
  const info = Bun.spawn(["docker", "info"], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
    timeout: infoTimeoutMs,
  });
  return (await info.exited) === 0;
}

/**
 * `docker run` may have been about to make the container when the owner died, hence again and again for 10 s.
 * -v: the image declares a volume for its data.
 */
const removeContainerScript = `${ignoreSignals}
echo watching
read _ && exit 0
tries=0
while [ "$tries" -lt 10 ]; do
  docker rm -f -v "$1" >/dev/null 2>&1
  sleep 1
  tries=$((tries + 1))
done`;

export async function startCassandraInDocker(options: ClusterOptions = {}): Promise<RunningCassandra> {
  if ((options.nodes ?? 1) !== 1) {
    throw new Error(`cannot start ${options.nodes} nodes with Docker, only one: for more install Java 17 and Maven`);
  }
  if (options.yaml) throw new Error("cannot change cassandra.yaml with Docker: for that install Java 17 and Maven");
  if (options.nativePort) {
    requireFreePort(host, options.nativePort, "stop what listens there or choose another port");
  }
  const port = options.nativePort || chooseFreePort([host], new Set());
  const folder = await makeTempFolder(join(tmpdir(), "reto3-cassandra-"));
  const logFile = join(folder.path, "node.log");
  const name = `reto3-cassandra-${crypto.randomUUID().slice(0, 8)}`;
  const reaper = await startTether(removeContainerScript, [name]);
  const stop = async () => {
    await Bun.spawn(["docker", "rm", "-f", "-v", name], { stdin: "ignore", stdout: "ignore", stderr: "ignore" }).exited;
    await reaper.dismiss();
    await folder.remove();
  };

  try {
    await pullOnce(folder.path, logFile, options.log);
    const container = await startGuarded(runCommand(name, port, options), { folder: folder.path, logFile });
    const timeoutMs = options.startTimeoutMs ?? startTimeoutMsDefault;
    await waitForCql({ process: container, host, port, timeoutMs, logFile });
    options.log?.(`node ${host}:${port} answers: container ${name}`);
    return {
      contactPoints: [`${host}:${port}`],
      nodes: [],
      datacenter,
      waitUntilWhole: async () => {},
      anyNodeEnded: async () => void (await container.exited),
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** On its own, as `docker run` would make the download part of the start's time. */
async function pullOnce(folder: string, logFile: string, log: ClusterOptions["log"]): Promise<void> {
  const inspect = Bun.spawn(["docker", "image", "inspect", image], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
  });
  if ((await inspect.exited) === 0) return;
  log?.(`downloading the image ${image} with Docker`);
  const pull = await startGuarded(["docker", "pull", "-q", image], { folder, logFile });
  if ((await pull.exited) === 0) return;
  throw new Error(`cannot download the image ${image}:\n${await readLastLines(logFile)}`);
}

/** Attached, so that the output is the log, and its end the container's end. */
function runCommand(name: string, port: number, options: ClusterOptions): string[] {
  const { heapMb = heapMbDefault, commitlogSegmentMb = commitlogSegmentMbDefault, commitlogSync = "batch" } = options;
  const settings = {
    ...commitlogSyncProperties[commitlogSync],
    commitlog_segment_size: `${commitlogSegmentMb}MiB`,
    auto_snapshot: "false",
  };
  const javaOptions = [
    "-Dcassandra.skip_wait_for_gossip_to_settle=0",
    // Lets system properties stand in for lines of the image's cassandra.yaml.
    "-Dcassandra.config.allow_system_properties=true",
    ...Object.entries(settings).map(([setting, value]) => `-Dcassandra.settings.${setting}=${value}`),
  ];
  return [
    "docker",
    "run",
    "--rm",
    `--name=${name}`,
    "--label=reto3.throw-away=cassandra",
    `--publish=${host}:${port}:${nativePortInside}`,
    `--env=MAX_HEAP_SIZE=${heapMb}M`,
    `--env=HEAP_NEWSIZE=${Math.ceil(heapMb / 4)}M`,
    `--env=JVM_EXTRA_OPTS=${javaOptions.join(" ")}`,
    image,
  ];
}

/** The image's own period must go to 0, else batch and group are refused. */
const commitlogSyncProperties: Record<CommitlogSync, Record<string, string>> = {
  batch: { commitlog_sync: "batch", commitlog_sync_period: "0ms" },
  group: { commitlog_sync: "group", commitlog_sync_period: "0ms", commitlog_sync_group_window: "10ms" },
  periodic: { commitlog_sync: "periodic" },
};
