import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import { readCounts } from "../counts/read.ts";
import { systemClock } from "../clock.ts";
import { Reto3Error, type ErrorCode } from "../errors.ts";
import { HOUR_US, PERIOD_NAMES, PERIODS } from "../period.ts";
import { emptyMemory, memoryStore } from "../store/memory.ts";
import type { Claim, Flush, Store } from "../store/store.ts";
import type { Outcome } from "./batch.ts";
import { Writer, type WriterOptions } from "./writer.ts";

/** In the first third of a minute: the next one is not claimed yet. */
const START_MS = Date.UTC(2026, 10, 23, 5, 11, 20);
const MINUTE_END_MS = Date.UTC(2026, 10, 23, 5, 12);
const HOUR = START_MS * 1_000 - ((START_MS * 1_000) % HOUR_US);

beforeEach(() => jest.useFakeTimers({ now: START_MS }));
afterEach(() => void jest.useRealTimers());

/** Lets `ms` pass, a millisecond at a time, with all that follows from it. */
async function pass(ms: number): Promise<void> {
  for (let at = 0; at < ms; at++) {
    jest.advanceTimersByTime(1);
    for (let turn = 0; turn < 30; turn++) await Promise.resolve();
  }
}

/** A memory store whose writes do what `script` says: how long they take, whether they are kept, how they fail. */
interface Step {
  afterMs?: number;
  fail?: ErrorCode;
  /** The flush is kept although it fails. */
  kept?: boolean;
  /** It fails now, and is kept so much later. */
  keptAfterMs?: number;
}

function scripted() {
  const data = emptyMemory();
  const memory = memoryStore(data);
  const flushes: Flush[] = [];
  const script: Step[] = [];
  const claimScript: Step[] = [];
  const play = async (step: Step | undefined, effect: () => Promise<void>) => {
    if (step?.afterMs) await new Promise((resolve) => setTimeout(resolve, step.afterMs));
    if (!step?.fail || step.kept) await effect();
    if (step?.keptAfterMs) setTimeout(() => void effect(), step.keptAfterMs);
    if (step?.fail) throw new Reto3Error(step.fail, `scripted ${step.fail}`);
  };
  const store: Store = {
    ...memory,
    write(flush) {
      flushes.push(flush);
      return play(script.shift(), () => memory.write(flush));
    },
    claim: (partition, at) => play(claimScript.shift(), () => memory.claim(partition, at)),
  };
  return { store, flushes, script, claimScript, claims: () => [...data.claims.values()] as Claim[] };
}

function writerOn(store: Store, options: Partial<WriterOptions> = {}) {
  return new Writer({ store, clock: systemClock(), ...options });
}

/** Adds `times` events; returns their outcomes as they become known. */
function add(writer: Writer, times: number): Outcome[] {
  const outcomes: Outcome[] = [];
  for (let at = 0; at < times; at++) void writer.add(0n).then((outcome) => outcomes.push(outcome));
  return outcomes;
}

/** Events by raw rows and by each level; all must be equal. */
async function stored(store: Store): Promise<number> {
  const sums = new Set<number>();
  for (const level of PERIOD_NAMES) {
    for (const source of ["counts", "events"] as const) {
      const range = { fromUs: HOUR - HOUR_US, toUs: HOUR + 2 * HOUR_US, nowUs: HOUR };
      const reading = readCounts(store, { period: PERIODS[level], ...range, source });
      for await (const _ of reading.buckets);
      sums.add(reading.summary().events);
    }
  }
  expect(sums.size).toBe(1);
  return [...sums][0] ?? Number.NaN;
}

