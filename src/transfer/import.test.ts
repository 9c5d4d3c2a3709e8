import { describe, expect, test } from "bun:test";
import type { Clock } from "../clock.ts";
import { FLUSH_EVENTS_MAX } from "../config.ts";
import { readCounts } from "../counts/read.ts";
import { Reto3Error } from "../errors.ts";
import { HOUR_US, MINUTE_US, PERIODS, SECOND_US, type PeriodName } from "../period.ts";
import { emptyMemory, memoryStore, type MemoryData } from "../store/memory.ts";
import type { Claim, Store } from "../store/store.ts";
import { FlushSequence } from "../writer/sequence.ts";
import { importStore, type ImportOptions } from "./import.ts";

const HOUR = Date.UTC(2026, 10, 23, 5) * 1_000;
const clock: Clock = { nowUs: () => HOUR + 2 * HOUR_US, epoch: 0 };
const LEVELS: readonly PeriodName[] = ["10ms", "1s", "1m"];

function named(location: string, data: MemoryData = emptyMemory()): Store {
  const store = memoryStore(data);
  return { ...store, info: { ...store.info, location } };
}

let nowUs = HOUR + 2 * HOUR_US;
const options = (given: Partial<ImportOptions> = {}): ImportOptions => ({
  nowUs: () => ++nowUs,
  signal: new AbortController().signal,
  ...given,
});

/** One writer that puts `events` into each of the minutes, as many as a flush takes at a time. */
async function fill(store: Store, minutes: number[], events: number, seal = true): Promise<FlushSequence> {
  const sequence = new FlushSequence({ store, clock, signal: new AbortController().signal });
  for (const minuteUs of minutes) await add(sequence, minuteUs, 0, events);
  if (seal) await sequence.close();
  return sequence;
}

async function add(sequence: FlushSequence, minuteUs: number, first: number, events: number): Promise<void> {
  for (let at = first; at < first + events; at += FLUSH_EVENTS_MAX) {
    const length = Math.min(FLUSH_EVENTS_MAX, first + events - at);
    const receivedUs = Array.from({ length }, (_, index) => minuteUs + (at + index) * 1_000);
    await sequence.flush({ minuteUs, epoch: 0, receivedUs, createdUs: receivedUs.map((us) => BigInt(us) - 5n) });
  }
}

/** All that readers see of a store, and what it has of each partition. */
async function contentOf(store: Store) {
  const claims = (await Array.fromAsync(store.claims(0, HOUR * 2))).flat();
  return Promise.all(claims.map(async (claim) => ({ claim, rows: await partitionOf(store, claim) })));
}

async function partitionOf(store: Store, claim: Claim) {
  const counts = await Promise.all(
    LEVELS.map(async (level) =>
      (await store.counts(claim, level, claim.minuteUs, claim.minuteUs + MINUTE_US)).map((row) => [
        row.bucketUs - claim.minuteUs,
        row.events,
        row.lagSumUs,
        row.lagMinUs,
        row.lagMaxUs,
        row.lagHist && Buffer.from(row.lagHist).toString("hex"),
      ]),
    ),
  );
  return { counts, events: (await Array.fromAsync(store.events(claim))).flat() };
}

async function answersOf(store: Store) {
  return Promise.all(
    LEVELS.map(async (level) => {
      const question = {
        period: PERIODS[level],
        fromUs: HOUR - HOUR_US,
        toUs: HOUR + 2 * HOUR_US,
        nowUs: HOUR + 3 * HOUR_US,
      };
      return (await Array.fromAsync(readCounts(store, { ...question, source: "counts" }).buckets)).flat();
    }),
  );
}

/** A store whose `step`th change is the last that is tried: it fails for good, with its effect or without. */
function dyingAt(
  store: Store,
  step: number,
  hasEffect: boolean,
  before: () => Promise<void>,
): Store & { steps: number } {
  const dying = { ...store, steps: 0 };
  const change = async (method: () => Promise<void>) => {
    await before();
    if (++dying.steps < step) return method();
    if (hasEffect && dying.steps === step) await method();
    throw new Reto3Error("STORE_REFUSED", "dead");
  };
  dying.write = (flush) => change(() => store.write(flush));
  dying.claim = (partition, atUs) => change(() => store.claim(partition, atUs));
  dying.seal = (partition, events, atUs) => change(() => store.seal(partition, events, atUs));
  dying.merge = (level, minute, atUs) => change(() => store.merge(level, minute, atUs));
  return dying;
}

