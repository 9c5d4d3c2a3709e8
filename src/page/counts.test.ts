import { describe, expect, test } from "bun:test";
import { formatAnswer } from "../counts/format.ts";
import type { Bucket } from "../counts/read.ts";
import { PERIODS } from "../period.ts";
import { columnsOf, joined, overlaid, parseCounts, rowsIn, since, summaryOf, type Counts, type Row } from "./counts.ts";
import { csvName, toCsv } from "./csv.ts";

const START = Date.UTC(2026, 10, 26, 3);

const BUCKETS: Bucket[] = [
  { bucketUs: START * 1_000, events: 2, lag: { sumUs: 7, minUs: -1, maxUs: 8 } },
  { bucketUs: (START + 2_000) * 1_000, events: 3, lag: { sumUs: 9_000, minUs: 2_000, maxUs: 4_000 } },
];

/** What the server says of BUCKETS. */
async function answer(format: "json" | "csv"): Promise<string> {
  const head = {
    period: PERIODS["1s"],
    fromUs: START * 1_000,
    toUs: (START + 5_000) * 1_000,
    nowUs: (START + 4_500) * 1_000,
  };
  const summary = { events: 5, completeUs: (START + 3_000) * 1_000, finalUs: 0 };
  const buckets = (async function* () {
    yield BUCKETS;
  })();
  const portions = formatAnswer(format, head, buckets, { buckets, summary: () => summary });
  return (await Array.fromAsync(portions)).join("");
}

const row = (seconds: number, events: number): Row => ({ startMs: START + seconds * 1_000, events, lagUs: null });

function counts(fromSeconds: number, toSeconds: number, rows: Row[]): Counts {
  const toMs = START + toSeconds * 1_000;
  return { period: "1s", fromMs: START + fromSeconds * 1_000, toMs, rows, completeMs: toMs, nowMs: toMs };
}

test("what the server writes is read", async () => {
  expect(parseCounts(await answer("json"))).toEqual({
    period: "1s",
    fromMs: START,
    toMs: START + 5_000,
    nowMs: START + 4_500,
    completeMs: START + 3_000,
    rows: [
      { startMs: START, events: 2, lagUs: { min: -1, avg: 4, max: 8 } },
      { startMs: START + 2_000, events: 3, lagUs: { min: 2_000, avg: 3_000, max: 4_000 } },
    ],
  });
});

test("an answer that was cut off is an error", async () => {
  const text = await answer("json");
  expect(() => parseCounts(text.slice(0, -20))).toThrow();
});

test("the CSV of the page is the server's to the letter", async () => {
  expect(toCsv(parseCounts(await answer("json")).rows)).toBe(await answer("csv"));
});

test("a CSV file is named after its period and its start", () => {
  expect(csvName("10ms", START + 10)).toBe("reto3-10ms-20261126T030000Z.csv");
});

test("the columns have every bucket: zeros since the first event, nothing before it and nothing to come", async () => {
  const read = { ...parseCounts(await answer("json")), fromMs: START - 2_000 };
  const { startMs, events, lagMaxMs } = columnsOf(read, START - 1_000);
  expect(startMs.map((ms) => (ms - START) / 1_000)).toEqual([-2, -1, 0, 1, 2, 3, 4]);
  expect(events).toEqual([null, 0, 2, 0, 3, 0, 0]);
  expect(lagMaxMs).toEqual([null, null, 0.008, null, 4, null, null]);
});

test("a tail takes the place of what it overlaps", () => {
  const held = counts(0, 4, [row(0, 1), row(2, 2), row(3, 3)]);
  const tail = counts(2, 6, [row(3, 30), row(5, 50)]);
  expect(joined(held, tail)).toEqual(counts(0, 6, [row(0, 1), row(3, 30), row(5, 50)]));
});

test("what has gone out of view is given up", () => {
  const held = counts(0, 4, [row(0, 1), row(2, 2), row(3, 3)]);
  expect(since(held, START + 1_000)).toEqual({ ...counts(1, 4, [row(2, 2), row(3, 3)]), nowMs: held.nowMs });
  expect(since(held, START - 1_000)).toBe(held);
});

test("a bucket is in a range when its start is", () => {
  const held = counts(0, 4, [row(0, 1), row(2, 2), row(3, 3)]);
  expect(rowsIn(held, { fromMs: START + 1, toMs: START + 3_000 })).toEqual([row(2, 2)]);
  expect(rowsIn(held, { fromMs: START, toMs: START + 3_001 }).length).toBe(3);
});

test("a summary weighs the average lag by events", () => {
  const rows: Row[] = [
    { startMs: START, events: 1, lagUs: { min: 1, avg: 10, max: 100 } },
    { startMs: START + 1_000, events: 3, lagUs: { min: 1, avg: 2, max: 4 } },
  ];
  expect(summaryOf(rows)).toEqual({ events: 4, fullest: rows[1]!, lagUs: { avg: 4, max: 100 } });
  expect(summaryOf([])).toEqual({ events: 0, fullest: null, lagUs: null });
});

describe("what GET /live told of the newest seconds", () => {
  const seconds = (fromSeconds: number, events: (number | null)[]) => {
    const startMs = events.map((_events, at) => START + (fromSeconds + at) * 1_000);
    return { fromMs: startMs[0]!, toMs: startMs.at(-1)! + 1_000, startMs, events };
  };

  test("comes after what was asked for, and over it where there is more of it now", () => {
    const lagUs = { min: 1, avg: 2, max: 3 };
    const held = counts(0, 3, [row(0, 1), { ...row(1, 5), lagUs }, { ...row(2, 6), lagUs }]);
    const now = overlaid(held, seconds(1, [9, 4, 0, 7]));
    expect(now.rows).toEqual([row(0, 1), { ...row(1, 9), lagUs }, { ...row(2, 6), lagUs }, row(4, 7)]);
    expect([now.toMs, now.nowMs]).toEqual([START + 5_000, START + 5_000]);
  });

  test("adds up to minutes, but for one whose start is not known", () => {
    const minute = (minutes: number, events: number): Row => row(minutes * 60, events);
    const held: Counts = { ...counts(-120, 60, [minute(-1, 5), minute(0, 10)]), period: "1m" };
    const told = seconds(-10, [null, null, 3, 3, 3, 3, 3, 3, 3, 3, ...Array.from({ length: 70 }, () => 2)]);
    expect(overlaid(held, told).rows).toEqual([minute(-1, 5), minute(0, 120), minute(1, 20)]);
  });

  test.each([
    ["leaves 10 ms alone", { ...counts(0, 3, [row(0, 1)]), period: "10ms" as const }],
    ["leaves a hole alone", counts(-9, -6, [row(-8, 1)])],
  ])("%s", (_name, held) => {
    expect(overlaid(held, seconds(1, [1, 2]))).toBe(held);
  });
});
