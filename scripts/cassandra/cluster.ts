// A throw-away Cassandra of one or more nodes on 127.0.0.1, .2, .3: ports, folder, the order of starts, the end of it all.
// Nothing is left behind, whichever way the owner ends; see temp-folder.ts and guarded-process.ts.

import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureArtifacts } from "./artifacts.ts";
import type { ProbeTls } from "./cql-probe.ts";
import { findJava } from "./java.ts";
import { CassandraNode } from "./node.ts";
import type { CommitlogSync, NodeSettings } from "./node-config.ts";
import { chooseFreePort, requireFreePort } from "./ports.ts";
import { waitForRing } from "./ring.ts";
import { makeTempFolder } from "./temp-folder.ts";

/** With Cassandra's SimpleSnitch every node is in this data centre; the driver wants it as localDataCenter. */
export const datacenter = "datacenter1";

export const nodesMax = 9;
export const heapMbDefault = 512;
export const commitlogSegmentMbDefault = 32;

export interface ClusterOptions {
  /** How many nodes, each about 0.5 GB of memory more than its heap. Default: 1, at most 9. */
  readonly nodes?: number;
  /** Java's heap for each node, in MiB. Default: 512. */
  readonly heapMb?: number;
  /** The port for clients, the same on every node's address. Default, and 0: one that is free. */
  readonly nativePort?: number;
  /** What an acknowledgement means. Default: "batch"; see CommitlogSync. */
  readonly commitlogSync?: CommitlogSync;
  /** Size of a commit log segment, in MiB; the largest mutation is half of it. Default: 32. */
  readonly commitlogSegmentMb?: number;
  /** Lines of cassandra.yaml beside, or in place of, those that a throw-away node has. With Java only. Default: none. */
  readonly yaml?: Readonly<Record<string, unknown>>;
  /** For nodes that speak TLS by their `yaml`: how to ask them whether they have started. Default: in plain text only. */
  readonly probeTls?: ProbeTls;
  /** How long one node's start may take. Default: 120 s. */
  readonly startTimeoutMs?: number;
  /** Is told, a line at a time, what goes on. Default: nobody is, except of a download, which goes to stderr. */
  readonly log?: (line: string) => void;
}

export interface RunningCassandra extends AsyncDisposable {
  /** "127.0.0.1:9042", ...: one per node. For more than one the driver wants the port as protocolOptions.port, too. */
  readonly contactPoints: readonly string[];
  /** To kill, stop and start one by one. Empty where Cassandra runs in a container. */
  readonly nodes: readonly CassandraNode[];
  readonly datacenter: string;
  /** Resolves when every node sees all others up, for use after a node was started again; fails after 60 s. */
  waitUntilWhole(): Promise<void>;
  /** Resolves when a node ends, whoever ended it; at once when one is down already. */
  anyNodeEnded(): Promise<void>;
  /** Ends all nodes at once and removes their data. */
  stop(): Promise<void>;
}

/** Starts a cluster and resolves when every node answers and knows all others. Needs Java 17, and Maven the first time. */
export async function startCassandra(options: ClusterOptions = {}): Promise<RunningCassandra> {
  const { nodes: nodeCount = 1, log = () => {} } = options;
  if (!Number.isInteger(nodeCount) || nodeCount < 1 || nodeCount > nodesMax) {
    throw new RangeError(`nodes: ${nodeCount} is not a whole number from 1 to ${nodesMax}`);
  }
  const hosts = Array.from({ length: nodeCount }, (_, index) => `127.0.0.${index + 1}`);
  const ports = choosePorts(hosts, options.nativePort);
  const java = await findJava();
  if (java.path === undefined) throw new Error(`cannot start Cassandra: ${java.problem}`);
  const lib = await ensureArtifacts(options.log ? { log: options.log } : {});

  const folder = await makeTempFolder(join(tmpdir(), "reto3-cassandra-"));
  const program = {
    java: java.path,
    lib,
    ...(options.startTimeoutMs === undefined ? {} : { startTimeoutMs: options.startTimeoutMs }),
  };
  const nodes = hosts.map((host, index) => {
    const settings: NodeSettings = {
      folder: join(folder.path, `node-${index + 1}`),
      host,
      ...ports.shared,
      jmxPort: ports.jmx[index] ?? 0,
      seedHost: hosts[0] ?? host,
      heapMb: options.heapMb ?? heapMbDefault,
      commitlogSync: options.commitlogSync ?? "batch",
      commitlogSegmentMb: options.commitlogSegmentMb ?? commitlogSegmentMbDefault,
      yaml: options.yaml ?? {},
      probeTls: options.probeTls,
    };
    return new CassandraNode(settings, program);
  });
  const contactPoints = nodes.map((node) => node.contactPoint);
  const waitUntilWhole = () => waitForRing(contactPoints, datacenter);
  const stop = async () => {
    // Without the grace to drain: that takes 5 s, and the data is removed in any case.
    await Promise.all(nodes.map((node) => node.stop(0)));
    await folder.remove();
  };

  try {
    // One after another, as Cassandra wants it of nodes that join.
    for (const node of nodes) {
      const began = performance.now();
      await node.start();
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      log(`node ${node.contactPoint} answers after ${seconds} s: java pid ${node.pid}, log ${node.logFile}`);
    }
    await waitUntilWhole();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    contactPoints,
    nodes,
    datacenter,
    waitUntilWhole,
    anyNodeEnded: async () => void (await Promise.race(nodes.map((node) => node.exited))),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function choosePorts(hosts: readonly string[], wantedNativePort = 0) {
  const taken = new Set<number>();
  if (wantedNativePort) {
    for (const host of hosts) requireFreePort(host, wantedNativePort, "stop what listens there or choose another port");
    taken.add(wantedNativePort);
  }
  return {
    // The driver uses one native port for all nodes, and so do the nodes with the storage port.
    shared: {
      nativePort: wantedNativePort || chooseFreePort(hosts, taken),
      storagePort: chooseFreePort(hosts, taken),
    },
    // JMX listens on 127.0.0.1 whatever the node's address.
    jmx: hosts.map(() => chooseFreePort(["127.0.0.1"], taken)),
  };
}
