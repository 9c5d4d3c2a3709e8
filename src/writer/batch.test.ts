import { expect, test } from "bun:test";
import fc from "fast-check";
import { MINUTE_US } from "../period.ts";
import { EventQueue } from "./batch.ts";

const START = 30_000_000 * MINUTE_US;

/** Arrival times of the events of each batch that can be taken, one after another, relative to START. */
function takeAll(queue: EventQueue, nowUs: number, epoch = 0, draining = false): number[][] {
  const batches: number[][] = [];
  for (let batch = queue.take(nowUs, epoch, draining); batch; batch = queue.take(nowUs, epoch, draining)) {
    batches.push(batch.chunks.flatMap((chunk) => chunk.receivedUs.map((received) => received - START)));
  }
  return batches;
}

function queueOf(offsetsUs: number[], flushEventsMax = 100): EventQueue {
  const queue = new EventQueue(flushEventsMax);
  for (const offset of offsetsUs) queue.add(0n, START + offset, 0);
  return queue;
}

test("a bucket is taken when it has closed, not before", () => {
  const queue = queueOf([0, 9_999]);
  expect(takeAll(queue, START + 9_999)).toEqual([]);
  expect(takeAll(queue, START + 10_000)).toEqual([[0, 9_999]]);
  expect(queue.events).toBe(0);
});

test("closed buckets go together, the open one stays", () => {
  const queue = queueOf([0, 10_000, 20_000, 35_000]);
  expect(takeAll(queue, START + 39_000)).toEqual([[0, 10_000, 20_000]]);
  expect(queue.events).toBe(1);
});

test("a batch has events of one minute only, the older first", () => {
  const queue = queueOf([MINUTE_US - 1, MINUTE_US, MINUTE_US + 10_000]);
  expect(takeAll(queue, START + 2 * MINUTE_US)).toEqual([[MINUTE_US - 1], [MINUTE_US, MINUTE_US + 10_000]]);
});

test("a batch has no more events than a flush takes, even of one bucket", () => {
  const queue = queueOf(Array<number>(25).fill(5), 10);
  expect(takeAll(queue, START + 10_000).map((batch) => batch.length)).toEqual([10, 10, 5]);
});

test("when draining, the open bucket goes too", () => {
  expect(takeAll(queueOf([0]), START, 0, true)).toEqual([[0]]);
});

test("events of an earlier clock epoch are closed, and never share a batch with the next epoch", () => {
  const queue = new EventQueue(100);
  queue.add(0n, START + 5_000, 0);
  queue.add(0n, START + 5_000, 1);
  expect(takeAll(queue, START + 6_000, 1)).toEqual([[5_000]]);
  queue.add(0n, START + 7_000, 2);
  expect(takeAll(queue, START + 10_000, 2)).toEqual([[5_000], [7_000]]);
});

test("nothing is lost or reordered, whatever arrives when", () => {
  const steps = fc.array(fc.integer({ min: 0, max: 30_000 }), { maxLength: 200 });
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 20 }), (gaps, flushEventsMax) => {
      const queue = new EventQueue(flushEventsMax);
      const added: number[] = [];
      const taken: number[] = [];
      let nowUs = START;
      for (const gap of gaps) {
        nowUs += gap;
        queue.add(0n, nowUs, 0);
        added.push(nowUs - START);
        if (gap % 3 === 0) taken.push(...takeAll(queue, nowUs).flat());
      }
      taken.push(...takeAll(queue, nowUs, 0, true).flat());
      expect(taken).toEqual(added);
    }),
  );
});
