import { Database } from "bun:sqlite";
import { afterAll, describe, expect, test } from "bun:test";
import { readCounts, type Source } from "../../counts/read.ts";
import { DAY_US, HOUR_US, MINUTE_US, PERIOD_NAMES, PERIODS, type PeriodName } from "../../period.ts";
import { FlushSequence } from "../../writer/sequence.ts";
import { eventsIn, flushOf, LONG_AGO, temporaryFiles, WRITER } from "./fixtures.ts";
import { KEPT_FOR_GOOD } from "./settings.ts";
import { sizesOf } from "./sizes.ts";
import { openSqlite } from "./sqlite.ts";
import { Statements } from "./statements.ts";

const files = temporaryFiles();
afterAll(files.remove);

describe("long answers of a SQLite store", () => {
  test("are whole: claims counted over pages of hours with years between them", async () => {
    const store = openSqlite(files.pathOf("claimed.db"), { mode: "serve" });
    const hours = [0, 1, 2, 3, 4, 5, 6, 40, 41, 24 * 3_000, 24 * 3_000 + 1].map((hour) => LONG_AGO + hour * HOUR_US);
    for (const hour of hours) {
      for (const minute of [0, 59]) await store.claim({ minuteUs: hour + minute * MINUTE_US, writer: WRITER }, 1);
      await store.seal({ minuteUs: hour, writer: Bun.randomUUIDv7() }, 1, 1);
    }
    expect(await store.claimedHours()).toEqual(hours);
    const counted = [];
    const last = hours.at(-1)!;
    for await (const page of store.claimCounts(LONG_AGO + 59 * MINUTE_US, last + 59 * MINUTE_US)) counted.push(...page);
    const all = hours.flatMap((hour) => [
      { minuteUs: hour, claims: 2, sealed: 1 },
      { minuteUs: hour + 59 * MINUTE_US, claims: 1, sealed: 0 },
    ]);
    expect(counted).toEqual(all.slice(1, -1));
    await store.close();
  });

  test("are whole: merged minutes over several pages, none twice", async () => {
    const store = openSqlite(files.pathOf("merged.db"), { mode: "serve" });
    const minutes = Array.from({ length: 150 }, (_, at) => LONG_AGO + at * MINUTE_US);
    for (const minuteUs of minutes) await store.merge("1s", { minuteUs, writers: [], writerCount: 0, rows: [] }, 1);
    const found: number[] = [];
    for await (const page of store.merged("1s", minutes[1]!, minutes[149]!)) {
      found.push(...page.map(({ minuteUs }) => minuteUs));
    }
    expect(found).toEqual(minutes.slice(1, -1));
    await store.close();
  });

  test("leave timers and sockets their turn between the pages", async () => {
    const file = files.pathOf("turns.db");
    const store = openSqlite(file, { mode: "serve", rawLayout: "rows", retention: KEPT_FOR_GOOD });
    const partition = { minuteUs: LONG_AGO, writer: WRITER };
    await store.write(flushOf(partition, 15_001));
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    const turnsAtPage: number[] = [];
    for await (const _ of store.events(partition)) {
      turnsAtPage.push(turns);
      // So that the timer is due when the next page is asked for.
      Bun.sleepSync(5);
    }
    clearInterval(timer);
    expect([turnsAtPage.length, turnsAtPage[0]]).toEqual([4, 0]);
    expect(turnsAtPage[3]).toBeGreaterThan(0);
    await store.close();
  });

  test("leave them their turn between packed raw events too: after a hundred batches", async () => {
    const store = openSqlite(files.pathOf("packed-turns.db"), { mode: "serve", retention: KEPT_FOR_GOOD });
    const partition = { minuteUs: LONG_AGO, writer: WRITER };
    await store.write(flushOf(partition, 3 * 100 * 200 + 1));
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    const turnsAtPage: number[] = [];
    for await (const _ of store.events(partition)) {
      turnsAtPage.push(turns);
      if (turnsAtPage.length % 50 === 0) Bun.sleepSync(5);
    }
    clearInterval(timer);
    expect([turnsAtPage.length, turnsAtPage[99]]).toEqual([301, 0]);
    expect(turnsAtPage[300]).toBeGreaterThan(0);
    await store.close();
  });
});

