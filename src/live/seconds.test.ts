import { beforeEach, expect, test } from "bun:test";
import { readCounts } from "../counts/read.ts";
import type { SecondRow } from "../live-messages.ts";
import { MINUTE_US, PERIODS, SECOND_US } from "../period.ts";
import { emptyMemory, memoryStore, type MemoryData } from "../store/memory.ts";
import type { CountLevel, Store } from "../store/store.ts";
import { Reto3Error } from "../errors.ts";
import { testWriter, type TestWriter } from "./fixtures.ts";
import { KEPT_US, Seconds } from "./seconds.ts";

const START = Date.UTC(2026, 10, 23, 5, 11) * 1_000;
const never = new AbortController().signal;

let data: MemoryData;
let store: Store;
let seconds: Seconds;
/** Of each question to the store: level, and how many seconds it is of. */
let asked: [CountLevel, number][];
let fails: (() => void) | undefined;

beforeEach(() => {
  data = emptyMemory();
  const memory = memoryStore(data);
  asked = [];
  fails = undefined;
  store = {
    ...memory,
    async counts(partition, level, fromUs, toUs) {
      fails?.();
      asked.push([level, (toUs - fromUs) / SECOND_US]);
      return memory.counts(partition, level, fromUs, toUs);
    },
  };
  seconds = new Seconds(store);
});

const newWriter = (): TestWriter => testWriter(memoryStore(data), { nowUs: () => START + MINUTE_US, epoch: 0 });
/** A look `afterSeconds` after the start, a fifth of a second later. */
const look = (afterSeconds: number) => seconds.read(START + afterSeconds * SECOND_US + 200_000, never);
const at = (second: number, offsetMs = 0) => START + second * SECOND_US + offsetMs * 1_000;
const row = (second: number, events: number, peak: number): SecondRow => [at(second) / 1_000, events, peak];

async function counted(period: "1s" | "10ms", fromUs: number, toUs: number): Promise<Map<number, number>> {
  const found = new Map<number, number>();
  const question = { period: PERIODS[period], fromUs, toUs, nowUs: toUs, source: "counts" as const };
  for await (const portion of readCounts(store, question).buckets) {
    for (const { bucketUs, events } of portion) found.set(bucketUs, events);
  }
  return found;
}

test("before the first look there is nothing", () => {
  expect([seconds.all, seconds.takeChanged(), seconds.buckets.events]).toEqual([[], [], []]);
});

test("of an empty store the newest second is told, and that it is empty", async () => {
  await look(10);
  expect([seconds.all, seconds.takeChanged()]).toEqual([[row(9, 0, 0)], [row(9, 0, 0)]]);
  expect(seconds.buckets).toEqual({ startMs: at(8) / 1_000, events: Array(210).fill(0) });
});

test("what is told of several writers, in sealed minutes and an open one, is what count says", async () => {
  const random = () => Math.floor(Math.random() * MINUTE_US);
  for (let minute = 0; minute < 6; minute++) {
    for (let writer = 0; writer < 3; writer++) {
      const one = newWriter();
      const times = Array.from({ length: 200 }, random).filter((us) => minute < 5 || us < 20 * SECOND_US);
      await one.write(...times.map((us) => START + minute * MINUTE_US + us));
      if (minute < 5) await one.close();
    }
  }
  await look(320);
  const [perSecond, fine] = [
    await counted("1s", at(320) - KEPT_US, at(320)),
    await counted("10ms", at(320) - KEPT_US, at(320.1)),
  ];
  const peaks = new Map<number, number>();
  for (const [us, events] of fine) {
    const second = us - (us % SECOND_US);
    peaks.set(second, Math.max(peaks.get(second) ?? 0, events));
  }
  const expected = [...perSecond].map(([us, events]) => [us / 1_000, events, peaks.get(us)]);
  if (!perSecond.has(at(319))) expected.push(row(319, 0, 0));
  expect(expected.length).toBeGreaterThan(200);
  expect(seconds.all).toEqual(expected as SecondRow[]);
  const { startMs, events } = seconds.buckets;
  expect(events).toEqual(Array.from({ length: 210 }, (_, bucket) => fine.get(startMs * 1_000 + bucket * 10_000) ?? 0));
});

