import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
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
import { stateFile, type StateFile } from "./counts-state.ts";
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
  fromUs = START;
  readonly warnings: string[] = [];
  /** Appending fails when so many more lines were written. */
  roomLines = Number.POSITIVE_INFINITY;
  #unsyncedLines = 0;
  #log = this.#newLog();
  #counts: CountsLog | undefined;

  async open(): Promise<CountsLog> {
    this.#counts ??= await CountsLog.open({
      store: this.store,
      clock: { nowUs: () => this.nowUs, epoch: 0 },
      log: this.#log,
      state: this.#stateAfterLog(),
      fromUs: this.fromUs,
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

  /** One flush of a writer of its own, of events that arrived `agoUs` before now. Returns when that was. */
  async store1(events: number, agoUs = 0, seals = true): Promise<number> {
    const clock = { nowUs: () => this.nowUs, epoch: 0 };
    const writer = new FlushSequence({ store: this.store, clock, signal: new AbortController().signal });
    const at = Math.max(START, this.nowUs - agoUs);
    const receivedUs = Array<number>(events).fill(at);
    const createdUs = receivedUs.map((us) => BigInt(us - 3_000));
    await writer.flush({ minuteUs: bucketStartUs(at, MINUTE_US), epoch: 0, createdUs, receivedUs });
    if (seals) await writer.close();
    return at;
  }

  /** [id, count] of each whole line, in the order of writing. */
  lines(): [id: string, count: number][] {
    return this.versions().map(([id, count]) => [id, count]);
  }

  /** [id, count, when it was written] of each whole line. */
  versions(): [id: string, count: number, writtenMs: number][] {
    return this.#log
      .files()
      .flatMap((file) => readFileSync(join(this.folder, file), "utf8").split("\n"))
      .flatMap((line) => {
        try {
          const { event, reto } = JSON.parse(line) as {
            event: { id: string };
            reto: { count: number; written_ms: number };
          };
          return [[event.id, reto.count, reto.written_ms] satisfies [string, number, number]];
        } catch {
          return [];
        }
      });
  }

  /** By id, what the store says; of the future too, should the clock have been set back. */
  async stored(periods: readonly PeriodName[] = PERIOD_NAMES): Promise<Map<string, number>> {
    const counts = new Map<string, number>();
    for (const name of periods) {
      const question = { period: PERIODS[name], fromUs: this.fromUs, toUs: this.nowUs, nowUs: this.nowUs };
      for await (const portion of readCounts(this.store, { ...question, source: "counts" }).buckets) {
        for (const { bucketUs, events } of portion) counts.set(idOf(name, bucketUs), events);
      }
    }
    return counts;
  }

  /** Of the lines of a bucket the one that was written last says what the store has. */
  async expectRight(periods: readonly PeriodName[] = PERIOD_NAMES): Promise<void> {
    const standing = new Map<string, { count: number; writtenMs: number }>();
    for (const [id, count, writtenMs] of this.versions()) {
      if (writtenMs >= (standing.get(id)?.writtenMs ?? 0)) standing.set(id, { count, writtenMs });
    }
    const counts = [...standing].map(([id, { count }]) => [id, count] satisfies [string, number]);
    const asked = counts.filter(([id]) => periods.some((name) => id.startsWith(`${name}-`)));
    // A bucket that is no more is told as one of none.
    expect(sorted(new Map(asked.filter(([, count]) => count > 0)))).toEqual(sorted(await this.stored(periods)));
  }

  /** No line says what the one before it of its bucket said. */
  expectNoDoubles(): void {
    const last = new Map<string, number>();
    const doubles: string[] = [];
    for (const [id, count] of this.lines()) {
      if (last.get(id) === count) doubles.push(id);
      last.set(id, count);
    }
    expect(doubles).toEqual([]);
  }

  [Symbol.dispose](): void {
    this.#log.close();
    rmSync(this.folder, { recursive: true });
  }

  /** What it tells of must be on the disk before: a power cut may come at any time. */
  #stateAfterLog(): StateFile {
    const file = stateFile(join(this.folder, "counts.state.json"));
    return {
      ...file,
      write: (state) => {
        expect(this.#unsyncedLines).toBe(0);
        file.write(state);
      },
    };
  }

  #newLog(): LogFile {
    const bench = this as Bench;
    return new (class extends LogFile {
      override append(lines: readonly string[], nowMs: number): void {
        if (bench.roomLines <= 0) throw new Error("the disk is full");
        bench.roomLines -= lines.length;
        super.append(lines, nowMs);
        bench.#unsyncedLines += lines.length;
      }

      override sync(): void {
        super.sync();
        bench.#unsyncedLines = 0;
      }
    })({
      folder: this.folder,
      name: "counts",
      bytesMax: 2_000,
      keepMs: HOUR_US,
      warn: (line) => this.warnings.push(line),
    });
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
    bench.expectNoDoubles();
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
    bench.expectNoDoubles();
  });

  test("has what was stored into a minute of which nothing had been written", async () => {
    await bench.pass(5 * MINUTE_US);
    await bench.store1(3, 4 * MINUTE_US);
    await bench.pass(2 * MINUTE_US);
    await bench.expectRight();
    bench.expectNoDoubles();
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
    bench.expectNoDoubles();
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

  test("passes over just what has expired sooner than it was told, and says so once", async () => {
    await bench.store1(5);
    await bench.pass(20 * SECOND_US);
    bench.crash();
    for (let minute = 1; minute <= 240; minute++) {
      bench.nowUs += MINUTE_US;
      if (minute % 10 === 0) await bench.store1(minute);
    }
    bench.expireUntil("10ms", bench.nowUs - 125 * MINUTE_US);
    for (let round = 0; round < 3; round++) await bench.pass(MINUTE_US);
    const fine = bench.lines().filter(([id]) => id.startsWith("10ms"));
    expect(fine.map(([, count]) => count)).toEqual([
      5, 120, 130, 140, 150, 160, 170, 180, 190, 200, 210, 220, 230, 240,
    ]);
    await bench.expectRight(["1s", "1m"]);
    bench.expectNoDoubles();
    const warned = bench.warnings.join("\n");
    expect(warned).toMatch(/the 10ms counts of \d+ minutes from .* have expired/);
    expect(bench.warnings.length).toBeLessThanOrEqual(3);
    const { length } = bench.warnings;
    await bench.pass(5 * MINUTE_US);
    expect(bench.warnings).toHaveLength(length);
  });

  test("a minute that changed when its finer counts had expired is right at the coarser ones", async () => {
    await bench.store1(5, 0, false);
    await bench.pass(20 * MINUTE_US);
    await bench.store1(3, bench.nowUs - START - 5 * SECOND_US);
    bench.expireUntil("10ms", bench.nowUs - 5 * MINUTE_US);
    await bench.pass(3 * MINUTE_US);
    await bench.expectRight(["1s", "1m"]);
    expect(bench.warnings).toEqual([expect.stringMatching(/the 10ms counts of minute .* have expired/)]);
    // Others are followed as before.
    await bench.store1(1, 4 * MINUTE_US);
    await bench.pass(2 * MINUTE_US);
    await bench.expectRight(["1s", "1m"]);
  });

  test("goes on where the counts of the minutes that it followed have expired at all levels", async () => {
    await bench.store1(5, 0, false);
    await bench.pass(20 * MINUTE_US);
    bench.crash();
    bench.nowUs += 24 * HOUR_US;
    for (const name of PERIOD_NAMES) bench.expireUntil(name, bench.nowUs - 6 * HOUR_US);
    await bench.store1(2, 10 * SECOND_US);
    await bench.pass(2 * MINUTE_US);
    expect(bench.lines().filter(([, count]) => count === 2)).toHaveLength(3);
  });

  test("gives up minutes that have expired at all levels, and says so once", async () => {
    await bench.store1(5, 0, false);
    await bench.pass(20 * MINUTE_US);
    for (const name of PERIOD_NAMES) bench.expireUntil(name, bench.nowUs - 5 * MINUTE_US);
    await bench.pass(5 * MINUTE_US);
    expect(bench.warnings).toEqual([expect.stringMatching(/the 1m counts of minute .* have expired/)]);
  });

  test("a line that is written later says so, though all earlier ones are not read back", async () => {
    await bench.round();
    await bench.store1(5, 0, false);
    bench.nowUs = START + 10 * MINUTE_US;
    await bench.round();
    await bench.pass(30 * MINUTE_US);
    bench.crash();
    bench.nowUs = START + 2 * MINUTE_US;
    await bench.store1(3, bench.nowUs - START - 10 * SECOND_US);
    await bench.pass(2 * MINUTE_US);
    expect(bench.lines().map(([, count]) => count)).toEqual([5, 5, 5, 8, 8, 8]);
    await bench.expectRight();
  });

  test("what arrived in the first moment of a minute is not lost when the clock is set back there, and forth again", async () => {
    bench.nowUs = START + 3 * HOUR_US;
    await bench.round();
    bench.nowUs = START + HOUR_US - SECOND_US / 2;
    await bench.round();
    bench.nowUs += SECOND_US * 0.7;
    await bench.store1(1, 0, false);
    bench.nowUs = START + 3 * HOUR_US;
    await bench.pass(2 * MINUTE_US);
    await bench.expectRight();
  });

  test("what came before its last start is followed as well", async () => {
    await bench.pass(HOUR_US);
    bench.crash();
    bench.fromUs = bucketStartUs(bench.nowUs, MINUTE_US);
    bench.nowUs -= HOUR_US / 2;
    await bench.round();
    await bench.store1(3);
    await bench.pass(3 * MINUTE_US);
    expect(bench.lines()).toHaveLength(3);
  });

  test("a line that is written later says so, also when the clock was set back and the monitor started anew", async () => {
    await bench.store1(5);
    const bucketUs = bench.nowUs;
    await bench.pass(2 * MINUTE_US);
    bench.crash();
    bench.nowUs -= 90 * SECOND_US;
    await bench.store1(2, bench.nowUs - bucketUs);
    await bench.pass(10 * SECOND_US);
    await bench.pass(3 * MINUTE_US);
    const versions = bench.versions().filter(([id]) => id === idOf("10ms", bucketUs));
    expect(versions.map(([, count]) => count)).toEqual([5, 7]);
    expect(versions[1]?.[2]).toBeGreaterThanOrEqual(versions[0]?.[2] ?? Number.NaN);
    await bench.expectRight();
  });

  test("a clock that was set back by hours loses nothing, a minute later at most", async () => {
    await bench.pass(2 * MINUTE_US);
    bench.nowUs += 9 * HOUR_US;
    await bench.store1(5);
    await bench.pass(10 * SECOND_US);
    bench.nowUs -= 8 * HOUR_US;
    for (let minute = 0; minute < 5; minute++) {
      await bench.store1(3);
      await bench.pass(MINUTE_US);
    }
    await bench.pass(2 * MINUTE_US);
    expect(bench.lines().filter(([id, count]) => id.startsWith("10ms") && count === 3)).toHaveLength(5);
    expect(bench.lines().filter(([id, count]) => id.startsWith("1m") && count === 3)).toHaveLength(5);
  });

  test("killed before its first line, it begins where it began; nothing before that is written", async () => {
    bench.nowUs = START + HOUR_US + 5 * SECOND_US;
    bench.fromUs = START + HOUR_US;
    await bench.store1(9, 8 * SECOND_US);
    await bench.store1(4);
    await bench.round();
    bench.crash();
    bench.nowUs += 3 * MINUTE_US;
    const { fromUs } = bench;
    bench.fromUs = bucketStartUs(bench.nowUs, MINUTE_US);
    await bench.pass(2 * MINUTE_US);
    bench.fromUs = fromUs;
    expect(bench.lines().map(([, count]) => count)).toEqual([4, 4, 4]);
    await bench.expectRight();
    bench.expectNoDoubles();
  });

  test("restarted in its first seconds, it writes nothing of the minute before it began", async () => {
    bench.nowUs = START + HOUR_US + SECOND_US;
    bench.fromUs = START + HOUR_US;
    await bench.store1(9, 2 * SECOND_US);
    await bench.round();
    bench.crash();
    await bench.pass(5 * MINUTE_US);
    expect(bench.lines()).toEqual([]);
  });

  test(
    "catches up an hour at a time: what it keeps, and reads again after a crash, stays small",
    async () => {
      await bench.store1(5);
      await bench.pass(20 * SECOND_US);
      bench.crash();
      for (let minute = 0; minute < 60 * 48; minute += 3) {
        bench.nowUs += 3 * MINUTE_US;
        await bench.store1(2);
      }
      await bench.pass(SECOND_US);
      (await bench.open()).save();
      const state = stateFile(join(bench.folder, "counts.state.json")).read();
      expect(state?.minutes.length).toBeLessThanOrEqual(5 * 60 + 2);
      const log = new LogFile({
        folder: bench.folder,
        name: "counts",
        bytesMax: 2_000,
        keepMs: HOUR_US,
        warn: () => {},
      });
      let linesToRead = 0;
      for await (const _ of log.linesFrom(state?.read ?? null)) linesToRead++;
      // Of an hour at most, at three periods.
      expect(linesToRead).toBeLessThanOrEqual(3 * 20 + 3);
      bench.crash();
      await bench.pass(2 * MINUTE_US);
      await bench.expectRight();
      bench.expectNoDoubles();
    },
    RUN_MS,
  );

  test("where all rounds fail its state is not written again: that is how its health is told", async () => {
    await bench.round();
    const file = join(bench.folder, "counts.state.json");
    const { mtimeMs } = statSync(file);
    bench.store.claims = () => {
      throw new Error("away");
    };
    for (let minute = 0; minute < 3; minute++) {
      bench.nowUs += MINUTE_US;
      await expect(bench.round()).rejects.toThrow("away");
    }
    expect(statSync(file).mtimeMs).toBe(mtimeMs);
  });

  test("of another store it says so and goes on", async () => {
    await bench.round();
    bench.crash();
    const elsewhere = "sqlite:other.db";
    const { location } = bench.store.info;
    bench.store.info.location = elsewhere;
    await bench.round();
    expect(bench.warnings).toEqual([
      `this log was of ${location}, and goes on with ${elsewhere}; want a --log-dir for each, should they differ`,
    ]);
  });

  test("a state that cannot be read is an error with what to do", async () => {
    appendFileSync(join(bench.folder, "counts.state.json"), '{"version":1,');
    await expect(bench.open()).rejects.toThrow("cannot read the state file");
  });

  const operation = fc.oneof(
    fc.record({ do: fc.constant("store" as const), events: fc.integer({ min: 1, max: 9 }), seals: fc.boolean() }),
    fc.record({ do: fc.constant("late" as const), ago: fc.integer({ min: 1, max: 590 }) }),
    fc.record({ do: fc.constant("settle" as const) }),
    fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(10, 300, 1_000, 7_000, 61_000) }),
    fc.record({ do: fc.constant("away" as const), seconds: fc.integer({ min: 1, max: 1_500 }) }),
    fc.record({ do: fc.constant("away" as const), seconds: fc.constantFrom(3_600, 3 * 3_600, 7 * 3_600) }),
    fc.record({ do: fc.constant("back" as const), seconds: fc.constantFrom(2, 20, 70, 1_000, 2 * 3_600, 7 * 3_600) }),
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
          /** When events arrived in minutes that their writer left open. */
          let open: number[] = [];
          let latestUs = 0;
          for (const step of operations) {
            if (step.do === "store") {
              const at = await one.store1(step.events, 0, step.seals);
              if (!step.seals) open.push(at);
            }
            if (step.do === "late") await one.store1(1, step.ago * SECOND_US);
            if (step.do === "settle") {
              // As long as the latest clock says that it is followed.
              open = open.filter((at) => at > latestUs - 4 * HOUR_US && at <= one.nowUs);
              const at = open.shift();
              if (at !== undefined) await one.store1(1, one.nowUs - at);
            }
            if (step.do === "wait") one.nowUs += step.ms * 1_000;
            if (step.do === "away") one.nowUs += step.seconds * SECOND_US;
            latestUs = Math.max(latestUs, one.nowUs);
            if (step.do === "back") one.nowUs = Math.max(START + 10 * SECOND_US, one.nowUs - step.seconds * SECOND_US);
            if (step.do === "crash") one.crash(step.torn);
            if (step.do === "save") (await one.open()).save();
            if (step.do === "full") one.roomLines = step.room;
            await one.round().catch((error: Error) => expect(error.message).toBe("the disk is full"));
            one.roomLines = Number.POSITIVE_INFINITY;
          }
          one.nowUs = Math.max(one.nowUs, latestUs);
          for (let minute = 0; minute < 14; minute++) {
            one.nowUs += MINUTE_US;
            await one.round();
          }
          await one.expectRight();
          // A minute that changed when its buckets were known no more is written again as a whole.
          const wholeAgain = operations.some((step) => step.do === "back" || step.do === "settle");
          if (!wholeAgain) one.expectNoDoubles();
        }),
        { numRuns: Number(process.env["RETO3_MODEL_RUNS"] ?? 200) },
      );
    },
    RUN_MS * 10,
  );
});
