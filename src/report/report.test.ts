import { describe, expect, test } from "bun:test";
import { Reto3Error } from "../errors.ts";
import { HOUR_US, MINUTE_US, SECOND_US } from "../period.ts";
import { emptyMemory, memoryStore } from "../store/memory.ts";
import type { Store } from "../store/store.ts";
import { FlushSequence } from "../writer/sequence.ts";
import { START, storeWith, type Stream } from "../../test/support/streams.ts";
import { formatHtml } from "./html.ts";
import type { Report } from "./model.ts";
import { readForReport, type ReadingQuestion } from "./reading.ts";
import { makeReport } from "./report.ts";
import { Run } from "./run.ts";
import { poisson } from "../../test/support/draws.ts";
import { Random } from "../random.ts";
import { formatText } from "./text.ts";

const NOW = START + 24 * HOUR_US;

async function reportOf(
  store: Store,
  asked: Partial<ReadingQuestion> & {
    budgetBytes?: number;
    runs?: Run[];
    against?: { fromUs: number; toUs: number };
  } = {},
): Promise<Report> {
  const counted = new Map<number, number>();
  const question = {
    fromUs: START,
    toUs: START + HOUR_US,
    nowUs: NOW,
    minutes10ms: 240,
    askedPerSec: null,
    onSecond: (us: number, events: number) => void counted.set(us, events),
    ...asked,
  };
  const reading = await readForReport(store, question);
  const earlier = asked.against && (await readForReport(store, { ...question, ...asked.against }));
  const report = makeReport({
    nowUs: NOW,
    store: { info: store.info, reading },
    runs: asked.runs ?? [],
    counted,
    askedPerSec: question.askedPerSec,
    budgetBytes: asked.budgetBytes ?? null,
    comparison: earlier
      ? { before: { name: "before", reading: earlier, runs: [] }, after: { name: "after", reading, runs: [] } }
      : null,
  });
  expectNumbers(report);
  return report;
}

/** Nothing is NaN or infinite, in whatever form. */
function expectNumbers(report: Report): void {
  const wrong: string[] = [];
  const walk = (value: unknown, path: string): void => {
    if (value === undefined || (typeof value === "number" && !Number.isFinite(value))) wrong.push(`${path}: ${value}`);
    else if (typeof value === "object" && value !== null)
      for (const [key, one] of Object.entries(value)) walk(one, `${path}.${key}`);
  };
  walk(report, "report");
  expect(wrong).toEqual([]);
  for (const written of [formatText(report), formatHtml(report)]) expect(written).not.toMatch(/NaN|Infinity|undefined/);
}

/** `everyBuckets`: others than these are empty, which makes long streams quick to make. */
function poissonStream(mean: number, minutes: number, { everyBuckets = 1 } = {}): Stream {
  const random = Random.seeded(7);
  const counts = Array.from({ length: (minutes * 6_000) / everyBuckets }, () => poisson(random, mean));
  return { minutes, countOf: (bucket) => (bucket % everyBuckets === 0 ? (counts[bucket / everyBuckets] ?? 0) : 0) };
}

