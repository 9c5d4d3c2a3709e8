import { Database } from "bun:sqlite";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { Reto3Error } from "../../errors.ts";
import type { RawLayout, Store } from "../store.ts";
import { makeDurable } from "./durable.ts";
import { eventsIn, flushOf, LONG_AGO, temporaryFiles, WRITER } from "./fixtures.ts";
import { ensureSchema } from "./schema.ts";
import { KEPT_FOR_GOOD } from "./settings.ts";
import { openSqlite } from "./sqlite.ts";
import { threadedWriting } from "./threaded-writing.ts";

const files = temporaryFiles();
afterAll(files.remove);

/** The threads that were started, in their order. */
let threads: Worker[] = [];
/** What the next thread runs instead of its own file. */
let script: string | undefined;
const { Worker: PlainWorker } = globalThis;
beforeEach(() => {
  threads = [];
  globalThis.Worker = class extends PlainWorker {
    constructor(url: string | URL) {
      const writes = String(url).endsWith("writing-thread.ts");
      super(writes && script !== undefined ? script : url);
      if (!writes) return;
      script = undefined;
      threads.push(this);
    }
  };
});
afterEach(() => {
  globalThis.Worker = PlainWorker;
});

let opened = 0;

/** A store in a file of its own, and another handle of that file. */
function storeAndOther(rawLayout: RawLayout = "packed"): { file: string; store: Store; other: Database } {
  const file = files.pathOf(`writing-${++opened}.db`);
  const store = openSqlite(file, { mode: "serve", rawLayout, retention: KEPT_FOR_GOOD });
  return { file, store, other: new Database(file, { strict: true }) };
}

/** The flush of `events` events that begins with the `firstSeq`th. */
function flushFrom(firstSeq: number, events: number, writer = WRITER) {
  return { ...flushOf({ minuteUs: LONG_AGO, writer }, events), firstSeq };
}

/** The code it rejects with; "done" if it resolves. */
async function outcomeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "done";
  } catch (error) {
    return error instanceof Reto3Error ? error.code : String(error);
  }
}

const range = (length: number) => Array.from({ length }, (_, at) => at);

