// The judge of all faults, held against what it must find.

import { expect, test } from "bun:test";
import { contradictions, figuresOf, type Told } from "./oracle.ts";

const told = (createdUs: number, outcome: Told["outcome"], doneUs = createdUs): Told => ({
  createdUs,
  doneUs,
  outcome,
});

test.each([
  ["an event that was acked and is not there", [told(1, "acked")], [], ["1: 1 acked, 0 stored"]],
  ["one that is there twice", [told(1, "acked")], [1, 1], ["1: 1 acked or unknown, 2 stored"]],
  ["one of unknown outcome that is there twice", [told(1, "unknown")], [1, 1], ["1: 1 acked or unknown, 2 stored"]],
  ["one that is there though it was refused", [told(1, "refused")], [1], ["1: 0 acked or unknown, 1 stored"]],
  ["one that nobody sent", [], [7], ["7: 0 acked or unknown, 1 stored"]],
  [
    "one of two that have the same time of creation",
    [told(1, "acked"), told(1, "acked")],
    [1],
    ["1: 2 acked, 1 stored"],
  ],
])("it finds %s", (_, all, stored, found) => {
  expect(contradictions(all, stored)).toEqual(found);
});

test("it finds nothing where each acked event is there once, and some of unknown outcome are", () => {
  const all = [told(1, "acked"), told(2, "unknown"), told(3, "unknown"), told(4, "refused"), told(5, "acked")];
  expect(contradictions(all, [5, 1, 3])).toEqual([]);
});

test("the longest time without an ack is between two of them, whoever got the first", () => {
  const all = [told(1, "acked", 5_000_000), told(2, "acked", 1_000_000), told(3, "refused", 3_000_000)];
  expect(figuresOf(all, 2)).toEqual({ sent: 3, acked: 2, refused: 1, unknown: 0, stored: 2, outageSeconds: 4 });
});