describe("the rate", () => {
  test("of independent arrivals is that of a Poisson process, over every window", async () => {
    const { rate } = await reportOf(await storeWith(poissonStream(20, 4)));
    expect(rate?.dispersion?.verdict).toBe("as a Poisson process");
    expect(rate?.dispersion?.low).toBeLessThan(1);
    expect(rate?.dispersion?.high).toBeGreaterThan(1);
    for (const { index, windows } of rate?.fano ?? [])
      expect(Math.abs(index - 1)).toBeLessThan(5 * Math.sqrt(2 / windows));
    expect(rate?.says.join()).toContain("independently");
  });

  test("of a clock is more even than a Poisson process", async () => {
    const { rate } = await reportOf(await storeWith({ minutes: 2, countOf: () => 50 }));
    expect(rate?.dispersion).toMatchObject({ index: 0, verdict: "more even" });
    expect(rate?.levels.map(({ period, mean, deviation }) => [period, mean, deviation])).toEqual([
      ["10ms", 50, 0],
      ["1s", 5_000, 0],
      ["1m", 300_000, 0],
    ]);
  });

  test("that swings with ten seconds has a period of ten seconds, and is bursty", async () => {
    const swing = (bucket: number) => Math.round(20 + 15 * Math.sin((2 * Math.PI * bucket) / 1_000));
    const { rate } = await reportOf(await storeWith({ minutes: 5, countOf: swing }));
    expect(rate?.periods[0]?.seconds).toBeCloseTo(10, 1);
    expect(rate?.dispersion?.verdict).toBe("more bursty");
    const bySecond = rate?.autocorrelation.find(({ stepSeconds }) => stepSeconds === 1);
    expect(bySecond?.values[10]).toBeGreaterThan(0.9);
    expect(bySecond?.values[5]).toBeLessThan(-0.9);
  });

  test("leaves out the seconds that the stream's start and end have cut, and counts silence between", async () => {
    const isOn = (bucket: number) => (bucket >= 1_050 && bucket < 2_000) || (bucket >= 2_500 && bucket < 5_050);
    const { rate, store, health } = await reportOf(
      await storeWith({ minutes: 1, countOf: (bucket) => (isOn(bucket) ? 10 : 0) }),
    );
    expect(store?.events).toBe(10 * (950 + 2_550));
    expect(rate).toMatchObject({ seconds: 39, silentSeconds: 5, busyMeanPerSec: 1_000 });
    expect(rate?.from).toBe("2026-11-23T05:00:11.000Z");
    expect(rate?.longestSilence).toEqual({ seconds: 5, from: "2026-11-23T05:00:20.000Z", isLowerBound: false });
    expect(health?.gaps).toMatchObject({ count: 1, seconds: 5 });
  });

  test("over long windows is no other where chance alone makes it so", async () => {
    const { rate } = await reportOf(await storeWith(poissonStream(0.2, 3)));
    expect(rate?.fano.at(-1)?.windows).toBeLessThan(10);
    expect(rate?.says.join()).toContain("the index stays alike");
    // Ten seconds: 200 correlations of a thousand values.
    const few = await reportOf(await storeWith(poissonStream(0.5, 1)), { toUs: START + 5 * SECOND_US });
    expect(few.rate?.says.join()).toContain("no memory is seen");
  });

  test("of 10 ms takes silent minutes for a part of the stream, as that of seconds does", async () => {
    const countOf = (bucket: number) => (Math.floor(bucket / 6_000) % 3 === 1 ? 0 : 2);
    const store = await storeWith({ minutes: 9, countOf });
    for (const minutes10ms of [240, 3]) {
      const { rate } = await reportOf(store, { toUs: START + 9 * MINUTE_US, minutes10ms });
      const [fine, bySecond] = rate?.levels ?? [];
      expect(fine).toMatchObject({ period: "10ms", buckets: (minutes10ms === 3 ? 5 : 9) * 6_000, min: 0 });
      expect((fine?.mean ?? 0) * 100).toBeCloseTo(bySecond?.mean ?? 0, minutes10ms === 3 ? -2 : 5);
      // Below a second and from a second on: one curve.
      const [half, whole] = [0.5, 1].map((window) => rate?.fano.find(({ windowSeconds }) => windowSeconds === window));
      expect((whole?.index ?? 0) / (half?.index ?? 0)).toBeCloseTo(2, 0);
    }
  });

  test("of a stream that begins within a minute does not claim to have seen every short silence", async () => {
    // The longest one, of 900 ms, lies in the first minute, of which 30 s are there.
    const isOn = (bucket: number) => bucket > 3_000 && bucket % 10 === 0 && !(bucket > 4_000 && bucket < 4_090);
    const store = await storeWith({ minutes: 3, countOf: (bucket) => (isOn(bucket) ? 1 : 0) });
    const { rate } = await reportOf(store);
    expect(rate?.longestSilence).toMatchObject({ seconds: 0.09, isLowerBound: true });
    expect(rate?.says.join()).toContain("The longest silence seen lasted 90 ms");
  });

  test("of 10 ms says that it is a sample where not every minute was read", async () => {
    const store = await storeWith({ minutes: 12, countOf: () => 3 });
    const sampled = await reportOf(store, { minutes10ms: 3 });
    expect(sampled.rate?.levels[0]).toMatchObject({ period: "10ms", buckets: 18_000, isSample: true });
    expect(formatText(sampled)).toContain("10ms (sample)");
    expect(sampled.rate?.says.join()).toContain("lower bounds");
    // The last minute is not whole: who knows what would have come after its last event.
    const whole = await reportOf(store);
    expect(whole.rate?.levels[0]).toMatchObject({ buckets: 66_000, isSample: false });
  });
});