describe("what is written through the thread", () => {
  for (const rawLayout of ["packed", "rows"] as const) {
    test(`is all there, in order, when it was asked without waiting: ${rawLayout}`, async () => {
      const { store } = storeAndOther(rawLayout);
      const answered: number[] = [];
      const claimed = store.claim({ minuteUs: LONG_AGO, writer: WRITER }, 1).then(() => answered.push(-1));
      const written = range(100).map((at) => store.write(flushFrom(at * 7, 7)).then(() => answered.push(at)));
      const sealed = store.seal({ minuteUs: LONG_AGO, writer: WRITER }, 700, 2).then(() => answered.push(100));
      await Promise.all([claimed, ...written, sealed]);
      expect(answered).toEqual([-1, ...range(101)]);
      expect(await eventsIn(store, LONG_AGO, WRITER)).toEqual(range(700));
      const claims = (await Array.fromAsync(store.claims(0, LONG_AGO * 2))).flat();
      expect(claims.map(({ sealedEvents }) => sealedEvents)).toEqual([700]);
      expect(threads).toHaveLength(1);
      await store.close();
    });
  }

  test("is there for other handles as soon as it is answered", async () => {
    const { store, other } = storeAndOther();
    using count = other.prepare<{ events: number | null }, []>("SELECT sum(events) AS events FROM event_batches");
    for (const at of range(20)) {
      await store.write(flushFrom(at * 3, 3));
      expect(count.get()).toEqual({ events: (at + 1) * 3 });
    }
    other.close();
    await store.close();
  });

  test("lies in rows of 200 events, or of fewer where these need more than a quarter of a page", async () => {
    const { store, other } = storeAndOther();
    await store.write(flushFrom(0, 450));
    const far = flushFrom(450, 200);
    await store.write({ ...far, createdUs: far.createdUs.map((us, at) => (at % 2 ? us : BigInt(at))) });
    using batches = other.prepare<{ seq: number; events: number; bytes: number }, []>(
      "SELECT seq, events, length(cell) AS bytes FROM event_batches",
    );
    const found = batches.all();
    expect(found.map(({ seq, events }) => [seq, events])).toEqual([
      [0, 200],
      [200, 200],
      [400, 50],
      [450, 100],
      [550, 100],
    ]);
    for (const { bytes } of found) expect(bytes).toBeLessThanOrEqual(960);
    // No row has pages of its own.
    using pages = other.prepare(
      "SELECT count(*) AS n FROM dbstat WHERE name = 'event_batches' AND pagetype = 'overflow'",
    );
    expect(pages.get()).toEqual({ n: 0 });
    expect(await eventsIn(store, LONG_AGO, WRITER)).toEqual(range(650));
    other.close();
    await store.close();
  });

  test("is synced by each commit, which leaves moving it into the file to the housekeeper", async () => {
    const file = files.pathOf(`writing-${++opened}.db`);
    using db = new Database(file, { create: true, strict: true });
    db.run("PRAGMA journal_mode = WAL");
    ensureSchema(db, file, "scratch");
    makeDurable(db);
    using synchronous = db.prepare("PRAGMA synchronous");
    expect(synchronous.get()).toEqual({ synchronous: 2 });
    // No store, so no housekeeper. What SQLite does by itself it would do after each 1,000 pages.
    const { size } = statSync(file);
    const writing = threadedWriting({ file, busyTimeoutMs: 4_000 }, "rows");
    for (const at of range(30)) await writing.write(flushFrom(at * 5_000, 5_000));
    expect(statSync(`${file}-wal`).size).toBeGreaterThan(1_000 * 4_096);
    expect(statSync(file).size).toBe(size);
    await writing.close();
  });

  test("without events leaves no batch", async () => {
    const { store, other } = storeAndOther();
    await store.write({ ...flushFrom(0, 1), createdUs: [], receivedUs: [] });
    using batches = other.prepare("SELECT count(*) AS n FROM event_batches");
    expect(batches.get()).toEqual({ n: 0 });
    expect(await store.counts({ minuteUs: LONG_AGO, writer: WRITER }, "1m", 0, LONG_AGO * 2)).toHaveLength(1);
    other.close();
    await store.close();
  });

  test("is refused where the store was opened for reading", async () => {
    const { file, store, other } = storeAndOther();
    await store.close();
    other.close();
    const reader = openSqlite(file, { mode: "read" });
    expect(await outcomeOf(reader.write(flushFrom(0, 1)))).toBe("STORE_REFUSED");
    expect(await outcomeOf(reader.seal({ minuteUs: LONG_AGO, writer: WRITER }, 1, 1))).toBe("STORE_REFUSED");
    expect(threads).toEqual([]);
    await reader.close();
  });
});

