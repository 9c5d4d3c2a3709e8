import { expect, test } from "bun:test";
import { Reto3Error } from "../errors.ts";
import { bucketStartUs, HOUR_US, MINUTE_US, PERIODS, SECOND_US } from "../period.ts";
import { memoryStore } from "../store/memory.ts";
import type { Store } from "../store/store.ts";
import { FlushSequence } from "../writer/sequence.ts";
import { readMinutes } from "./minutes.ts";

const START = bucketStartUs(Date.now() * 1_000, HOUR_US) - HOUR_US;
const NOW = START + HOUR_US;

/** A sealed event in the middle of each of these minutes; the 1 s counts of `gone` have expired. */
async function storeWith(minutes: readonly number[], gone: readonly number[] = []): Promise<Store> {
  const memory = memoryStore();
  for (const minute of minutes) {
    const minuteUs = START + minute * MINUTE_US;
    const clock = { nowUs: () => minuteUs + 30 * SECOND_US, epoch: 0 };
    const writer = new FlushSequence({ store: memory, clock, signal: new AbortController().signal });
    await writer.flush({ minuteUs, epoch: 0, createdUs: [BigInt(minuteUs)], receivedUs: [clock.nowUs()] });
    await writer.close();
  }
  const counts: Store["counts"] = (partition, ...rest) =>
    gone.some((minute) => partition.minuteUs === START + minute * MINUTE_US)
      ? Promise.reject(new Reto3Error("EXPIRED", "gone"))
      : memory.counts(partition, ...rest);
  return { ...memory, counts };
}

async function read(store: Store, fromUs = START, toUs = NOW) {
  const reading = readMinutes(store, { period: PERIODS["1s"], fromUs, toUs, nowUs: NOW + HOUR_US });
  const found: [number, number | null][] = [];
  for await (const { minuteUs, buckets } of reading.minutes)
    found.push([(minuteUs - START) / MINUTE_US, buckets?.length ?? null]);
  return { found, finalUs: reading.finalUs() };
}

test("minutes that have events, ascending, and until when they are final", async () => {
  const store = await storeWith([3, 4, 20]);
  expect(await read(store)).toEqual({ found: [3, 4, 20].map((minute) => [minute, 1]), finalUs: NOW });
});

test("minutes that have expired are told as such, each minute once; nothing is said to be final then", async () => {
  const store = await storeWith([0, 3, 4, 5, 6, 20], [4, 6]);
  expect(await read(store)).toEqual({
    found: [
      [0, 1],
      [3, 1],
      [4, null],
      [5, 1],
      [6, null],
      [20, 1],
    ],
    finalUs: START,
  });
});

test("the ends of the range are kept to, where minutes have expired, too", async () => {
  const store = await storeWith([3, 4, 5], [4]);
  const { found } = await read(store, START + 3.75 * MINUTE_US, START + 5.25 * MINUTE_US);
  expect(found).toEqual([[4, null]]);
});

test("another error is none of expiry", async () => {
  const store = await storeWith([3]);
  store.counts = () => Promise.reject(new Error("away"));
  await expect(read(store)).rejects.toThrow("away");
});
