// What GET /live has told of the last minutes: the seconds of five minutes, and the newest buckets of 10 ms. Pure.

import type { SecondRow, Tick } from "../live-messages.ts";
import type { Range } from "./span.ts";

export const SECONDS_SPAN_MS = 300_000;
export const BUCKETS_SPAN_MS = 2_000;
const BUCKET_MS = 10;

export interface SecondColumns extends Range {
  startMs: number[];
  events: (number | null)[];
  peaks10ms: (number | null)[];
}

export interface BucketColumns extends Range {
  startMs: number[];
  events: (number | null)[];
}

export class Recent {
  readonly #seconds = new Map<number, SecondRow>();
  readonly #buckets = new Map<number, number>();
  /** The end of the newest bucket: nothing is known of what came later. */
  #edgeMs = 0;
  #sinceMs = Infinity;

  /** `isFirst`: of a snapshot, which holds all that is to be known. */
  add({ nowMs, seconds, buckets }: Tick, isFirst = false): void {
    if (isFirst) this.#sinceMs = Math.min(this.#sinceMs, nowMs - SECONDS_SPAN_MS);
    for (const row of seconds) this.#seconds.set(row[0], row);
    for (const [at, events] of buckets.events.entries()) this.#buckets.set(buckets.startMs + at * BUCKET_MS, events);
    this.#edgeMs = buckets.events.length > 0 ? buckets.startMs + buckets.events.length * BUCKET_MS : nowMs - 1_000;
    forget(this.#seconds, this.#edgeMs - SECONDS_SPAN_MS - 1_000);
    forget(this.#buckets, this.#edgeMs - BUCKETS_SPAN_MS);
  }

  /** The newest second that is over. */
  get lastSecond(): SecondRow {
    const startMs = Math.floor(this.#edgeMs / 1_000) * 1_000 - 1_000;
    return this.#seconds.get(startMs) ?? [startMs, 0, 0];
  }

  get isEmpty(): boolean {
    return this.#seconds.size === 0;
  }

  /** Seconds that are over; one that nothing was told of had no events. */
  seconds(): SecondColumns {
    const toMs = Math.floor(this.#edgeMs / 1_000) * 1_000;
    const columns: SecondColumns = { fromMs: toMs - SECONDS_SPAN_MS, toMs, startMs: [], events: [], peaks10ms: [] };
    for (let startMs = columns.fromMs; startMs < toMs; startMs += 1_000) {
      const row = this.#seconds.get(startMs);
      const none = startMs >= this.#sinceMs - 1_000 ? 0 : null;
      columns.startMs.push(startMs);
      columns.events.push(row?.[1] ?? none);
      columns.peaks10ms.push(row?.[2] ?? none);
    }
    return columns;
  }

  buckets(): BucketColumns {
    const toMs = this.#edgeMs;
    const columns: BucketColumns = { fromMs: toMs - BUCKETS_SPAN_MS, toMs, startMs: [], events: [] };
    for (let startMs = columns.fromMs; startMs < toMs; startMs += BUCKET_MS) {
      columns.startMs.push(startMs);
      columns.events.push(this.#buckets.get(startMs) ?? null);
    }
    return columns;
  }
}

function forget(map: Map<number, unknown>, beforeMs: number): void {
  for (const startMs of map.keys()) if (startMs < beforeMs) map.delete(startMs);
}
