// The raw events of a range, partition by partition, and an honest account of those that are no longer there.
// Knows the store's contract; reads only. What is in memory is one page.

import { COMPLETE_AFTER_MS } from "../config.ts";
import { expectedEvents, livingEvents } from "../counts/raw.ts";
import { bucketStartUs, MINUTE_US } from "../period.ts";
import type { Claim, EventRow, Partition, Store } from "../store/store.ts";

/** Events of one partition by seq, all within the range. */
export interface EventPage extends Partition {
  rows: readonly EventRow[];
}

export interface EventsQuestion {
  /** An event belongs to the range when it arrived in [fromUs, toUs). */
  fromUs: number;
  toUs: number;
  /** The reader's clock, to say until when the answer is complete. */
  nowUs: number;
  /** Aborted: nobody wants the answer any more; it ends early. */
  signal?: AbortSignal;
}

export interface EventsSummary {
  events: number;
  /** As of readCounts: what arrived before and was acknowledged is there, or is counted as missing. */
  completeUs: number;
  /** Partitions with events, in all minutes that the range touches. */
  partitions: number;
  /** Partitions that hold fewer raw events than they counted: how many, what they counted, what is gone. */
  missing: { partitions: number; eventsExpected: number; events: number };
}

export interface EventsReading {
  /** By minute, writer and seq: within a partition that is the order of arrival. */
  pages: AsyncIterable<EventPage>;
  /** Once `pages` has ended. */
  summary(): EventsSummary;
}

export function readEvents(store: Store, { fromUs, toUs, nowUs, signal }: EventsQuestion): EventsReading {
  const summary: EventsSummary = {
    events: 0,
    completeUs: Math.min(toUs, nowUs - COMPLETE_AFTER_MS * 1_000),
    partitions: 0,
    missing: { partitions: 0, eventsExpected: 0, events: 0 },
  };

  async function* pages(): AsyncGenerator<EventPage> {
    for await (const claims of store.claims(bucketStartUs(fromUs, MINUTE_US), toUs)) {
      for (const claim of claims) {
        if (signal?.aborted) return;
        if (claim.sealedEvents === null) summary.completeUs = Math.min(summary.completeUs, claim.minuteUs);
        if (claim.sealedEvents !== 0) yield* partition(claim);
      }
    }
  }

  async function* partition(claim: Claim): AsyncGenerator<EventPage> {
    // Asked before the events are read: an open partition only grows, so what it lacks then has really gone.
    const expected = await expectedEvents(store, claim);
    let found = 0;
    for await (const page of livingEvents(store, claim)) {
      found += page.length;
      const rows = page.filter(({ receivedUs }) => receivedUs >= fromUs && receivedUs < toUs);
      summary.events += rows.length;
      if (rows.length > 0) yield { minuteUs: claim.minuteUs, writer: claim.writer, rows };
    }
    if (expected > 0 || found > 0) summary.partitions++;
    if (found >= expected) return;
    summary.missing.partitions++;
    summary.missing.eventsExpected += expected;
    summary.missing.events += expected - found;
  }

  return { pages: pages(), summary: () => summary };
}
