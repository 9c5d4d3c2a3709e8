// GET / and GET /live of the executable: what a viewer is told under load is what the store says, and the page that shows it.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { hasCassandra, testKeyspace, type TestKeyspace } from "./support/cassandra.ts";
import { watchLive } from "./support/live-stream.ts";
import { load, startLoad } from "./support/load.ts";
import { serve, temporaryFolder, type Server } from "./support/reto3.ts";

const RUN_MS = 60_000;

const sum = (seconds: Map<number, [number, number]>) =>
  [...seconds.values()].reduce((all, [events]) => all + events, 0);

/** What GET /counts says of the last minutes, by start in milliseconds. */
async function countsBy(server: Server, period: "1s" | "10ms"): Promise<Map<number, number>> {
  const answer = await fetch(`${server.url}/counts?period=${period}&last=4m`);
  const { buckets } = (await answer.json()) as { buckets: { bucket: string; events: number }[] };
  return new Map(buckets.map(({ bucket, events }) => [Date.parse(bucket), events]));
}

/** That each second was told as GET /counts has it, its fullest 10 ms included. */
async function expectCounted(server: Server, told: Map<number, [number, number]>): Promise<void> {
  const [seconds, fine] = [await countsBy(server, "1s"), await countsBy(server, "10ms")];
  const peaks = new Map<number, number>();
  for (const [startMs, events] of fine) {
    const second = startMs - (startMs % 1_000);
    peaks.set(second, Math.max(peaks.get(second) ?? 0, events));
  }
  const filled = [...told].filter(([, [events]]) => events > 0).toSorted(([a], [b]) => a - b);
  expect(filled).toEqual([...seconds].map(([startMs, events]) => [startMs, [events, peaks.get(startMs) ?? 0]]));
}

test(
  "a viewer of a SQLite server under load is told each second as it is stored, and SIGTERM does not wait for it",
  async () => {
    using folder = temporaryFolder();
    const store = `sqlite:${join(folder.path, "reto3.db")}`;
    await using server = await serve(store);
    await using early = await watchLive(server.url);
    expect(early.first).toMatchObject({ keep: "events", firstMs: null, raw: { events: 0 }, status: { workers: 1 } });
    const report = await load(server.url, ["--rps", "500", "--duration", "3s"]);
    expect(report).toMatchObject({ sent: 1_500, acked: 1_500, counted: 1_500, holds: true });
    await early.until(() => sum(early.seconds) === 1_500);
    await expectCounted(server, early.seconds);
    const last = await early.until(({ status }) => status.storedPerSec > 0);
    expect(last.status).toMatchObject({ problem: null, storeProblem: null, queueEvents: 0, viewers: 1 });
    expect(last.status.ackMs?.p50).toBeGreaterThan(0);
    // Whoever comes later is told the same.
    await using late = await watchLive(server.url);
    expect([sum(late.seconds), late.first.firstMs]).toEqual([1_500, expect.any(Number)]);
    await expectCounted(server, late.seconds);
    server.kill("SIGTERM");
    await Promise.all([early.ended(), late.ended()]);
    expect(await server.exited).toBe(0);
    expect(server.said()).toContain("drained: 1500 events stored, none left");
  },
  RUN_MS,
);

test(
  "a viewer is told while a server of the same file goes away and comes back",
  async () => {
    using folder = temporaryFolder();
    const store = `sqlite:${join(folder.path, "reto3.db")}`;
    {
      await using server = await serve(store);
      expect((await load(server.url, ["--rps", "200", "--duration", "1s"])).acked).toBe(200);
      server.kill("SIGKILL");
      await server.exited;
    }
    await using server = await serve(store);
    await using viewer = await watchLive(server.url);
    expect(viewer.first.raw.events).toBe(200);
    if (sum(viewer.seconds) < 200) await viewer.until(() => sum(viewer.seconds) === 200);
    await expectCounted(server, viewer.seconds);
  },
  RUN_MS,
);

test("a browser gets the page, which its policy lets run, and others what they always got", async () => {
  using folder = temporaryFolder();
  await using server = await serve(`sqlite:${join(folder.path, "reto3.db")}`);
  const page = await fetch(server.url, { headers: { accept: "text/html,*/*;q=0.8" } });
  const html = await page.text();
  expect(html).toStartWith("<!doctype html>");
  const policy = page.headers.get("content-security-policy") ?? "";
  for (const element of ["script", "style"]) {
    const blocks = [...html.matchAll(new RegExp(`<${element}[^>]*>(.*?)</${element}>`, "gs"))];
    expect(blocks).toHaveLength(1);
    const digest = new Bun.CryptoHasher("sha256").update(blocks[0]?.[1] ?? "").digest("base64");
    expect(policy).toContain(`${element}-src 'sha256-${digest}';`);
  }
  // Nothing that a browser would have to fetch; links are followed by people.
  expect(html).not.toMatch(/<(?!a\s)[^>]+\s(?:src|href)="(?!data:|#)/);
  expect(await (await fetch(server.url)).text()).toBe("<html><body><h1>reto3</h1></body></html>");
});

describe.skipIf(!hasCassandra)("two workers on Cassandra", () => {
  let store: TestKeyspace;
  beforeAll(() => void (store = testKeyspace()));
  afterAll(async () => void (await store[Symbol.asyncDispose]()), RUN_MS);

  test(
    "tell the same to all viewers, whichever of them says it",
    async () => {
      await using server = await serve(store.address, ["--workers", "2"]);
      const running = startLoad(server.url, ["--rps", "500", "--requests-per-connection", "20"]);
      // The kernel deals them out: that all of so many get the same worker does not happen.
      const viewers = await Promise.all(Array.from({ length: 20 }, () => watchLive(server.url)));
      await Promise.all(viewers.map((viewer) => viewer.until(({ status }) => status.storedPerSec > 100)));
      const { sent, acked } = await running.stop();
      expect(acked).toBe(sent);
      const ticks = await Promise.all(viewers.map((viewer) => viewer.until(() => sum(viewer.seconds) === acked)));
      for (const viewer of viewers) await expectCounted(server, viewer.seconds);
      expect(new Set(viewers.map(({ first }) => first.server.startId)).size).toBe(1);
      for (const { status } of ticks) expect(status).toMatchObject({ problem: null, storeProblem: null, workers: 2 });
      expect(Math.max(...ticks.map(({ status }) => status.viewers))).toBeLessThan(20);
      expect(await server.metric("reto3_live_viewers")).toBe(20);
      server.kill("SIGTERM");
      await Promise.all(viewers.map((viewer) => viewer.ended()));
      expect(await server.exited).toBe(0);
    },
    RUN_MS,
  );
});