describe("LAG", () => {
  test("has the percentiles of all events, and takes off where it does", async () => {
    const countOf = (bucket: number) => 10 + Math.floor(bucket / 600);
    const lagUsOf = (bucket: number) => (countOf(bucket) > 30 ? 5_000 + (countOf(bucket) - 30) * 4_000 : 5_000);
    const { lag } = await reportOf(await storeWith({ minutes: 4, countOf, lagUsOf }));
    expect(lag?.minMs).toBe(5);
    expect(lag?.maxMs).toBe(5 + 19 * 4);
    expect(lag?.againstRate?.rho).toBeGreaterThan(0.7);
    expect(lag?.againstRate?.takeOff?.ratePerSec).toBeGreaterThan(2_500);
    expect(lag?.againstRate?.takeOff?.ratePerSec).toBeLessThan(3_700);
  });

  test("of a stretch, or of an hour, never leaves what was seen there", async () => {
    // 5,000 us is not the middle of its histogram's bin.
    const { lag } = await reportOf(await storeWith({ minutes: 1, countOf: (bucket) => Number(bucket % 100 === 0) }));
    expect(lag).toMatchObject({ minMs: 5, p50Ms: 5, p99Ms: 5, maxMs: 5 });
    for (const point of lag?.overTime.points ?? []) expect(point).toMatchObject({ p50Ms: 5, p99Ms: 5, maxMs: 5 });
  });

  test("far above the median is told as late flushes", async () => {
    const lagUsOf = (bucket: number) => (bucket >= 3_000 && bucket < 3_300 ? 800_000 : 4_000);
    const { health } = await reportOf(await storeWith({ minutes: 2, countOf: () => 2, lagUsOf }));
    expect(health?.lateFlushes).toMatchObject({ count: 1, seconds: 3, first: [{ peakMs: 800 }] });
  });
});

describe("what was held", () => {
  test("is the share of seconds with 99 % of what was asked, and the longest stretch of them", async () => {
    const countOf = (bucket: number) => (bucket >= 2_000 && bucket < 3_000 ? 40 : 50);
    const { health } = await reportOf(await storeWith({ minutes: 2, countOf }), { askedPerSec: 5_000 });
    expect(health?.held).toMatchObject({ thresholdPerSec: 4_950, heldMinutes: 0, minutes: 1 });
    expect(health?.held?.share).toBeCloseTo((health!.held!.seconds - 10) / health!.held!.seconds);
    expect(health?.held?.longestStretch?.from).toBe("2026-11-23T05:00:30.000Z");
  });
});

describe("minutes that do not fit", () => {
  test("are named, with what was expected", async () => {
    const base = poissonStream(6, 40, { everyBuckets: 50 });
    const countOf = (bucket: number) => (Math.floor(bucket / 6_000) === 17 ? 1 : 2) * base.countOf(bucket);
    const { anomalies } = await reportOf(await storeWith({ minutes: 40, countOf }));
    expect(anomalies?.found.map(({ at }) => at)).toEqual(["2026-11-23T05:17:00.000Z"]);
    expect(anomalies?.found[0]?.score).toBeLessThan(-8);
    expect(anomalies?.expectedFalseAlarms).toBeLessThan(0.1);
  });
});

