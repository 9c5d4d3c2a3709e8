import { expect, test } from "bun:test";
import type { SecondRow, Tick } from "../live-messages.ts";
import { BUCKETS_SPAN_MS, Recent, SECONDS_SPAN_MS } from "./recent.ts";

const NOW = Date.UTC(2026, 10, 26, 3, 0, 5);

/** A tick at `NOW + seconds` whose newest bucket ended 100 ms before. */
function tick(seconds: number, rows: SecondRow[], events: number[] = [1]): Tick {
  const nowMs = NOW + seconds * 1_000;
  return {
    nowMs,
    seconds: rows,
    buckets: { startMs: nowMs - 100 - events.length * 10, events },
    status: {} as Tick["status"],
  };
}

test("the seconds that are over are shown, with zeros where nothing was told", () => {
  const recent = new Recent();
  recent.add(
    tick(0, [
      [NOW - 3_000, 50, 2],
      [NOW - 1_000, 7, 1],
    ]),
    true,
  );
  const { fromMs, toMs, startMs, events, peaks10ms } = recent.seconds();
  expect([fromMs, toMs]).toEqual([NOW - 1_000 - SECONDS_SPAN_MS, NOW - 1_000]);
  expect(startMs.length).toBe(300);
  expect(events.slice(-4)).toEqual([0, 0, 50, 0]);
  expect(peaks10ms.slice(-2)).toEqual([2, 0]);
  expect(recent.lastSecond).toEqual([NOW - 2_000, 0, 0]);
});

test("a second that is told again takes the place of what was told before", () => {
  const recent = new Recent();
  recent.add(tick(0, [[NOW - 2_000, 50, 2]]), true);
  recent.add(
    tick(1, [
      [NOW - 2_000, 51, 3],
      [NOW - 1_000, 9, 1],
    ]),
  );
  expect(recent.seconds().events.slice(-2)).toEqual([51, 9]);
  expect(recent.lastSecond).toEqual([NOW - 1_000, 9, 1]);
});

test("of the time before the first snapshot's five minutes nothing is said", () => {
  const recent = new Recent();
  recent.add(tick(0, []));
  expect(recent.seconds().events[0]).toBeNull();
});

test("buckets of several ticks make one row, and one that is missing is a gap", () => {
  const recent = new Recent();
  recent.add(tick(0, [], [1, 2, 3]), true);
  recent.add(tick(0.03, [], [4, 5]));
  const { toMs, startMs, events } = recent.buckets();
  expect(toMs).toBe(NOW - 70);
  expect(startMs.length).toBe(BUCKETS_SPAN_MS / 10);
  expect(events.slice(-7)).toEqual([null, 1, 2, 3, null, 4, 5]);
});

test("what is too old is forgotten", () => {
  const recent = new Recent();
  recent.add(tick(0, [[NOW - 1_000, 5, 1]]), true);
  recent.add(tick(400, []));
  expect(recent.isEmpty).toBe(true);
});
