import { expect, test } from "bun:test";
import { formatAnswer } from "../counts/format.ts";
import type { Bucket } from "../counts/read.ts";
import { PERIODS } from "../period.ts";
import { columnsOf, joined, parseCounts, rowsIn, summaryOf, type Counts, type Row } from "./counts.ts";
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
