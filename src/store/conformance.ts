// What every store must do, as tests that each adapter runs unchanged. The reference, memory.ts, passes them too.
// Each test has an hour of its own, so that adapters may share one database among all of them.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Clock } from "../clock.ts";
import { readCounts, type Source } from "../counts/read.ts";
import { Reto3Error } from "../errors.ts";
import { Histogram } from "../histogram.ts";
import {
  bucketStartUs,
  DAY_US,
  HOUR_US,
  MINUTE_US,
  PERIOD_NAMES,
  PERIODS,
  SECOND_US,
  type PeriodName,
} from "../period.ts";
import { emptyStats, passHour } from "../upkeep/upkeep.ts";
import { FlushSequence, type SequenceOptions } from "../writer/sequence.ts";
import type { Claim, CountRow, Flush, MergedLevel, MergedMinute, Store } from "./store.ts";

/** Eleven hours are written, merged and read several times over. */
const KILLS_MS = 60_000;

/** 1,440 commits. */
const DAY_MS = 60_000;

export interface ConformanceHarness {
  /** Opens the same data each time, as one process after another would. */
  open: () => Promise<Store>;
  dispose?: () => Promise<void>;
}

export function storeConformance(
  name: string,
  start: () => Promise<ConformanceHarness>,
  startTimeoutMs?: number,
): void {
  describe(`${name} is a store`, () => {
    let harness: ConformanceHarness;
    let store: Store;
    beforeAll(async () => {
      harness = await start();
      store = await harness.open();
    }, startTimeoutMs);
    afterAll(async () => {
      await store.close();
      await harness.dispose?.();
    }, startTimeoutMs);

    test("what was written is counted at all three levels", async () => {
      const hour = nextHour();
      await sequenceOf(store).flush(eventsAt(hour + 5 * SECOND_US, [0, 3_000, 10_000, 1_000_000]));
      expect(await countAll(store, hour)).toEqual({
        "10ms": [
          [5 * SECOND_US, 2],
          [5_010_000, 1],
          [6 * SECOND_US, 1],
        ],
        "1s": [
          [5 * SECOND_US, 3],
          [6 * SECOND_US, 1],
        ],
        "1m": [[0, 4]],
      });
    });

    test("the same flush written twice counts once", async () => {
      const hour = nextHour();
      const partition = { minuteUs: hour, writer: Bun.randomUUIDv7() };
      await store.claim(partition, 1);
      const flush = flushOf(partition, [hour, hour + 1, hour + 2]);
      await store.write(flush);
      await store.write(flush);
      expect(await total(store, hour)).toEqual({ counts: 3, events: 3 });
    });

    test("claiming again changes nothing, and a seal stands", async () => {
      const hour = nextHour();
      const partition = { minuteUs: hour, writer: Bun.randomUUIDv7() };
      await store.claim(partition, 10);
      await store.claim(partition, 10);
      await store.seal(partition, 7, 11);
      await store.seal(partition, 7, 11);
      await store.claim(partition, 10);
      expect(await claimsOf(store, hour)).toEqual([{ ...partition, sealedEvents: 7 }]);
    });

    test("two writers in the same bucket are summed", async () => {
      const hour = nextHour();
      await sequenceOf(store).flush(eventsAt(hour, [0, 1, 2]));
      await sequenceOf(store).flush(eventsAt(hour, [3, 4]));
      expect((await countAll(store, hour))["10ms"]).toEqual([[0, 5]]);
      expect(await total(store, hour)).toEqual({ counts: 5, events: 5 });
    });

    test("totals of a bucket that goes on in the next flush are whole", async () => {
      const hour = nextHour();
      const sequence = sequenceOf(store);
      await sequence.flush(eventsAt(hour, [0, 1_000, 12_000]));
      await sequence.flush(eventsAt(hour, [13_000, 14_000, 25_000]));
      const { "10ms": small, "1m": minute } = await countAll(store, hour);
      expect(small).toEqual([
        [0, 2],
        [10_000, 3],
        [20_000, 1],
      ]);
      expect(minute).toEqual([[0, 6]]);
    });

    test("a bucket larger than a flush adds up over several flushes", async () => {
      const hour = nextHour();
      const sequence = sequenceOf(store);
      for (let part = 0; part < 3; part++) await sequence.flush(eventsAt(hour, Array<number>(700).fill(part)));
      expect((await countAll(store, hour))["10ms"]).toEqual([[0, 2_100]]);
      expect(await total(store, hour)).toEqual({ counts: 2_100, events: 2_100 });
    });

    test("events on both sides of a minute boundary lie in two partitions", async () => {
      const hour = nextHour();
      const sequence = sequenceOf(store);
      await sequence.flush(eventsAt(hour + MINUTE_US - 1, [0]));
      await sequence.flush(eventsAt(hour + MINUTE_US, [0, 1]));
      await sequence.close();
      expect((await countAll(store, hour))["1m"]).toEqual([
        [0, 1],
        [MINUTE_US, 2],
      ]);
      const claims = await claimsOf(store, hour);
      expect(claims.map(({ minuteUs, sealedEvents }) => [minuteUs - hour, sealedEvents])).toEqual([
        [0, 1],
        [MINUTE_US, 2],
      ]);
    });

    test("a range is half open: it has the bucket at its start and not the one at its end", async () => {
      const hour = nextHour();
      await sequenceOf(store).flush(eventsAt(hour, [0, 10_000, 20_000, 30_000]));
      const inRange = await read(store, "10ms", hour + 10_000, hour + 30_000);
      expect(inRange.map(([bucket]) => bucket - hour)).toEqual([10_000, 20_000]);
      const recounted = await read(store, "10ms", hour + 10_000, hour + 30_000, "events");
      expect(recounted).toEqual(inRange);
    });

    test("events and totals agree at every level", async () => {
      const hour = nextHour();
      const sequence = sequenceOf(store);
      for (let flush = 0; flush < 20; flush++) {
        const offsets = Array.from({ length: 1 + ((flush * 7) % 40) }, (_, at) => flush * 700_000 + at * 9_777);
        await sequence.flush(eventsAt(hour, offsets));
      }
      for (const level of PERIOD_NAMES) {
        expect(await read(store, level, hour, hour + HOUR_US, "events")).toEqual(
          await read(store, level, hour, hour + HOUR_US, "counts"),
        );
      }
    });

    test("a later process finds everything of an earlier one through its claims", async () => {
      const hour = nextHour();
      const earlier = await harness.open();
      await sequenceOf(earlier).flush(eventsAt(hour + 7 * MINUTE_US, [0, 1, 2]));
      await earlier.close();
      const later = await harness.open();
      expect(await total(later, hour)).toEqual({ counts: 3, events: 3 });
      expect((await claimsOf(later, hour)).map(({ sealedEvents }) => sealedEvents)).toEqual([null]);
      await later.close();
    });

    test("nothing is visible of a flush that failed", async () => {
      const hour = nextHour();
      const partition = { minuteUs: hour, writer: Bun.randomUUIDv7() };
      await store.claim(partition, 1);
      const flush = flushOf(partition, [hour, hour + 1]);
      // The last row of the flush is one that no store can take: a second's count without its histogram.
      const [minute] = flush.counts["1m"];
      const broken: Flush = {
        ...flush,
        counts: { ...flush.counts, "1m": minute ? [{ ...minute, lagHist: null }] : [] },
      };
      const failure = await store.write(broken).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(Reto3Error);
      expect((failure as Reto3Error).code).toBe("STORE_REFUSED");
      expect(await total(store, hour)).toEqual({ counts: 0, events: 0 });
      for (const level of PERIOD_NAMES) expect(await store.counts(partition, level, hour, hour + HOUR_US)).toEqual([]);
    });

    test("after a flush that was given up, the writer goes on under a new id that starts from zero", async () => {
      const hour = nextHour();
      let answers = false;
      let attempts = 0;
      const unreliable: Store = {
        ...store,
        async write(flush) {
          await store.write(flush);
          // Lost at first; when it is sent again, there is no use in that any more.
          if (!answers) throw new Reto3Error(attempts++ === 0 ? "STORE_UNKNOWN" : "STORE_REFUSED", "no answer");
        },
      };
      const sequence = sequenceOf(unreliable);
      const before = sequence.writer;
      expect((await sequence.flush(eventsAt(hour, [0, 1]))).outcome).toBe("unknown");
      expect(sequence.writer).not.toBe(before);
      answers = true;
      expect((await sequence.flush(eventsAt(hour, [2, 3, 4]))).outcome).toBe("stored");
      await sequence.close();
      // The flush that was given up is there or not, but whole; here its answer alone was lost.
      expect(await total(store, hour)).toEqual({ counts: 5, events: 5 });
      const claims = await claimsOf(store, hour);
      expect(new Map(claims.map((claim) => [claim.writer === before, claim.sealedEvents]))).toEqual(
        new Map([
          [true, null],
          [false, 3],
        ]),
      );
    });

    test("client clocks of the years 1 and 9999 are stored exactly and do not overflow a sum", async () => {
      const hour = nextHour();
      const partition = { minuteUs: hour, writer: Bun.randomUUIDv7() };
      const created = [-62_135_596_799_999_999n, 253_402_300_799_999_999n, BigInt(stillClock.nowUs())];
      const sequence = sequenceOf(store, { newWriterId: () => partition.writer });
      const { lagsClamped } = await sequence.flush({
        minuteUs: hour,
        epoch: 0,
        createdUs: created,
        receivedUs: [hour, hour, hour],
      });
      expect(lagsClamped).toBe(2);
      const stored: bigint[] = [];
      for await (const page of store.events(partition)) stored.push(...page.map((row) => row.createdUs));
      expect(stored).toEqual(created);
      const [row] = await store.counts(partition, "1s", hour, hour + SECOND_US);
      expect(row).toMatchObject({ events: 3, lagMinUs: -3_600_000_000, lagMaxUs: 3_600_000_000 });
    });

    test("the lag histogram comes back as it was written", async () => {
      const hour = nextHour();
      const partition = { minuteUs: hour, writer: Bun.randomUUIDv7() };
      await sequenceOf(store, { newWriterId: () => partition.writer }).flush(eventsAt(hour, [0, 1, 2, 3]));
      const [row] = await store.counts(partition, "1m", hour, hour + MINUTE_US);
      expect(Histogram.decode(row?.lagHist ?? new Uint8Array()).total).toBe(4);
      const [small] = await store.counts(partition, "10ms", hour, hour + MINUTE_US);
      expect(small?.lagHist).toBeNull();
    });

    test("events come in pages, in order, none missing", async () => {
      const hour = nextHour();
      const partition = { minuteUs: hour, writer: Bun.randomUUIDv7() };
      const sequence = sequenceOf(store, { newWriterId: () => partition.writer });
      for (let flush = 0; flush < 6; flush++) {
        await sequence.flush(
          eventsAt(
            hour,
            Array.from({ length: 2_000 }, (_, at) => flush * 2_000 + at),
          ),
        );
      }
      let next = 0;
      for await (const page of store.events(partition)) {
        for (const { seq, receivedUs } of page) {
          expect([seq, receivedUs]).toEqual([next, hour + next]);
          next++;
        }
      }
      expect(next).toBe(12_000);
    });

    test("events that are written again in flushes with other bounds, as by a copy that is repeated, come once", async () => {
      const hour = nextHour();
      const partition = { minuteUs: hour, writer: Bun.randomUUIDv7() };
      const received = Array.from({ length: 700 }, (_, at) => hour + at);
      const part = (from: number, to: number) => ({
        ...flushOf(partition, received.slice(from, to)),
        firstSeq: from,
      });
      for (const [from, to] of [
        [0, 250],
        [250, 600],
        [130, 330],
        [330, 700],
      ] as const) {
        await store.write(part(from, to));
      }
      const found: [number, number][] = [];
      for await (const page of store.events(partition)) {
        expect(page.length).toBeGreaterThan(0);
        found.push(...page.map(({ seq, receivedUs }): [number, number] => [seq, receivedUs]));
      }
      expect(found).toEqual(received.map((us, seq) => [seq, us]));
    });

    test("claims come by minute, and only those of the range", async () => {
      const hour = nextHour();
      const minutes = [59, 0, 31, 30].map((at) => hour + at * MINUTE_US);
      for (const minuteUs of [...minutes, hour + HOUR_US, hour - MINUTE_US]) {
        await store.claim({ minuteUs, writer: Bun.randomUUIDv7() }, 1);
      }
      const found = await claimsOf(store, hour);
      expect(found.map((claim) => (claim.minuteUs - hour) / MINUTE_US)).toEqual([0, 30, 31, 59]);
      const some = await claimsOf(store, hour + 30 * MINUTE_US, hour + 31 * MINUTE_US);
      expect(some.map((claim) => claim.minuteUs - hour)).toEqual([30 * MINUTE_US]);
    });

    test("claims are added up by minute: how many there are, how many of them are sealed", async () => {
      const hour = nextHour();
      for (const [minute, sealed] of [
        [7, true],
        [7, false],
        [7, true],
        [59, false],
      ] as const) {
        const partition = { minuteUs: hour + minute * MINUTE_US, writer: Bun.randomUUIDv7() };
        await store.claim(partition, 1);
        if (sealed) await store.seal(partition, 0, 2);
      }
      const found = [];
      for await (const page of store.claimCounts(hour, hour + HOUR_US)) found.push(...page);
      expect(found).toEqual([
        { minuteUs: hour + 7 * MINUTE_US, claims: 3, sealed: 2 },
        { minuteUs: hour + 59 * MINUTE_US, claims: 1, sealed: 0 },
      ]);
      const some = [];
      for await (const page of store.claimCounts(hour + 8 * MINUTE_US, hour + 59 * MINUTE_US)) some.push(...page);
      expect(some).toEqual([]);
      expect((await store.claimedHours()).filter((at) => at >= hour && at < hour + 3 * HOUR_US)).toEqual([hour]);
    });

    test("a merged minute comes back as it was written, and only in its range and at its level", async () => {
      const hour = nextHour();
      const rows = [rowOf(hour, 7), rowOf(hour + SECOND_US, 9)];
      const writers = [Bun.randomUUIDv7(), Bun.randomUUIDv7()];
      const minute = { minuteUs: hour, writers, writerCount: 2, rows };
      await store.merge("1s", minute, 5);
      await store.merge("1m", { ...minute, minuteUs: hour + 2 * MINUTE_US, rows: [rowOf(hour + 2 * MINUTE_US, 3)] }, 5);
      const [found] = await mergedOf(store, "1s", hour);
      expect(found).toMatchObject({ minuteUs: hour, writerCount: 2 });
      expect([found?.writers, found?.rows]).toEqual([writers, rows]);
      expect((await mergedOf(store, "1m", hour)).map(({ minuteUs }) => minuteUs)).toEqual([hour + 2 * MINUTE_US]);
      expect(await mergedOf(store, "1m", hour + HOUR_US)).toEqual([]);
      expect(await mergedOf(store, "1m", hour, hour + 2 * MINUTE_US)).toEqual([]);
    });

    test("of two merged minutes the one with the later write timestamp stands, whole, whichever comes last", async () => {
      const hour = nextHour();
      const writers = [Bun.randomUUIDv7(), Bun.randomUUIDv7()];
      const large = { minuteUs: hour, writers, writerCount: 2, rows: [rowOf(hour, 7), rowOf(hour + SECOND_US, 9)] };
      const small = { minuteUs: hour, writers: writers.slice(1), writerCount: 1, rows: [rowOf(hour, 2)] };
      await store.merge("1s", large, 20);
      await store.merge("1s", small, 10);
      expect((await mergedOf(store, "1s", hour)).map(({ writers: named }) => named)).toEqual([writers]);
      await store.merge("1s", small, 30);
      const [found] = await mergedOf(store, "1s", hour);
      expect([found?.writers, found?.rows]).toEqual([small.writers, small.rows]);
    });

    test(
      "a day of merged minutes comes ascending, none missing",
      async () => {
        const day = bucketStartUs(nextHour(), DAY_US) + DAY_US;
        hours += 48;
        const minutes = Array.from({ length: 1_440 }, (_, at) => day + at * MINUTE_US);
        const latestFirst = minutes.toReversed();
        const merge = (minuteUs: number) => {
          const rows = [rowOf(minuteUs, (minuteUs - day) / MINUTE_US)];
          return store.merge("1m", { minuteUs, writers: [Bun.randomUUIDv7()], writerCount: 1, rows }, 1);
        };
        // A disk may take its time for each, and a store that is asked for all at once would call the last ones late.
        for (let from = 0; from < minutes.length; from += 100)
          await Promise.all(latestFirst.slice(from, from + 100).map(merge));
        expect((await mergedOf(store, "1m", day, day + DAY_US)).map(({ minuteUs }) => minuteUs)).toEqual(minutes);
      },
      DAY_MS,
    );

    test(
      "a merge that is killed at any step leaves answers equal to the plain reading's, and can be repeated",
      async () => {
        const signal = new AbortController().signal;
        let deaths = 0;
        for (let step = 0; ; step++) {
          const hour = nextHour();
          await writeDeadAndSealed(store, hour);
          const plainly = await answersOf({ ...store, merged: nothing }, hour);
          const nowUs = hour + store.info.settleAfterMs * 1_000 + HOUR_US;
          const pass = (by: Store) => passHour(by, hour, { nowUs, untilUs: nowUs, signal, stats: emptyStats() });
          const { died, ...mortal } = mortalStore(store, step);
          await pass(mortal).catch(() => {});
          expect(await answersOf(store, hour)).toEqual(plainly);
          await pass(store);
          expect(await answersOf(store, hour)).toEqual(plainly);
          for (const level of ["1s", "1m"] as const) {
            expect((await mergedOf(store, level, hour)).map(({ writerCount }) => writerCount)).toEqual([2, 2]);
          }
          expect((await claimsOf(store, hour)).every(({ sealedEvents }) => sealedEvents !== null)).toBe(true);
          if (!died()) break;
          deaths++;
        }
        // Two minutes at two levels and one seal, each killed before it took effect and after it.
        expect(deaths).toBe(10);
      },
      KILLS_MS,
    );

    test("what is kept as a summary has its totals and no raw events", async () => {
      const hour = nextHour();
      const sequence = sequenceOf(store, { keep: "summary" });
      await sequence.flush(eventsAt(hour, [0, 1, 2]));
      await sequence.flush(eventsAt(hour, [3, 4]));
      await sequence.close();
      expect((await countAll(store, hour))["1s"]).toEqual([[0, 5]]);
      const [claim] = await claimsOf(store, hour);
      expect(claim?.sealedEvents).toBe(5);
      const raw = [];
      for await (const page of store.events(claim!)) raw.push(...page);
      expect(raw).toEqual([]);
      const failure = await read(store, "1m", hour, hour + HOUR_US, "events").catch((error: unknown) => error);
      expect((failure as Reto3Error).code).toBe("EXPIRED");
    });

    test("a reading from all replicas is the same where all are there", async () => {
      const hour = nextHour();
      const partition = { minuteUs: hour, writer: Bun.randomUUIDv7() };
      await sequenceOf(store, { newWriterId: () => partition.writer }).flush(eventsAt(hour, [0, 1, SECOND_US]));
      const all = { all: true };
      expect(await store.counts(partition, "1s", hour, hour + MINUTE_US, all)).toEqual(
        await store.counts(partition, "1s", hour, hour + MINUTE_US),
      );
      const raw = [];
      for await (const page of store.events(partition, all)) raw.push(...page);
      expect(raw.map(({ seq }) => seq)).toEqual([0, 1, 2]);
    });

    test("it says what each of its tables holds", async () => {
      const sizes = await store.sizes();
      expect(sizes.map((table) => table.name).toSorted()).toEqual(
        [
          "claims",
          "counts_10ms",
          "counts_1m",
          "counts_1s",
          "event_batches",
          "events",
          "merged_1m",
          "merged_1s",
        ].toSorted(),
      );
      expect(sizes.find((table) => table.name === "claims")?.rows).toBeGreaterThan(0);
      expect(store.info.schema).toBe("1.2");
      const raw = await store.sizes("raw");
      const rowsOf = (some: typeof sizes) =>
        some.map((table) => [table.name, table.rows]).filter(([, rows]) => rows !== null);
      expect(raw.map((table) => table.name)).toEqual(["events", "event_batches"]);
      expect(rowsOf(sizes)).toEqual(expect.arrayContaining(rowsOf(raw)));
    });

    test("it answers a ping and says what it promises", async () => {
      await store.ping();
      expect(store.info.durability.length).toBeGreaterThan(20);
      const offsetUs = await store.clockOffsetUs();
      expect(offsetUs === null || Math.abs(offsetUs) < 10 * SECOND_US).toBe(true);
    });

    test("it tells the length of its log and the room on its disk, where it knows them", async () => {
      for (const bytes of Object.values(await store.gauges())) {
        expect(bytes === null || (Number.isSafeInteger(bytes) && bytes >= 0)).toBe(true);
      }
    });
  });
}

