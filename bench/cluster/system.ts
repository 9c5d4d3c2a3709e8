// What is measured: real Cassandra nodes, serves and HAProxy as it is shipped, on this machine; and the CPU time of each.

import type { CassandraNode } from "../../scripts/cassandra/node.ts";
import { addressOf } from "../../test/support/cassandra.ts";
import { startBalancer, type Balancer } from "../../test/support/haproxy.ts";
import { serve, type Server } from "../../test/support/reto3.ts";
import { cpuSeconds } from "../support/process.ts";
import { startNodes } from "../support/stores.ts";

const DRAIN = ["--drain-delay", "3s"];

export interface System extends AsyncDisposable {
  readonly nodes: readonly CassandraNode[];
  readonly servers: Server[];
  /** Before the first one, two or three servers. */
  readonly balancers: readonly Balancer[];
  waitUntilWhole(): Promise<void>;
  /** Kills a server and starts it anew at the same port. */
  restartServer(at: number): Promise<void>;
  /** Of all nodes together, since they were started. */
  cassandraCpuSeconds(): number;
}

/** Three servers on `nodes` Cassandra nodes, with as many copies as there are nodes. */
export async function startSystem(nodes: number): Promise<System> {
  const cluster = await startNodes({ nodes });
  const store = `${addressOf(cluster.contactPoints, "reto3_bench")}&rf=${nodes}`;
  const servers = [await serve(store, DRAIN), await serve(store, DRAIN), await serve(store, DRAIN)];
  const addresses = servers.map(({ url }) => new URL(url).host);
  const balancers = await Promise.all([1, 2, 3].map((count) => startBalancer(addresses.slice(0, count))));
  await Promise.all(balancers.map((balancer, at) => balancer.untilUp(at + 1)));
  return {
    nodes: cluster.nodes,
    servers,
    balancers,
    waitUntilWhole: () => cluster.waitUntilWhole(),
    async restartServer(at) {
      const old = servers[at];
      if (!old) throw new Error(`there is no server ${at}`);
      old.kill("SIGKILL");
      await old.exited;
      servers[at] = await serve(store, DRAIN, old.port);
    },
    cassandraCpuSeconds: () =>
      cluster.nodes.reduce((sum, { pid }) => sum + (pid === undefined ? 0 : cpuSeconds(pid)), 0),
    async [Symbol.asyncDispose]() {
      for (const balancer of balancers) await balancer[Symbol.asyncDispose]();
      for (const server of servers) await server[Symbol.asyncDispose]();
      await cluster.stop();
    },
  };
}