describe("what is missing", () => {
  test("an empty range is a report without sections", async () => {
    const report = await reportOf(memoryStore());
    expect(report).toMatchObject({ rate: null, lag: null, health: null, anomalies: null, comparison: null });
    expect(formatText(report)).toContain("There are no events");
  });

  test("hours in which there is nothing are not asked for, and a stream that starts with an hour is still cut", async () => {
    const plain = await storeWith({ minutes: 1, countOf: () => 4 });
    const asked: [number, number][] = [];
    const store: Store = {
      ...plain,
      claimCounts: (fromUs, toUs) => {
        asked.push([fromUs, toUs]);
        return plain.claimCounts(fromUs, toUs);
      },
    };
    const report = await reportOf(store, { fromUs: START - 1_000 * HOUR_US, toUs: START + 10 * HOUR_US });
    expect(asked.every(([fromUs, toUs]) => fromUs >= START && toUs <= START + HOUR_US)).toBeTrue();
    expect(report.store).toMatchObject({ events: 24_000, isComplete: true, to: "2026-11-23T15:00:00.000Z" });
    expect(report.rate).toMatchObject({ seconds: 58, from: "2026-11-23T05:00:01.000Z" });
  });

  test("a range in which no second begins is said to be one", async () => {
    const report = await reportOf(await storeWith({ minutes: 1, countOf: () => 4 }), {
      fromUs: START + 100_000,
      toUs: START + 300_000,
    });
    expect(report.notes).toEqual(["No second begins within the range; a report is of whole seconds."]);
  });

  test("two sides that have nothing in common are not compared, and the report says what they want", async () => {
    const store = await storeWith({ minutes: 1, countOf: () => 4 });
    const report = await reportOf(store, { against: { fromUs: START - HOUR_US, toUs: START } });
    expect(report.comparison).toBeNull();
    expect(report.notes.join()).toContain("both sides want a range with events, or both want load runs");
  });

  test("a single event is a report", async () => {
    const { rate, lag } = await reportOf(
      await storeWith({ minutes: 1, countOf: (bucket) => (bucket === 3_141 ? 1 : 0) }),
    );
    expect(rate).toMatchObject({ seconds: 1, meanPerSec: 1 });
    expect(rate?.dispersion?.verdict).toBe("too few events");
    expect(lag?.events).toBe(1);
  });

  test("what has expired is left out, and the report says so", async () => {
    const keeps = { "10ms": 8, "1s": 4, "1m": 0 };
    const store = await storeWith({ minutes: 12, countOf: () => 4, isKept: (level, minute) => minute >= keeps[level] });
    const report = await reportOf(store);
    expect(report.store?.events).toBe(12 * 24_000);
    expect(report.notes).toHaveLength(2);
    expect(report.notes.join()).toContain("The 10ms counts before");
    expect(report.rate?.levels.map(({ buckets }) => buckets)).toEqual([6_000, 6 * 60 - 1, 5]);
    expect(report.anomalies?.minutes).toBeGreaterThanOrEqual(10);
  });

  test("a range that ends within a minute ends there, also where its first seconds have expired", async () => {
    const store = await storeWith({
      minutes: 12,
      countOf: (bucket) => Number(bucket % 100 === 0),
      isKept: (level, minute) => level !== "1s" || minute >= 4,
    });
    const { store: section } = await reportOf(store, { toUs: START + 11 * MINUTE_US + 20 * SECOND_US });
    expect(section?.events).toBe(11 * 60 + 20);
  });

  test("a level of which nothing is left is said to be gone", async () => {
    const report = await reportOf(
      await storeWith({ minutes: 3, countOf: () => 4, isKept: (level) => level !== "10ms" }),
    );
    expect(report.notes).toEqual(["The 10ms counts of this range have expired or were not kept."]);
    expect(report.rate?.levels.map(({ period }) => period)).toEqual(["1s", "1m"]);
  });

  test("an error of the store that is no expiry is thrown", async () => {
    const store = memoryStore();
    const failing = { ...store, claimCounts: () => never() };
    expect(reportOf(failing)).rejects.toThrow("away");
    // oxlint-disable-next-line require-yield
    async function* never(): AsyncGenerator<never> {
      throw new Reto3Error("STORE_UNAVAILABLE", "away");
    }
  });

  test("partitions that nobody sealed are counted, and the figures are not final", async () => {
    const { health, store } = await reportOf(await storeWith({ minutes: 2, countOf: () => 4, isSealed: false }));
    expect(health?.partitions).toEqual({ claimed: 2, open: 2, openBecauseRecent: 0, leftOpen: 2 });
    expect(store?.isComplete).toBe(false);
  });
});

