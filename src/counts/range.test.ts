import { describe, expect, test } from "bun:test";
import { Reto3Error } from "../errors.ts";
import { MINUTE_US, SECOND_US } from "../period.ts";
import { resolveRange, type RangeQuestion } from "./range.ts";

const NOW = Date.UTC(2026, 10, 23, 5, 11, 11, 125) * 1_000;
const ask = (question: Partial<RangeQuestion>) =>
  resolveRange({ period: undefined, from: undefined, to: undefined, last: undefined, ...question }, NOW);

describe("a range", () => {
  test("of nothing said is the last hour of seconds, with the current one", () => {
    const { period, fromUs, toUs, isDefault } = ask({});
    expect([period.name, isDefault]).toEqual(["1s", true]);
    expect(toUs).toBe(Date.UTC(2026, 10, 23, 5, 11, 12) * 1_000);
    expect(toUs - fromUs).toBe(3_600 * SECOND_US);
  });

  test("of the last 5 minutes ends with the current bucket", () => {
    const { fromUs, toUs } = ask({ period: "1m", last: "5m" });
    expect([toUs, toUs - fromUs]).toEqual([Date.UTC(2026, 10, 23, 5, 12) * 1_000, 5 * MINUTE_US]);
  });

  test("takes both ends as they are written", () => {
    const { fromUs, toUs } = ask({ from: "2026-11-23 05:00", to: "2026-11-23T05:00:10.5Z" });
    expect(toUs - fromUs).toBe(10_500_000);
  });

  test.each<[string, Partial<RangeQuestion>, string]>([
    ["an unknown period", { period: "2s" }, "one of 10ms, 1s, 1m"],
    ["a time that is none", { from: "now" }, "want YYYY-MM-DD"],
    ["a last that is no duration", { last: "10" }, "a duration such as"],
    ["from and last together", { from: "2026-11-23", last: "10s" }, "exclude each other"],
    ["an end before its start", { from: "2026-11-24", to: "2026-11-23" }, "is not before"],
    ["a start in the future", { from: "2027-01-01" }, "is in the future"],
    ["a start before there are years", { to: "0001-01-02", last: "2d" }, "before the year 1"],
    ["a last that is beyond all reason", { last: "1000000d" }, "at most 100000d"],
  ])("refuses %s", (_, question, wanted) => {
    let failure: unknown;
    try {
      ask(question);
    } catch (error) {
      failure = error;
    }
    expect((failure as Reto3Error).code).toBe("USAGE");
    expect((failure as Reto3Error).message).toContain(wanted);
  });
});
