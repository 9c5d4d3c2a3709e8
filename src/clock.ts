// The time of arrival: microseconds since 1970 UTC that never run backwards within an epoch.
// Kernel: pure but for reading the system's clocks, which are looked up at each call so that tests can set them.

/** A step back of at most this much is waited out: the clock stands still until the system's has caught up. */
export const STEP_BACK_MAX_US = 1_000_000;

/** The monotonic clock gives the digits below a millisecond; further apart than this, the wall clock was set. */
const DRIFT_MAX_MS = 2;

export interface Clock {
  /** Microseconds since 1970 UTC, a whole number; never less than the last answer of the same epoch. */
  nowUs(): number;
  /** How often the system's clock has been set back by more than `STEP_BACK_MAX_US`. Times of two epochs do not compare. */
  readonly epoch: number;
}

/** A clock over `Date.now` and `performance.now`: follows steps forward at once, waits out small steps back. */
export function systemClock(): Clock {
  let baseMs = performance.timeOrigin;
  let lastUs = Number.NEGATIVE_INFINITY;
  let epoch = 0;
  return {
    nowUs() {
      const wallMs = Date.now();
      let nowMs = baseMs + performance.now();
      if (Math.abs(nowMs - wallMs) > DRIFT_MAX_MS) {
        baseMs += wallMs - nowMs;
        nowMs = wallMs;
      }
      const us = Math.round(nowMs * 1_000);
      if (us < lastUs - STEP_BACK_MAX_US) {
        epoch++;
        lastUs = us;
      } else if (us > lastUs) {
        lastUs = us;
      }
      return lastUs;
    },
    get epoch() {
      return epoch;
    },
  };
}