describe("several writers", () => {
  test("are added up, and their raw events are not needed", async () => {
    const store = memoryStore(emptyMemory());
    const clock = { nowUs: () => NOW, epoch: 0 };
    for (let writer = 0; writer < 3; writer++) {
      const sequence = new FlushSequence({ store, clock, signal: new AbortController().signal });
      const receivedUs = Array.from({ length: 600 }, (_, at) => START + at * 100_000);
      const createdUs = receivedUs.map((us) => BigInt(us - 1_000));
      await sequence.flush({ minuteUs: START, epoch: 0, createdUs, receivedUs });
      await sequence.close();
    }
    const { rate, store: section } = await reportOf(store);
    expect(section?.events).toBe(1_800);
    expect(rate?.levels.find(({ period }) => period === "1s")).toMatchObject({ mean: 30, deviation: 0 });
  });
});

describe("disk", () => {
  test("is used up sooner the smaller the budget, and never by what expires", async () => {
    const plain = await storeWith({ minutes: 3, countOf: () => 4 });
    const sizes = async () => [
      { name: "event_batches", rows: 1_000, bytes: 4_000 },
      { name: "counts_10ms", rows: 1_000, bytes: 40_000 },
      { name: "counts_1s", rows: 1_000, bytes: 100_000 },
      { name: "counts_1m", rows: 1_000, bytes: 300_000 },
    ];
    const retention = { events: 3_600, "10ms": 7 * 86_400, "1s": null, "1m": null, rawBytesMax: null };
    const store = { ...plain, sizes, info: { ...plain.info, retention } };
    const { disk } = await reportOf(store, { budgetBytes: 10e9 });
    // 86,400 seconds of 100 bytes, 8.64 million buckets of 40 bytes, 1,440 minutes of 300 bytes.
    expect(disk?.countBytesPerDay).toBe(8_640_000 + 345_600_000 + 432_000);
    expect(disk?.rawBytesPerDay).toBe(400 * 86_400 * 4);
    // Seven days of 10 ms, an hour of raw events, and what is kept for good from now on.
    const daysOfGood = (10e9 - 7 * 345_600_000 - 400 * 3_600 * 4 - 400_000) / 9_072_000;
    expect(disk?.budget?.days).toBeCloseTo(daysOfGood, 0);
    const forever = { ...retention, "1s": 86_400, "1m": 86_400 };
    const bounded = await reportOf({ ...store, info: { ...store.info, retention: forever } }, { budgetBytes: 10e9 });
    expect(bounded.disk?.budget?.days).toBeNull();
    expect(bounded.disk?.bytesAtMost).toBeLessThan(10e9);
    // What has been kept so far was of a higher rate, and is still there.
    const full = async () => [{ name: "counts_1s", rows: 1e9, bytes: 100e9 }];
    const { disk: afterPeak } = await reportOf({ ...store, sizes: full, info: { ...store.info, retention: forever } });
    expect(afterPeak?.bytesAtMost).toBeGreaterThanOrEqual(100e9);
  });
});

