import { describe, expect, test } from "bun:test";
import { Histogram } from "../histogram.ts";
import { counter, histogram, samplesIn } from "../http/exposition.ts";
import { Numbers, quantile } from "./numbers.ts";

const INFINITE = Number.POSITIVE_INFINITY;

describe("a quantile of a cumulative histogram", () => {
  const buckets = (...counts: number[]) => [1, 2, 4, INFINITE].map((le, at) => ({ le, count: counts[at] ?? 0 }));

  test.each([
    ["nothing was counted", 0.5, buckets(0, 0, 0, 0), null],
    ["half of the first bucket", 0.5, buckets(10, 10, 10, 10), 0.5],
    ["all of the first bucket", 1, buckets(10, 10, 10, 10), 1],
    ["a quarter into the second", 0.5, buckets(9, 13, 20, 20), 1.25],
    ["a bucket between that is empty", 0.75, buckets(10, 10, 20, 20), 3],
    ["beyond the last bound", 0.99, buckets(10, 10, 10, 20), 4],
    ["beyond the only bound that has something", 0.5, buckets(0, 0, 0, 7), 4],
  ])("%s", (_, q, counts, expected) => {
    expect(quantile(q, counts)).toBe(expected);
  });
});

/** What a process says that has stored `stored` events, and answered after `ackUs`. */
function said(stored: number, ackUs: readonly number[] = []) {
  const latency = new Histogram();
  for (const us of ackUs) latency.record(us);
  return samplesIn(
    counter("reto3_events_stored_total", "Stored", stored) +
      counter("reto3_requests_refused_total", "Refused", [
        ['{reason="invalid"}', 3],
        ['{reason="timeout"}', 0],
      ]) +
      counter("reto3_store_errors_total", "Errors", [
        ['{kind="unknown"}', 2],
        ['{kind="refused"}', 5],
      ]) +
      histogram("reto3_ack_latency_seconds", "Latency", latency, [10_000, 20_000, 40_000], 1e6),
  );
}

test("before anything was said there are zeros, and nothing that was answered", () => {
  const numbers = new Numbers();
  expect([numbers.storedPerSec, numbers.ackMs]).toEqual([0, null]);
  expect(numbers.said).toMatchObject({ workers: 1, queueEvents: 0, refused: {}, clockOffsetMs: null });
});

test("what one sample says is what it is, and no rate", () => {
  const numbers = new Numbers();
  numbers.add(said(1_000, [5_000]), 0);
  expect([numbers.storedPerSec, numbers.ackMs]).toEqual([0, null]);
  expect(numbers.said).toMatchObject({ refused: { invalid: 3, timeout: 0 }, storeErrors: 7 });
});

test("a rate is that of the last ten seconds, and before that of what there is", () => {
  const numbers = new Numbers();
  const rates: number[] = [];
  // 100 events a second, and from the tenth second on 300.
  for (let second = 0; second <= 21; second++) {
    numbers.add(said(second <= 10 ? second * 100 : 1_000 + (second - 10) * 300), second * 1_000);
    rates.push(numbers.storedPerSec);
  }
  expect([rates[1], rates[10], rates[11], rates[15], rates[20], rates[21]]).toEqual([100, 100, 120, 200, 300, 300]);
});

test("latencies are those of the last ten seconds", () => {
  const numbers = new Numbers();
  numbers.add(said(0, [30_000, 30_000]), 0);
  numbers.add(said(0, [30_000, 30_000, 5_000, 5_000]), 1_000);
  expect(numbers.ackMs).toEqual({ p50: 5, p99: 9.9 });
  numbers.add(said(0, [30_000, 30_000, 5_000, 5_000]), 11_000);
  expect(numbers.ackMs).toBeNull();
});

test("what was said before nobody looked on for a while is not of the last ten seconds", () => {
  const numbers = new Numbers();
  numbers.add(said(0), 0);
  numbers.add(said(100), 1_000);
  numbers.add(said(360_100, [30_000]), 3_601_000);
  expect([numbers.storedPerSec, numbers.ackMs]).toEqual([0, null]);
  numbers.add(said(360_600, [30_000, 5_000]), 3_602_000);
  expect([numbers.storedPerSec, numbers.ackMs?.p50]).toEqual([500, 5]);
});

test("a counter that fell, as a killed worker's, makes no rate below zero and none that is too high", () => {
  const numbers = new Numbers();
  numbers.add(said(10_000, [5_000, 5_000, 5_000]), 0);
  numbers.add(said(10_100, [5_000, 5_000, 5_000]), 1_000);
  numbers.add(said(9_000, [5_000]), 2_000);
  expect([numbers.storedPerSec, numbers.ackMs]).toEqual([0, null]);
  numbers.add(said(9_050, [5_000, 30_000]), 3_000);
  expect([numbers.storedPerSec, numbers.ackMs?.p50]).toEqual([50, 30]);
});
