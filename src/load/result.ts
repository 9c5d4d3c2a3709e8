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

/** Events that leave later than this, at p99, say little about the server. */
const SEND_ERROR_MAX_MS = 10;

/** A loop that wakes up later than this, at p99, has not enough of a core. */
const OVERSLEPT_MAX_US = 5_000;

export class LoadResult {
  readonly outcomes: Record<LoadOutcome, number> = { acked: 0, refused: 0, unknown: 0, unsent: 0 };
  /** How often each status or reason was seen. */
  readonly reasons = new Map<string, number>();
  /** Microseconds from when a request was due to its answer; counts what a slow server makes others wait. */
  readonly sinceDueUs = new Histogram();
  /** Microseconds from when a request was sent to its answer. */
  readonly sinceSentUs = new Histogram();
  /** Microseconds from when a request was due to when it was sent. */
  readonly sendErrorUs = new Histogram();
  /** Microseconds that the loop woke up later than it wanted to. */
  readonly oversleptUs = new Histogram();
  /** From when the schedule started until all had an outcome. */
  seconds = 0;
  #maxDueUs = 0;
  #maxSentUs = 0;
  #maxSendErrorUs = 0;

  add(record: LoadRecord, reason: string): void {
    this.outcomes[record.outcome]++;
    this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1);
    if (record.sentUs === null) return;
    const sendErrorUs = record.sentUs - record.dueUs;
    this.sendErrorUs.record(sendErrorUs);
    this.#maxSendErrorUs = Math.max(this.#maxSendErrorUs, sendErrorUs);
    if (record.status === null) return;
    const sinceDueUs = record.doneUs - record.dueUs;
    const sinceSentUs = record.doneUs - record.sentUs;
    this.sinceDueUs.record(sinceDueUs);
    this.sinceSentUs.record(sinceSentUs);
    this.#maxDueUs = Math.max(this.#maxDueUs, sinceDueUs);
    this.#maxSentUs = Math.max(this.#maxSentUs, sinceSentUs);
  }

  /** Whether events were late because this machine was, and not only because the server held all connections. */
  get machineTooSlow(): boolean {
    return this.sendError().p99 > SEND_ERROR_MAX_MS && this.oversleptUs.quantile(0.99) > OVERSLEPT_MAX_US;
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

  /** Milliseconds that requests were sent after they were due, be it for want of a connection or of this machine's time. */
  sendError(): LatencySummary {
    return summarise(this.sendErrorUs, this.#maxSendErrorUs);
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