test("a second is told once, and again when it has grown", async () => {
  const [one, other] = [newWriter(), newWriter()];
  await one.write(at(3, 5), at(3, 6), at(3, 700));
  await look(4);
  expect(seconds.takeChanged()).toEqual([row(3, 3, 2)]);
  await one.write(at(4, 1));
  await look(5);
  expect(seconds.takeChanged()).toEqual([row(4, 1, 1)]);
  await other.write(at(3, 7), at(3, 8));
  await look(6);
  expect(seconds.takeChanged()).toEqual([row(3, 5, 4), row(5, 0, 0)]);
  await look(7);
  expect(seconds.takeChanged()).toEqual([row(6, 0, 0)]);
  expect(seconds.all).toEqual([row(3, 5, 4), row(4, 1, 1), row(6, 0, 0)]);
});

test("what came minutes late, as after a time without the store, is found within ten seconds", async () => {
  await look(100);
  await newWriter().write(at(30), at(30, 1));
  seconds.takeChanged();
  const told: SecondRow[] = [];
  for (let second = 101; second <= 110; second++) {
    await look(second);
    told.push(...seconds.takeChanged().filter(([, events]) => events > 0));
  }
  expect(told).toEqual([row(30, 2, 2)]);
});

test("only what has changed is read at 10 ms, and a round reads a few seconds", async () => {
  const writer = newWriter();
  for (let second = 1; second <= 5; second++) await writer.write(at(second), at(second, 500));
  await look(6);
  await writer.write(at(6), at(6, 50));
  asked = [];
  await look(7);
  expect(asked).toEqual([
    ["1s", 8],
    ["10ms", 1.1],
  ]);
});

test("after a look that failed the next one reads what that one should have", async () => {
  const writer = newWriter();
  await writer.write(at(1));
  await look(2);
  seconds.takeChanged();
  for (let second = 2; second < 20; second++) await writer.write(at(second, 100));
  fails = () => {
    throw new Reto3Error("STORE_UNAVAILABLE", "away");
  };
  for (let second = 3; second < 20; second++) await expect(look(second)).rejects.toThrow("away");
  expect(seconds.takeChanged()).toEqual([row(1, 1, 1)]);
  fails = undefined;
  await look(21);
  expect(seconds.takeChanged()).toEqual([...Array.from({ length: 18 }, (_, n) => row(n + 2, 1, 1)), row(20, 0, 0)]);
});

test("a look that fails in its second half leaves nothing untold", async () => {
  const writer = newWriter();
  await look(2);
  seconds.takeChanged();
  await writer.write(at(2), at(4));
  let questions = 0;
  fails = () => {
    if (++questions === 3) throw new Reto3Error("STORE_UNAVAILABLE", "away");
  };
  await expect(look(5)).rejects.toThrow("away");
  seconds.takeChanged();
  fails = undefined;
  await look(6);
  const rows = seconds.takeChanged();
  expect(rows).toContainEqual(row(2, 1, 1));
  expect(rows).toContainEqual(row(4, 1, 1));
});

test("where the 10 ms have gone, a second has its count, and the least that its fullest 10 ms can have", async () => {
  const writer = newWriter();
  await writer.write(...Array.from({ length: 150 }, (_, n) => at(1, n)));
  await writer.close();
  data.counts["10ms"].clear();
  await look(65);
  expect(seconds.all).toEqual([row(1, 150, 2), row(64, 0, 0)]);
});

test("what is older than five minutes is forgotten", async () => {
  await newWriter().write(at(1), at(50));
  await look(60);
  await look(310);
  expect(seconds.all).toEqual([row(50, 1, 1), row(309, 0, 0)]);
});

test("a clock that was set back begins anew", async () => {
  await newWriter().write(at(1), at(50));
  await look(60);
  await look(10);
  expect(seconds.all).toEqual([row(1, 1, 1), row(9, 0, 0)]);
  expect(seconds.buckets.startMs).toBe(at(8) / 1_000);
});
