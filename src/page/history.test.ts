import { expect, test } from "bun:test";
import type { PeriodName } from "../period.ts";
import { AskError, type Ask } from "./ask.ts";
import type { Counts } from "./counts.ts";
import { History } from "./history.ts";
import { periodMs, type Range } from "./span.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const NOW = Date.UTC(2026, 10, 26, 3, 0, 30);

interface Asked {
  period: PeriodName;
  range: Range;
  signal: AbortSignal | undefined;
  answer: (counts?: Partial<Counts>) => void;
  refuse: (status: number) => void;
}

/** A history at NOW whose questions a test answers by itself. */
function setUp(view: { lastMs: number } | Range) {
  const asked: Asked[] = [];
  let onAsk = () => {};
  const ask: Ask = (period, range, signal) =>
    new Promise((resolve, reject) => {
      const plain = { period, ...range, rows: [], completeMs: range.toMs, nowMs: clock.nowMs };
      asked.push({
        period,
        range,
        signal,
        answer: (counts) => resolve({ ...plain, ...counts }),
        refuse: (status) => reject(new AskError(status, `status ${status}`)),
      });
      onAsk();
    });
  const clock = { nowMs: NOW };
  let onChange = () => {};
  const keptMs = (period: PeriodName) => (period === "10ms" ? 7 * 24 * HOUR : Infinity);
  const past = new History({ ask, view, keptMs, nowMs: () => clock.nowMs, onChange: () => onChange() });
  return {
    past,
    clock,
    asked,
    /** The question number `at`, once it has been asked. */
    question: async (at: number): Promise<Asked> => {
      while (asked.length <= at) await new Promise<void>((resolve) => (onAsk = resolve));
      return asked[at]!;
    },
    until: async (condition: () => boolean): Promise<void> => {
      while (!condition()) await new Promise<void>((resolve) => (onChange = resolve));
    },
  };
}

const lengthOf = ({ range, period }: Asked) => (range.toMs - range.fromMs) / periodMs(period);

test("nothing is asked before it is shown, and then once", async () => {
  const { past, asked, question, until } = setUp({ lastMs: HOUR });
  past.tick();
  expect(asked).toEqual([]);
  past.show(past.view);
  past.show(past.view);
  const { period, range, answer } = await question(0);
  expect(period).toBe("1m");
  // The minute that runs is the last, with half an hour before it to move in; what is to come is not asked for.
  expect(range).toEqual({ fromMs: NOW - 30 * SECOND - 89 * MINUTE, toMs: NOW + 30 * SECOND });
  answer();
  await until(() => past.held !== null);
  expect(asked.length).toBe(1);
});

test("a question that is no longer wanted is called off, and its answer does not count", async () => {
  const { past, question, until } = setUp({ lastMs: HOUR });
  past.show(past.view);
  const first = await question(0);
  past.show({ fromMs: NOW - 20 * MINUTE, toMs: NOW - 10 * MINUTE });
  expect(first.signal?.aborted).toBe(true);
  first.answer();
  const second = await question(1);
  expect(second.period).toBe("1s");
  second.answer();
  await until(() => past.held !== null);
  expect(past.held?.period).toBe("1s");
});

test("that a question was called off is no error", async () => {
  const { past, question, until } = setUp({ lastMs: HOUR });
  past.show(past.view);
  const first = await question(0);
  past.show({ fromMs: NOW - 20 * MINUTE, toMs: NOW - 10 * MINUTE });
  first.refuse(0);
  (await question(1)).answer();
  await until(() => past.held !== null || past.error !== null);
  expect(past.error).toBeNull();
});

test("moving within what is held asks nothing", async () => {
  const { past, asked, question, until } = setUp({ fromMs: NOW - 2 * HOUR, toMs: NOW - HOUR });
  past.show(past.view);
  (await question(0)).answer();
  await until(() => past.held !== null);
  past.show({ fromMs: NOW - 2.25 * HOUR, toMs: NOW - 1.25 * HOUR });
  await until(() => !past.isAsking);
  expect(asked.length).toBe(1);
  past.show({ fromMs: NOW - 4 * HOUR, toMs: NOW - 3 * HOUR });
  await question(1);
});