describe("a writer", () => {
  test("answers nothing before the bucket has closed and its flush is durable", async () => {
    const { store, script, flushes } = scripted();
    script.push({ afterMs: 7 });
    const outcomes = add(writerOn(store), 3);
    await pass(9);
    expect([flushes.length, outcomes]).toEqual([0, []]);
    await pass(3);
    expect([flushes.length, outcomes]).toEqual([1, []]);
    await pass(8);
    expect(outcomes).toEqual(["stored", "stored", "stored"]);
    expect(await stored(store)).toBe(3);
  });

  test("flushes on 10 ms deadlines aligned to the wall clock", async () => {
    const { store, flushes } = scripted();
    const writer = writerOn(store);
    const at: number[] = [];
    for (let ms = 0; ms < 100; ms++) {
      add(writer, 1);
      const before = flushes.length;
      await pass(1);
      if (flushes.length > before) at.push((Date.now() - START_MS) % 10);
    }
    expect(flushes.length).toBe(10);
    expect(new Set(at).size).toBe(1);
  });

  test("has one flush in flight; what gathers meanwhile goes together in the next", async () => {
    const { store, script, flushes } = scripted();
    script.push({ afterMs: 100 });
    const writer = writerOn(store);
    for (let bucket = 0; bucket < 8; bucket++) {
      add(writer, 2);
      await pass(10);
    }
    expect(flushes.map((flush) => flush.receivedUs.length)).toEqual([2]);
    await pass(40);
    expect(flushes.map((flush) => flush.receivedUs.length)).toEqual([2, 14]);
    expect(flushes.map((flush) => flush.firstSeq)).toEqual([0, 2]);
    expect(await stored(store)).toBe(16);
  });

  test("sends a backlog in several flushes, one after another, at once", async () => {
    const { store, flushes } = scripted();
    const writer = writerOn(store, { flushEventsMax: 10 });
    const outcomes = add(writer, 35);
    await pass(12);
    expect(flushes.map((flush) => flush.receivedUs.length)).toEqual([10, 10, 10, 5]);
    expect(outcomes.length).toBe(35);
  });

  test("sends a flush of unknown outcome again, the same rows with the same timestamp, and counts it once", async () => {
    const { store, script, flushes } = scripted();
    script.push({ fail: "STORE_UNKNOWN", kept: true }, { fail: "STORE_UNKNOWN" }, { fail: "STORE_UNAVAILABLE" });
    const outcomes = add(writerOn(store), 5);
    await pass(2_000);
    expect(outcomes).toEqual(Array(5).fill("stored"));
    expect(flushes.length).toBe(4);
    for (const flush of flushes) expect(flush).toEqual(flushes[0]!);
    expect(await stored(store)).toBe(5);
  });

  test("an attempt that takes effect late, after newer flushes, changes nothing", async () => {
    const { store, script, flushes } = scripted();
    script.push({ fail: "STORE_UNKNOWN", keptAfterMs: 500 });
    const writer = writerOn(store);
    add(writer, 4);
    await pass(100);
    add(writer, 2);
    await pass(100);
    expect([flushes.length, await stored(store)]).toEqual([3, 6]);
    await pass(500);
    expect(await stored(store)).toBe(6);
    const stamps = flushes.map((flush) => flush.writtenAtUs);
    expect(stamps[0]).toBe(stamps[1]);
    expect(stamps[2]).toBeGreaterThan(stamps[1]!);
  });

  test("answers 'unknown' when the ack timeout has passed, and still stores the event later", async () => {
    const { store, script } = scripted();
    script.push({ afterMs: 900 });
    const writer = writerOn(store, { ackTimeoutMs: 500 });
    const outcomes = add(writer, 2);
    await pass(490);
    expect(outcomes).toEqual([]);
    await pass(30);
    expect([outcomes, writer.health]).toEqual([["unknown", "unknown"], "unknown"]);
    await pass(500);
    expect([await stored(store), writer.health]).toEqual([2, "stored"]);
  });

  test("retires its id when a flush is given up: no later total includes those events", async () => {
    const { store, script, flushes, claims } = scripted();
    // Lost for good: nothing is kept, but the writer cannot know.
    for (let tries = 0; tries < 1_000; tries++) script.push({ fail: "STORE_UNKNOWN" });
    const health: Outcome[] = [];
    const writer = writerOn(store, { flushAgeMaxMs: 300, onHealth: (outcome) => health.push(outcome) });
    const lost = add(writer, 3);
    await pass(2_000);
    expect(lost).toEqual(["unknown", "unknown", "unknown"]);
    script.length = 0;
    const kept = add(writer, 4);
    await pass(2_000);
    expect(kept).toEqual(Array(4).fill("stored"));
    expect(new Set(flushes.map((flush) => flush.writer)).size).toBe(2);
    expect(await stored(store)).toBe(4);
    expect(health).toEqual(["unknown", "stored"]);
    const [first, second] = claims();
    expect([first?.sealedEvents, second?.sealedEvents]).toEqual([null, null]);
    await Promise.all([writer.close(1_000), pass(20)]);
    // What the lost flush left behind nobody here knows: its claim stays open.
    expect(claims().map((claim) => claim.sealedEvents)).toEqual([null, 4]);
  });

  test("does not retry what the store refuses for good, and says that the event is surely not stored", async () => {
    const { store, script, flushes, claims } = scripted();
    const writer = writerOn(store);
    add(writer, 2);
    await pass(20);
    script.push({ fail: "STORE_REFUSED" });
    const refused = add(writer, 2);
    await pass(20);
    expect([refused, flushes.length, writer.health]).toEqual([["refused", "refused"], 2, "refused"]);
    const later = add(writer, 1);
    await pass(1_100);
    expect([later, writer.health]).toEqual([["stored"], "stored"]);
    expect(await stored(store)).toBe(3);
    // It left nothing behind, so the partition ends before it.
    expect(claims().map((claim) => claim.sealedEvents)).toEqual([2, null]);
  });

  test("does not acknowledge a flush that a sleeping machine brought to its end too late", async () => {
    const { store, script, flushes, claims } = scripted();
    script.push({ afterMs: 50 });
    const outcomes = add(writerOn(store), 2);
    await pass(20);
    // The monotonic clock stood still meanwhile; by then others may have settled the minute without this flush.
    jest.setSystemTime(Date.now() + 40 * 60_000);
    await pass(1_200);
    expect([outcomes, flushes.length]).toEqual([["unknown", "unknown"], 1]);
    expect(claims().map(({ sealedEvents }) => sealedEvents)).toEqual([null]);
  });

  test("does not send a flush again after the machine has slept", async () => {
    const { store, script, flushes } = scripted();
    script.push({ fail: "STORE_UNAVAILABLE", afterMs: 15 });
    const writer = writerOn(store);
    const outcomes = add(writer, 2);
    await pass(15);
    jest.setSystemTime(Date.now() + 40 * 60_000);
    await pass(1_500);
    expect([outcomes, flushes.length]).toEqual([["refused", "refused"], 1]);
    const later = add(writer, 1);
    await pass(1_500);
    expect([later, await stored(store)]).toEqual([["stored"], 1]);
  });

  test("refused after an attempt of unknown outcome is unknown", async () => {
    const { store, script } = scripted();
    script.push({ fail: "STORE_UNKNOWN" }, { fail: "STORE_REFUSED" });
    const outcomes = add(writerOn(store), 1);
    await pass(1_000);
    expect(outcomes).toEqual(["unknown"]);
  });

  test("refuses events when the queue is full, and takes them again when it is not", async () => {
    const { store, script } = scripted();
    script.push({ afterMs: 50 });
    const writer = writerOn(store, { queueEventsMax: 5 });
    add(writer, 5);
    expect(() => writer.add(0n)).toThrow("queue is full");
    await pass(15);
    // In flight counts too.
    expect(() => writer.add(0n)).toThrow("queue is full");
    await pass(60);
    add(writer, 5);
    await pass(20);
    expect(await stored(store)).toBe(10);
  });

  test("takes a new id when a partition is full", async () => {
    const { store, flushes, claims } = scripted();
    const writer = writerOn(store, { partitionEventsMax: 10 });
    for (let bucket = 0; bucket < 4; bucket++) {
      add(writer, 4);
      await pass(10);
    }
    await pass(20);
    expect(flushes.map((flush) => flush.firstSeq)).toEqual([0, 4, 0, 4]);
    expect(await stored(store)).toBe(16);
    expect(claims().map((claim) => claim.sealedEvents)).toEqual([8, null]);
  });

  test("takes a new id when the clock is set back by more than a second", async () => {
    const { store, flushes } = scripted();
    const writer = writerOn(store);
    add(writer, 2);
    await pass(20);
    jest.setSystemTime(START_MS - 90_000);
    add(writer, 3);
    await pass(30);
    expect(new Set(flushes.map((flush) => flush.writer)).size).toBe(2);
    expect(await stored(store)).toBe(5);
    const [before, after] = flushes;
    expect(after!.minuteUs).toBeLessThan(before!.minuteUs);
  });
});

