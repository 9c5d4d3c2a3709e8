// What a load run has seen: outcomes, latencies, and one flat record a request for whoever wants to look closer.
// Pure.

import { Histogram } from "../histogram.ts";

/**
 * - `acked`: 200, so it is durable.
 * - `refused`: 4xx or 503, so it was not taken.
 * - `unknown`: any other status, or no answer: it may be stored, or may be later.
 * - `unsent`: it never left: no connection could be had.
 */
export type LoadOutcome = "acked" | "refused" | "unknown" | "unsent";

/** Times in microseconds since 1970 UTC; null where there is none. */
export interface LoadRecord {
  dueUs: number;
  sentUs: number | null;
  doneUs: number;
  outcome: LoadOutcome;
  status: number | null;
}

export interface LatencySummary {
  p50: number;
  p99: number;
  p999: number;
  max: number;
}

export class LoadResult {
  readonly outcomes: Record<LoadOutcome, number> = { acked: 0, refused: 0, unknown: 0, unsent: 0 };
  /** How often each status or reason was seen. */
  readonly reasons = new Map<string, number>();
  /** Microseconds from when a request was due to its answer; counts what a slow server makes others wait. */
  readonly sinceDueUs = new Histogram();
  /** Microseconds from when a request was sent to its answer. */
  readonly sinceSentUs = new Histogram();
  #maxDueUs = 0;
  #maxSentUs = 0;

  add(record: LoadRecord, reason: string): void {
    this.outcomes[record.outcome]++;
    this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1);
    if (record.sentUs === null || record.status === null) return;
    const sinceDueUs = record.doneUs - record.dueUs;
    const sinceSentUs = record.doneUs - record.sentUs;
    this.sinceDueUs.record(sinceDueUs);
    this.sinceSentUs.record(sinceSentUs);
    this.#maxDueUs = Math.max(this.#maxDueUs, sinceDueUs);
    this.#maxSentUs = Math.max(this.#maxSentUs, sinceSentUs);
  }

  /** Requests whose outcome is known to this process. */
  get finished(): number {
    const { acked, refused, unknown, unsent } = this.outcomes;
    return acked + refused + unknown + unsent;
  }

  /** Requests of which at least a part went out. */
  get sent(): number {
    return this.finished - this.outcomes.unsent;
  }

  /** Milliseconds, of answered requests. */
  latencies(): { fromSchedule: LatencySummary; fromSend: LatencySummary } {
    return {
      fromSchedule: summarise(this.sinceDueUs, this.#maxDueUs),
      fromSend: summarise(this.sinceSentUs, this.#maxSentUs),
    };
  }
}

export function outcomeOf(status: number): LoadOutcome {
  if (status >= 200 && status < 300) return "acked";
  return (status >= 400 && status < 500) || status === 503 ? "refused" : "unknown";
}

function summarise(histogram: Histogram, maxUs: number): LatencySummary {
  const ms = (us: number) => Math.round(us / 10) / 100;
  // A bin's middle may lie beyond the largest value that is in it.
  const at = (q: number) => ms(Math.min(maxUs, histogram.quantile(q)));
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: ms(maxUs) };
}
