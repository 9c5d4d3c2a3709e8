// store, verify and merge as people use them, on each store; and a merge that is killed with -9 again and again.

import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { openStore } from "../src/store/open.ts";
import { writePast } from "./support/past.ts";
import { executable, reto3, serve, temporaryFolder } from "./support/reto3.ts";
import { testStores, type TestStore } from "./support/stores.ts";

const RUN_MS = 90_000;
const MINUTES = 40;
const WRITERS = 5;
const EVENTS = 8;

/** Lifetimes that the past of these tests is within. */
const FOREVER = { events: null, "10ms": null };

for (const { name, available, open } of testStores) {
  describe.skipIf(!available)(`on ${name}`, () => {
    let past: TestStore;
    let events = 0;
    beforeAll(async () => {
      past = open();
      const store = await openStore(past.address, { mode: "serve", retention: FOREVER });
      events = await writePast(store, MINUTES, WRITERS, EVENTS);
      await store.close();
    }, RUN_MS);
    afterAll(async () => void (await past.dispose()), RUN_MS);

    const count = async (period: string) => {
      const range = ["--from", "2026-10-01", "--to", "2026-10-02"];
      const { code, stdout, stderr } = await reto3(["count", "--store", past.address, "--period", period, ...range]);
      expect([code, stderr]).toEqual([0, expect.stringContaining(`${events} events; complete`)]);
      return stdout;
    };
    const json = async (args: string[]) => {
      const { code, stdout, stderr } = await reto3([...args, "--store", past.address, "--format", "json"]);
      if (stdout === "") throw new Error(stderr);
      return { code, ...JSON.parse(stdout) };
    };

    test(
      "merge killed with -9 at any time changes no count; the last one finishes what the others left",
      async () => {
        const before = await Promise.all(["10ms", "1s", "1m"].map(count));
        let killed = 0;
        for (let afterMs = 20; ; afterMs = Math.ceil(afterMs * 1.3)) {
          const child = Bun.spawn([executable, "merge", "--store", past.address], {
            stdout: "ignore",
            stderr: "ignore",
            stdin: "ignore",
          });
          const timer = setTimeout(() => child.kill("SIGKILL"), afterMs);
          await child.exited;
          clearTimeout(timer);
          expect(await Promise.all(["10ms", "1s", "1m"].map(count))).toEqual(before);
          if (child.signalCode === null) break;
          killed++;
        }
        expect(killed).toBeGreaterThan(0);
        expect(await json(["merge"])).toMatchObject({ code: 0, mergedMinutes: 0, waitingMinutes: 0 });
        expect(await json(["verify"])).toMatchObject({ code: 0, mergedMinutes: 2 * MINUTES, differences: 0 });
      },
      RUN_MS,
    );

    test("verify says how much it compared, store what there is", async () => {
      expect(await json(["verify"])).toMatchObject({
        code: 0,
        minutes: MINUTES,
        partitions: MINUTES * WRITERS,
        events,
        differences: 0,
        leftOut: { openPartitions: 0, rawEvents: 0, rawPartitions: 0, countPartitions: 0 },
      });
      const { code, tables, ...rest } = await json(["store"]);
      expect(rest).toMatchObject({
        schema: "1.2",
        from: "2026-10-01T00:00:00.000Z",
        to: "2026-10-01T00:40:00.000Z",
        minutes: MINUTES,
        writers: WRITERS,
        open: 0,
        events,
        retention: { events: null, "10ms": null, "1s": null, "1m": null },
      });
      expect(code).toBe(0);
      expect(tables.find((table: { name: string }) => table.name === "event_batches").rows).toBe(events);
      const { stdout } = await reto3(["store", "--store", past.address]);
      expect(stdout).toMatch(/^event_batches +1600 .* for good$/m);
    });
  });
}

test("verify finds a count that somebody changed, ends with 1, and --repair puts it right", async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, "wrong.db");
  const store = await openStore(`sqlite:${file}`, { mode: "serve", retention: FOREVER });
  await writePast(store, 1, 1, EVENTS);
  await store.close();
  const db = new Database(file);
  db.run("UPDATE counts_1m SET events = 5");
  db.close();
  const verify = (...more: string[]) => reto3(["verify", "--store", `sqlite:${file}`, ...more]);
  const found = await verify();
  expect([found.code, found.stdout]).toEqual([
    1,
    expect.stringMatching(
      /^DIFFERENCE 2026-10-01 00:00:00.000 writer \S+: the 1m counts say 5 at 00:00:00.000, the raw events 8\n/,
    ),
  ]);
  const repaired = await verify("--repair");
  expect([repaired.code, repaired.stdout]).toEqual([0, expect.stringContaining("differences: 1; repaired: 1")]);
  expect((await verify()).stdout).toContain("no differences");
});