test("counts lags, negative ones apart, of what was stored and of nothing else", async () => {
  const { store, script } = scripted();
  const writer = writerOn(store);
  const nowUs = BigInt(START_MS * 1_000);
  for (const lagUs of [-5_000n, 0n, 1_000n, 90_000n, 7_200_000_000n]) void writer.add(nowUs - lagUs);
  await pass(11);
  const { stats } = writer;
  expect(stats).toMatchObject({ lagsNegative: 0, lagsClamped: 1 });
  expect([stats.lagUs.total, stats.lagUs.countUpTo(50_000), stats.lagUs.countUpTo(3_500_000_000)]).toEqual([5, 3, 4]);
  void writer.add(nowUs + 1_000_000n);
  await pass(10);
  expect([stats.lagUs.total, stats.lagsNegative]).toEqual([6, 1]);
  script.push({ fail: "STORE_REFUSED" });
  void writer.add(nowUs);
  await pass(10);
  expect(stats.lagUs.total).toBe(6);
});

test("counts failed attempts by what is known of them, and ids that are given up", async () => {
  const { store, script } = scripted();
  const writer = writerOn(store);
  script.push({ fail: "STORE_UNAVAILABLE" }, { fail: "STORE_UNKNOWN" }, { fail: "STORE_UNKNOWN" }, {});
  add(writer, 1);
  await pass(500);
  expect(writer.stats).toMatchObject({
    retries: 3,
    storeErrors: { unavailable: 1, unknown: 2, refused: 0 },
    writersRetired: 0,
  });
  script.push({ fail: "STORE_REFUSED" });
  add(writer, 1);
  await pass(20);
  expect(writer.stats).toMatchObject({ storeErrors: { unavailable: 1, unknown: 2, refused: 1 }, writersRetired: 1 });
});