describe("a write that fails in the thread", () => {
  test("says that a retry may help when another handle has the lock, and the event loop goes on meanwhile", async () => {
    const { store, other } = storeAndOther();
    await store.write(flushFrom(0, 1));
    other.run("BEGIN IMMEDIATE");
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    expect(await outcomeOf(store.write(flushFrom(1, 1)))).toBe("STORE_UNAVAILABLE");
    clearInterval(timer);
    expect(turns).toBeGreaterThan(0);
    other.run("ROLLBACK");
    expect(await outcomeOf(store.write(flushFrom(1, 1)))).toBe("done");
    expect(await eventsIn(store, LONG_AGO, WRITER)).toEqual([0, 1]);
    other.close();
    await store.close();
  });

  test("does so as well when the thread has yet to open the file", async () => {
    const { store, other } = storeAndOther();
    other.run("BEGIN EXCLUSIVE");
    expect(await outcomeOf(store.write(flushFrom(0, 1)))).toBe("STORE_UNAVAILABLE");
    other.run("ROLLBACK");
    expect(await outcomeOf(store.write(flushFrom(0, 1)))).toBe("done");
    other.close();
    await store.close();
  });

  test("goes through when the lock is given back in time", async () => {
    const { file, store, other } = storeAndOther();
    const writing = threadedWriting({ file, busyTimeoutMs: 4_000 }, "packed");
    await writing.write(flushFrom(0, 1));
    other.run("BEGIN IMMEDIATE");
    const written = outcomeOf(writing.write(flushFrom(1, 1)));
    // The thread is waiting by then, or it finds no lock: both are well.
    setTimeout(() => other.run("ROLLBACK"), 50);
    expect(await written).toBe("done");
    await writing.close();
    other.close();
    await store.close();
  });

  test("is of unknown outcome when the thread does not answer in time, and the same again counts once", async () => {
    const { file, store, other } = storeAndOther();
    const impatient = threadedWriting({ file, busyTimeoutMs: 10_000 }, "packed", 50);
    other.run("BEGIN IMMEDIATE");
    expect(await outcomeOf(impatient.write(flushFrom(0, 3)))).toBe("STORE_UNKNOWN");
    other.run("ROLLBACK");
    // The first one is done by now, or will be before this one.
    while ((await outcomeOf(impatient.write(flushFrom(0, 3)))) !== "done");
    expect(await eventsIn(store, LONG_AGO, WRITER)).toEqual([0, 1, 2]);
    await impatient.close();
    other.close();
    await store.close();
  });

  test("that was given up before the thread came to it is left undone", async () => {
    const { file, store, other } = storeAndOther();
    const impatient = threadedWriting({ file, busyTimeoutMs: 10_000 }, "packed", 50);
    other.run("BEGIN IMMEDIATE");
    // The first one waits for the lock in the thread, the second one behind it.
    const both = [impatient.write(flushFrom(0, 3)), impatient.write(flushFrom(0, 3, "given-up"))].map(outcomeOf);
    expect(await Promise.all(both)).toEqual(["STORE_UNKNOWN", "STORE_UNKNOWN"]);
    other.run("ROLLBACK");
    while ((await outcomeOf(impatient.write(flushFrom(0, 3)))) !== "done");
    expect(await eventsIn(store, LONG_AGO, WRITER)).toEqual([0, 1, 2]);
    expect(await eventsIn(store, LONG_AGO, "given-up")).toEqual([]);
    await impatient.close();
    other.close();
    await store.close();
  });

  test("opens the file again if that failed: what is in the way may pass", async () => {
    const { file, store, other } = storeAndOther();
    renameSync(file, `${file}.away`);
    expect(await outcomeOf(store.write(flushFrom(0, 1)))).toBe("STORE_UNAVAILABLE");
    renameSync(`${file}.away`, file);
    expect(await outcomeOf(store.write(flushFrom(0, 1)))).toBe("done");
    expect(await eventsIn(store, LONG_AGO, WRITER)).toEqual([0]);
    other.close();
    await store.close();
  });

  test("leaves those before it and behind it as they are", async () => {
    const { store } = storeAndOther();
    const broken = flushFrom(1, 1);
    broken.counts = { ...broken.counts, "1m": broken.counts["1m"].map((row) => ({ ...row, lagHist: null })) };
    const outcomes = [flushFrom(0, 1), broken, flushFrom(2, 1)].map((flush) => outcomeOf(store.write(flush)));
    expect(await Promise.all(outcomes)).toEqual(["done", "STORE_REFUSED", "done"]);
    expect(await eventsIn(store, LONG_AGO, WRITER)).toEqual([0, 2]);
    await store.close();
  });

  test("is refused when a table has gone, and the message says which", async () => {
    const { store, other } = storeAndOther();
    await store.write(flushFrom(0, 1));
    other.run("DROP TABLE event_batches");
    const failure = await store.write(flushFrom(1, 1)).catch((error: unknown) => error);
    expect(failure).toEqual(
      expect.objectContaining({ code: "STORE_REFUSED", message: "SQLite: no such table: event_batches" }),
    );
    other.close();
    await store.close();
  });

  test("is refused when one has gone before the thread opened the file, and leaves no handle open", async () => {
    const { file, store, other } = storeAndOther();
    other.run("DROP TABLE event_batches");
    other.close();
    for (const at of [0, 1]) expect(await outcomeOf(store.write(flushFrom(at, 1)))).toBe("STORE_REFUSED");
    await store.close();
    // The last handle of a file takes its log away.
    expect([existsSync(file), existsSync(`${file}-wal`)]).toEqual([true, false]);
  });

  test("with what no thread can be sent is refused, and nobody gets an answer that is another's", async () => {
    const { store, other } = storeAndOther();
    const unsendable = { ...flushFrom(0, 1), counts: { "10ms": [], "1s": [], "1m": [() => {}] } } as never;
    const refused = outcomeOf(store.write(unsendable));
    const good = outcomeOf(store.write(flushFrom(0, 1)));
    expect(await Promise.all([refused, good])).toEqual(["STORE_REFUSED", "done"]);
    other.run("BEGIN IMMEDIATE");
    expect(await outcomeOf(store.write(flushFrom(1, 1)))).toBe("STORE_UNAVAILABLE");
    other.run("ROLLBACK");
    other.close();
    await store.close();
  });
});

