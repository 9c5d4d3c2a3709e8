import { Database } from "bun:sqlite";
import { afterAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { HOUR_US } from "../../period.ts";
import type { OpenOptions } from "../store.ts";
import { eventsIn, flushOf, LONG_AGO, temporaryFiles, WRITER } from "./fixtures.ts";
import { KEPT_FOR_GOOD } from "./settings.ts";
import { openSqlite } from "./sqlite.ts";

const files = temporaryFiles();
afterAll(files.remove);

/** What 0.1.0 made, with 3 events of one writer in the minute `minuteUs`. */
function fileOf010(file: string, minuteUs: number): void {
  using db = new Database(file, { create: true, strict: true });
  db.run("PRAGMA journal_mode = WAL");
  const count =
    "minute INTEGER NOT NULL, writer INTEGER NOT NULL, bucket_us INTEGER NOT NULL, events INTEGER NOT NULL,";
  const lags = "lag_sum_us INTEGER NOT NULL, lag_min_us INTEGER NOT NULL, lag_max_us INTEGER NOT NULL,";
  db.run(`
    CREATE TABLE writers (id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE events (
      minute INTEGER NOT NULL, writer INTEGER NOT NULL, seq INTEGER NOT NULL,
      created_us INTEGER NOT NULL, received_us INTEGER NOT NULL,
      PRIMARY KEY (minute, writer, seq)) STRICT, WITHOUT ROWID;
    CREATE TABLE counts_10ms (${count} ${lags} PRIMARY KEY (minute, writer, bucket_us)) STRICT, WITHOUT ROWID;
    CREATE TABLE counts_1s (${count} ${lags} lag_hist BLOB NOT NULL,
      PRIMARY KEY (minute, writer, bucket_us)) STRICT, WITHOUT ROWID;
    CREATE TABLE counts_1m (${count} ${lags} lag_hist BLOB NOT NULL,
      PRIMARY KEY (minute, writer, bucket_us)) STRICT, WITHOUT ROWID;
    CREATE TABLE claims (
      hour INTEGER NOT NULL, minute INTEGER NOT NULL, writer INTEGER NOT NULL, sealed_events INTEGER,
      PRIMARY KEY (hour, minute, writer)) STRICT, WITHOUT ROWID;
    PRAGMA application_id = 1381257011;
    PRAGMA user_version = 1;
  `);
  db.run("INSERT INTO writers VALUES (1, ?)", [WRITER]);
  for (let seq = 0; seq < 3; seq++) db.run("INSERT INTO events VALUES (?1, 1, ?2, ?1 - 9, ?1 + ?2)", [minuteUs, seq]);
  db.run("INSERT INTO counts_10ms VALUES (?1, 1, ?1, 3, 30, 10, 10)", [minuteUs]);
  for (const table of ["counts_1s", "counts_1m"]) {
    db.run(`INSERT INTO ${table} VALUES (?1, 1, ?1, 3, 30, 10, 10, x'01')`, [minuteUs]);
  }
  db.run("INSERT INTO claims VALUES (?1, ?2, 1, 3)", [minuteUs - (minuteUs % HOUR_US), minuteUs]);
}

describe("a file of 0.1.0", () => {
  test("is read as it is: nothing in it changes, nothing was merged, nothing expires", async () => {
    const file = files.pathOf("old-read.db");
    fileOf010(file, LONG_AGO);
    const before = readFileSync(file);
    const store = openSqlite(file, { mode: "read" });
    expect([store.info.schema, store.info.retention]).toEqual(["1.0", KEPT_FOR_GOOD]);
    expect(await eventsIn(store, LONG_AGO, WRITER)).toEqual([0, 1, 2]);
    const merged = [];
    for await (const page of store.merged("1s", 0, LONG_AGO * 2)) merged.push(...page);
    expect(merged).toEqual([]);
    expect((await store.sizes()).map(({ name, rows }) => [name, rows])).toEqual([
      ["events", 3],
      ["event_batches", 0],
      ["counts_10ms", 1],
      ["counts_1s", 1],
      ["counts_1m", 1],
      ["claims", 1],
      ["merged_1s", 0],
      ["merged_1m", 0],
    ]);
    await store.close();
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  test("gets what it lacks from serve, loses nothing by it, and expires what it is told to expire", async () => {
    const file = files.pathOf("old-serve.db");
    fileOf010(file, LONG_AGO);
    const lines: string[] = [];
    const open = (options: OpenOptions) => openSqlite(file, { log: (line) => lines.push(line), ...options });
    const store = open({ mode: "serve" });
    expect([store.info.schema, store.info.retention]).toEqual(["1.2", KEPT_FOR_GOOD]);
    expect(lines).toEqual([expect.stringContaining("nothing in this file expires")]);
    expect(await eventsIn(store, LONG_AGO, WRITER)).toEqual([0, 1, 2]);
    expect(await store.counts({ minuteUs: LONG_AGO, writer: WRITER }, "1m", 0, LONG_AGO * 2)).toHaveLength(1);
    await store.close();
    const told = open({ mode: "serve", retention: { "10ms": 86_400 } });
    expect(told.info.retention).toEqual({ ...KEPT_FOR_GOOD, "10ms": 86_400 });
    expect(lines).toHaveLength(1);
    await told.close();
  });

  test("gets what it lacks from other writers than serve too", async () => {
    const file = files.pathOf("old-write.db");
    fileOf010(file, LONG_AGO);
    const store = openSqlite(file, { mode: "write" });
    expect([store.info.schema, store.info.retention]).toEqual(["1.2", KEPT_FOR_GOOD]);
    await store.close();
  });

  test("goes on working for a 0.1.0 that has it open", async () => {
    const file = files.pathOf("old-beside.db");
    fileOf010(file, LONG_AGO);
    using old = new Database(file, { strict: true });
    old.run("PRAGMA busy_timeout = 1000");
    using insert = old.prepare("INSERT OR REPLACE INTO events VALUES (?, ?, ?, ?, ?)");
    insert.run(LONG_AGO, 1, 3, 0, 0);
    const store = openSqlite(file, { mode: "serve", retention: KEPT_FOR_GOOD });
    insert.run(LONG_AGO, 1, 4, 0, 0);
    expect(await eventsIn(store, LONG_AGO, WRITER)).toEqual([0, 1, 2, 3, 4]);
    using version = old.prepare("PRAGMA user_version");
    expect(version.get()).toEqual({ user_version: 1 });
    await store.close();
  });
});

/** What 0.5.0 made, with the 3 events of `fileOf010`. */
function fileOf050(file: string, minuteUs: number): void {
  fileOf010(file, minuteUs);
  using db = new Database(file, { strict: true });
  db.run(`
    CREATE TABLE merged_1s (minute INTEGER PRIMARY KEY, written_at_us INTEGER NOT NULL, cell BLOB NOT NULL) STRICT;
    CREATE TABLE merged_1m (minute INTEGER PRIMARY KEY, written_at_us INTEGER NOT NULL, cell BLOB NOT NULL) STRICT;
    CREATE TABLE settings (name TEXT PRIMARY KEY, value INTEGER) STRICT;
    INSERT INTO settings VALUES ('schema_minor', 1), ('keep_events_s', NULL), ('keep_counts_10ms_s', 2592000),
      ('keep_counts_1s_s', NULL), ('keep_counts_1m_s', NULL), ('raw_bytes_max', NULL);
  `);
}

describe("a file of 0.5.0", () => {
  const retention = { ...KEPT_FOR_GOOD, "10ms": 2_592_000 };

  test("is read as it is: nothing in it changes, its raw events are there, none is packed", async () => {
    const file = files.pathOf("minor-1-read.db");
    fileOf050(file, LONG_AGO);
    const before = readFileSync(file);
    const store = openSqlite(file, { mode: "read" });
    expect([store.info.schema, store.info.retention]).toEqual(["1.1", retention]);
    expect(await eventsIn(store, LONG_AGO, WRITER)).toEqual([0, 1, 2]);
    const sizes = await store.sizes();
    expect(sizes.slice(0, 2)).toEqual([
      { name: "events", rows: 3, bytes: 4_096 },
      { name: "event_batches", rows: 0, bytes: 0 },
    ]);
    await store.close();
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  for (const mode of ["serve", "write"] as const) {
    test(`gets what it lacks from ${mode}, keeps its settings, and takes packed raw events beside its own`, async () => {
      const file = files.pathOf(`minor-1-${mode}.db`);
      fileOf050(file, LONG_AGO);
      // As a reader that has it open meanwhile.
      const reader = openSqlite(file, { mode: "read" });
      expect(await eventsIn(reader, LONG_AGO, WRITER)).toEqual([0, 1, 2]);
      const store = openSqlite(file, { mode });
      expect([store.info.schema, store.info.retention]).toEqual(["1.2", retention]);
      const packed = { minuteUs: LONG_AGO, writer: Bun.randomUUIDv7() };
      await store.write(flushOf(packed, 4));
      for (const one of [store, reader]) {
        expect(await eventsIn(one, LONG_AGO, WRITER)).toEqual([0, 1, 2]);
        expect(await eventsIn(one, LONG_AGO, packed.writer)).toEqual([0, 1, 2, 3]);
        expect((await one.sizes()).slice(0, 2).map(({ rows }) => rows)).toEqual([3, 4]);
        await one.close();
      }
    });
  }
});