test("disk grows by no more rows than there are events, however many writers share them", async () => {
  const plain = await storeWith({ minutes: 3, countOf: (bucket) => Number(bucket % 10 === 0) });
  // Three writers of every minute.
  const claimCounts: Store["claimCounts"] = async function* (fromUs, toUs) {
    for await (const page of plain.claimCounts(fromUs, toUs))
      yield page.map((count) => Object.assign({ ...count }, { claims: 3 * count.claims, sealed: 3 * count.sealed }));
  };
  const sizes = async () => [{ name: "counts_10ms", rows: 1_000, bytes: 40_000 }];
  const { disk } = await reportOf({ ...plain, claimCounts, sizes });
  expect(disk?.countBytesPerDay).toBe(10 * 86_400 * 40);
});

describe("disk of a store that does not tell its rows", () => {
  test("grows as it has grown", async () => {
    const plain = await storeWith({ minutes: 3, countOf: () => 4 });
    const sizes = async () => [{ name: "counts_10ms", rows: null, bytes: 5_000_000 }];
    const claimedHours = async () => [START - HOUR_US, START];
    const { disk } = await reportOf({ ...plain, sizes, claimedHours });
    expect(disk?.countBytesPerDay).toBe(60_000_000);
    const unknown = await reportOf({ ...plain, sizes: async () => [{ name: "counts_10ms", rows: null, bytes: null }] });
    expect(unknown.disk).toMatchObject({ bytes: null, countBytesPerDay: null, bytesAtMost: null });
  });
});

describe("a comparison", () => {
  const minutes = 60;
  const half = START + 30 * MINUTE_US;

  test("of two halves that differ says so, and of two that do not says that", async () => {
    const noise = poissonStream(6, minutes, { everyBuckets: 20 });
    const slower = (bucket: number) => 5_000 + (bucket % 97) * 50 + (bucket >= 180_000 ? 3_000 : 0);
    const store = await storeWith({ ...noise, lagUsOf: slower });
    const { comparison } = await reportOf(store, { fromUs: half, against: { fromUs: START, toUs: half } });
    const found = new Map(comparison?.differences.map((one) => [one.what, one]));
    expect(found.get("rate")?.verdict).toBe("no difference seen");
    expect(found.get("LAG p50")).toMatchObject({ verdict: "higher" });
    expect(found.get("LAG p50")?.low).toBeGreaterThan(2.5);
    expect(found.get("LAG p50")?.high).toBeLessThan(3.5);
  });
});

