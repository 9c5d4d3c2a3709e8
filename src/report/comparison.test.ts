import { expect, test } from "bun:test";
import { comparisonSection, type Side } from "./comparison.ts";
import { Run } from "./run.ts";

/** Four seconds of 200 requests each, of which every other takes `spreadUs` longer. */
function sideOf(name: string, tookUs: number, spreadUs: number): Side {
  const run = new Run(name);
  for (let at = 0; at < 800; at++) {
    const dueUs = 1_764_000_000_000_000 + at * 5_000;
    const doneUs = dueUs + tookUs + (at % 2) * spreadUs;
    run.add({ dueUs, sentUs: dueUs, doneUs, outcome: "acked", status: 200 });
  }
  return { name, reading: null, runs: [run] };
}

test("a difference lies within its interval, also where both values lie in one bin of a histogram", () => {
  const section = comparisonSection(sideOf("before", 5_000, 90), sideOf("after", 5_000, 400));
  expect(section?.differences).toHaveLength(2);
  for (const { before, after, difference, low, high, ratio, verdict } of section?.differences ?? []) {
    expect(after - before).toBeCloseTo(difference, 5);
    expect(after / before).toBeCloseTo(ratio ?? 0, 3);
    expect(low).toBeLessThanOrEqual(difference);
    expect(high).toBeGreaterThanOrEqual(difference);
    expect(verdict).toBe("higher");
  }
  // Half of the slow ones share the bin of the fast ones: the medians differ by less than it is wide.
  expect(section?.differences[0]?.difference).toBeGreaterThan(0);
  expect(section?.says.join()).not.toContain("by less than 0.01 %");
});
