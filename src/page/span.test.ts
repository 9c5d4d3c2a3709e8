import { expect, test } from "bun:test";
import {
  aligned,
  coarser,
  panned,
  periodFor,
  periodMs,
  SPAN_MAX_MS,
  SPAN_MIN_MS,
  withMargin,
  within,
  zoomed,
} from "./span.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const NOW = Date.UTC(2026, 10, 26, 3);

test.each([
  ["the least span is in 10 ms", SPAN_MIN_MS, "10ms"],
  ["20 s are the last in 10 ms", 20 * SECOND, "10ms"],
  ["a millisecond more is in seconds", 20 * SECOND + 1, "1s"],
  ["half an hour is in seconds", 30 * MINUTE, "1s"],
  ["an hour is in minutes", HOUR, "1m"],
  ["a week is in minutes, for there is nothing coarser", SPAN_MAX_MS, "1m"],
] as const)("%s", (_name, spanMs, period) => {
  expect(periodFor(spanMs)).toBe(period);
});

test("each period has the next coarser one, but for the minute", () => {
  expect([coarser("10ms"), coarser("1s"), coarser("1m")]).toEqual(["1s", "1m", null]);
});

test("what is asked for is never more than a few thousand buckets, or the minutes of a week", () => {
  for (let spanMs = SPAN_MIN_MS; spanMs <= SPAN_MAX_MS; spanMs *= 1.5) {
    const period = periodFor(spanMs);
    const { fromMs, toMs } = withMargin({ fromMs: NOW - spanMs, toMs: NOW }, period);
    expect((toMs - fromMs) / periodMs(period)).toBeLessThanOrEqual(period === "1m" ? 10_081 : 4_002);
  }
});

test("whole buckets are taken, also those that are only partly in view", () => {
  expect(aligned({ fromMs: 1_234, toMs: 5_001 }, "1s")).toEqual({ fromMs: 1_000, toMs: 6_000 });
});

test("the moment under the pointer stays where it is", () => {
  const range = { fromMs: NOW - HOUR, toMs: NOW };
  const around = NOW - HOUR / 4;
  const { fromMs, toMs } = zoomed(range, 2, around);
  expect(toMs - fromMs).toBe(HOUR / 2);
  expect((around - fromMs) / (toMs - fromMs)).toBe(0.75);
});

test("zooming ends at 20 buckets of 10 ms, and at a week", () => {
  const range = { fromMs: NOW - HOUR, toMs: NOW };
  const nearest = zoomed(range, 1e9);
  const farthest = zoomed(range, 1e-9);
  expect(nearest.toMs - nearest.fromMs).toBe(SPAN_MIN_MS);
  expect(farthest.toMs - farthest.fromMs).toBe(SPAN_MAX_MS);
});

test("moving keeps the span", () => {
  expect(panned({ fromMs: 1_000, toMs: 2_000 }, -0.25)).toEqual({ fromMs: 750, toMs: 1_750 });
});

test.each([
  ["the future is moved back to now", { fromMs: NOW + HOUR, toMs: NOW + 2 * HOUR }, HOUR, NOW + HOUR / 10],
  ["what is too long is cut to a week", { fromMs: NOW - 30 * 24 * HOUR, toMs: NOW }, SPAN_MAX_MS, undefined],
  ["what is too short is made longer", { fromMs: NOW - HOUR, toMs: NOW - HOUR + 1 }, SPAN_MIN_MS, undefined],
  ["a range in the past stays as it is", { fromMs: NOW - 2 * HOUR, toMs: NOW - HOUR }, HOUR, NOW - HOUR],
])("%s", (_name, range, spanMs, toMs) => {
  const kept = within(range, NOW);
  expect(kept.toMs - kept.fromMs).toBe(spanMs);
  if (toMs !== undefined) expect(kept.toMs).toBe(toMs);
});