describe("a thread that dies", () => {
  test("rejects what waits as of unknown outcome, and the next write works", async () => {
    const { store, other } = storeAndOther();
    await store.write(flushFrom(0, 1));
    // So that nothing is answered before it ends.
    other.run("BEGIN IMMEDIATE");
    const waiting = [1, 2, 3].map((at) => outcomeOf(store.write(flushFrom(at, 1))));
    threads[0]?.terminate();
    expect(await Promise.all(waiting)).toEqual(range(3).map(() => "STORE_UNKNOWN"));
    other.run("ROLLBACK");
    // The same again is safe, as the contract has it.
    for (const at of [1, 2, 3, 4]) expect(await outcomeOf(store.write(flushFrom(at, 1)))).toBe("done");
    expect(await eventsIn(store, LONG_AGO, WRITER)).toEqual([0, 1, 2, 3, 4]);
    expect(threads).toHaveLength(2);
    other.close();
    await store.close();
  });

  test("of an error that nobody catches does so as well, and the message says what it was", async () => {
    const { store, other } = storeAndOther();
    script = URL.createObjectURL(new Blob(["self.onmessage = () => { throw new Error('out of cheese'); }"]));
    const claim = () => store.claim({ minuteUs: LONG_AGO, writer: WRITER }, 1);
    const waiting = [claim(), store.write(flushFrom(0, 1))];
    for (const failure of await Promise.all(waiting.map((work) => work.catch((error: unknown) => error)))) {
      expect(failure).toEqual(
        expect.objectContaining({
          code: "STORE_UNKNOWN",
          message: "SQLite: the writing thread has ended: error: out of cheese",
        }),
      );
    }
    await claim();
    await store.write(flushFrom(0, 1));
    expect([await eventsIn(store, LONG_AGO, WRITER), threads.length]).toEqual([[0], 2]);
    other.close();
    await store.close();
  });

  test("while nobody waits is noticed by nobody", async () => {
    const { store } = storeAndOther();
    await store.write(flushFrom(0, 1));
    const ended = new Promise((resolve) => threads[0]?.addEventListener("close", resolve));
    threads[0]?.terminate();
    await ended;
    await store.write(flushFrom(1, 1));
    expect(await eventsIn(store, LONG_AGO, WRITER)).toEqual([0, 1]);
    await store.close();
  });

  test("and says something after all answers none of the calls of the next one", async () => {
    const { store, other } = storeAndOther();
    await store.write(flushFrom(0, 1));
    const [dead] = threads;
    dead?.dispatchEvent(new ErrorEvent("error", { message: "it looks dead" }));
    other.run("BEGIN IMMEDIATE");
    const failing = outcomeOf(store.write(flushFrom(1, 1)));
    dead?.dispatchEvent(new MessageEvent("message", { data: null }));
    expect([await failing, threads.length]).toEqual(["STORE_UNAVAILABLE", 2]);
    other.run("ROLLBACK");
    other.close();
    dead?.terminate();
    await store.close();
  });
});

