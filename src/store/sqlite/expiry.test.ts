import { Database } from "bun:sqlite";
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MINUTE_US, SECOND_US } from "../../period.ts";
import { passes } from "./errors.ts";
import { cutEvents, eventPartitions, expireDue, RAW_EVENT_BYTES, RawBudget, STEP_ROWS_MAX } from "./expiry.ts";
import { ensureSchema } from "./schema.ts";
import { KEPT_FOR_GOOD } from "./settings.ts";
import { Statements } from "./statements.ts";

const folder = mkdtempSync(join(tmpdir(), "reto3-expiry-"));
afterAll(() => rmSync(folder, { recursive: true }));

const MINUTE = Date.UTC(2_026, 4, 28, 11, 11) * 1_000;
const TABLES = ["events", "counts_10ms", "counts_1s", "counts_1m", "merged_1s", "merged_1m", "claims"];

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

/** One row in every table. */
function fillAll(db: Database, minuteUs: number): void {
  fillEvents(db, minuteUs, 1, 1);
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

describe("what is past its lifetime", () => {
  const cases = [
    { lifetime: "events", takes: ["events"] },
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
    expect([...eventPartitions(statements)].map(({ writer, firstSeq, rows }) => [writer, firstSeq, rows])).toEqual([
      [1, 1_300, 200],
      [2, 0, 3_000],
      [1, 0, 10],
    ]);
    expect([...steps]).toEqual([STEP_ROWS_MAX, 700 + 1_500 + 3_000 - 2 * STEP_ROWS_MAX]);
    expect(rowsIn(db, "events")).toBe(10);
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
    expect([...expireDue(listening, retention, MINUTE), ...eventPartitions(listening)]).toHaveLength(6);
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
  test("is kept by removing the oldest, and nothing but raw events", async () => {
    const { db, statements } = emptyStore();
    fillAll(db, MINUTE - 5 * MINUTE_US);
    fillEvents(db, MINUTE, 2, 4_000);
    fillEvents(db, MINUTE, 1, 3_000);
    const last = await new RawBudget(statements).cut(RAW_EVENT_BYTES * 2_500 + 1);
    expect(last).toEqual([MINUTE, 2, 1_499]);
    expect([...cutEvents(statements, last!)]).toEqual([STEP_ROWS_MAX, STEP_ROWS_MAX, 501]);
    expect([...eventPartitions(statements)]).toEqual([{ minuteUs: MINUTE, writer: 2, firstSeq: 1_500, rows: 2_500 }]);
    expect(TABLES.filter((table) => rowsIn(db, table) === 1)).toEqual(TABLES.slice(1));
  });

  test("that nothing exceeds removes nothing, nor does one that is not set", async () => {
    const { db, statements } = emptyStore();
    fillEvents(db, MINUTE, 1, 100);
    expect(await new RawBudget(statements).cut(RAW_EVENT_BYTES * 100)).toBeNull();
    expect(await new RawBudget(statements).cut(null)).toBeNull();
  });

  test("of nothing at all leaves no event", async () => {
    const { db, statements } = emptyStore();
    fillEvents(db, MINUTE, 1, 100);
    const last = await new RawBudget(statements).cut(0);
    expect([[...cutEvents(statements, last!)], rowsIn(db, "events")]).toEqual([[100], 0]);
  });

  test("is kept once by two processes that found it exceeded at the same time", async () => {
    const { db, statements } = emptyStore();
    fillEvents(db, MINUTE, 1, 1_000);
    const found = await Promise.all([1, 2].map(() => new RawBudget(statements).cut(RAW_EVENT_BYTES * 600)));
    for (const last of found) expect([...cutEvents(statements, last!)].length).toBeLessThanOrEqual(1);
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
    expect(await budget.cut(0)).not.toBeNull();
    countMs = 0;
    nowMs = 5_020 + 1_999;
    expect(await budget.cut(0)).toBeNull();
    nowMs = 5_020 + 2_000;
    expect(await budget.cut(0)).not.toBeNull();
  });

  test("counts what a raw event takes within 15 % of what SQLite says", () => {
    const { db } = emptyStore();
    for (let minute = 0; minute < 4; minute++) {
      for (const writer of [1, 2]) fillEvents(db, MINUTE + minute * MINUTE_US, writer, 5_000);
    }
    using dbstat = db.prepare<{ bytes: number }, []>(
      "SELECT pgsize AS bytes FROM dbstat WHERE aggregate = TRUE AND name = 'events'",
    );
    const bytesPerRow = (dbstat.get()?.bytes ?? 0) / rowsIn(db, "events");
    expect(Math.abs(RAW_EVENT_BYTES / bytesPerRow - 1)).toBeLessThan(0.15);
  });
});