/** Hours far from each other, so that no test sees the claims of another. */
let hours = 0;
function nextHour(): number {
  hours += 3;
  return bucketStartUs(Date.UTC(2_024, 0, 1) * 1_000, HOUR_US) + hours * HOUR_US;
}

const stillClock: Clock = { nowUs: () => Date.UTC(2_024, 6, 1) * 1_000, epoch: 0 };

function sequenceOf(store: Store, options: Partial<SequenceOptions> = {}): FlushSequence {
  return new FlushSequence({ store, clock: stillClock, signal: new AbortController().signal, ...options });
}

/** Events that arrived `offsetsUs` after `startUs`, created 2 ms earlier. */
function eventsAt(startUs: number, offsetsUs: number[]) {
  const receivedUs = offsetsUs.map((offset) => startUs + offset);
  const createdUs = receivedUs.map((received) => BigInt(received - 2_000));
  return { minuteUs: bucketStartUs(startUs, MINUTE_US), epoch: 0, createdUs, receivedUs };
}

/** Two minutes of two writers; one of them died in the second minute. */
async function writeDeadAndSealed(store: Store, hour: number): Promise<void> {
  for (const at of [0, 1]) {
    for (const minute of [0, 1]) {
      const sequence = sequenceOf(store);
      await sequence.flush(eventsAt(hour + minute * MINUTE_US, [0, at * SECOND_US, 59 * SECOND_US + minute]));
      if (at === 0 || minute === 0) await sequence.close();
    }
  }
}

