// The counts as they come: each bucket once it has closed, and again if it grew later.
// Reads the store's contract; sleeps between rounds.

import type { Clock } from "../clock.ts";
import { COMPLETE_AFTER_MS } from "../config.ts";
import { bucketStartUs } from "../period.ts";
import type { Store } from "../store/store.ts";
import type { Range } from "./range.ts";
import { readCounts, withZeros, type Bucket } from "./read.ts";

/** A bucket is shown this long after its end: a flush takes some milliseconds. */
export const SETTLE_US = 500_000;

/** What arrived late in a bucket that was shown already can come in until then. */
export const REVISIT_US = COMPLETE_AFTER_MS * 1_000 + SETTLE_US;

const ROUND_MS = 250;

export interface FollowOptions {
  /** Show empty buckets too. */
  zeros: boolean;
  clock: Clock;
  /** Ends the stream. */
  signal: AbortSignal;
}

/** Buckets from `range.fromUs` on, as they close; one that grew after it was shown comes again with its new count. */
export async function* followCounts(
  store: Store,
  { period, fromUs }: Pick<Range, "period" | "fromUs">,
  { zeros, clock, signal }: FollowOptions,
): AsyncGenerator<Bucket[]> {
  /** The counts that were shown of the buckets that are looked at again. */
  const shown = new Map<number, number>();
  let startUs = fromUs;
  while (!signal.aborted) {
    const nowUs = clock.nowUs();
    // Only buckets that have ended: their end is the start of the next.
    const toUs = bucketStartUs(nowUs - SETTLE_US, period.us);
    if (toUs > startUs) {
      const question = { period, fromUs: startUs, toUs, nowUs, source: "counts" as const };
      const { buckets } = readCounts(store, question);
      for await (const portion of zeros ? withZeros(buckets, question) : buckets) {
        const news = portion.filter(({ bucketUs, events }) => shown.get(bucketUs) !== events);
        for (const { bucketUs, events } of news) shown.set(bucketUs, events);
        if (news.length > 0) yield news;
      }
      startUs = Math.max(startUs, bucketStartUs(toUs - REVISIT_US, period.us));
      for (const bucketUs of shown.keys()) if (bucketUs < startUs) shown.delete(bucketUs);
    }
    await Bun.sleep(ROUND_MS);
  }
}
