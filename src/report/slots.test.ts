import { expect, test } from "bun:test";
import fc from "fast-check";
import { SECOND_US } from "../period.ts";
import { Slots } from "./slots.ts";

const sums = (slotsMax: number) =>
  new Slots<{ sum: number }>({
    slotsMax,
    empty: () => ({ sum: 0 }),
    merge: (into, from) => {
      into.sum += from.sum;
    },
  });

test("nothing is lost when slots widen, and there are never more of them than allowed", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(400 * 86_400), { maxLength: 300 }), (seconds) => {
      const slots = sums(10);
      for (const second of seconds) slots.at(second * SECOND_US).sum++;
      const entries = slots.entries();
      expect(entries.length).toBeLessThanOrEqual(10);
      expect(entries.reduce((sum, [, one]) => sum + one.sum, 0)).toBe(seconds.length);
      for (const [us, { sum }] of entries) {
        expect(us % slots.widthUs).toBe(0);
        const inside = seconds.filter((second) => second * SECOND_US >= us && second * SECOND_US < us + slots.widthUs);
        expect(sum).toBe(inside.length);
      }
    }),
  );
});

test("a short range keeps its seconds", () => {
  const slots = sums(10);
  for (let second = 0; second < 10; second++) slots.at(second * SECOND_US + 999_999).sum++;
  expect(slots.widthUs).toBe(SECOND_US);
  expect(slots.entries().map(([us]) => us / SECOND_US)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});
