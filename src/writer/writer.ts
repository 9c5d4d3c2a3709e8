// The batching writer: takes events one by one, flushes closed 10 ms buckets, answers each event when its flush is durable.
// Owns the timers and the one flush in flight. Knows the store's contract; no HTTP, no database.
//
//     add(event) -> queue -> every 10 ms, aligned to the wall clock: one batch -> FlushSequence -> answers

import { ACK_TIMEOUT_MAX_MS, FLUSH_EVENTS_MAX, QUEUE_EVENTS_MAX, REFUSED_PAUSE_MS } from "../config.ts";
import { settlesWithin } from "../deadline.ts";
import { Reto3Error, retryAdvice } from "../errors.ts";
import { Histogram } from "../histogram.ts";
import { EventQueue, type Batch, type Chunk, type Outcome } from "./batch.ts";
import { pause } from "./retry.ts";
import { FlushSequence, type FlushResult, type SequenceOptions } from "./sequence.ts";

export interface WriterOptions extends Omit<SequenceOptions, "signal"> {
  flushEventsMax?: number;
  queueEventsMax?: number;
  ackTimeoutMs?: number;
  /** Told when the store stops taking flushes (`refused` or `unknown`, and why) and when it takes them again (`stored`). */
  onHealth?: (outcome: Outcome, error: unknown) => void;
}

/** What the writer has done since it started; for metrics. Durations are microseconds. */
export interface WriterStats {
  acceptedEvents: number;
  storedEvents: number;
  /** In flushes that were given up: surely not stored, or unknown for good. */
  refusedEvents: number;
  unknownEvents: number;
  retries: number;
  sealsLost: number;
  lagsClamped: number;
  /** Events that were created after they were stored, by the clock of whoever created them. */
  lagsNegative: number;
  /** Ids that are not used any more, because a flush of theirs was given up. */
  writersRetired: number;
  /** Attempts at the store that failed, by what is known of their effect. */
  readonly storeErrors: Record<"unavailable" | "unknown" | "refused", number>;
  /** Of what was stored: stored minus created, negative ones as 0. */
  readonly lagUs: Histogram;
  readonly flushEvents: Histogram;
  readonly flushDurationUs: Histogram;
}

