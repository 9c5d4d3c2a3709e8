// The product as it is used: serve, load and count as processes of their own, on each store.
// Every acked event is counted, at all levels and in the raw rows, also when serve is killed in the middle.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { countEveryWay, load } from "./support/load.ts";
import { executable, reto3, serve, until } from "./support/reto3.ts";
import { testStores, type TestStore } from "./support/stores.ts";

const RUN_MS = 90_000;

for (const { name, available, open } of testStores) {
  describe.skipIf(!available)(`on ${name}`, () => {
    let store: TestStore;
    beforeAll(() => void (store = open()));
    afterAll(async () => void (await store.dispose()), RUN_MS);

    test(
      "what load sends is acked and counted, by totals and by raw events, in bursts too; a second load has a baseline",
      async () => {
        await using server = await serve(store.address);
        const first = await load(server.url, ["--rps", "2000", "--duration", "2s"]);
        expect(first).toMatchObject({ code: 0, sent: 4_000, acked: 4_000, counted: 4_000, holds: true });
        const second = await load(server.url, ["--rps", "500", "--duration", "1s", "--requests-per-connection", "10"]);
        expect(second).toMatchObject({ code: 0, sent: 500, acked: 500, counted: 500, holds: true });
        const bursts = ["--arrivals", "bursty", "--burst", "40", "--seed", "1"];
        const third = await load(server.url, ["--rps", "1000", "--duration", "1s", ...bursts]);
        expect(third).toMatchObject({
          arrivals: "bursty",
          burst: 40,
          seed: 1,
          sent: 1_000,
          counted: 1_000,
          holds: true,
        });
        expect(await countEveryWay(store.address)).toBe(5_500);
      },
      RUN_MS,
    );

    test(
      "SIGTERM under load: all that was taken is answered and stored, claims are sealed, exit 0",
      async () => {
        const before = await countEveryWay(store.address);
        const server = await serve(store.address);
        const running = load(server.url, ["--rps", "1000", "--duration", "5s", "--timeout", "5s", "--settle", "2s"]);
        await until(async () => (await server.metric("reto3_events_stored_total")) >= 1_000);
        server.kill("SIGTERM");
        expect(await server.exited).toBe(0);
        expect(server.said()).toMatch(/drained: \d+ events stored, none left/);
        await using again = await serve(store.address, [], server.port);
        const report = await running;
        // All that was taken was answered. A request that was sent at the very moment at which its idle connection was closed
        // was not taken: its client cannot know, but it is not counted.
        expect(report).toMatchObject({ holds: true, counted: report.acked });
        expect(report.acked).toBeGreaterThan(999);
        expect(await countEveryWay(store.address)).toBe(before + report.acked);
        const counts = await (await fetch(`${again.url}/counts?period=1m&last=30m`)).json();
        expect(counts).toMatchObject({ events: before + report.acked });
      },
      RUN_MS,
    );

    test(
      "kill -9 of serve in the middle of a load, then a restart: every acked event is counted, none twice",
      async () => {
        const before = await countEveryWay(store.address);
        const server = await serve(store.address);
        const running = load(server.url, ["--rps", "2000", "--duration", "6s", "--timeout", "1s", "--settle", "2s"]);
        await until(async () => (await server.metric("reto3_events_stored_total")) >= 3_000);
        server.kill("SIGKILL");
        expect(await server.exited).toBe(128 + 9);
        await using _ = await serve(store.address, [], server.port);
        const report = await running;
        expect(report.holds).toBe(true);
        expect(report.acked).toBeGreaterThan(3_000);
        // There was something in flight to lose.
        expect(report.unknown).toBeGreaterThan(0);
        const counted = (await countEveryWay(store.address)) - before;
        expect(counted).toBe(report.counted ?? 0);
        expect(counted).toBeGreaterThanOrEqual(report.acked);
        expect(counted).toBeLessThanOrEqual(report.acked + report.unknown);
      },
      RUN_MS,
    );

    test(
      "bench-insert measures in a store of its own: the counts stay as they are",
      async () => {
        const before = await countEveryWay(store.address);
        const args = [
          "bench-insert",
          "--store",
          store.address,
          "--batch",
          "50",
          "--duration",
          "1s",
          "--warmup",
          "100ms",
        ];
        const { code, stdout } = await reto3([...args, "--writers", "2", "--format", "json"]);
        const report = JSON.parse(stdout) as Record<string, number>;
        expect([code, report["batch"], report["writers"]]).toEqual([0, 50, 2]);
        expect(report["rows"]).toBe(50 * (report["flushes"] ?? 0));
        expect(report["rows"]).toBeGreaterThan(0);
        expect(await countEveryWay(store.address)).toBe(before);
      },
      RUN_MS,
    );

    test(
      "count --follow prints what arrives, until it is interrupted",
      async () => {
        await using server = await serve(store.address);
        const from = new Date().toISOString().slice(0, 19).replace("T", " ");
        const args = ["count", "--store", store.address, "--period", "1s", "--from", from, "--follow"];
        const follower = Bun.spawn([executable, ...args], { stdout: "pipe", stderr: "ignore" });
        let printed = "";
        const reading = (async () => {
          for await (const chunk of follower.stdout.pipeThrough(new TextDecoderStream())) printed += chunk;
        })();
        await load(server.url, ["--rps", "300", "--duration", "2s"]);
        const seen = () => {
          // A bucket that grew is printed again: the last line counts.
          const last = new Map(printed.split("\n").map((line) => line.split(", ") as [string, string]));
          return [...last.values()].reduce((sum, events) => sum + Number(events ?? 0), 0);
        };
        await until(async () => seen() >= 600);
        follower.kill("SIGINT");
        expect(await follower.exited).toBe(0);
        await reading;
      },
      RUN_MS,
    );
  });
}
