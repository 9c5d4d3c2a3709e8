import { Database } from "bun:sqlite";
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MINUTE_US, SECOND_US } from "../../period.ts";
import { encodeEvents } from "../event-batch.ts";
import type { Flush } from "../store.ts";
import { passes } from "./errors.ts";
import {
  cutEvents,
  EVENT_TABLES,
  eventPartitions,
  expireDue,
  RAW_EVENT_BYTES,
  RawBudget,
  STEP_ROWS_MAX,
  type EventKey,
  type EventTable,
} from "./expiry.ts";
import { packed } from "./packing.ts";
import { ensureSchema } from "./schema.ts";
import { KEPT_FOR_GOOD } from "./settings.ts";
import { Statements } from "./statements.ts";
import { writing } from "./writing.ts";

const folder = mkdtempSync(join(tmpdir(), "reto3-expiry-"));
afterAll(() => rmSync(folder, { recursive: true }));

const MINUTE = Date.UTC(2_026, 4, 28, 11, 11) * 1_000;
const TABLES = ["events", "event_batches", "counts_10ms", "counts_1s", "counts_1m", "merged_1s", "merged_1m", "claims"];

function emptyStore(file = ":memory:"): { db: Database; statements: Statements } {
  const db = new Database(file, { create: true, strict: true });
  ensureSchema(db, file, "scratch");
  return { db, statements: new Statements(db) };
}

/** `rows` raw events of one writer in one minute, 10 us apart, created up to 50 ms before. */
function fillEvents(db: Database, minuteUs: number, writer: number, rows: number): void {
  db.run(
    `WITH RECURSIVE n(seq) AS (SELECT 0 UNION ALL SELECT seq + 1 FROM n WHERE seq + 1 < ?1)
     INSERT INTO events SELECT ?2, ?3, seq, ?2 + seq * 10 - abs(random() % 50000), ?2 + seq * 10 FROM n`,
    [rows, minuteUs, writer],
  );
}

/** As many batches of `events` raw events each, in one minute, 10 us apart. */
function fillBatches(db: Database, minuteUs: number, writer: number, batches: number, events: number): void {
  using insert = db.prepare("INSERT INTO event_batches VALUES (?, ?, ?, ?, ?)");
  db.transaction(() => {
    for (let batch = 0; batch < batches; batch++) {
      const seq = batch * events;
      insert.run(minuteUs, writer, seq, events, encodeEvents(steadyFlush(minuteUs, "", seq, events)));
    }
  })();
}

/** Events 10 us apart, created up to 50 ms before; counted nowhere. */
function steadyFlush(minuteUs: number, writer: string, firstSeq: number, events: number): Flush {
  const receivedUs = Array.from({ length: events }, (_, at) => minuteUs + (firstSeq + at) * 10);
  return {
    minuteUs,
    writer,
    firstSeq,
    createdUs: receivedUs.map((us) => BigInt(us - ((us * 7_919) % 50_000))),
    receivedUs,
    counts: { "10ms": [], "1s": [], "1m": [] },
    writtenAtUs: 1,
  };
}

/** One row in every table; the raw events of two writers. */
function fillAll(db: Database, minuteUs: number): void {
  fillEvents(db, minuteUs, 1, 1);
  fillBatches(db, minuteUs, 2, 1, 5);
  db.run("INSERT INTO counts_10ms VALUES (?1, 1, ?1, 1, 0, 0, 0)", [minuteUs]);
  for (const table of ["counts_1s", "counts_1m"]) {
    db.run(`INSERT INTO ${table} VALUES (?1, 1, ?1, 1, 0, 0, 0, x'00')`, [minuteUs]);
  }
  for (const table of ["merged_1s", "merged_1m"]) db.run(`INSERT INTO ${table} VALUES (?1, 1, x'00')`, [minuteUs]);
  db.run("INSERT INTO claims VALUES (?1, ?1, 1, NULL)", [minuteUs]);
}

function rowsIn(db: Database, table: string): number {
  using statement = db.prepare<{ n: number }, []>(`SELECT count(*) AS n FROM ${table}`);
  return statement.get()?.n ?? 0;
}

/** `[minute, writer, firstSeq, events]` of each partition in a table, the minute counted from MINUTE. */
function partitionsIn(statements: Statements, table: EventTable): number[][] {
  return [...eventPartitions(statements, table)].map(({ minuteUs, writer, firstSeq, events }) => [
    (minuteUs - MINUTE) / MINUTE_US,
    writer,
    firstSeq,
    events,
  ]);
}

/** Removes what a budget found to be too much, and tells how many rows went in each step. */
function removeAll(statements: Statements, cuts: Map<EventTable, EventKey>): number[] {
  return [...cuts].flatMap(([table, last]) => Array.from(cutEvents(statements, table, last)));
}