describe("a SQLite store with raw events of both layouts", () => {
  test("counts them together, and finds what is wrong with either", async () => {
    const file = files.pathOf("layouts.db");
    const clock = { nowUs: () => LONG_AGO, epoch: 0 };
    const range = [LONG_AGO, LONG_AGO + HOUR_US] as const;
    // By turns, as when an operator changes his mind; the last two writers share a minute.
    for (const [minute, rawLayout, events] of [
      [0, "rows", 700],
      [1, "packed", 900],
      [2, "rows", 30],
      [2, "packed", 40],
    ] as const) {
      const store = openSqlite(file, { mode: "serve", rawLayout, retention: KEPT_FOR_GOOD });
      const sequence = new FlushSequence({ store, clock, signal: new AbortController().signal });
      const minuteUs = LONG_AGO + minute * MINUTE_US;
      for (let at = 0; at < events; at += 300) {
        const length = Math.min(300, events - at);
        const receivedUs = Array.from({ length }, (_, n) => minuteUs + (at + n) * 60_000);
        await sequence.flush({ minuteUs, epoch: 0, createdUs: receivedUs.map((us) => BigInt(us - 9)), receivedUs });
      }
      await sequence.close();
      await store.close();
    }
    const store = openSqlite(file, { mode: "read" });
    const countedBy = async (source: Source, period: PeriodName) => {
      const question = { period: PERIODS[period], fromUs: range[0], toUs: range[1], nowUs: LONG_AGO + DAY_US, source };
      const found = (await Array.fromAsync(readCounts(store, question).buckets)).flat();
      return found.map(({ bucketUs, events }) => [bucketUs - LONG_AGO, events]);
    };
    expect(await countedBy("events", "1m")).toEqual([
      [0, 700],
      [MINUTE_US, 900],
      [2 * MINUTE_US, 70],
    ]);
    for (const period of PERIOD_NAMES) {
      expect(await countedBy("events", period)).toEqual(await countedBy("counts", period));
    }
    await store.close();
  });
});

test("a partition that lies in rows, and then was copied again packed, is read once", async () => {
  const file = files.pathOf("copied.db");
  const partition = { minuteUs: LONG_AGO, writer: WRITER };
  for (const [rawLayout, events] of [
    ["rows", 100],
    ["packed", 300],
  ] as const) {
    const store = openSqlite(file, { mode: "serve", rawLayout, retention: KEPT_FOR_GOOD });
    await store.write(flushOf(partition, events));
    expect(await eventsIn(store, LONG_AGO, WRITER)).toEqual(Array.from({ length: events }, (_, seq) => seq));
    await store.close();
  }
});

describe("the sizes of a SQLite store", () => {
  test("are rows and bytes of every table", async () => {
    const file = files.pathOf("sizes.db");
    const store = openSqlite(file, { mode: "serve", retention: KEPT_FOR_GOOD });
    await store.claim({ minuteUs: LONG_AGO, writer: WRITER }, 1);
    await store.write(flushOf({ minuteUs: LONG_AGO, writer: WRITER }, 5_000));
    await store.close();
    const rows = openSqlite(file, { mode: "serve", rawLayout: "rows" });
    await rows.write(flushOf({ minuteUs: LONG_AGO, writer: Bun.randomUUIDv7() }, 3_000));
    const sizes = await rows.sizes();
    expect(sizes.map(({ name, rows: count }) => [name, count])).toEqual([
      ["events", 3_000],
      ["event_batches", 5_000],
      ["counts_10ms", 2],
      ["counts_1s", 2],
      ["counts_1m", 2],
      ["claims", 1],
      ["merged_1s", 0],
      ["merged_1m", 0],
    ]);
    for (const { bytes } of sizes) expect((bytes ?? 0) % 4_096).toBe(0);
    expect(sizes[0]?.bytes).toBeGreaterThan(3_000 * 35);
    expect(sizes[1]?.bytes).toBeGreaterThan(5_000 * 2);
    expect(sizes[1]?.bytes).toBeLessThan(5_000 * 5);
    await rows.close();
  });

  test("are an estimate where counting would take too long", async () => {
    const file = files.pathOf("estimated.db");
    await openSqlite(file, { mode: "serve", retention: KEPT_FOR_GOOD }).close();
    using db = new Database(file, { strict: true });
    db.run(
      `WITH RECURSIVE n(at) AS (SELECT 0 UNION ALL SELECT at + 1 FROM n WHERE at < 119999)
       INSERT INTO counts_10ms SELECT ?1 + at / 600 * ${MINUTE_US}, 1, ?1 + at, 1, 1, 1, 1 FROM n`,
      [LONG_AGO],
    );
    const statements = new Statements(db);
    const rowsOf = async (countMsMax?: number) =>
      (await sizesOf(db, statements, "all", countMsMax)).find(({ name }) => name === "counts_10ms")?.rows ?? 0;
    expect(await rowsOf()).toBe(120_000);
    const estimate = await rowsOf(0);
    statements.finalize();
    expect(estimate).not.toBe(120_000);
    expect(Math.abs(estimate / 120_000 - 1)).toBeLessThan(0.05);
  });
});