async function* nothing(): AsyncGenerator<MergedMinute[]> {}

/** `store` for a process that dies at its `step`th moment: each write has one before it takes effect and one after. */
function mortalStore(store: Store, step: number): Store & { died: () => boolean } {
  let moments = 0;
  const live = () => {
    if (moments++ >= step) throw new Reto3Error("STORE_REFUSED", "the process died");
  };
  const mortal =
    <A extends unknown[]>(write: (...args: A) => Promise<void>) =>
    async (...args: A) => {
      live();
      await write(...args);
      live();
    };
  return {
    ...store,
    write: mortal((flush: Flush) => store.write(flush)),
    seal: mortal((...args: Parameters<Store["seal"]>) => store.seal(...args)),
    merge: mortal((...args: Parameters<Store["merge"]>) => store.merge(...args)),
    died: () => moments > step,
  };
}

/** All that can be asked of an hour, whole and cut in the middle of a minute. */
async function answersOf(store: Store, hour: number): Promise<unknown[]> {
  const cutUs = hour + MINUTE_US + 500_000;
  return [
    await read(store, "1m", hour, hour + HOUR_US),
    await read(store, "1s", hour, hour + HOUR_US),
    await read(store, "1s", cutUs, cutUs + MINUTE_US),
    await read(store, "10ms", hour, hour + HOUR_US),
  ];
}

