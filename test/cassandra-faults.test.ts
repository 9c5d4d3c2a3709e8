// Cassandra stopped and killed under load: no acked event is lost or counted twice, all levels agree, memory stays bounded,
// and the service recovers by itself. The node is one of this test's own, since it is killed.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { RunningCassandra } from "../scripts/cassandra/cluster.ts";
import { startWithWhatIsThere, whyNoJava } from "../scripts/cassandra/provide.ts";
import { addressOf } from "./support/cassandra.ts";
import { countEveryWay, load } from "./support/load.ts";
import { serve, until } from "./support/reto3.ts";

const START_MS = 180_000;
const RUN_MS = 120_000;
const STOPPED_MS = 3_000;

const RSS_BYTES_MAX = 400 * 1024 * 1024;

/** Its process is what the test stops and kills, so a container or somebody else's Cassandra does not do. */
const problem = await whyNoJava();

describe.skipIf(problem !== undefined)("a Cassandra node under load", () => {
  let cluster: RunningCassandra | undefined;
  beforeAll(async () => {
    const provided = await startWithWhatIsThere();
    if (provided.kind === "started") ({ cluster } = provided);
  }, START_MS);
  afterAll(() => cluster?.stop(), START_MS);

  test(
    "is stopped for three seconds, later killed with -9 and started again",
    async () => {
      const node = cluster?.nodes[0];
      if (!cluster || !node) throw new Error("no node was started");
      const store = addressOf(cluster.contactPoints, "reto3_faults");
      await using server = await serve(store);
      const storedEvents = () => server.metric("reto3_events_stored_total");
      const storedMore = async (events: number) => {
        const before = await storedEvents();
        await until(async () => (await storedEvents()) >= before + events);
      };
      const running = load(server.url, ["--rps", "1000", "--duration", "30s", "--settle", "100s"]);

      await storedMore(2_000);
      await node.kill("SIGSTOP");
      await Bun.sleep(STOPPED_MS);
      await node.kill("SIGCONT");
      await storedMore(2_000);

      await node.kill("SIGKILL");
      await until(async () => (await fetch(`${server.url}/readyz`)).status === 503);
      await node.start();
      await until(async () => (await fetch(`${server.url}/readyz`)).status === 200);
      await storedMore(1_000);

      const report = await running;
      expect(report.holds).toBe(true);
      expect(report.acked).toBeGreaterThan(15_000);
      expect(await countEveryWay(store)).toBe(report.counted ?? 0);
      // What was retried is there once; what was answered 504 was stored after all, by the retries.
      expect(report.counted).toBe(report.acked + report.unknown);
      expect(await server.metric("process_resident_memory_bytes")).toBeLessThan(RSS_BYTES_MAX);
      expect(await server.metric("reto3_queue_events")).toBe(0);
      expect(await server.metric("reto3_store_retries_total")).toBeGreaterThan(0);
      // A node that came back must not keep the server from ending.
      server.kill("SIGTERM");
      expect(await server.exited).toBe(0);
    },
    RUN_MS,
  );
});
