// `reto3 monitor pipeline` and `counts` as users run them, on each store: beside serve, through kill -9 and restarts.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { load } from "./support/load.ts";
import { linesOf, monitor, sumsOf } from "./support/monitor.ts";
import { reto3, serve, temporaryFolder, until } from "./support/reto3.ts";
import { testStores, type TestStore } from "./support/stores.ts";

const RUN_MS = 150_000;

for (const { name, available, open } of testStores) {
  describe.skipIf(!available)(`monitors on ${name}`, () => {
    let store: TestStore;
    beforeAll(() => void (store = open()));
    afterAll(async () => void (await store.dispose()), RUN_MS);

    test(
      "kill -9 of the counts' monitor under load: the sums are right, no bucket is there twice with the same count",
      async () => {
        using folder = temporaryFolder();
        const logs = join(folder.path, "logs");
        await using server = await serve(store.address);
        const args = ["--store", store.address, "--interval", "100ms"];
        const first = await monitor("counts", logs, args);
        const running = load(server.url, ["--rps", "1000", "--duration", "4s"]);
        await until(() => Promise.resolve(linesOf("counts", logs).length >= 100));
        first.kill("SIGKILL");
        expect(await first.exited).toBe(128 + 9);
        const { acked } = await running;
        await using second = await monitor("counts", logs, args);
        // What was answered "unknown" may be there as well. Minutes, whose lines come when they are over, are in monitoring.test.ts.
        const question = ["count", "--store", store.address, "--period", "1s", "--last", "10m"];
        const { stdout } = await reto3(question);
        const rows = stdout.trim().split("\n");
        const stored = rows.reduce((sum, row) => sum + Number(row.split(", ")[1]), 0);
        expect(stored).toBeGreaterThanOrEqual(acked);
        const sums = () => sumsOf(linesOf("counts", logs));
        await until(() => Promise.resolve(sums()["10ms"] === stored && sums()["1s"] === stored));
        second.kill("SIGTERM");
        expect(await second.exited).toBe(0);
        const lines = linesOf("counts", logs);
        expect(sumsOf(lines)).toMatchObject({ "10ms": stored, "1s": stored });
        const last = new Map<string, number>();
        const doubles = lines.filter(({ event, reto }) => {
          const isDouble = last.get(event.id) === reto.count;
          last.set(event.id, reto.count);
          return isDouble;
        });
        expect(doubles).toEqual([]);
        const seconds = [...last].filter(([id]) => id.startsWith("1s-"));
        expect(seconds).toHaveLength(rows.length);
        expect(second.said()).toContain("stopped");
      },
      RUN_MS,
    );

    test(
      "the pipeline's monitor writes a line a second, with the events of that second and their lags",
      async () => {
        using folder = temporaryFolder();
        await using server = await serve(store.address);
        await using pipeline = await monitor("pipeline", folder.path, ["--store", store.address]);
        await until(() => Promise.resolve(linesOf("pipeline", folder.path).length >= 1));
        const before = linesOf("pipeline", folder.path).length;
        const { acked } = await load(server.url, ["--rps", "500", "--duration", "3s"]);
        const endedMs = Date.now();
        const lines = () => linesOf("pipeline", folder.path).slice(before);
        await until(() => Promise.resolve(lines().some((line) => Date.parse(line["@timestamp"]) > endedMs)));
        pipeline.kill("SIGTERM");
        expect(await pipeline.exited).toBe(0);
        const sum = lines().reduce((events, { reto }) => events + reto.events, 0);
        // What was stored more than a second after it arrived is not in a sample: on a busy machine there may be some.
        expect(sum).toBeGreaterThan(acked / 2);
        expect(sum).toBeLessThanOrEqual(acked);
        const busy = lines().filter(({ reto }) => reto.events > 0);
        for (const { reto } of busy) {
          const { min_ms = 1, p50_ms = 0, p99_ms = 0, max_ms = 0 } = reto.lag ?? {};
          expect([min_ms, p50_ms, p99_ms, max_ms]).toEqual([min_ms, p50_ms, p99_ms, max_ms].toSorted((a, b) => a - b));
          expect(reto.lag).toMatchObject({ negative: 0, clamped: 0 });
        }
        expect(new Set(lines().map(({ event }) => event.id)).size).toBe(lines().length);
      },
      RUN_MS,
    );
  });
}

describe("a monitor", () => {
  test.each([
    ["pipeline", "--interval", "10ms", "at least 1s"],
    ["counts", "--interval", "soon", "a duration"],
    ["counts", "--from", "yesterday", "YYYY-MM-DD"],
    ["counts", "--log-keep", "1h", "at least 2d"],
    ["counts", "--log-file-max", "none", "a size"],
  ])("%s refuses %s %s, and says what it wants: %s", async (name, flag, value, wanted) => {
    const { code, stderr } = await reto3(["monitor", name, flag, value]);
    expect(code).toBe(2);
    expect(stderr).toContain(`${flag}: "${value}"`);
    expect(stderr).toContain(wanted);
  });

  test("without a store that is there says so", async () => {
    using folder = temporaryFolder();
    const store = `sqlite:${join(folder.path, "none.db")}`;
    const { code, stderr } = await reto3(["monitor", "counts", "--store", store, "--log-dir", folder.path]);
    expect([code, stderr]).toEqual([1, expect.stringContaining("none.db")]);
  });

  test("is healthy as long as it goes on writing", async () => {
    using folder = temporaryFolder();
    const logs = join(folder.path, "logs");
    const store = `sqlite:${join(folder.path, "reto3.db")}`;
    const health = (...args: string[]) => reto3(["health", "--log-dir", logs, ...args]);
    expect(await health("--monitor", "pipeline")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("--log-dir"),
    });
    await using _ = await serve(store);
    await using running = await monitor("pipeline", logs, ["--store", store]);
    await until(async () => (await health("--monitor", "pipeline")).code === 0);
    expect(await health("--monitor", "counts")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("wrote nothing in"),
    });
    running.kill("SIGKILL");
    await running.exited;
    await until(async () => (await health("--monitor", "pipeline", "--within", "1ms")).code === 1);
  });

  test("is one of those that are there", async () => {
    for (const args of [["monitor"], ["monitor", "all"], ["help", "monitor"]]) {
      const { code, stderr } = await reto3(args);
      expect(code).toBe(2);
      expect(stderr).toContain("there are monitor host, monitor pipeline, monitor counts");
    }
    const { code, stdout } = await reto3(["help", "monitor", "counts"]);
    expect([code, stdout]).toEqual([0, expect.stringContaining("reto3 monitor counts")]);
  });
});