describe("sent against counted", () => {
  const runOf = (outcomes: ("acked" | "unknown" | "refused")[], tookUs = 2_000) => {
    const run = new Run("run.ndjson");
    for (const [at, outcome] of outcomes.entries()) {
      const dueUs = START + 10 * SECOND_US + at * 10_000;
      const status = outcome === "acked" ? 200 : outcome === "refused" ? 503 : null;
      run.add({ dueUs, sentUs: dueUs + 100, doneUs: dueUs + tookUs, outcome, status });
    }
    return run;
  };
  const counted = (events: number) =>
    storeWith({ minutes: 1, countOf: (bucket) => (bucket >= 1_000 && bucket < 1_000 + events ? 1 : 0) });
  const cases = [
    {
      name: "what was acked and counted holds",
      outcomes: Array<"acked">(300).fill("acked"),
      events: 300,
      holds: true,
      outside: 0,
    },
    {
      name: "an acked event that is not counted breaks it",
      outcomes: Array<"acked">(300).fill("acked"),
      events: 299,
      holds: false,
      outside: 1,
    },
    {
      name: "an event of others breaks it",
      outcomes: Array<"acked">(300).fill("acked"),
      events: 301,
      holds: false,
      outside: 1,
    },
  ];
  test.each(cases)("$name", async ({ outcomes, events, holds, outside }) => {
    const { sentAgainstCounted } = await reportOf(await counted(events), { runs: [runOf(outcomes)] });
    expect(sentAgainstCounted).toMatchObject({
      sent: 300,
      acked: 300,
      counted: events,
      holds,
      secondsOutside: outside,
    });
  });

  test("holds in each second wherever between sending and answer an event arrived, and in no other one", async () => {
    const random = Random.seeded(12);
    const run = new Run("run.ndjson");
    const arrivals = new Map<number, number>();
    const arrive = (us: number) => {
      const bucket = Math.floor((us - START) / 10_000);
      arrivals.set(bucket, (arrivals.get(bucket) ?? 0) + 1);
    };
    for (let at = 0; at < 600; at++) {
      const sentUs = START + 2 * SECOND_US + at * 20_000;
      const doneUs = sentUs + Math.floor(random.exponential(700_000));
      const isAcked = random.uniform() < 0.9;
      run.add({ dueUs: sentUs, sentUs, doneUs, outcome: isAcked ? "acked" : "unknown", status: isAcked ? 200 : null });
      if (isAcked) arrive(sentUs + (doneUs - sentUs) * random.uniform());
      // What nobody was told of arrives late, or never.
      else if (random.uniform() < 0.5) arrive(sentUs + random.exponential(3_000_000));
    }
    const countOf = (shift: number) => (bucket: number) => arrivals.get(bucket - shift) ?? 0;
    const held = async (shift: number) =>
      (await reportOf(await storeWith({ minutes: 1, countOf: countOf(shift) }), { runs: [run] })).sentAgainstCounted;
    expect(await held(0)).toMatchObject({ holds: true, secondsOutside: 0 });
    // A clock that is three seconds ahead.
    expect((await held(300))?.secondsOutside).toBeGreaterThan(2);
  });

  test("of another range is not held against it", async () => {
    const report = await reportOf(await counted(300), {
      runs: [runOf(Array<"acked">(300).fill("acked"))],
      fromUs: START + 11 * SECOND_US,
    });
    expect(report.sentAgainstCounted).toBeNull();
    expect(report.notes.join()).toContain("does not cover the load runs");
  });

  test("is told in all where the counts of seconds have expired", async () => {
    const store = await storeWith({
      minutes: 1,
      countOf: (bucket) => (bucket >= 1_000 && bucket < 1_300 ? 1 : 0),
      isKept: (level) => level === "1m",
    });
    const { sentAgainstCounted } = await reportOf(store, { runs: [runOf(Array<"acked">(300).fill("acked"))] });
    expect(sentAgainstCounted).toMatchObject({ counted: 300, holds: true, secondsOutside: null, overTime: [] });
  });

  test("events of unknown outcome may be counted or not, refused ones may not", async () => {
    const outcomes = [
      ...Array<"acked">(200).fill("acked"),
      ...Array<"unknown">(50).fill("unknown"),
      ...Array<"refused">(50).fill("refused"),
    ];
    for (const [events, holds] of [
      [199, false],
      [200, true],
      [250, true],
      [251, false],
    ] as const) {
      const { sentAgainstCounted } = await reportOf(await counted(events), { runs: [runOf(outcomes)] });
      expect(sentAgainstCounted?.holds).toBe(holds);
      // A sum does not tell which of them are counted.
      if (holds) expect(sentAgainstCounted?.says[0]).toContain("no more than those and the 50 of unknown outcome");
      expect(sentAgainstCounted?.secondsOutside).toBe(holds ? 0 : 1);
    }
  });
});

test("the page and its charts are well-formed, and load nothing", async () => {
  const report = await reportOf(await storeWith(poissonStream(20, 4)), { runs: [] });
  const html = formatHtml(report);
  expect(html.match(/<svg /g)?.length).toBeGreaterThanOrEqual(6);
  expect(html.match(/<title /g)?.length).toBe(html.match(/<svg /g)?.length);
  expect(html).not.toMatch(/<script|<link|src=|href="(?!#)|@import|url\((?!#)/);
});
