import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { readCounts } from "../counts/read.ts";
import { Reto3Error } from "../errors.ts";
import { bucketStartUs, HOUR_US, MINUTE_US, PERIOD_NAMES, PERIODS, SECOND_US, type PeriodName } from "../period.ts";
import { memoryStore } from "../store/memory.ts";
import type { Store } from "../store/store.ts";
import { FlushSequence } from "../writer/sequence.ts";
import { CountsLog } from "./counts.ts";
import { stateFile } from "./counts-state.ts";
import { LogFile } from "./log-file.ts";

/** A few seconds, where the machine has nothing else to do. */
const RUN_MS = 60_000;

/** Recent enough that nothing has expired. */
const START = bucketStartUs(Date.now() * 1_000, HOUR_US) - HOUR_US;

/** The monitor on a store in memory, with a clock of the test's; what it has written is on the disk. */
class Bench implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "reto3-counts-"));
  readonly #expiredUntilUs: Record<PeriodName, number> = { "10ms": 0, "1s": 0, "1m": 0 };
  readonly store: Store = this.#expiring(memoryStore());
  nowUs = START + 10 * SECOND_US;
  readonly warnings: string[] = [];
  /** Appending fails when so many more lines were written. */
  roomLines = Number.POSITIVE_INFINITY;
  #log = this.#newLog();
  #counts: CountsLog | undefined;

  async open(): Promise<CountsLog> {
    this.#counts ??= await CountsLog.open({
      store: this.store,
      clock: { nowUs: () => this.nowUs, epoch: 0 },
      log: this.#log,
      state: stateFile(join(this.folder, "counts.state.json")),
      fromUs: START,
      hostName: "here",
      stats: { failures: 0 },
      signal: new AbortController().signal,
      warn: (line) => this.warnings.push(line),
    });
    return this.#counts;
  }

  async round(): Promise<void> {
    await (await this.open()).round();
  }

  /** Dies without a word; `torn` is what it had written of its next line. */
  crash(torn = ""): void {
    this.#counts = undefined;
    const last = this.#log.files().at(-1);
    this.#log.close();
    if (last !== undefined && torn !== "") appendFileSync(join(this.folder, last), torn);
    this.#log = this.#newLog();
  }

  /** Time passes, a round a second. */
  async pass(us: number): Promise<void> {
    const untilUs = this.nowUs + us;
    while (this.nowUs < untilUs) {
      this.nowUs = Math.min(untilUs, this.nowUs + SECOND_US);
      await this.round();
    }
  }

  /** Whoever asks for the counts of an earlier minute is told that they have expired. */
  expireUntil(period: PeriodName, us: number): void {
    this.#expiredUntilUs[period] = us;
  }

  #expiring(memory: Store): Store {
    const counts: Store["counts"] = (partition, level, ...range) => {
      if (partition.minuteUs >= this.#expiredUntilUs[level]) return memory.counts(partition, level, ...range);
      return Promise.reject(new Reto3Error("EXPIRED", "gone"));
    };
    return { ...memory, counts };
  }

  /** One flush of a writer of its own, of events that arrived `agoUs` before now. */
  async store1(events: number, agoUs = 0, seals = true): Promise<void> {
    const clock = { nowUs: () => this.nowUs, epoch: 0 };
    const writer = new FlushSequence({ store: this.store, clock, signal: new AbortController().signal });
    const at = Math.max(START, this.nowUs - agoUs);
    const receivedUs = Array<number>(events).fill(at);
    const createdUs = receivedUs.map((us) => BigInt(us - 3_000));
    await writer.flush({ minuteUs: bucketStartUs(at, MINUTE_US), epoch: 0, createdUs, receivedUs });
    if (seals) await writer.close();
  }

  /** [id, count] of each whole line, in the order of writing. */
  lines(): [id: string, count: number][] {
    return this.#log
      .files()
      .flatMap((file) => readFileSync(join(this.folder, file), "utf8").split("\n"))
      .flatMap((line) => {
        try {
          const { event, reto } = JSON.parse(line) as { event: { id: string }; reto: { count: number } };
          return [[event.id, reto.count] satisfies [string, number]];
        } catch {
          return [];
        }
      });
  }

  /** By id, what the store says. */
  async stored(): Promise<Map<string, number>> {
    const counts = new Map<string, number>();
    for (const name of PERIOD_NAMES) {
      const question = { period: PERIODS[name], fromUs: START, toUs: this.nowUs, nowUs: this.nowUs };
      for await (const portion of readCounts(this.store, { ...question, source: "counts" }).buckets) {
        for (const { bucketUs, events } of portion) counts.set(idOf(name, bucketUs), events);
      }
    }
    return counts;
  }

  /** The last line of each bucket is what the store has; no line says what the one before it of that bucket said. */
  async expectRight(): Promise<void> {
    const last = new Map<string, number>();
    const doubles: string[] = [];
    for (const [id, count] of this.lines()) {
      if (last.get(id) === count) doubles.push(id);
      last.set(id, count);
    }
    expect(doubles).toEqual([]);
    expect(sorted(last)).toEqual(sorted(await this.stored()));
  }

  [Symbol.dispose](): void {
    this.#log.close();
    rmSync(this.folder, { recursive: true });
  }

  #newLog(): LogFile {
    const bench = this as Bench;
    return new (class extends LogFile {
      override append(lines: readonly string[], nowMs: number): void {
        if (bench.roomLines <= 0) throw new Error("the disk is full");
        bench.roomLines -= lines.length;
        super.append(lines, nowMs);
      }
    })({ folder: this.folder, name: "counts", bytesMax: 2_000, keepMs: HOUR_US });
  }
}