function bytesIn(db: Database, table: EventTable): number {
  using dbstat = db.prepare<{ bytes: number }, [string]>(
    "SELECT pgsize AS bytes FROM dbstat WHERE aggregate = TRUE AND name = ?",
  );
  return dbstat.get(table)?.bytes ?? 0;
}

describe("what is past its lifetime", () => {
  const cases = [
    { lifetime: "events", takes: ["events", "event_batches"] },
    { lifetime: "10ms", takes: ["counts_10ms"] },
    { lifetime: "1s", takes: ["counts_1s", "merged_1s"] },
    { lifetime: "1m", takes: ["counts_1m", "merged_1m"] },
  ] as const;
  for (const { lifetime, takes } of cases) {
    test(`by that of ${lifetime} goes from ${takes.join(" and ")} alone, a lifetime after the minute's end and no sooner`, () => {
      const { db, statements } = emptyStore();
      for (const minuteUs of [MINUTE, MINUTE + MINUTE_US]) fillAll(db, minuteUs);
      const retention = { ...KEPT_FOR_GOOD, [lifetime]: 90 };
      const dueUs = MINUTE + MINUTE_US + 90 * SECOND_US;
      expect([...expireDue(statements, retention, dueUs - 1)]).toEqual([]);
      expect([...expireDue(statements, retention, dueUs)]).toEqual(takes.map(() => 1));
      const left = TABLES.filter((table) => rowsIn(db, table) === 1);
      expect(left).toEqual(TABLES.filter((table) => (takes as readonly string[]).includes(table)));
    });
  }

  test("is nothing where everything is kept for good", () => {
    const { db, statements } = emptyStore();
    fillAll(db, 0);
    expect([...expireDue(statements, KEPT_FOR_GOOD, MINUTE)]).toEqual([]);
  });

  test("does not include claims, however old", () => {
    const { db, statements } = emptyStore();
    fillAll(db, 0);
    const retention = { ...KEPT_FOR_GOOD, events: 1, "10ms": 1, "1s": 1, "1m": 1 };
    for (const rows of expireDue(statements, retention, MINUTE)) expect(rows).toBe(1);
    expect(TABLES.filter((table) => rowsIn(db, table) > 0)).toEqual(["claims"]);
  });

  test("goes in bounded steps, the oldest first", () => {
    const { db, statements } = emptyStore();
    fillEvents(db, MINUTE, 2, 3_000);
    fillEvents(db, MINUTE, 1, 1_500);
    fillEvents(db, MINUTE - MINUTE_US, 3, 700);
    fillEvents(db, MINUTE + MINUTE_US, 1, 10);
    const steps = expireDue(statements, { ...KEPT_FOR_GOOD, events: 60 }, MINUTE + 2 * MINUTE_US);
    expect(steps.next().value).toBe(STEP_ROWS_MAX);
    expect(partitionsIn(statements, "events")).toEqual([
      [0, 1, 1_300, 200],
      [0, 2, 0, 3_000],
      [1, 1, 0, 10],
    ]);
    expect([...steps]).toEqual([STEP_ROWS_MAX, 700 + 1_500 + 3_000 - 2 * STEP_ROWS_MAX]);
    expect(rowsIn(db, "events")).toBe(10);
  });

  test("goes in shorter steps where events are packed", () => {
    const { db, statements } = emptyStore();
    fillBatches(db, MINUTE, 2, 300, 7);
    fillBatches(db, MINUTE, 1, 150, 50);
    fillBatches(db, MINUTE - MINUTE_US, 3, 70, 200);
    fillBatches(db, MINUTE + MINUTE_US, 1, 10, 1);
    const steps = expireDue(statements, { ...KEPT_FOR_GOOD, events: 60 }, MINUTE + 2 * MINUTE_US);
    expect(steps.next().value).toBe(200);
    expect(partitionsIn(statements, "event_batches")).toEqual([
      [0, 1, 130 * 50, 20 * 50],
      [0, 2, 0, 300 * 7],
      [1, 1, 0, 10],
    ]);
    expect([...steps]).toEqual([200, 70 + 150 + 300 - 2 * 200]);
    expect(partitionsIn(statements, "event_batches")).toEqual([[1, 1, 0, 10]]);
  });

  test("is found by seeks: no statement of a step reads what it does not remove", () => {
    const { db } = emptyStore();
    const asked: string[] = [];
    class Listening extends Statements {
      override get(sql: string) {
        asked.push(sql);
        return super.get(sql) as never;
      }
    }
    const retention = { ...KEPT_FOR_GOOD, events: 1, "10ms": 1, "1s": 1, "1m": 1 };
    fillAll(db, 0);
    const listening = new Listening(db);
    expect(EVENT_TABLES.flatMap((table) => [...eventPartitions(listening, table)])).toHaveLength(2);
    expect([...expireDue(listening, retention, MINUTE)]).toHaveLength(7);
    expect(asked.length).toBeGreaterThan(10);
    for (const sql of asked) {
      using explained = db.prepare<{ detail: string }, []>(`EXPLAIN QUERY PLAN ${sql}`);
      const plan = explained.all().map(({ detail }) => detail);
      expect(plan).toEqual([expect.stringMatching(/^SEARCH \w+ USING (INTEGER )?PRIMARY KEY /)]);
    }
  });

  test("waits for the next time when another process has the lock", () => {
    const file = join(folder, "locked.db");
    const { db, statements } = emptyStore(file);
    fillEvents(db, MINUTE, 1, 100);
    using other = new Database(file);
    other.run("BEGIN IMMEDIATE");
    const expired = () => [...expireDue(statements, { ...KEPT_FOR_GOOD, events: 1 }, MINUTE + MINUTE_US + SECOND_US)];
    let failure: unknown;
    try {
      expired();
    } catch (error) {
      failure = error;
    }
    expect(passes(failure)).toBe(true);
    other.run("ROLLBACK");
    expect(expired()).toEqual([100]);
  });
});