test("tells how long its flush is on its way, and nothing where none is", async () => {
  const { store, script } = scripted();
  const writer = writerOn(store);
  script.push({ afterMs: 300 });
  expect(writer.flushAgeMs).toBe(0);
  add(writer, 1);
  await pass(200);
  expect(writer.flushAgeMs).toBeGreaterThan(150);
  await pass(150);
  expect(writer.flushAgeMs).toBe(0);
});

test("a backlog is given up by the age of its events, not by that of each flush's first attempt", async () => {
  const { store, script } = scripted();
  for (let tries = 0; tries < 1_000; tries++) script.push({ fail: "STORE_UNKNOWN" });
  const writer = writerOn(store, { flushAgeMaxMs: 500, flushEventsMax: 10 });
  const outcomes = add(writer, 40);
  await pass(600);
  const attempts = 1_000 - script.length;
  // One flush was tried all that time; the other three are too old when their turn comes: nothing of them is ever sent.
  await pass(5_000);
  expect(1_000 - script.length).toBe(attempts);
  expect(outcomes.toSorted()).toEqual([...Array<Outcome>(30).fill("refused"), ...Array<Outcome>(10).fill("unknown")]);
});

describe("claims", () => {
  test("a minute is claimed before its first flush, which waits for it", async () => {
    const { store, claimScript, flushes, claims } = scripted();
    claimScript.push({ afterMs: 40 });
    const outcomes = add(writerOn(store), 1);
    await pass(45);
    expect([claims().length, flushes.length]).toEqual([0, 0]);
    await pass(20);
    expect([claims().length, flushes.length, outcomes]).toEqual([1, 1, ["stored"]]);
  });

  test("a claim of unknown outcome is sent again before the flush goes out", async () => {
    const { store, claimScript, flushes, claims } = scripted();
    claimScript.push({ fail: "STORE_UNKNOWN" }, { fail: "STORE_UNAVAILABLE" });
    const outcomes = add(writerOn(store), 1);
    await pass(2_000);
    expect([claims().length, flushes.length, outcomes]).toEqual([1, 1, ["stored"]]);
  });

  test("the next minute is claimed ahead while events arrive, and the last one is sealed when it is over", async () => {
    const { store, claims } = scripted();
    jest.setSystemTime(MINUTE_END_MS - 19_000);
    const writer = writerOn(store);
    add(writer, 3);
    await pass(20);
    expect(claims().map((claim) => [claim.minuteUs / 1_000 - MINUTE_END_MS, claim.sealedEvents])).toEqual([
      [-60_000, null],
      [0, null],
    ]);
    jest.setSystemTime(MINUTE_END_MS + 1);
    add(writer, 2);
    await pass(30);
    expect(claims().map((claim) => claim.sealedEvents)).toEqual([3, null]);
    expect(await stored(store)).toBe(5);
  });

  test("an idle writer seals its minute when that is over, and the next one, claimed in vain, too", async () => {
    const { store, claims } = scripted();
    jest.setSystemTime(MINUTE_END_MS - 2_000);
    add(writerOn(store), 3);
    await pass(2_100);
    expect(claims().map((claim) => claim.sealedEvents)).toEqual([3, null]);
    await pass(60_000);
    expect(claims().map((claim) => claim.sealedEvents)).toEqual([3, 0]);
  });

  test("one that was given up and may be there is sealed as empty, under an id that never writes again", async () => {
    const { store, claimScript, claims, flushes } = scripted();
    claimScript.push({ fail: "STORE_UNKNOWN", kept: true }, { fail: "STORE_REFUSED" });
    const writer = writerOn(store);
    const refused = add(writer, 2);
    await pass(1_200);
    expect([refused, flushes.length]).toEqual([["refused", "refused"], 0]);
    const later = add(writer, 3);
    await pass(30);
    expect(later).toEqual(Array(3).fill("stored"));
    expect(claims().map((claim) => claim.sealedEvents)).toEqual([0, null]);
    expect(await stored(store)).toBe(3);
  });

  test("an idle minute is never claimed", async () => {
    const { store, claims } = scripted();
    writerOn(store);
    await pass(100);
    expect(claims()).toEqual([]);
  });
});

describe("closing", () => {
  test("flushes what waits, answers it, seals, and takes nothing more", async () => {
    const { store, script, claims } = scripted();
    script.push({ afterMs: 30 });
    const writer = writerOn(store);
    const outcomes = add(writer, 4);
    const closed = writer.close(1_000);
    expect(() => writer.add(0n)).toThrow("shutting down");
    await pass(60);
    expect(await closed).toEqual({ unknownEvents: 0, drained: true });
    expect(outcomes).toEqual(Array(4).fill("stored"));
    expect(claims().map((claim) => claim.sealedEvents)).toEqual([4]);
  });

  test("gives up after its timeout and says how many events are of unknown outcome", async () => {
    const { store, script } = scripted();
    script.push({ afterMs: 60_000 });
    const writer = writerOn(store);
    const outcomes = add(writer, 4);
    await pass(20);
    const closed = writer.close(500);
    await pass(520);
    expect(await closed).toEqual({ unknownEvents: 4, drained: false });
    expect(outcomes).toEqual(Array(4).fill("unknown"));
  });

  test("of an idle writer is done at once", async () => {
    const { store } = scripted();
    expect(await writerOn(store).close(1_000)).toEqual({ unknownEvents: 0, drained: true });
  });
});
