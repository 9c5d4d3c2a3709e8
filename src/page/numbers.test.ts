import { expect, test } from "bun:test";
import { formatCount, formatLifetime, formatMs, formatShort, formatSpan } from "./numbers.ts";

test("a count has all of its digits", () => {
  expect([0, 999, 1_234_567].map(formatCount)).toEqual(["0", "999", "1,234,567"]);
});

test("an axis has three of them", () => {
  const values = [0, 0.5, 62.25, 5_000, 12_345, 4_560_000, 2e9, -20_000];
  expect(values.map(formatShort)).toEqual(["0", "0.5", "62.25", "5000", "12.3k", "4.56M", "2G", "-20k"]);
});

test("how long something took", () => {
  const values = [0, 0.424, 4.25, 9.96, 12.3, 999, 3_140, 61_000, 7_200_000, -3.2];
  const texts = ["0 ms", "0.42 ms", "4.3 ms", "10 ms", "12 ms", "999 ms", "3.1 s", "1 min", "2 h", "-3.2 ms"];
  expect(values.map(formatMs)).toEqual(texts);
});

test("a stretch of time has its two largest units", () => {
  const values = [0, 200, 1_500, 2_000, 20_000, 90_000, 3_600_000, 5_400_000, 7 * 86_400_000];
  const texts = ["0 s", "200 ms", "1.5 s", "2 s", "20 s", "1 min 30 s", "1 h", "1 h 30 min", "7 d"];
  expect(values.map(formatSpan)).toEqual(texts);
});

test("a lifetime may have no end", () => {
  expect([formatLifetime(null), formatLifetime(3_600)]).toEqual(["for good", "for 1 h"]);
});