describe("a budget for raw events", () => {
  const minuteOf = (minute: number) => MINUTE + minute * MINUTE_US;

  test("is kept by removing the oldest, and nothing but raw events", async () => {
    const { db, statements } = emptyStore();
    fillAll(db, minuteOf(-5));
    fillEvents(db, MINUTE, 2, 4_000);
    fillEvents(db, MINUTE, 1, 3_000);
    const cuts = await new RawBudget(statements).cut(RAW_EVENT_BYTES * 2_500 + 1);
    expect(cuts).toEqual(
      new Map<EventTable, EventKey>([
        ["events", [MINUTE, 2, 1_499]],
        ["event_batches", [minuteOf(-5), 2, 4]],
      ]),
    );
    expect(removeAll(statements, cuts)).toEqual([STEP_ROWS_MAX, STEP_ROWS_MAX, 501, 1]);
    expect(partitionsIn(statements, "events")).toEqual([[0, 2, 1_500, 2_500]]);
    expect(TABLES.filter((table) => rowsIn(db, table) === 1)).toEqual(TABLES.slice(2));
  });

  test("is one for rows and for packed events: the older minutes go first, whatever form they have", async () => {
    const { db, statements } = emptyStore();
    fillBatches(db, minuteOf(0), 1, 100, 50);
    fillEvents(db, minuteOf(1), 2, 1_000);
    fillBatches(db, minuteOf(2), 1, 100, 50);
    fillEvents(db, minuteOf(3), 2, 1_000);
    fillBatches(db, minuteOf(4), 1, 100, 50);
    const minutes = [...eventPartitions(statements, "event_batches")].map(({ bytes }) => bytes);
    const all = minutes.reduce((sum, bytes) => sum + bytes, 0) + 2_000 * RAW_EVENT_BYTES;
    const [minute0 = 0, , minute4 = 0] = minutes;
    const leaves = async (bytes: number) => {
      removeAll(statements, await new RawBudget(statements).cut(bytes));
      return EVENT_TABLES.map((table) => partitionsIn(statements, table));
    };
    const [minute1, minute3] = [
      [1, 2, 0, 1_000],
      [3, 2, 0, 1_000],
    ];
    const later = [2, 4].map((minute) => [minute, 1, 0, 5_000]);
    expect(await leaves(all)).toEqual([
      [minute1, minute3],
      [[0, 1, 0, 5_000], ...later],
    ]);
    // A little less than a half of a minute, up to the next batch.
    expect(await leaves(all - 0.495 * minute0)).toEqual([
      [minute1, minute3],
      [[0, 1, 2_500, 2_500], ...later],
    ]);
    expect(await leaves(all - minute0 + 1)).toEqual([[minute1, minute3], later]);
    expect(await leaves(all - minute0 - 399.5 * RAW_EVENT_BYTES)).toEqual([[[1, 2, 400, 600], minute3], later]);
    expect(await leaves(1_000 * RAW_EVENT_BYTES + minute4)).toEqual([[minute3], later.slice(1)]);
    expect(await leaves(minute4)).toEqual([[], later.slice(1)]);
  });

  test("that nothing exceeds removes nothing, nor does one that is not set", async () => {
    const { db, statements } = emptyStore();
    fillEvents(db, MINUTE, 1, 100);
    expect(await new RawBudget(statements).cut(RAW_EVENT_BYTES * 100)).toEqual(new Map());
    expect(await new RawBudget(statements).cut(null)).toEqual(new Map());
  });

  test("of nothing at all leaves no event", async () => {
    const { db, statements } = emptyStore();
    fillEvents(db, MINUTE, 1, 100);
    fillBatches(db, MINUTE, 1, 3, 50);
    fillBatches(db, MINUTE, 2, 1, 1);
    expect(removeAll(statements, await new RawBudget(statements).cut(0))).toEqual([100, 4]);
    expect(EVENT_TABLES.map((table) => rowsIn(db, table))).toEqual([0, 0]);
  });

  test("is kept once by two processes that found it exceeded at the same time", async () => {
    const { db, statements } = emptyStore();
    fillEvents(db, MINUTE, 1, 1_000);
    const found = await Promise.all([1, 2].map(() => new RawBudget(statements).cut(RAW_EVENT_BYTES * 600)));
    for (const cuts of found) expect(removeAll(statements, cuts).length).toBeLessThanOrEqual(1);
    expect(rowsIn(db, "events")).toBe(600);
  });

  test("costs a hundredth of the time: after a count of 20 ms the next comes no sooner than 2 s after its start", async () => {
    const { db, statements } = emptyStore();
    fillEvents(db, MINUTE, 1, 10);
    let nowMs = 5_000;
    let countMs = 20;
    // Each count asks for the time as it starts and as it ends.
    const budget = new RawBudget(statements, () => {
      nowMs += countMs;
      return nowMs;
    });
    expect((await budget.cut(0)).size).toBe(1);
    countMs = 0;
    nowMs = 5_020 + 1_999;
    expect((await budget.cut(0)).size).toBe(0);
    nowMs = 5_020 + 2_000;
    expect((await budget.cut(0)).size).toBe(1);
  });

  test("counts what a raw event takes within 15 % of what SQLite says", () => {
    const { db } = emptyStore();
    for (let minute = 0; minute < 4; minute++) {
      for (const writer of [1, 2]) fillEvents(db, minuteOf(minute), writer, 5_000);
    }
    expect(Math.abs(RAW_EVENT_BYTES / (bytesIn(db, "events") / rowsIn(db, "events")) - 1)).toBeLessThan(0.15);
  });

  /** `edge`: of the first flush of each minute and of the last. `spreadUs`: clocks of clients differ by so much. */
  const flushes = [
    { what: "1 event", size: 1 },
    { what: "5 events", size: 5 },
    { what: "50 events", size: 50 },
    { what: "200 events", size: 200 },
    { what: "5,000 events", size: 5_000 },
    { what: "50 events, but 1 at the start and at the end of a minute", size: 50, edge: 1 },
    { what: "5,000 events of clients whose clocks differ by minutes", size: 5_000, spreadUs: 600_000_000 },
    { what: "200 events, the half of them of clients without a clock", size: 200, spreadUs: 1e17 },
  ];
  for (const { what, size, edge = size, spreadUs = 0 } of flushes) {
    test(`leaves within 15 % of it on the disk, of rows and of packed flushes of ${what}`, async () => {
      const { db, statements } = emptyStore();
      const store = writing(db, statements);
      const perMinute = Math.max(3, Math.ceil(Math.min(1_000, 20_000 / size)));
      for (let minute = 0; minute < 8; minute++) {
        let firstSeq = 0;
        for (let at = 0; at < perMinute; at++) {
          const events = at === 0 || at === perMinute - 1 ? edge : size;
          for (const writer of ["one", "other"]) {
            const flush = steadyFlush(minuteOf(minute), writer, firstSeq, events);
            const spread = flush.createdUs.map((us, n) => us - BigInt(n % 2 ? 0 : (n * 7_919_777) % (spreadUs + 1)));
            if (minute < 4) store.write({ ...flush, createdUs: spread });
            else store.writePacked(packed({ ...flush, createdUs: spread }));
          }
          firstSeq += events;
        }
      }
      const packedBytes = bytesIn(db, "event_batches");
      // First a part of the rows has to go, then all of them and a half of what is packed.
      for (const budget of [packedBytes + bytesIn(db, "events") / 2, packedBytes / 2]) {
        removeAll(statements, await new RawBudget(statements).cut(budget));
        const left = EVENT_TABLES.reduce((sum, table) => sum + bytesIn(db, table), 0);
        expect(Math.abs(left / budget - 1)).toBeLessThan(0.15);
      }
      expect(rowsIn(db, "events")).toBe(0);
      statements.finalize();
      db.close();
    });
  }
});