test("who follows asks for the end alone, and gives up what has gone out of view", async () => {
  const { past, clock, question, until } = setUp({ lastMs: 10 * SECOND });
  past.show(past.view);
  (await question(0)).answer({ completeMs: NOW - MINUTE });
  await until(() => past.held !== null);
  clock.nowMs += 999;
  past.tick();
  expect(past.isAsking).toBe(false);
  clock.nowMs += 1_001;
  past.tick();
  const tail = await question(1);
  expect([tail.period, lengthOf(tail)]).toEqual(["10ms", 900]);
  tail.answer();
  await until(() => past.held?.nowMs === clock.nowMs);
  expect(past.held?.fromMs).toBe(clock.nowMs - 15 * SECOND);
  expect(past.held?.toMs).toBe(clock.nowMs);
});

test("what has expired is shown in the next coarser period, and not asked for again", async () => {
  const range = { fromMs: NOW - 20 * SECOND, toMs: NOW - 10 * SECOND };
  const { past, asked, question, until } = setUp(range);
  past.show(past.view);
  (await question(0)).refuse(410);
  // The margin may have been what had expired.
  const exact = await question(1);
  expect([exact.period, exact.range]).toEqual(["10ms", range]);
  exact.refuse(410);
  (await question(2)).answer();
  await until(() => past.held !== null);
  expect(past.period).toEqual({ wanted: "10ms", used: "1s" });
  past.show({ fromMs: range.fromMs - 6 * SECOND, toMs: range.fromMs - SECOND });
  await question(3);
  expect(asked.map(({ period }) => period)).toEqual(["10ms", "10ms", "1s", "1s"]);
});

test("what is past its lifetime is not asked for at all", async () => {
  const { past, question } = setUp({ fromMs: NOW - 8 * 24 * HOUR, toMs: NOW - 8 * 24 * HOUR + SECOND });
  past.show(past.view);
  expect((await question(0)).period).toBe("1s");
  expect(past.period).toEqual({ wanted: "10ms", used: "1s" });
});

test("where minutes have expired too, that is said", async () => {
  const { past, question, until } = setUp({ fromMs: NOW - 2 * HOUR, toMs: NOW - HOUR });
  past.show(past.view);
  (await question(0)).refuse(410);
  (await question(1)).refuse(410);
  await until(() => past.error !== null);
  expect(past.error?.status).toBe(410);
});

test("an error leaves what is held in sight", async () => {
  const { past, question, until } = setUp({ fromMs: NOW - 2 * HOUR, toMs: NOW - HOUR });
  past.show(past.view);
  (await question(0)).answer();
  await until(() => past.held !== null);
  const { held } = past;
  past.show({ fromMs: NOW - 9 * HOUR, toMs: NOW - 8 * HOUR });
  (await question(1)).refuse(503);
  await until(() => past.error !== null);
  expect(past.error?.status).toBe(503);
  expect(past.held).toBe(held);
});

test("what the server refuses is asked again by and by while it follows now, and never of a range that stays", async () => {
  const { past, clock, asked, question, until } = setUp({ lastMs: 10 * SECOND });
  past.show(past.view);
  (await question(0)).refuse(400);
  await until(() => past.error !== null);
  clock.nowMs += 29 * SECOND;
  past.tick();
  expect(asked.length).toBe(1);
  clock.nowMs += SECOND;
  past.tick();
  (await question(1)).answer();
  await until(() => past.held !== null);
  expect(past.error).toBeNull();
  past.show({ fromMs: NOW - HOUR, toMs: NOW - HOUR + SECOND });
  (await question(2)).refuse(400);
  await until(() => past.error !== null);
  clock.nowMs += HOUR;
  past.tick();
  expect(asked.length).toBe(3);
});
