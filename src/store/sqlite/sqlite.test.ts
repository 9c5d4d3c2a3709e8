import { Database } from "bun:sqlite";
import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Reto3Error } from "../../errors.ts";
import { storeConformance } from "../conformance.ts";
import { KEPT_FOR_GOOD } from "./settings.ts";
import { openSqlite } from "./sqlite.ts";
import type { OpenOptions } from "../store.ts";

const folder = mkdtempSync(join(tmpdir(), "reto3-sqlite-"));
afterAll(() => rmSync(folder, { recursive: true }));

for (const rawLayout of ["packed", "rows"] as const) {
  storeConformance(`sqlite, raw events ${rawLayout},`, async () => {
    const file = join(folder, `conformance-${rawLayout}.db`);
    // Its events are of 2024; with the defaults they would be gone within a second.
    return { open: async () => openSqlite(file, { mode: "serve", rawLayout, retention: KEPT_FOR_GOOD }) };
  });
}

function openError(file: string, mode: OpenOptions["mode"] = "serve"): Reto3Error {
  try {
    void openSqlite(file, { mode }).close();
  } catch (error) {
    if (error instanceof Reto3Error) return error;
  }
  throw new Error("it opened");
}

describe("a SQLite file", () => {
  for (const mode of ["read", "write"] as const) {
    test(`that is not there is not made by mode ${mode}, nor is an empty one taken for a store`, () => {
      const file = join(folder, `absent-${mode}.db`);
      expect(openError(file, mode).message).toContain("there is no such file");
      expect(existsSync(file)).toBe(false);
      writeFileSync(file, "");
      expect(openError(file, mode).message).toContain("the file is empty");
    });
  }

  test("of another program is refused and left as it is", () => {
    const file = join(folder, "foreign.db");
    const foreign = new Database(file, { create: true });
    foreign.run("CREATE TABLE theirs (a)");
    foreign.close();
    const error = openError(file);
    expect([error.code, error.message]).toEqual(["STORE_OPEN", expect.stringContaining("not one of reto3's")]);
    expect(new Database(file).query("SELECT count(*) AS n FROM sqlite_schema").get()).toEqual({ n: 1 });
  });

  test("of another schema version is refused", async () => {
    const file = join(folder, "version.db");
    await openSqlite(file, { mode: "serve" }).close();
    const db = new Database(file);
    db.run("PRAGMA user_version = 99");
    db.close();
    expect(openError(file).message).toContain("version 99, want 1");
  });

  test("of a higher minor version is taken, and keeps it", async () => {
    const file = join(folder, "minor.db");
    await openSqlite(file, { mode: "serve" }).close();
    const db = new Database(file);
    db.run("UPDATE settings SET value = 7 WHERE name = 'schema_minor'");
    db.close();
    const store = openSqlite(file, { mode: "serve" });
    await store.close();
    expect(store.info.schema).toBe("1.7");
  });

  test("that is no database at all is refused with a hint", () => {
    const file = join(folder, "text.db");
    writeFileSync(file, "not a database, but long enough to have a header of a hundred bytes ".repeat(20));
    const error = openError(file);
    expect([error.code, error.hint]).toEqual(["STORE_OPEN", expect.stringContaining("one of reto3's")]);
  });

  test("in a folder that does not exist is refused", () => {
    expect(openError(join(folder, "no", "such", "x.db")).message).toContain("cannot be opened");
  });

  test("opened for a measurement is one of its own and gone afterwards; nothing else is touched", async () => {
    const file = join(folder, "real.db");
    writeFileSync(`${file}.scratch`, "somebody else's");
    const [one, other] = [openSqlite(file, { mode: "scratch" }), openSqlite(file, { mode: "scratch" })];
    expect(existsSync(file)).toBe(false);
    const made = [one, other].map((store) => store.info.location.slice("sqlite:".length));
    expect(made.map((path) => existsSync(path))).toEqual([true, true]);
    await one.close();
    expect(made.map((path) => existsSync(path))).toEqual([false, true]);
    await other.close();
    expect(made.map((path) => existsSync(path))).toEqual([false, false]);
    expect(existsSync(`${file}.scratch`)).toBe(true);
  });

  test("that is none but memory is refused: it would promise what it cannot keep", () => {
    expect(openError(":memory:").message).toContain("journal_mode is memory");
  });

  test("tells how long its write-ahead log is, and how much room its disk has", async () => {
    const store = openSqlite(join(folder, "gauges.db"), { mode: "serve" });
    await store.claim({ minuteUs: 0, writer: Bun.randomUUIDv7() }, 1);
    const { logBytes, diskFreeBytes } = await store.gauges();
    expect(logBytes).toBeGreaterThan(4_000);
    expect(diskFreeBytes).toBeGreaterThan(1_000_000);
    expect(store.info.synced).toBe(true);
    await store.close();
    expect((await store.gauges()).logBytes).toBeNull();
  });

  test("whose lock another process holds says that a retry may help", async () => {
    const file = join(folder, "locked.db");
    const store = openSqlite(file, { mode: "serve" });
    const other = new Database(file);
    other.run("BEGIN IMMEDIATE");
    const failure = await store.claim({ minuteUs: 0, writer: Bun.randomUUIDv7() }, 1).catch((error: unknown) => error);
    expect((failure as Reto3Error).code).toBe("STORE_UNAVAILABLE");
    other.run("ROLLBACK");
    await store.claim({ minuteUs: 0, writer: Bun.randomUUIDv7() }, 1);
    await store.close();
  });

  test("is opened synced at each commit, in WAL mode", async () => {
    const file = join(folder, "modes.db");
    const store = openSqlite(file, { mode: "serve" });
    using other = new Database(file);
    expect(other.query("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" });
    other.close();
    await store.close();
    expect(existsSync(`${file}-wal`)).toBe(false);
  });
});