export class Writer {
  readonly stats: WriterStats = {
    acceptedEvents: 0,
    storedEvents: 0,
    refusedEvents: 0,
    unknownEvents: 0,
    retries: 0,
    sealsLost: 0,
    lagsClamped: 0,
    lagsNegative: 0,
    writersRetired: 0,
    storeErrors: { unavailable: 0, unknown: 0, refused: 0 },
    lagUs: new Histogram(),
    flushEvents: new Histogram(),
    flushDurationUs: new Histogram(),
  };
  readonly #options: WriterOptions;
  readonly #queue: EventQueue;
  readonly #queueEventsMax: number;
  readonly #ackTimeoutMs: number;
  readonly #sequence: FlushSequence;
  readonly #stop = new AbortController();
  /** Chunks whose events have no answer yet, the oldest first, with when that is due (performance.now()). */
  readonly #unanswered: { chunk: Chunk; dueMs: number }[] = [];
  #inFlightEvents = 0;
  #flushStartedMs = 0;
  #flushing = false;
  #health: Outcome = "stored";
  #givenUpMs = Number.NEGATIVE_INFINITY;
  #wakeTimer: ReturnType<typeof setTimeout> | undefined;
  #ackTimer: ReturnType<typeof setTimeout> | undefined;
  #closing: PromiseWithResolvers<void> | undefined;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#queue = new EventQueue(options.flushEventsMax ?? FLUSH_EVENTS_MAX);
    this.#queueEventsMax = options.queueEventsMax ?? QUEUE_EVENTS_MAX;
    this.#ackTimeoutMs = options.ackTimeoutMs ?? ACK_TIMEOUT_MAX_MS;
    this.#sequence = new FlushSequence({
      ...options,
      signal: this.#stop.signal,
      onRetry: (what, error, tries) => {
        this.stats.retries++;
        this.stats.storeErrors[kindOf(error)]++;
        options.onRetry?.(what, error, tries);
      },
      onSealLost: (error) => {
        this.stats.sealsLost++;
        options.onSealLost?.(error);
      },
    });
  }

  /** Events taken whose flush is not known yet. */
  get queuedEvents(): number {
    return this.#queue.events + this.#inFlightEvents;
  }

  /** How long the flush in flight has been on its way; 0 where there is none. */
  get flushAgeMs(): number {
    return this.#inFlightEvents === 0 ? 0 : performance.now() - this.#flushStartedMs;
  }

  /**
   * How the store takes flushes: `stored` as long as all goes well; `refused` or `unknown` from a flush that was given
   * up, or (`unknown`) an event that was not answered in time, until the next flush that is stored.
   */
  get health(): Outcome {
    return this.#health;
  }

  /** For how long no flush has been given up. */
  get givenUpAgoMs(): number {
    return performance.now() - this.#givenUpMs;
  }

  /**
   * Takes an event created at `createdUs` and stamps its arrival. Resolves when its outcome is known or the ack
   * timeout has passed ("unknown"); never rejects. Throws QUEUE_FULL or DRAINING when it is not taken.
   */
  add(createdUs: bigint): Promise<Outcome> {
    if (this.#closing) throw new Reto3Error("DRAINING", "the server is shutting down; the event was not taken");
    if (this.queuedEvents >= this.#queueEventsMax) {
      throw new Reto3Error("QUEUE_FULL", "the queue is full; the event was not taken, try again later");
    }
    const { clock } = this.#options;
    const receivedUs = clock.nowUs();
    const { chunk, isNew } = this.#queue.add(createdUs, receivedUs, clock.epoch);
    this.stats.acceptedEvents++;
    if (isNew) {
      this.#unanswered.push({ chunk, dueMs: performance.now() + this.#ackTimeoutMs });
      this.#armAckTimer();
      if (!this.#flushing) this.#wake();
    }
    return chunk.answer;
  }

  /**
   * Takes no more events, flushes what waits, seals all claims. After `timeoutMs` it gives up: what is left is
   * answered "unknown". Returns how many events have no known outcome, and whether all that was to do is done.
   */
  async close(timeoutMs: number): Promise<{ unknownEvents: number; drained: boolean }> {
    this.#closing ??= Promise.withResolvers<void>();
    this.#wake();
    const all = this.#closing.promise.then(() => this.#sequence.close());
    const drained = await settlesWithin(all, timeoutMs);
    const unknownEvents = this.queuedEvents;
    this.#stop.abort();
    clearTimeout(this.#wakeTimer);
    clearTimeout(this.#ackTimer);
    for (const { chunk } of this.#unanswered.splice(0)) chunk.settle("unknown");
    return { unknownEvents, drained };
  }

  /** Does what is due: the next flush, else seals, else sleeps until something is. */
  #wake(): void {
    if (this.#flushing || this.#stop.signal.aborted) return;
    const { clock } = this.#options;
    const nowUs = clock.nowUs();
    const batch = this.#queue.take(nowUs, clock.epoch, this.#closing !== undefined);
    if (batch) {
      void this.#flush(batch);
      return;
    }
    if (this.#closing) {
      this.#closing.resolve();
      return;
    }
    if (this.#queue.events === 0) this.#sequence.sealPast(nowUs);
    const dueUs = this.#queue.closesUs ?? this.#sequence.sealDueUs;
    clearTimeout(this.#wakeTimer);
    if (dueUs !== undefined) this.#wakeTimer = setTimeout(() => this.#wake(), Math.max(0, (dueUs - nowUs) / 1_000));
  }

  async #flush(batch: Batch): Promise<void> {
    this.#flushing = true;
    this.#inFlightEvents = batch.events;
    const startedMs = performance.now();
    this.#flushStartedMs = startedMs;
    const [only] = batch.chunks;
    const result = await this.#sequence.flush({
      minuteUs: batch.minuteUs,
      epoch: batch.epoch,
      takenMs: batch.takenMs,
      // Times of another epoch do not compare with this one's.
      ...(only && batch.epoch === this.#options.clock.epoch && { takenUs: only.receivedUs[0] ?? 0 }),
      createdUs: batch.chunks.length === 1 && only ? only.createdUs : batch.chunks.flatMap((chunk) => chunk.createdUs),
      receivedUs:
        batch.chunks.length === 1 && only ? only.receivedUs : batch.chunks.flatMap((chunk) => chunk.receivedUs),
    });
    this.#note(result);
    this.stats.flushEvents.record(batch.events);
    this.stats.flushDurationUs.record((performance.now() - startedMs) * 1_000);
    this.#inFlightEvents = 0;
    this.#answer(batch, result.outcome, result.error);
    if (result.outcome !== "stored") await pause(REFUSED_PAUSE_MS, this.#stop.signal);
    this.#sequence.claimAhead(this.#options.clock.nowUs());
    this.#flushing = false;
    this.#wake();
  }

  #note({ outcome, lagsClamped, lagsUs, retired, error }: FlushResult): void {
    const { stats } = this;
    if (retired) stats.writersRetired++;
    if (outcome !== "stored") {
      if (kindOf(error) === "refused") stats.storeErrors.refused++;
      return;
    }
    stats.lagsClamped += lagsClamped;
    for (const lagUs of lagsUs) {
      if (lagUs < 0) stats.lagsNegative++;
      stats.lagUs.record(Math.max(0, lagUs));
    }
  }

  #answer(batch: Batch, outcome: Outcome, error: unknown): void {
    if (outcome === "stored") this.stats.storedEvents += batch.events;
    else if (outcome === "refused") this.stats.refusedEvents += batch.events;
    else this.stats.unknownEvents += batch.events;
    this.#setHealth(outcome, error);
    for (const chunk of batch.chunks) chunk.settle(outcome);
    this.#armAckTimer();
  }

  #setHealth(outcome: Outcome, error: unknown): void {
    if (outcome !== "stored") this.#givenUpMs = performance.now();
    if (outcome !== this.#health) this.#options.onHealth?.(outcome, error);
    this.#health = outcome;
  }

  /** Forgets chunks that have their answer, gives "unknown" to those whose time is up, and sleeps until the next is due. */
  #armAckTimer(): void {
    const nowMs = performance.now();
    for (let oldest = this.#unanswered[0]; oldest; oldest = this.#unanswered[0]) {
      if (!oldest.chunk.answered) {
        if (oldest.dueMs > nowMs) break;
        oldest.chunk.settle("unknown");
        this.#setHealth("unknown", new Reto3Error("STORE_UNAVAILABLE", "no durable answer in time"));
      }
      this.#unanswered.shift();
    }
    const next = this.#unanswered[0];
    clearTimeout(this.#ackTimer);
    this.#ackTimer = next && setTimeout(() => this.#armAckTimer(), next.dueMs - nowMs);
  }
}

function kindOf(error: unknown): keyof WriterStats["storeErrors"] {
  const { retry, mayHaveApplied } = retryAdvice(error);
  if (!retry) return "refused";
  return mayHaveApplied ? "unknown" : "unavailable";
}
