import { expect, spyOn, test } from "bun:test";
import { runRounds } from "./rounds.ts";

test("a round that fails is counted and told of ever less often; the next ones come, and the end is waited for", async () => {
  const stats = { failures: 0 };
  const warnings: string[] = [];
  const stop = new AbortController();
  let rounds = 0;
  const round = () => {
    rounds++;
    if (rounds <= 9) throw new Error("away");
    if (rounds === 12) stop.abort();
  };
  await runRounds({ intervalMs: 1, signal: stop.signal, round, warn: (line) => warnings.push(line) }, stats);
  expect(rounds).toBe(12);
  expect(stats.failures).toBe(9);
  expect(warnings.map((line) => /^(\D+)(\d+)/.exec(line)?.[0])).toEqual([
    "failed 1",
    "failed 2",
    "failed 4",
    "failed 8",
    "goes on after 9",
  ]);
});

test("one round at a time, each at a full interval of the clock", async () => {
  const stop = new AbortController();
  const times: number[] = [];
  let running = 0;
  const round = async (nowMs: number) => {
    expect(++running).toBe(1);
    times.push(nowMs);
    await Bun.sleep(times.length === 2 ? 45 : 1);
    running--;
    if (times.length === 4) stop.abort();
  };
  await runRounds({ intervalMs: 20, signal: stop.signal, round, warn: () => {} }, { failures: 0 });
  const beats = times.map((time) => Math.floor(time / 20));
  expect(new Set(beats).size).toBe(4);
});

test("nothing is done once it is over", async () => {
  const stop = AbortSignal.abort();
  const round = () => expect.unreachable();
  await runRounds({ intervalMs: 1, signal: stop, round, warn: () => {} }, { failures: 0 });
});

test("a clock that is set back between two rounds holds up nothing", async () => {
  const stop = new AbortController();
  let rounds = 0;
  let backMs = 0;
  const { now } = Date;
  using _ = spyOn(Date, "now").mockImplementation(() => now() - backMs);
  const round = () => {
    rounds++;
    if (rounds === 2) setTimeout(() => (backMs = 3_600_000), 2);
    if (rounds === 5) stop.abort();
  };
  await runRounds({ intervalMs: 20, signal: stop.signal, round, warn: () => {} }, { failures: 0 });
  expect(rounds).toBe(5);
});

test("an interval of months is waited for, at rest", async () => {
  using looks = spyOn(Date, "now");
  const stop = new AbortController();
  let rounds = 0;
  const running = runRounds(
    { intervalMs: 2 ** 33, signal: stop.signal, round: () => void rounds++, warn: () => {} },
    { failures: 0 },
  );
  await Bun.sleep(20);
  stop.abort();
  await running;
  expect(rounds).toBe(0);
  expect(looks.mock.calls.length).toBeLessThan(10);
});