describe("an import", () => {
  test("copies every claim, count and event of every hour, and says how many", async () => {
    const source = named("source");
    await fill(source, [HOUR - HOUR_US, HOUR, HOUR + MINUTE_US], 3 * FLUSH_EVENTS_MAX + 1);
    await fill(source, [HOUR], 7);
    await source.seal({ minuteUs: HOUR + 5 * MINUTE_US, writer: "empty" }, 0, 1);
    const target = named("target");
    const result = await importStore(source, target, options());
    const events = 3 * (3 * FLUSH_EVENTS_MAX + 1) + 7;
    expect(result).toEqual({
      partitions: { copied: 5, skipped: 0, open: 0 },
      events,
      rawEvents: { copied: events, missing: 0 },
    });
    expect(await contentOf(target)).toEqual(await contentOf(source));
    expect(await answersOf(target)).toEqual(await answersOf(source));
  });

  test("sends no more than a flush may take, nor rows with a gap between them", async () => {
    const data = emptyMemory();
    const source = named("source", data);
    const { writer } = await fill(source, [HOUR], FLUSH_EVENTS_MAX + 10, false);
    const rows = [...data.events.values()][0];
    for (const seq of [3, 4, 8]) rows?.delete(seq);
    const target = named("target");
    const sizes: number[] = [];
    const watched: Store = {
      ...target,
      async write(flush) {
        sizes.push(flush.receivedUs.length);
        await target.write(flush);
      },
    };
    const { rawEvents } = await importStore(source, watched, options());
    expect(sizes).toEqual([3, 3, FLUSH_EVENTS_MAX, 1, 0]);
    expect(rawEvents).toEqual({ copied: FLUSH_EVENTS_MAX + 7, missing: 3 });
    expect(await contentOf(target)).toEqual(await contentOf(source));
    expect((await contentOf(target))[0]?.claim.writer).toBe(writer);
  });

  test("skips what is sealed there with as many events, and so costs no write the second time", async () => {
    const source = named("source");
    await fill(source, [HOUR, HOUR + MINUTE_US], 10);
    const target = named("target");
    await importStore(source, target, options());
    const readOnly = dyingAt(target, 1, false, async () => {});
    const { partitions, events } = await importStore(source, readOnly, options());
    expect([partitions, events]).toEqual([{ copied: 0, skipped: 2, open: 0 }, 0]);
  });

  test("leaves alone what the target has of its own", async () => {
    const source = named("source");
    await fill(source, [HOUR], 10);
    const target = named("target");
    await fill(target, [HOUR], 5);
    await importStore(source, target, options());
    expect((await answersOf(target))[2]).toEqual([expect.objectContaining({ bucketUs: HOUR, events: 15 })]);
  });

  test("of an open partition leaves it open, and the next one completes it", async () => {
    const source = named("source");
    const sequence = await fill(source, [HOUR], 10, false);
    const target = named("target");
    const first = await importStore(source, target, options());
    expect(first.partitions).toEqual({ copied: 1, skipped: 0, open: 1 });
    expect(await contentOf(target)).toEqual(await contentOf(source));
    await add(sequence, HOUR, 10, 90);
    await sequence.close();
    const second = await importStore(source, target, options());
    expect([second.partitions, second.events]).toEqual([{ copied: 1, skipped: 0, open: 0 }, 100]);
    expect(await contentOf(target)).toEqual(await contentOf(source));
    expect((await importStore(source, target, options())).partitions.skipped).toBe(1);
  });

  test.each([true, false])(
    "of a partition that the target has sealed and merged too early makes it whole (sealed in the source: %p)",
    async (sealed) => {
      const source = named("source");
      const sequence = await fill(source, [HOUR], 10, false);
      const data = emptyMemory();
      const target = named("target", data);
      await importStore(source, target, options());
      const { writer } = sequence;
      await target.seal({ minuteUs: HOUR, writer }, 10, ++nowUs);
      for (const level of ["1s", "1m"] as const) {
        const rows = await target.counts({ minuteUs: HOUR, writer }, level, HOUR, HOUR + MINUTE_US);
        await target.merge(level, { minuteUs: HOUR, writers: [writer], writerCount: 1, rows }, ++nowUs);
      }
      await add(sequence, HOUR, 10, 90);
      if (sealed) await sequence.close();
      await importStore(source, target, options());
      expect(await answersOf(target)).toEqual(await answersOf(source));
      expect(data.merged["1m"].get(HOUR)?.writerCount).toBe(0);
      expect((await contentOf(target))[0]?.claim.sealedEvents).toBe(100);
      expect((await importStore(source, target, options())).partitions.skipped).toBe(1);
    },
  );

  test("that ends at any step shows whole partitions only, and the next one completes the copy", async () => {
    const source = named("source");
    await fill(source, [HOUR, HOUR + MINUTE_US, HOUR + HOUR_US], FLUSH_EVENTS_MAX + 10);
    await fill(source, [HOUR], 5);
    await fill(source, [HOUR + SECOND_US * 120], 5, false);
    const whole = await contentOf(source);
    for (const hasEffect of [false, true]) {
      for (let step = 1; ; step++) {
        const target = named("target");
        const seeOnlyWholeOnes = async () => {
          for (const part of await contentOf(target)) {
            // The writers' ids are those of the source, so a partition is found by its claim.
            expect(whole).toContainEqual(part);
          }
        };
        const dying = dyingAt(target, step, hasEffect, seeOnlyWholeOnes);
        const died = await importStore(source, dying, options()).then(
          () => false,
          (error: Error) => error.message === "dead",
        );
        await seeOnlyWholeOnes();
        await importStore(source, target, options());
        expect(await contentOf(target)).toEqual(whole);
        if (died) continue;
        // Three large partitions of two flushes, two small ones of one; each with its counts and its claim.
        expect(step).toBe(3 * 4 + 2 * 3 + 1);
        break;
      }
    }
  });

  test("tries again what may pass, and gives up after a while", async () => {
    const source = named("source");
    await fill(source, [HOUR], 10);
    const target = named("target");
    let failures = 2;
    const flaky: Store = {
      ...target,
      async write(flush) {
        if (failures-- > 0) throw new Reto3Error("STORE_UNKNOWN", "no answer");
        await target.write(flush);
      },
    };
    const told: unknown[] = [];
    await importStore(source, flaky, options({ onRetry: (error) => told.push(error) }));
    expect(told.length).toBe(2);
    expect(await contentOf(target)).toEqual(await contentOf(source));
    failures = Number.POSITIVE_INFINITY;
    await fill(source, [HOUR + MINUTE_US], 10);
    const failure = await importStore(source, flaky, options({ retryForMs: 50 })).catch(
      (error: Error) => error.message,
    );
    expect(failure).toBe("no answer");
  });

  test("that is interrupted says what it has done, and ends although the store does not answer", async () => {
    const source = named("source");
    await fill(
      source,
      Array.from({ length: 8 }, (_, minute) => HOUR + minute * MINUTE_US),
      10,
    );
    const target = named("target");
    const stop = new AbortController();
    let writes = 0;
    const stuck: Store = {
      ...target,
      async write(flush) {
        if (++writes <= 8) return target.write(flush);
        stop.abort();
        throw new Reto3Error("STORE_UNAVAILABLE", "no answer");
      },
    };
    const { partitions } = await importStore(source, stuck, options({ signal: stop.signal }));
    expect(partitions.copied).toBe((await contentOf(target)).length);
    expect(partitions.copied).toBeLessThan(8);
  });

  test("that is interrupted while it has nothing to copy ends too", async () => {
    const source = named("source");
    await fill(
      source,
      Array.from({ length: 40 }, (_, minute) => HOUR + minute * MINUTE_US),
      1,
    );
    const target = named("target");
    await importStore(source, target, options());
    const stop = new AbortController();
    const { partitions } = await importStore(
      source,
      target,
      options({ signal: stop.signal, onProgress: () => stop.abort() }),
    );
    expect(partitions.skipped).toBeLessThan(10);
  });

  test("of an older copy never replaces what is newer, sealed or not", async () => {
    for (const seal of [true, false]) {
      const older = named("older");
      const newer = named("newer");
      const sequence = await fill(older, [HOUR], 5, false);
      await importStore(older, newer, options());
      await importStore(older, newer, options());
      const there = new FlushSequence({
        store: newer,
        clock: { nowUs: () => ++nowUs, epoch: 0 },
        signal: new AbortController().signal,
        newWriterId: () => sequence.writer,
      });
      await add(there, HOUR, 0, 8);
      if (seal) await there.close();
      const before = await contentOf(newer);
      expect((await importStore(older, newer, options())).partitions).toEqual({ copied: 0, skipped: 1, open: 1 });
      expect(await contentOf(newer)).toEqual(before);
      expect((await answersOf(newer))[2]?.[0]?.events).toBe(8);
    }
  });

  test("copies seconds whose minute has expired", async () => {
    const data = emptyMemory();
    const source = named("source", data);
    await fill(source, [HOUR], 5);
    data.counts["1m"].clear();
    data.events.clear();
    const target = named("target");
    await importStore(source, target, options());
    expect((await answersOf({ ...target, info: target.info }).catch(() => [])).length).toBe(0);
    const [claim] = await Array.fromAsync(target.claims(0, 2 * HOUR)).then((pages) => pages.flat());
    expect((await target.counts(claim!, "1s", HOUR, HOUR + MINUTE_US))[0]?.events).toBe(5);
  });

  test("a merge of the target that has read the old rows and comes late does not hide the new ones", async () => {
    const source = named("source");
    const sequence = await fill(source, [HOUR], 5, false);
    const target = named("target");
    await importStore(source, target, options());
    const { writer } = sequence;
    await target.seal({ minuteUs: HOUR, writer }, 5, ++nowUs);
    await add(sequence, HOUR, 5, 5);
    await sequence.close();
    const mergedAt = ++nowUs;
    const [old] = await target.counts({ minuteUs: HOUR, writer }, "1m", HOUR, HOUR + MINUTE_US);
    await importStore(source, target, options());
    await target.merge("1m", { minuteUs: HOUR, writers: [writer], writerCount: 1, rows: [old!] }, mergedAt);
    expect((await answersOf(target))[2]?.[0]?.events).toBe(10);
  });

  test("of a store into itself is refused", async () => {
    const data = emptyMemory();
    const failure = await importStore(named("a", data), named("b", data), options()).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: "USAGE",
      message: expect.stringContaining("both the source and the target"),
    });
  });
});
