// What every store must do, as tests that each adapter runs unchanged. The reference, memory.ts, passes them too.
// Each test has an hour of its own, so that adapters may share one database among all of them.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Reto3Error } from "../errors.ts";
import { Histogram } from "../histogram.ts";
import { HOUR_US, MINUTE_US, PERIOD_NAMES, SECOND_US } from "../period.ts";
import {
  claimsOf,
  countAll,
  eventsAt,
  flushOf,
  nextHour,
  read,
  sequenceOf,
  stillClock,
  total,
} from "./conformance-fixtures.ts";
import { mergingConformance } from "./conformance-merging.ts";
import type { Flush, Store } from "./store.ts";

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

    mergingConformance(() => store);

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