function idOf(period: PeriodName, bucketUs: number): string {
  return `${period}-${bucketUs / 1_000}`;
}

function sorted(counts: Map<string, number>): [string, number][] {
  return [...counts].sort(([a], [b]) => a.localeCompare(b));
}

describe("the counts as a log", () => {
  let bench: Bench;
  beforeEach(() => void (bench = new Bench()));
  afterEach(() => bench[Symbol.dispose]());

  test("has each bucket once, when it has closed, at three periods", async () => {
    await bench.store1(5);
    const secondUs = bench.nowUs;
    await bench.round();
    expect(bench.lines()).toEqual([]);
    bench.nowUs += 510_000;
    await bench.round();
    expect(bench.lines()).toEqual([[idOf("10ms", secondUs), 5]]);
    bench.nowUs += SECOND_US;
    await bench.round();
    expect(bench.lines().slice(1)).toEqual([[idOf("1s", secondUs), 5]]);
    await bench.pass(2 * MINUTE_US);
    expect(bench.lines().slice(2)).toEqual([[idOf("1m", START), 5]]);
    await bench.pass(HOUR_US / 4);
    expect(bench.lines()).toHaveLength(3);
    await bench.expectRight();
  });

  test.each([
    ["a second", SECOND_US],
    ["half a minute", 30 * SECOND_US],
    ["nine minutes", 9 * MINUTE_US],
  ])("has a bucket again that grew %s later, with the same id", async (_, laterUs) => {
    await bench.store1(5);
    const bucketUs = bench.nowUs;
    await bench.pass(2 * SECOND_US);
    await bench.pass(laterUs);
    await bench.store1(2, bench.nowUs - bucketUs);
    await bench.pass(2 * MINUTE_US);
    expect(bench.lines().filter(([id]) => id === idOf("10ms", bucketUs))).toEqual([
      [idOf("10ms", bucketUs), 5],
      [idOf("10ms", bucketUs), 7],
    ]);
    await bench.expectRight();
  });

  test("has what was stored into a minute of which nothing had been written", async () => {
    await bench.pass(5 * MINUTE_US);
    await bench.store1(3, 4 * MINUTE_US);
    await bench.pass(2 * MINUTE_US);
    await bench.expectRight();
    expect(bench.lines()).toHaveLength(3);
  });

  test("follows a minute that a writer left open until it is settled, though its buckets are forgotten", async () => {
    await bench.store1(5, 0, false);
    await bench.pass(30 * MINUTE_US);
    // What settling may bring to light: events that were not told before.
    await bench.store1(4, bench.nowUs - START - 5 * SECOND_US);
    await bench.pass(2 * MINUTE_US);
    const last = new Map(bench.lines());
    expect(sorted(last)).toEqual(sorted(await bench.stored()));
  });

  test("goes on after a long absence, through crashes on the way, with what happened meanwhile", async () => {
    await bench.store1(5);
    await bench.pass(20 * SECOND_US);
    bench.crash();
    for (let minute = 0; minute < 40; minute++) {
      bench.nowUs += MINUTE_US;
      await bench.store1(minute + 1);
    }
    for (const room of [7, 30, 50]) {
      bench.roomLines = room;
      await expect(bench.round()).rejects.toThrow("the disk is full");
      bench.crash('{"@timestamp":"2026');
    }
    bench.roomLines = Number.POSITIVE_INFINITY;
    await bench.pass(2 * MINUTE_US);
    await bench.expectRight();
  });

  test("passes over what has expired, and says so", async () => {
    await bench.store1(5);
    await bench.pass(20 * SECOND_US);
    (await bench.open()).save();
    bench.crash();
    bench.store.info.retention["10ms"] = 21_600;
    bench.nowUs += 24 * HOUR_US;
    bench.expireUntil("10ms", bench.nowUs - 6 * HOUR_US);
    await bench.store1(2, 10 * SECOND_US);
    await bench.round();
    expect(bench.warnings).toEqual([expect.stringMatching(/^the 10ms counts from .* have expired/)]);
    expect(bench.lines().filter(([, count]) => count === 2)).toHaveLength(2);
    await bench.pass(2 * MINUTE_US);
    expect(bench.warnings).toHaveLength(1);
  });

  test("passes over what has expired sooner than it was told, an hour at a time", async () => {
    await bench.store1(5);
    await bench.pass(20 * SECOND_US);
    (await bench.open()).save();
    bench.crash();
    bench.nowUs += 4 * HOUR_US;
    await bench.store1(2, 10 * SECOND_US);
    bench.expireUntil("10ms", bench.nowUs - HOUR_US);
    for (let round = 0; round < 6; round++) await bench.round();
    expect(bench.warnings.length).toBeGreaterThan(0);
    expect(bench.lines().filter(([id, count]) => count === 2 && id.startsWith("10ms"))).toHaveLength(1);
    expect(bench.lines().filter(([id, count]) => count === 5 && id.startsWith("1m"))).toHaveLength(1);
  });

  test("a state that cannot be read is an error with what to do", async () => {
    appendFileSync(join(bench.folder, "counts.state.json"), '{"version":1,');
    await expect(bench.open()).rejects.toThrow("cannot read the state file");
  });

  const operation = fc.oneof(
    fc.record({ do: fc.constant("store" as const), events: fc.integer({ min: 1, max: 9 }), seals: fc.boolean() }),
    fc.record({ do: fc.constant("late" as const), ago: fc.integer({ min: 1, max: 590 }) }),
    fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(10, 300, 1_000, 7_000, 61_000) }),
    fc.record({ do: fc.constant("away" as const), seconds: fc.integer({ min: 1, max: 1_500 }) }),
    fc.record({ do: fc.constant("crash" as const), torn: fc.constantFrom("", "{", '{"@timestamp":"2026') }),
    fc.record({ do: fc.constant("full" as const), room: fc.nat(4) }),
    fc.record({ do: fc.constant("save" as const) }),
  );

  test(
    "is right in the end, whatever happens in which order, and has no line twice",
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 30 }), async (operations) => {
          using one = new Bench();
          for (const step of operations) {
            if (step.do === "store") await one.store1(step.events, 0, step.seals);
            if (step.do === "late") await one.store1(1, step.ago * SECOND_US);
            if (step.do === "wait") one.nowUs += step.ms * 1_000;
            if (step.do === "away") one.nowUs += step.seconds * SECOND_US;
            if (step.do === "crash") one.crash(step.torn);
            if (step.do === "save") (await one.open()).save();
            if (step.do === "full") one.roomLines = step.room;
            await one.round().catch((error: Error) => expect(error.message).toBe("the disk is full"));
            one.roomLines = Number.POSITIVE_INFINITY;
          }
          for (let minute = 0; minute < 14; minute++) {
            one.nowUs += MINUTE_US;
            await one.round();
          }
          await one.expectRight();
        }),
        { numRuns: 200 },
      );
    },
    RUN_MS,
  );
});
