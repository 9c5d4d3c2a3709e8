// The beat of a monitor: one round at each full interval of the wall clock, one at a time. A round that fails is counted and told of,
// and the next one comes as planned.

import { messageOf } from "../errors.ts";

export interface RoundOptions {
  intervalMs: number;
  /** Ends the rounds. */
  signal: AbortSignal;
  /** What one round does. */
  round: (nowMs: number) => Promise<void> | void;
  /** Told of the 1st, 2nd, 4th, 8th ... failure in a row, and of the first success after them. */
  warn: (line: string) => void;
}

/** A timer of more is one of none. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** What the monitor says of itself, in each of its lines. */
export interface MonitorStats {
  failures: number;
}

/** Resolves when `signal` is aborted and no round runs any more. */
export async function runRounds({ intervalMs, signal, round, warn }: RoundOptions, stats: MonitorStats): Promise<void> {
  let inARow = 0;
  while (await sleepUntilNext(intervalMs, signal)) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- one at a time
      await round(Date.now());
      if (inARow > 0) warn(`goes on after ${inARow} failures`);
      inARow = 0;
    } catch (error) {
      stats.failures++;
      inARow++;
      if (Number.isInteger(Math.log2(inARow)))
        warn(`failed ${inARow} times in a row, trying again: ${messageOf(error)}`);
    }
  }
}

/** False when it was aborted. */
async function sleepUntilNext(intervalMs: number, signal: AbortSignal): Promise<boolean> {
  const untilMs = (Math.floor(Date.now() / intervalMs) + 1) * intervalMs;
  let leftMs = untilMs - Date.now();
  // A timer may fire a little early, and would then do so again. More than an interval is left where the clock was set back.
  while (leftMs > 0 && leftMs <= intervalMs && !signal.aborted) {
    // oxlint-disable-next-line no-await-in-loop -- until it is time
    await sleep(Math.min(leftMs, TIMER_MAX_MS), signal);
    leftMs = untilMs - Date.now();
  }
  return !signal.aborted;
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const end = () => resolve();
  signal.addEventListener("abort", end);
  return promise.finally(() => {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
  });
}
