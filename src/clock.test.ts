import { afterEach, expect, spyOn, test } from "bun:test";
import { systemClock } from "./clock.ts";

let wallMs = 0;
let monotonicMs = 0;
const date = spyOn(Date, "now").mockImplementation(() => Math.floor(wallMs));
const performanceNow = spyOn(performance, "now").mockImplementation(() => monotonicMs);

afterEach(() => {
  wallMs = 0;
  monotonicMs = 0;
});

/** A clock that has just been started at `ms`. */
function clockAt(ms: number) {
  wallMs = ms;
  const clock = systemClock();
  clock.nowUs();
  return clock;
}

function pass(ms: number, stepMs = 0): void {
  wallMs += ms + stepMs;
  monotonicMs += ms;
}

const START_MS = Date.UTC(2026, 10, 23);

test("it has microseconds", () => {
  const clock = clockAt(START_MS);
  const before = clock.nowUs();
  pass(1.234);
  expect(clock.nowUs() - before).toBe(1_234);
});

test("it follows a step forward at once, in the same epoch", () => {
  const clock = clockAt(START_MS);
  pass(1, 60_000);
  expect([clock.nowUs(), clock.epoch]).toEqual([(START_MS + 60_001) * 1_000, 0]);
});

test("it stands still through a small step back until the wall clock has caught up", () => {
  const clock = clockAt(START_MS);
  pass(10, -500);
  expect([clock.nowUs(), clock.epoch]).toEqual([START_MS * 1_000, 0]);
  pass(400);
  expect(clock.nowUs()).toBe(START_MS * 1_000);
  pass(200);
  expect(clock.nowUs()).toBe((START_MS + 110) * 1_000);
});

test("it goes back with a large step and says so by a new epoch", () => {
  const clock = clockAt(START_MS);
  pass(10, -5_000);
  expect([clock.nowUs(), clock.epoch]).toEqual([(START_MS - 4_990) * 1_000, 1]);
  pass(10);
  expect([clock.nowUs(), clock.epoch]).toEqual([(START_MS - 4_980) * 1_000, 1]);
});

test("it never runs backwards within an epoch, whatever the wall clock does", () => {
  const clock = clockAt(START_MS);
  let last = clock.nowUs();
  let { epoch } = clock;
  for (let step = 0; step < 5_000; step++) {
    pass((step * 7) % 13, step % 3 === 0 ? ((step * 37) % 3_000) - 1_500 : 0);
    const now = clock.nowUs();
    if (clock.epoch === epoch) expect(now).toBeGreaterThanOrEqual(last);
    last = now;
    ({ epoch } = clock);
  }
  expect(epoch).toBeGreaterThan(0);
  date.mockRestore();
  performanceNow.mockRestore();
});
