import { Database } from "bun:sqlite";
import { afterAll, describe, expect, test } from "bun:test";
import { until } from "../../../test/support/reto3.ts";
import { DEFAULT_RETENTION } from "../../config.ts";
import { bucketStartUs, MINUTE_US } from "../../period.ts";
import type { OpenOptions, Partition } from "../store.ts";
import { RAW_EVENT_BYTES } from "./expiry.ts";
import { eventsIn, flushOf, LONG_AGO, temporaryFiles, WRITER } from "./fixtures.ts";
import { KEPT_FOR_GOOD } from "./settings.ts";
import { openSqlite } from "./sqlite.ts";

const files = temporaryFiles();
afterAll(files.remove);

describe("what a SQLite store keeps", () => {
  test("is the defaults in a new file, then what serve was told, and stays so", async () => {
    const file = files.pathOf("settings.db");
    const lines: string[] = [];
    const retentionOf = async (options: OpenOptions) => {
      const store = openSqlite(file, { log: (line) => lines.push(line), ...options });
      await store.close();
      return store.info.retention;
    };
    expect(await retentionOf({ mode: "serve" })).toEqual({ ...DEFAULT_RETENTION });
    const changed = { ...DEFAULT_RETENTION, events: 7_200, "10ms": null };
    expect(await retentionOf({ mode: "serve", retention: { events: 7_200, "10ms": null } })).toEqual(changed);
    expect(await retentionOf({ mode: "serve" })).toEqual(changed);
    expect(await retentionOf({ mode: "write", retention: { events: 1 } })).toEqual(changed);
    expect(await retentionOf({ mode: "read" })).toEqual(changed);
    expect(await retentionOf({ mode: "serve", retention: { rawBytesMax: 5 } })).toEqual({ ...changed, rawBytesMax: 5 });
    expect(lines).toEqual([]);
  });

  test("is everything in one for measurements", async () => {
    const store = openSqlite(files.pathOf("measured.db"), { mode: "scratch", retention: { events: 1 } });
    expect(store.info.retention).toEqual(KEPT_FOR_GOOD);
    await store.close();
  });

  test("changes for a server that runs when another one changes it; a writer removes nothing", async () => {
    const [file, other] = [files.pathOf("served.db"), files.pathOf("written.db")];
    const partition = { minuteUs: LONG_AGO, writer: Bun.randomUUIDv7() };
    for (const path of [file, other]) {
      const store = openSqlite(path, { mode: "serve", retention: { events: null } });
      await store.write(flushOf(partition, 5_000));
      await store.close();
    }
    using settings = new Database(other);
    settings.run("UPDATE settings SET value = 60 WHERE name = 'keep_events_s'");
    const writer = openSqlite(other, { mode: "write" });
    const server = openSqlite(file, { mode: "serve" });
    // That its 10 ms counts are gone says that the server has had a round, by the settings of that time.
    await until(async () => (await server.counts(partition, "10ms", 0, LONG_AGO * 2)).length === 0);
    expect((await eventsIn(server, LONG_AGO, partition.writer)).length).toBe(5_000);
    await openSqlite(file, { mode: "serve", retention: { events: 60 } }).close();
    await until(async () => (await eventsIn(server, LONG_AGO, partition.writer)).length === 0);
    expect(await server.counts(partition, "1s", 0, LONG_AGO * 2)).toHaveLength(1);
    expect((await eventsIn(writer, LONG_AGO, partition.writer)).length).toBe(5_000);
    await Promise.all([server.close(), writer.close()]);
  });

  for (const rawLayout of ["rows", "packed"] as const) {
    test(`is the newest of the raw events, when they have a budget, and all of the counts: ${rawLayout}`, async () => {
      const rawBytesMax = rawLayout === "rows" ? RAW_EVENT_BYTES * 1_000 : 4_096;
      const retention = { ...KEPT_FOR_GOOD, rawBytesMax };
      const store = openSqlite(files.pathOf(`budget-${rawLayout}.db`), { mode: "serve", rawLayout, retention });
      const partition = { minuteUs: LONG_AGO, writer: Bun.randomUUIDv7() };
      await store.write(flushOf(partition, 5_000));
      // Packed, 200 such events take a ninth of a page, and a twentieth more.
      const events = rawLayout === "rows" ? 1_000 : 8 * 200;
      await until(async () => (await eventsIn(store, LONG_AGO, partition.writer)).length <= events);
      const kept = await eventsIn(store, LONG_AGO, partition.writer);
      expect([kept.length, kept[0], kept.at(-1)]).toEqual([events, 5_000 - events, 4_999]);
      const [count] = await store.counts(partition, "1m", 0, LONG_AGO * 2);
      expect(count?.events).toBe(5_000);
      await store.close();
    });
  }

  test("is older raw events in rows and newer ones packed in one file: they expire together", async () => {
    const file = files.pathOf("both.db");
    const partitions = [0, 1, 2].map((minute) => ({ minuteUs: LONG_AGO + minute * MINUTE_US, writer: WRITER }));
    const [inRows, packed, lively] = partitions as [Partition, Partition, Partition];
    lively.minuteUs = bucketStartUs(Date.now() * 1_000, MINUTE_US);
    const old = openSqlite(file, { mode: "serve", rawLayout: "rows", retention: KEPT_FOR_GOOD });
    await old.write(flushOf(inRows, 300));
    await old.close();
    const store = openSqlite(file, { mode: "serve", retention: { events: 86_400 } });
    await store.write(flushOf(packed, 700));
    await store.write(flushOf(lively, 400));
    await until(async () => {
      const left = await Promise.all([inRows, packed].map(({ minuteUs }) => eventsIn(store, minuteUs, WRITER)));
      return left.flat().length === 0;
    });
    expect(await eventsIn(store, lively.minuteUs, WRITER)).toHaveLength(400);
    await store.close();
  });

  test("is said to expire no more if that fails for good, once however often it fails", async () => {
    const file = files.pathOf("broken.db");
    const lines: string[] = [];
    const broken = openSqlite(file, { mode: "serve", log: (line) => lines.push(line) });
    using other = new Database(file);
    other.run("DROP TABLE settings");
    await until(async () => lines.length > 0);
    expect(lines).toEqual([expect.stringContaining("no such table: settings")]);
    // Another store's next round is not before its own second, nor is one of the broken store later than that.
    const working = openSqlite(files.pathOf("working.db"), { mode: "serve" });
    await working.write(flushOf({ minuteUs: LONG_AGO, writer: WRITER }, 1));
    await until(async () => (await eventsIn(working, LONG_AGO, WRITER)).length === 0);
    expect(lines).toHaveLength(1);
    await Promise.all([broken.close(), working.close()]);
  });
});
