import { expect, test } from "bun:test";
import fc from "fast-check";
import { bucketCeilUs, bucketStartUs, PERIOD_NAMES, periodNamed, PERIODS } from "./period.ts";

const time = fc.integer({ min: -62_135_596_800_000_000 / 8, max: 2 ** 52 });
const period = fc.constantFrom(...PERIOD_NAMES.map((name) => PERIODS[name].us));

test("a time lies in the bucket that starts at or before it and ends after it", () => {
  fc.assert(
    fc.property(time, period, (us, periodUs) => {
      const start = bucketStartUs(us, periodUs);
      expect(start <= us && us < start + periodUs).toBe(true);
      expect(Math.abs(start % periodUs)).toBe(0);
    }),
    { numRuns: 5_000 },
  );
});

test("a bucket of a finer level lies within one bucket of each coarser one", () => {
  fc.assert(
    fc.property(time, (us) => {
      const [small, second, minute] = PERIOD_NAMES.map((name) => bucketStartUs(us, PERIODS[name].us));
      expect(bucketStartUs(small ?? 0, PERIODS["1s"].us)).toBe(second ?? 0);
      expect(bucketStartUs(second ?? 0, PERIODS["1m"].us)).toBe(minute ?? 0);
    }),
  );
});

test("the next start is the time itself where a bucket starts, else one period after the last start", () => {
  fc.assert(
    fc.property(time, period, (us, periodUs) => {
      const start = bucketStartUs(us, periodUs);
      // By ===, to which 0 and -0 are one.
      expect(bucketCeilUs(us, periodUs) === (start === us ? us : start + periodUs)).toBe(true);
    }),
  );
});

test("only the three periods have a name", () => {
  expect(periodNamed("10ms")?.us).toBe(10_000);
  expect([periodNamed("2s"), periodNamed("toString"), periodNamed("")]).toEqual([undefined, undefined, undefined]);
});
