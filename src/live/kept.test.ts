import { expect, test } from "bun:test";
import { Reto3Error } from "../errors.ts";
import { HOUR_US, MINUTE_US } from "../period.ts";
import { emptyMemory, memoryStore, type MemoryData } from "../store/memory.ts";
import type { Store } from "../store/store.ts";
import { testWriter } from "./fixtures.ts";
import { firstMinuteUs, rawData } from "./kept.ts";

const START = Date.UTC(2026, 10, 23, 5) * 1_000;

/** A store with an event in each of `minutes`, each minute of a writer of its own, whose raw events are there from `rawFrom` on. */
async function storeWith(minutes: readonly number[], rawFrom: number, events: number | null = null): Promise<Store> {
  const data = emptyMemory();
  const memory = memoryStore(data);
  for (const minute of minutes) {
    const writer = testWriter(memory, { nowUs: () => START + minute * MINUTE_US, epoch: 0 });
    await writer.write(START + minute * MINUTE_US);
    await writer.close();
    if (minute < rawFrom) forgetRaw(data, minute);
  }
  return { ...memory, info: { ...memory.info, retention: { ...memory.info.retention, events } } };
}

function forgetRaw(data: MemoryData, minute: number): void {
  const start = `${START + minute * MINUTE_US}/`;
  for (const key of data.events.keys()) if (key.startsWith(start)) data.events.delete(key);
}

const upTo = (minutes: number) => Array.from({ length: minutes }, (_, minute) => minute);
const since = async (store: Store) => {
  const { sinceMs } = await rawData(store, START + 10 * HOUR_US);
  return sinceMs === null ? null : (sinceMs * 1_000 - START) / MINUTE_US;
};

test("an empty store has no first minute and no raw events", async () => {
  const store = memoryStore();
  expect(await firstMinuteUs(store)).toBeNull();
  expect(await rawData(store, START)).toEqual({ sinceMs: null, events: 0, bytes: null });
});

test("the first minute is that of the first event: what was claimed and stayed empty is none", async () => {
  const store = await storeWith([7, 300], 0);
  await store.claim({ minuteUs: START, writer: Bun.randomUUIDv7() }, 1);
  const sealed = { minuteUs: START + MINUTE_US, writer: Bun.randomUUIDv7() };
  await store.seal(sealed, 0, 1);
  expect(await firstMinuteUs(store)).toBe(START + 7 * MINUTE_US);
});

test.each([
  ["all are there", upTo(150), 0, 0],
  ["none is there", upTo(150), 150, null],
  ["some of an hour have gone", upTo(150), 77, 77],
  ["whole hours have gone", upTo(150), 120, 120],
  ["the newest alone is there", upTo(150), 149, 149],
  ["between them are empty hours", [0, 1, 200, 201, 202, 500], 201, 201],
  ["what is there begins after empty hours", [0, 1, 500, 501], 2, 500],
])("the oldest raw events are found where %s", async (_, minutes, rawFrom, expected) => {
  expect(await since(await storeWith(minutes, rawFrom))).toBe(expected);
});

test("nothing is asked of hours whose raw events have long expired", async () => {
  const store = await storeWith(upTo(590), 560, 40 * 60);
  const hours: number[] = [];
  const watched: Store = {
    ...store,
    claims(fromUs, toUs) {
      hours.push((fromUs - START) / HOUR_US);
      return store.claims(fromUs, toUs);
    },
  };
  expect(await since(watched)).toBe(560);
  expect(Math.min(...hours)).toBeGreaterThanOrEqual(8);
});

test("raw events that this version cannot read are there all the same", async () => {
  const store = await storeWith(upTo(30), 10);
  const unreadable: Store = {
    ...store,
    async *events(...args) {
      for await (const page of store.events(...args)) {
        if (page.length > 0) throw new Reto3Error("UNREADABLE", "format 9");
        yield page;
      }
    },
  };
  expect(await since(unreadable)).toBe(10);
});