function rowOf(bucketUs: number, events: number): CountRow {
  const lagHist = new Histogram();
  lagHist.record(-events);
  return {
    bucketUs,
    events,
    lagSumUs: -1_000 * events,
    lagMinUs: -3_600_000_000,
    lagMaxUs: events,
    lagHist: lagHist.encode(),
  };
}

async function mergedOf(store: Store, level: MergedLevel, fromUs: number, toUs = fromUs + HOUR_US) {
  const found: MergedMinute[] = [];
  for await (const page of store.merged(level, fromUs, toUs)) found.push(...page);
  return found;
}

function flushOf(partition: { minuteUs: number; writer: string }, receivedUs: number[]): Flush {
  const lagHist = new Histogram();
  for (const _ of receivedUs) lagHist.record(2_000);
  const events = receivedUs.length;
  const sums = { events, lagSumUs: 2_000 * events, lagMinUs: 2_000, lagMaxUs: 2_000 };
  const row = (level: PeriodName) => [
    {
      bucketUs: bucketStartUs(receivedUs[0] ?? 0, PERIODS[level].us),
      ...sums,
      lagHist: level === "10ms" ? null : lagHist.encode(),
    },
  ];
  return {
    ...partition,
    firstSeq: 0,
    createdUs: receivedUs.map((received) => BigInt(received - 2_000)),
    receivedUs,
    counts: { "10ms": row("10ms"), "1s": row("1s"), "1m": row("1m") },
    writtenAtUs: 2,
  };
}

