// Counts by minute, for a reader that goes on where rows have expired: those minutes are told as such.
// Reads the store's contract only.

import { readCounts, type Bucket, type CountQuestion } from "../counts/read.ts";
import { Reto3Error } from "../errors.ts";
import { bucketStartUs, MINUTE_US } from "../period.ts";
import type { Store } from "../store/store.ts";

/** `buckets`: those that have events; null where rows of this minute have expired, or are missing. */
export interface Minute {
  minuteUs: number;
  buckets: Bucket[] | null;
}

export interface MinutesReading {
  /** Ascending; minutes without events are left out. */
  minutes: AsyncIterable<Minute>;
  /** Once `minutes` has ended: nothing that lies before can change any more (see Watermark). Where rows have expired, not known: the start. */
  finalUs(): number;
}

/** As `readCounts`, with the stored totals. Ends early when its signal is aborted. */
export function readMinutes(store: Store, question: Omit<CountQuestion, "source">): MinutesReading {
  const { fromUs, toUs } = question;
  let finalUs = fromUs;

  async function* read(startUs: number, endUs: number): AsyncGenerator<Minute> {
    const reading = readCounts(store, { ...question, fromUs: startUs, toUs: endUs, source: "counts" });
    for await (const portion of reading.buckets) yield* byMinute(portion);
    finalUs = reading.summary().finalUs;
  }

  async function* minutes(): AsyncGenerator<Minute> {
    let nextUs = fromUs;
    try {
      for await (const minute of read(fromUs, toUs)) {
        nextUs = minute.minuteUs + MINUTE_US;
        yield minute;
      }
      return;
    } catch (error) {
      if (!isExpired(error)) throw error;
    }
    // Which minute it is that has expired, only asking for each one tells.
    for (; nextUs < toUs; nextUs = bucketStartUs(nextUs, MINUTE_US) + MINUTE_US) {
      if (question.signal?.aborted) break;
      const minuteUs = bucketStartUs(nextUs, MINUTE_US);
      try {
        yield* read(nextUs, Math.min(toUs, minuteUs + MINUTE_US));
      } catch (error) {
        if (!isExpired(error)) throw error;
        yield { minuteUs, buckets: null };
      }
    }
    finalUs = fromUs;
  }

  return { minutes: minutes(), finalUs: () => finalUs };
}

function isExpired(error: unknown): boolean {
  return error instanceof Reto3Error && error.code === "EXPIRED";
}

function* byMinute(buckets: readonly Bucket[]): Generator<{ minuteUs: number; buckets: Bucket[] }> {
  for (const [minuteUs, some] of Map.groupBy(buckets, ({ bucketUs }) => bucketStartUs(bucketUs, MINUTE_US)))
    yield { minuteUs, buckets: some };
}
