import { describe, expect, test } from "bun:test";
import { formatDurationMs, formatTimestamp, parseDurationMs, parseInstantUs, parseWhole } from "./units.ts";

test.each([
  ["500ms", 500],
  ["10s", 10_000],
  ["1.5m", 90_000],
  ["24h", 86_400_000],
  ["7d", 604_800_000],
  ["0.001s", 1],
  ["0s", undefined],
  ["10", undefined],
  ["-1s", undefined],
  ["0.5ms", undefined],
  ["1 s", undefined],
  ["1e3s", undefined],
  ["", undefined],
])("parseDurationMs(%p) is %p", (text, ms) => expect(parseDurationMs(text)).toBe(ms));

test.each([
  [60_000, "1m"],
  [90_000, "90s"],
  [250, "250ms"],
  [86_400_000, "1d"],
])("formatDurationMs(%p) is %p", (ms, text) => expect(formatDurationMs(ms)).toBe(text));

test.each([
  ["2026-11-23", Date.UTC(2026, 10, 23) * 1_000],
  ["2026-11-23 05:11", Date.UTC(2026, 10, 23, 5, 11) * 1_000],
  ["2026-11-23T05:11:11.120Z", Date.UTC(2026, 10, 23, 5, 11, 11, 120) * 1_000],
  ["2026-11-23 05:11:11.123456", Date.UTC(2026, 10, 23, 5, 11, 11, 123) * 1_000 + 456],
  ["2026-11-31", undefined],
  ["yesterday", undefined],
])("parseInstantUs(%p) is %p", (text, us) => expect(parseInstantUs(text)).toBe(us));

describe("parseWhole", () => {
  test.each([
    ["5", 5],
    ["1", 1],
    ["10", 10],
    ["0", undefined],
    ["11", undefined],
    ["5.0", undefined],
    ["0x5", undefined],
    ["", undefined],
  ])("of %p within 1..10 is %p", (text, value) => expect(parseWhole(text, 1, 10)).toBe(value));
});

test("formatTimestamp writes milliseconds, rounded down", () => {
  expect(formatTimestamp(1_464_433_871_123_999)).toBe("2016-05-28 11:11:11.123");
});