async function read(store: Store, level: PeriodName, fromUs: number, toUs: number, source: Source = "counts") {
  const reading = readCounts(store, { period: PERIODS[level], fromUs, toUs, nowUs: toUs, source });
  const found: [number, number][] = [];
  for await (const portion of reading.buckets) {
    for (const { bucketUs, events } of portion) found.push([bucketUs, events]);
  }
  return found;
}

/** Buckets of the hour, as [offset from the hour, events]. */
async function countAll(store: Store, hour: number): Promise<Record<PeriodName, [number, number][]>> {
  const relative = async (level: PeriodName) =>
    (await read(store, level, hour, hour + HOUR_US)).map(([bucket, events]): [number, number] => [
      bucket - hour,
      events,
    ]);
  return { "10ms": await relative("10ms"), "1s": await relative("1s"), "1m": await relative("1m") };
}

/** Events of the hour by either source; all levels of the counts must agree. */
async function total(store: Store, hour: number): Promise<{ counts: number; events: number }> {
  const sums = await Promise.all(
    PERIOD_NAMES.map(async (level) =>
      (await read(store, level, hour, hour + HOUR_US)).reduce((sum, [, events]) => sum + events, 0),
    ),
  );
  expect(new Set(sums).size).toBe(1);
  const events = (await read(store, "1m", hour, hour + HOUR_US, "events")).reduce((sum, [, count]) => sum + count, 0);
  return { counts: sums[0] ?? 0, events };
}

async function claimsOf(store: Store, fromUs: number, toUs = fromUs + HOUR_US): Promise<Claim[]> {
  const found: Claim[] = [];
  for await (const page of store.claims(fromUs, toUs)) found.push(...page);
  return found;
}
