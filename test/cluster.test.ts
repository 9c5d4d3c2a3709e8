// The whole cluster under load: HAProxy as it is shipped before three serves, on three Cassandra nodes with three copies. Parts of it
// are stopped, killed and started again: what was answered 200 is counted, once. All of it is this test's own, since it is killed.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { startCassandra, type RunningCassandra } from "../scripts/cassandra/cluster.ts";
import { whyNoJava } from "../scripts/cassandra/provide.ts";
import { addressOf } from "./support/cassandra.ts";
import { hasHaproxy, startBalancer, type Balancer } from "./support/haproxy.ts";
import { countEveryWay, startLoad } from "./support/load.ts";
import { reto3, serve, until, type Server } from "./support/reto3.ts";

const START_MS = 600_000;
const RUN_MS = 900_000;

/** Shorter than HAProxy takes to notice, and requests would fail. */
const SERVE_FLAGS = ["--drain-delay", "3s"];

/** Requests that are on their way at one of three servers at any time: 70/s, each of which waits for some 20 ms. Thirty times that. */
const IN_FLIGHT_MAX = 40;

const RATE = ["--rps", "200"];

/** Where CI=true, balancer.test.ts fails without HAProxy. */
const problem = (await whyNoJava()) ?? (hasHaproxy ? undefined : "HAProxy is missing; .ci/tools installs it");
if (problem !== undefined) console.error(`skipped: ${problem}`);

describe.skipIf(problem !== undefined)("three of each", () => {
  let cluster: RunningCassandra | undefined;
  let balancer: Balancer | undefined;
  const servers: Server[] = [];
  let store = "";
  /** Events of the tests so far. */
  let counted = 0;

  beforeAll(async () => {
    cluster = await startCassandra({ nodes: 3 });
    store = `${addressOf(cluster.contactPoints, "reto3_cluster")}&rf=3`;
    servers.push(...(await Promise.all([1, 2, 3].map(() => serve(store, SERVE_FLAGS)))));
    balancer = await startBalancer(servers.map(({ url }) => new URL(url).host));
    await balancer.untilUp(3);
  }, START_MS);

  afterAll(async () => {
    await balancer?.[Symbol.asyncDispose]();
    for (const server of servers) await server[Symbol.asyncDispose]();
    await cluster?.stop();
  }, START_MS);

  /** Ends a server and starts it again at the same address; the balancer has seen both when this resolves. */
  async function restart(at: number, signal: "SIGTERM" | "SIGKILL"): Promise<number> {
    const old = servers[at];
    if (!old || !balancer) throw new Error("no such server");
    old.kill(signal);
    const code = await old.exited;
    await balancer.untilUp(2);
    servers[at] = await serve(store, SERVE_FLAGS, old.port);
    await balancer.untilUp(3);
    return code;
  }

  /** Resolves when every server has stored events anew. */
  async function allStoreMore(): Promise<void> {
    for (const server of servers) {
      const before = await server.metric("reto3_events_stored_total");
      await until(async () => (await server.metric("reto3_events_stored_total")) > before + 100);
    }
  }

  test(
    "each server is restarted in turn: not one request fails",
    async () => {
      if (!balancer) throw new Error("no balancer was started");
      const running = startLoad(balancer.url, RATE);
      await allStoreMore();
      for (const at of [0, 1, 2]) {
        expect(await restart(at, "SIGTERM")).toBe(0);
        await allStoreMore();
      }
      const report = await running.stop();
      expect(report).toMatchObject({ code: 0, acked: report.sent, counted: report.sent, holds: true });
      counted += report.counted ?? 0;
    },
    RUN_MS,
  );

  test(
    "a server and a Cassandra node are killed, another node is restarted: nothing acked is lost, nothing is refused",
    async () => {
      if (!balancer || !cluster) throw new Error("nothing was started");
      const running = startLoad(balancer.url, [...RATE, "--settle", "10s"]);
      await allStoreMore();
      await restart(1, "SIGKILL");
      await allStoreMore();
      const [, second, third] = cluster.nodes;
      await third?.kill();
      await allStoreMore();
      await third?.start();
      await cluster.waitUntilWhole();
      await second?.restart();
      await cluster.waitUntilWhole();
      await allStoreMore();
      const report = await running.stop();
      expect(report).toMatchObject({ refused: 0, holds: true });
      // What waited for a connection at the very moment at which the load was stopped; not one could not be had.
      expect(report.unsent).toBe(report.reasons["no free connection"] ?? 0);
      expect(report.unknown).toBeLessThan(IN_FLIGHT_MAX);
      expect(await countEveryWay(store)).toBe(counted + (report.counted ?? 0));
      expect((await reto3(["verify", "--store", store, "--last", "30m"])).code).toBe(0);
    },
    RUN_MS,
  );
});
