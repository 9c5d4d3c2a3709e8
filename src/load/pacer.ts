// The schedule of an open loop: when each request is due, whatever the server does. Pure.
//
//     due(i) = i / rate        request 0 at once, the last just before the end

export interface Schedule {
  /** How many requests there are. */
  total: number;
  /** Milliseconds after the start at which request `index` is due. */
  dueMs(index: number): number;
}

export function steadySchedule(ratePerSec: number, durationMs: number): Schedule {
  return {
    total: Math.round((ratePerSec * durationMs) / 1_000),
    dueMs: (index) => (index * 1_000) / ratePerSec,
  };
}
