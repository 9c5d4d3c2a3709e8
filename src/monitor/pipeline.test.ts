import { describe, expect, test } from "bun:test";
import { bucketStartUs, MINUTE_US, SECOND_US } from "../period.ts";
import { memoryStore } from "../store/memory.ts";
import type { Store } from "../store/store.ts";
import { FlushSequence } from "../writer/sequence.ts";
import { Pipeline, type PipelineSample } from "./pipeline.ts";

const MINUTE = Date.UTC(2026, 10, 25, 5, 11) * 1_000;
const HOUR_US = 3_600 * SECOND_US;

/** Events of a writer of its own that all arrive at `atUs`, and are stored at once, with these lags. */
async function arrive(store: Store, atUs: number, lagsUs: readonly number[]): Promise<void> {
  const sequence = new FlushSequence({
    store,
    clock: { nowUs: () => atUs, epoch: 0 },
    signal: new AbortController().signal,
  });
  await sequence.flush({
    minuteUs: bucketStartUs(atUs, MINUTE_US),
    epoch: 0,
    createdUs: lagsUs.map((lag) => BigInt(atUs - lag)),
    receivedUs: lagsUs.map(() => atUs),
  });
}

async function sampleOf(pipeline: Pipeline, nowUs: number): Promise<PipelineSample | null> {
  let found: PipelineSample | null = null as PipelineSample | null;
  await pipeline.sample(nowUs, (sample) => void (found = sample));
  return found;
}

describe("a sample of TPS and LAG", () => {
  test("is of all whole seconds since the one before, over all writers", async () => {
    const store = memoryStore();
    const pipeline = new Pipeline(store, MINUTE + 57 * SECOND_US);
    await arrive(store, MINUTE + 56_500_000, Array<number>(10).fill(4_000));
    await arrive(store, MINUTE + 57_900_000, Array<number>(6).fill(8_000));
    await arrive(store, MINUTE + 61_000_000, [12_000]);
    await arrive(store, MINUTE + 62_000_000, [1]);
    expect(await sampleOf(pipeline, MINUTE + 57_500_000)).toBeNull();
    const sample = await sampleOf(pipeline, MINUTE + 63 * SECOND_US);
    expect(sample?.toUs).toBe(MINUTE + 62 * SECOND_US);
    expect(sample?.fields).toMatchObject({ "reto.events": 17, "reto.seconds": 6, "reto.tps": 17 / 6 });
    expect(sample?.fields).toMatchObject({ "reto.lag.min_ms": 4, "reto.lag.avg_ms": 5.882, "reto.lag.max_ms": 12 });
    expect(sample?.fields).toMatchObject({ "reto.lag.negative": 0, "reto.lag.clamped": 0 });
    expect(await sampleOf(pipeline, MINUTE + 63 * SECOND_US)).toBeNull();
    expect((await sampleOf(pipeline, MINUTE + 64 * SECOND_US))?.fields["reto.events"]).toBe(1);
  });

  test("says how the lags are distributed, within 2 %", async () => {
    const store = memoryStore();
    const pipeline = new Pipeline(store, MINUTE + SECOND_US);
    await arrive(
      store,
      MINUTE + SECOND_US,
      Array.from({ length: 1_000 }, (_, at) => (at + 1) * 1_000),
    );
    const { fields } = (await sampleOf(pipeline, MINUTE + 4 * SECOND_US)) ?? {};
    for (const [name, ms] of [
      ["reto.lag.p50_ms", 500],
      ["reto.lag.p95_ms", 950],
      ["reto.lag.p99_ms", 990],
    ] as const) {
      expect(Math.abs((fields?.[name] ?? 0) / ms - 1)).toBeLessThan(0.02);
    }
    expect(fields?.["reto.lag.max_ms"]).toBe(1_000);
  });

  test("counts lags below nothing, and those at the limit of an hour", async () => {
    const store = memoryStore();
    const pipeline = new Pipeline(store, MINUTE + SECOND_US);
    await arrive(store, MINUTE + SECOND_US, [-5_000, -2 * HOUR_US, 0, 5_000, HOUR_US * 0.9, 3 * HOUR_US, 5 * HOUR_US]);
    const { fields } = (await sampleOf(pipeline, MINUTE + 4 * SECOND_US)) ?? {};
    expect(fields).toMatchObject({ "reto.events": 7, "reto.lag.negative": 2, "reto.lag.clamped": 3 });
  });

  test("of seconds without events is a rate of zero, without lags", async () => {
    const pipeline = new Pipeline(memoryStore(), MINUTE);
    const sample = await sampleOf(pipeline, MINUTE + 3 * SECOND_US);
    expect(sample?.fields).toEqual({ "reto.tps": 0, "reto.events": 0, "reto.seconds": 3 });
  });

  test("that the store did not give can be taken later; after hours it is of the last ten minutes", async () => {
    const memory = memoryStore();
    let fails = true;
    const store: Store = {
      ...memory,
      claims: (...range) => {
        if (fails) throw new Error("away");
        return memory.claims(...range);
      },
    };
    const pipeline = new Pipeline(store, MINUTE);
    await arrive(memory, MINUTE + SECOND_US, [1_000]);
    await expect(sampleOf(pipeline, MINUTE + 4 * SECOND_US)).rejects.toThrow("away");
    fails = false;
    expect((await sampleOf(pipeline, MINUTE + 8 * SECOND_US))?.fields).toMatchObject({
      "reto.events": 1,
      "reto.seconds": 8,
    });
    expect((await sampleOf(pipeline, MINUTE + HOUR_US))?.fields["reto.seconds"]).toBe(600);
  });

  test("that could not be written is in the next one", async () => {
    const store = memoryStore();
    const pipeline = new Pipeline(store, MINUTE);
    await arrive(store, MINUTE + SECOND_US, [1_000, 2_000]);
    const full = () => {
      throw new Error("the disk is full");
    };
    await expect(pipeline.sample(MINUTE + 4 * SECOND_US, full)).rejects.toThrow("the disk is full");
    const sample = await sampleOf(pipeline, MINUTE + 5 * SECOND_US);
    expect(sample?.fields).toMatchObject({ "reto.events": 2, "reto.seconds": 5 });
  });

  test("goes on with the clock where that was set back", async () => {
    const store = memoryStore();
    const pipeline = new Pipeline(store, MINUTE + HOUR_US);
    expect(await sampleOf(pipeline, MINUTE)).toBeNull();
    await arrive(store, MINUTE, [1_000]);
    expect((await sampleOf(pipeline, MINUTE + 2 * SECOND_US))?.fields).toMatchObject({
      "reto.events": 1,
      "reto.seconds": 2,
    });
  });
});
