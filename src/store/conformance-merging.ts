// What every store must do with merged minutes: keep them as they are, and give no other answer whenever a merge is killed.
// A part of conformance.ts.

import { expect, test } from "bun:test";
import { Reto3Error } from "../errors.ts";
import { Histogram } from "../histogram.ts";
import { bucketStartUs, DAY_US, HOUR_US, MINUTE_US, SECOND_US } from "../period.ts";
import { emptyStats, passHour } from "../upkeep/upkeep.ts";
import { claimsOf, eventsAt, nextHour, read, sequenceOf } from "./conformance-fixtures.ts";
import type { CountRow, Flush, MergedLevel, MergedMinute, Store } from "./store.ts";

/** Eleven hours are written, merged and read several times over. */
const KILLS_MS = 60_000;

/** 1,440 commits. */
const DAY_MS = 60_000;

/** `opened`: the store, once the tests run. */
export function mergingConformance(opened: () => Store): void {
  test("a merged minute comes back as it was written, and only in its range and at its level", async () => {
    const store = opened();
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
    const store = opened();
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
      const store = opened();
      const day = bucketStartUs(nextHour(51), DAY_US) + DAY_US;
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
      const store = opened();
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
