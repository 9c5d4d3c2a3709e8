// The queue of events that wait for a flush, and the policy of what goes into the next one.
// Pure: no timers, no store. Order of arrival is order of storage.
//
//     add ->  [chunk][chunk] ... [chunk]  -> take: closed chunks of one minute and one clock epoch, the oldest first
//              10 ms   10 ms      open

import { bucketStartUs, MINUTE_US, PERIODS } from "../period.ts";

/** `stored`: durable. `refused`: not stored, surely. `unknown`: may be stored, or may be later. */
export type Outcome = "stored" | "refused" | "unknown";

const BUCKET_US = PERIODS["10ms"].us;

/** Events of one 10 ms bucket, which share one answer; a bucket of more than `flushEventsMax` has several chunks. */
export class Chunk {
  readonly bucketUs: number;
  readonly epoch: number;
  /** When its first event was taken, as performance.now() tells the time. */
  readonly takenMs = performance.now();
  readonly createdUs: bigint[] = [];
  readonly receivedUs: number[] = [];
  /** The answer for each event in here; never rejects. */
  readonly answer: Promise<Outcome>;
  readonly #resolve: (outcome: Outcome) => void;
  answered = false;

  constructor(bucketUs: number, epoch: number) {
    this.bucketUs = bucketUs;
    this.epoch = epoch;
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    this.answer = promise;
    this.#resolve = resolve;
  }

  /** Answers all events in here; the first answer stands. */
  settle(outcome: Outcome): void {
    this.answered = true;
    this.#resolve(outcome);
  }
}

/** Chunks that go into one flush: consecutive in order of arrival, of one minute and one clock epoch. */
export interface Batch {
  minuteUs: number;
  epoch: number;
  chunks: readonly Chunk[];
  events: number;
  /** When the oldest of its events was taken (performance.now()). */
  takenMs: number;
}

export class EventQueue {
  readonly #chunks: Chunk[] = [];
  readonly #flushEventsMax: number;
  #events = 0;

  constructor(flushEventsMax: number) {
    this.#flushEventsMax = flushEventsMax;
  }

  get events(): number {
    return this.#events;
  }

  /** When the oldest waiting chunk closes; undefined if nothing waits. */
  get closesUs(): number | undefined {
    const oldest = this.#chunks[0];
    return oldest && oldest.bucketUs + BUCKET_US;
  }

  /** Takes an event; returns its chunk, and whether that is new. `receivedUs` never falls within an `epoch`. */
  add(createdUs: bigint, receivedUs: number, epoch: number): { chunk: Chunk; isNew: boolean } {
    const newest = this.#chunks.at(-1);
    const fits =
      newest !== undefined &&
      newest.epoch === epoch &&
      receivedUs < newest.bucketUs + BUCKET_US &&
      newest.receivedUs.length < this.#flushEventsMax;
    const chunk = fits ? newest : new Chunk(bucketStartUs(receivedUs, BUCKET_US), epoch);
    if (!fits) this.#chunks.push(chunk);
    chunk.createdUs.push(createdUs);
    chunk.receivedUs.push(receivedUs);
    this.#events++;
    return { chunk, isNew: !fits };
  }

  /** The next batch: closed chunks only (all of them once `draining`); undefined if there is none. */
  take(nowUs: number, epoch: number, draining: boolean): Batch | undefined {
    const oldest = this.#chunks[0];
    if (!oldest) return undefined;
    const minuteUs = bucketStartUs(oldest.bucketUs, MINUTE_US);
    let count = 0;
    let events = 0;
    for (const chunk of this.#chunks) {
      const closed = draining || chunk.epoch !== epoch || nowUs >= chunk.bucketUs + BUCKET_US;
      const alike = chunk.epoch === oldest.epoch && bucketStartUs(chunk.bucketUs, MINUTE_US) === minuteUs;
      if (!closed || !alike || events + chunk.receivedUs.length > this.#flushEventsMax) break;
      count++;
      events += chunk.receivedUs.length;
    }
    if (count === 0) return undefined;
    this.#events -= events;
    const chunks = this.#chunks.splice(0, count);
    return { minuteUs, epoch: oldest.epoch, chunks, events, takenMs: oldest.takenMs };
  }
}