test("raw events in rows and packed ones are verified and counted together; a batch that has gone is left out, one that is damaged is an error", async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, "layouts.db");
  const address = `sqlite:${file}`;
  // As 0.5.0 wrote, then as it is written now, into the same minutes.
  let events = 0;
  for (const rawLayout of ["rows", "packed"] as const) {
    const store = await openStore(address, { mode: "serve", rawLayout, retention: FOREVER });
    events += await writePast(store, 3, 2, EVENTS);
    await store.close();
  }
  const change = (sql: string) => {
    using db = new Database(file);
    db.run(sql);
  };
  const verify = (...more: string[]) => reto3(["verify", "--store", address, "--format", "json", ...more]);
  const whole = ["--from", "2026-10-01 00:00:00", "--to", "2026-10-01 00:03:00", "--period", "1m"];
  const recount = () => reto3(["count", "--store", address, "--source", "events", ...whole]);
  const noneLeftOut = { openPartitions: 0, rawEvents: 0, rawPartitions: 0, countPartitions: 0 };
  const sound = await verify();
  expect([sound.code, JSON.parse(sound.stdout)]).toMatchObject([
    0,
    { partitions: 12, events, differences: 0, leftOut: noneLeftOut },
  ]);
  const counted = await recount();
  expect([counted.code, counted.stdout.match(/, 32$/gm)?.length]).toEqual([0, 3]);
  change("DELETE FROM event_batches WHERE (minute, writer) IN (SELECT max(minute), max(writer) FROM event_batches)");
  const withoutOne = await verify();
  expect([withoutOne.code, JSON.parse(withoutOne.stdout)]).toMatchObject([
    0,
    { differences: 0, leftOut: { ...noneLeftOut, rawEvents: EVENTS, rawPartitions: 1 } },
  ]);
  expect(await recount()).toMatchObject({ code: 1, stderr: expect.stringContaining("account for 0 of its 8 events") });
  change("UPDATE event_batches SET cell = substr(cell, 1, length(cell) - 1)");
  const cannot = "the raw events from 0 on cannot be read";
  expect(await recount()).toMatchObject({ code: 1, stderr: expect.stringContaining(cannot) });
  // Each of the five that are left in a cell; the six in rows are fine.
  const damaged = await verify("--repair");
  expect([damaged.code, JSON.parse(damaged.stdout)]).toMatchObject([
    1,
    { partitions: 12, differences: 5, repaired: 0 },
  ]);
  expect(damaged.stdout.split(`but ${cannot}`)).toHaveLength(6);
});

test("lifetimes given to serve are kept, shown, and stay when a later start names none", async () => {
  using folder = temporaryFolder();
  const store = `sqlite:${join(folder.path, "kept.db")}`;
  const first = await serve(store, [
    "--raw-ttl",
    "2h",
    "--ttl-1s",
    "90d",
    "--raw-max-bytes",
    "20MB",
    "--keep",
    "summary",
  ]);
  await fetch(first.url, { method: "POST", body: "value=2026-01-01+00:00:00" });
  first.kill("SIGTERM");
  await first.exited;
  expect(first.said()).toContain("kept: no raw events, 10ms counts 7d, 1s counts 90d, 1m counts for good");
  const second = await serve(store);
  second.kill("SIGTERM");
  await second.exited;
  expect(second.said()).toContain("kept: raw events 2h, 20 MB at most, 10ms counts 7d, 1s counts 90d");
  const { stdout } = await reto3(["store", "--store", store, "--format", "json"]);
  expect(JSON.parse(stdout)).toMatchObject({
    events: 1,
    retention: { events: 7_200, "10ms": 604_800, "1s": 7_776_000, "1m": null, rawBytesMax: 20_000_000 },
  });
  const recount = await reto3(["count", "--store", store, "--source", "events"]);
  expect([recount.code, recount.stdout]).toEqual([1, ""]);
  expect(recount.stderr).toContain("account for 0 of its 1 events; the others have expired or were not kept");
});
