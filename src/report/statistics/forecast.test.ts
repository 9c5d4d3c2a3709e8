import { describe, expect, test } from "bun:test";
import { budgetDay, fillTime, type Keeping, sizeAfter, sizeAtMost } from "./forecast.ts";

const DAY_SECONDS = 86_400;
/** A day: 100 bytes of events, kept two days; 30 and 7 of counts, kept ten days and for ever. */
const KEEPING: Keeping = {
  eventsPerSec: 10 / DAY_SECONDS,
  bytesPerEvent: 10,
  rawTtlSeconds: 2 * DAY_SECONDS,
  rowsPerDay: { "1s": 30, "1m": 7 },
  bytesPerRow: 1,
  ttlSeconds: { "1s": 10 * DAY_SECONDS, "1m": null },
};
const EXPIRING: Keeping = { ...KEEPING, ttlSeconds: { "1s": 10 * DAY_SECONDS, "1m": 20 * DAY_SECONDS } };

describe("what is kept", () => {
  test.each([
    [0, 0],
    [1, 137],
    [2, 274],
    [5, 385],
    [10, 570],
    [30, 710],
  ])("after %p days is %p bytes: it levels off as lifetimes end", (days, bytes) => {
    expect(sizeAfter(days, KEEPING)).toBeCloseTo(bytes, 8);
  });

  test("grows without end where something is kept for ever, else to a maximum", () => {
    expect(sizeAtMost(KEEPING)).toBeNull();
    expect(sizeAtMost(EXPIRING)).toBeCloseTo(640, 8);
  });

  test.each([100, 274, 300, 570, 10_000])("reaches a budget of %p bytes on the day that its size is that", (budget) => {
    expect(sizeAfter(budgetDay(budget, KEEPING) ?? 0, KEEPING)).toBeCloseTo(budget, 6);
  });

  test("never reaches a budget above its maximum", () => {
    expect(budgetDay(641, EXPIRING)).toBeNull();
    expect(budgetDay(639, EXPIRING)).toBeGreaterThan(19);
    expect(budgetDay(1, { ...KEEPING, eventsPerSec: 0, rowsPerDay: {} })).toBeNull();
  });
});

test("a disk is full when its free bytes are used up, now, or never", () => {
  expect(fillTime({ bytesPerDay: 10, usedBytes: 20, budgetBytes: 100 })).toBe(8);
  expect(fillTime({ bytesPerDay: 10, usedBytes: 120, budgetBytes: 100 })).toBe(0);
  expect(fillTime({ bytesPerDay: 0, usedBytes: 20, budgetBytes: 100 })).toBeNull();
});