describe("closing", () => {
  test("waits for what was asked", async () => {
    const { file, store, other } = storeAndOther();
    other.close();
    const written = range(50).map((at) => outcomeOf(store.write(flushFrom(at * 300, 300))));
    await store.close();
    expect(await Promise.all(written)).toEqual(range(50).map(() => "done"));
    const reader = openSqlite(file, { mode: "read" });
    expect(await eventsIn(reader, LONG_AGO, WRITER)).toEqual(range(50 * 300));
    await reader.close();
  });

  test("waits for a write that waits for a lock", async () => {
    const { store, other } = storeAndOther();
    await store.write(flushFrom(0, 1));
    other.run("BEGIN IMMEDIATE");
    const outcomes: string[] = [];
    const written = outcomeOf(store.write(flushFrom(1, 1))).then((outcome) => outcomes.push(outcome));
    await store.close();
    expect(outcomes).toEqual(["STORE_UNAVAILABLE"]);
    await written;
    other.run("ROLLBACK");
    other.close();
  });

  test("ends a store into which nothing was ever written, and starts no thread for it", async () => {
    const { store, other } = storeAndOther();
    other.close();
    await store.close();
    expect(threads).toEqual([]);
  });

  test("leaves nothing behind but the file, and what comes later is refused", async () => {
    const { file, store, other } = storeAndOther();
    other.close();
    await store.write(flushFrom(0, 1));
    await store.close();
    expect([existsSync(file), existsSync(`${file}-wal`), existsSync(`${file}-shm`)]).toEqual([true, false, false]);
    expect(await outcomeOf(store.write(flushFrom(1, 1)))).toBe("STORE_REFUSED");
    expect(await outcomeOf(store.claim({ minuteUs: LONG_AGO, writer: WRITER }, 1))).toBe("STORE_REFUSED");
    expect(threads).toHaveLength(1);
  });

  test("ends the thread", async () => {
    const { store, other } = storeAndOther();
    other.close();
    await store.write(flushFrom(0, 1));
    const ended = new Promise((resolve) => threads[0]?.addEventListener("close", resolve));
    await store.close();
    await ended;
  });
});

describe("a process", () => {
  const cases = [
    { what: "ends by itself once its store is closed", more: "await store.close();", said: "stored\n" },
    { what: "ends by itself though its store is not closed, when nothing is awaited", more: "", said: "stored\n" },
    {
      what: "does not end while a write is awaited, and a failed one",
      more: `store.write({ ...flush, writer: "other" }).then(() => console.log("stored, too"));
        store.write({ ...flush, counts: { ...flush.counts, "1m": [{ ...flush.counts["1m"][0], lagHist: null }] } })
          .catch((error) => console.log(error.code));`,
      said: "stored\nstored, too\nSTORE_REFUSED\n",
    },
  ];
  for (const { what, more, said } of cases) {
    test(what, async () => {
      const file = files.pathOf(`process-${++opened}.db`);
      const program = `
        import { flushOf } from "${join(import.meta.dir, "fixtures.ts")}";
        import { openSqlite } from "${join(import.meta.dir, "sqlite.ts")}";
        const store = openSqlite("${file}", { mode: "serve", retention: { events: null } });
        const flush = flushOf({ minuteUs: ${LONG_AGO}, writer: "${WRITER}" }, 3);
        await store.write(flush);
        console.log("stored");
        ${more}`;
      const child = Bun.spawn([process.execPath, "-e", program], { stdout: "pipe", stderr: "pipe" });
      const [stdout, stderr, code] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
        child.exited,
      ]);
      expect([code, stdout, stderr]).toEqual([0, said, ""]);
    });
  }
});
