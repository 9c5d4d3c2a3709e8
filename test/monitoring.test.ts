// Monitoring end to end: serve under load, the three monitors, their logs through the shipped Logstash pipelines (played by
// support/logstash-replay.ts) into a real OpenSearch that `reto3 setup elastic` prepared. What is there in the end is what was acknowledged.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { PERIOD_NAMES } from "../src/period.ts";
import { hasCassandra, testKeyspace } from "./support/cassandra.ts";
import { load } from "./support/load.ts";
import { LogstashReplay } from "./support/logstash-replay.ts";
import { linesOf, monitor, sumsOf } from "./support/monitor.ts";
import { hasOpensearch, sharedOpensearch } from "./support/opensearch.ts";
import { reto3, serve, temporaryFolder, until } from "./support/reto3.ts";

const RUN_MS = 300_000;

/** Two minutes, at a rate at which every 10 ms have events. */
const LOAD = ["--rps", "1000", "--duration", "110s"];

describe.skipIf(!hasOpensearch || !hasCassandra)("serve, three monitors and the way of their logs", () => {
  const folder = temporaryFolder();
  const logs = join(folder.path, "logs");
  let keyspace: ReturnType<typeof testKeyspace>;
  let url: string;
  let acked: number;
  let replay: LogstashReplay;

  beforeAll(async () => {
    keyspace = testKeyspace();
    ({ url } = await sharedOpensearch());
    // Other tests use the same server.
    for (const path of ["reto-count-*", "_data_stream/metrics-reto.*"])
      await fetch(`${url}/${path}`, { method: "DELETE" });
    const { code, stderr } = await reto3(["setup", "elastic", "--elasticsearch", url, "--kibana", "none"]);
    if (code !== 0) throw new Error(stderr);
    replay = new LogstashReplay({ logs, url });

    await using server = await serve(keyspace.address);
    const store = ["--store", keyspace.address];
    await using host = await monitor("host", logs);
    await using pipeline = await monitor("pipeline", logs, store);
    const first = await monitor("counts", logs, store);
    const running = load(server.url, LOAD);
    await until(() => Promise.resolve(linesOf("counts", logs).length > 3_000));
    // What Logstash has read so far it does not read again; a killed monitor goes on where it was.
    await replay.run();
    first.kill("SIGKILL");
    await first.exited;
    await using counts = await monitor("counts", logs, store);
    ({ acked } = await running);
    await until(() => Promise.resolve(sumsOf(linesOf("counts", logs))["1m"] === acked));
    for (const one of [host, pipeline, counts]) {
      one.kill("SIGTERM");
      expect(await one.exited).toBe(0);
    }
    await replay.run();
  }, RUN_MS);
  afterAll(async () => {
    await keyspace[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  }, RUN_MS);

  interface Answer {
    hits: { total: { value: number } };
    aggregations: Record<string, { value: number }>;
  }
  async function search(index: string, aggs: object): Promise<Answer> {
    const body = JSON.stringify({ size: 0, track_total_hits: true, aggs });
    const headers = { "Content-Type": "application/json" };
    await fetch(`${url}/${index}/_refresh`, { method: "POST" });
    const answer = await fetch(`${url}/${index}/_search`, { method: "POST", headers, body });
    expect(answer.status).toBe(200);
    return (await answer.json()) as Answer;
  }
  const sumsThere = async () => {
    const sums = { count: { sum: { field: "reto.count" } } };
    const answers = PERIOD_NAMES.map((name) => search(`reto-count-${name}-*`, sums));
    return (await Promise.all(answers)).map(({ hits, aggregations }) => [
      hits.total.value,
      aggregations["count"]?.value,
    ]);
  };

  test("the sum of the counts there is what was acknowledged, at each of the three levels", async () => {
    expect(acked).toBe(110_000);
    expect((await sumsThere()).map(([, sum]) => sum)).toEqual([acked, acked, acked]);
  });

  test("there is one document a bucket, as many as count prints", async () => {
    const lines = await Promise.all(
      PERIOD_NAMES.map(async (period) => {
        const { stdout } = await reto3(["count", "--store", keyspace.address, "--period", period, "--last", "30m"]);
        return stdout.trim().split("\n").length;
      }),
    );
    expect((await sumsThere()).map(([documents]) => documents)).toEqual(lines);
  });

  test("read again from the beginning, the logs change nothing", async () => {
    const before = await sumsThere();
    const samples = () => search("metrics-reto.*", {});
    const samplesBefore = (await samples()).hits.total.value;
    replay.forget();
    const { errors, unreadable } = await replay.run();
    expect({ errors, unreadable }).toMatchObject({ errors: [], unreadable: [] });
    expect(await sumsThere()).toEqual(before);
    expect((await samples()).hits.total.value).toBe(samplesBefore);
  });

  test("TPS and LAG are there, a document a line", async () => {
    const aggs = {
      tps: { max: { field: "reto.tps" } },
      events: { sum: { field: "reto.events" } },
      lag: { max: { field: "reto.lag.p99_ms" } },
    };
    const { hits, aggregations } = await search("metrics-reto.pipeline-*", aggs);
    expect(hits.total.value).toBe(linesOf("pipeline", logs).length);
    expect(aggregations["tps"]?.value).toBeGreaterThan(900);
    expect(aggregations["events"]?.value).toBeGreaterThan(acked / 2);
    expect(aggregations["lag"]?.value).toBeGreaterThan(0);
  });

  test("CPU, memory and disks are there", async () => {
    const fields = ["system.cpu.total.norm.pct", "system.memory.actual.used.pct", "system.filesystem.used.pct"];
    const aggs = Object.fromEntries(fields.map((field) => [field.replaceAll(".", "_"), { max: { field } }]));
    const { aggregations } = await search("metrics-reto.host-*", aggs);
    for (const { value } of Object.values(aggregations)) {
      expect(value).toBeGreaterThan(0);
      expect(value).toBeLessThanOrEqual(1);
    }
  });
});
