// Sends one attempt again and again until its outcome is known or it is too old: full jitter, a bounded wait, no bound on tries.
// Knows nothing of what it sends; the attempt must be safe to repeat.

import { Reto3Error, retryAdvice } from "../errors.ts";

const BACKOFF_FIRST_MS = 20;
const BACKOFF_MAX_MS = 1_000;

/**
 * - `done`: an attempt succeeded.
 * - `refused`: an attempt failed for good. `mayHaveApplied`: whether an earlier one may have had its effect.
 * - `expired`: too old, or told to stop; the outcome stays unknown if `mayHaveApplied`, else nothing was done.
 */
export type RetryResult =
  | { outcome: "done"; tries: number }
  | { outcome: "refused" | "expired"; tries: number; mayHaveApplied: boolean; error: unknown };

export interface RetryOptions {
  /** No attempt starts from then on, not even the first; as performance.now() tells the time. */
  deadlineMs: number;
  /** Aborted: no new attempt starts. */
  signal: AbortSignal;
  /** Told of each failure that will be tried again. */
  onFailure?: (error: unknown, tries: number) => void;
}

export async function retryUntilKnown(attempt: () => Promise<void>, options: RetryOptions): Promise<RetryResult> {
  let mayHaveApplied = false;
  let error: unknown = new Reto3Error("STORE_UNAVAILABLE", "too old when its turn came");
  for (let tries = 1; ; tries++) {
    if (options.signal.aborted || performance.now() >= options.deadlineMs) {
      return { outcome: "expired", tries: tries - 1, mayHaveApplied, error };
    }
    try {
      await attempt();
      return { outcome: "done", tries };
    } catch (failure) {
      error = failure;
      const advice = retryAdvice(failure);
      mayHaveApplied ||= advice.mayHaveApplied;
      if (!advice.retry) return { outcome: "refused", tries, mayHaveApplied, error };
      options.onFailure?.(failure, tries);
    }
    await pause(backoffMs(tries), options.signal);
  }
}

function backoffMs(tries: number): number {
  return Math.random() * Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(tries, 10));
}

/** Waits `ms`, or less if `signal` aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
