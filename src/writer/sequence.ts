// One writer's flushes, one after another: its id, its claims and seals, its totals, its write timestamps.
// Shared by serve (behind a queue) and bench-insert (in a bare loop). Knows the store's contract; no queue, no clients.
//
//     claim(minute) -> flush, flush, ... -> seal(minute, events)         one partition
//
// A flush is settled, or the id that sent it is retired: no total ever includes events of a flush that was given up.

import {
  CLAIM_AHEAD_AFTER_US,
  FLUSH_AGE_MAX_MS,
  LAST_ATTEMPT_MAX_MS,
  PARTITION_EVENTS_MAX,
  SUMMARY_PARTITION_EVENTS_MAX,
} from "../config.ts";
import type { Clock } from "../clock.ts";
import { Reto3Error } from "../errors.ts";
import { MINUTE_US } from "../period.ts";
import type { Store } from "../store/store.ts";
import type { Outcome } from "./batch.ts";
import { retryUntilKnown, type RetryResult } from "./retry.ts";
import { PartitionTotals } from "./totals.ts";

/** Events of one minute and one clock epoch, in order of arrival; `createdUs` and `receivedUs` of the same length. */
export interface FlushEvents {
  minuteUs: number;
  epoch: number;
  createdUs: readonly bigint[];
  receivedUs: readonly number[];
  /** When the oldest of them was taken (performance.now()): from then counts how long the flush may be tried. Default: now. */
  takenMs?: number;
  /** The same by the wall clock, which goes on while a machine sleeps. Default: now. */
  takenUs?: number;
}

export interface FlushResult {
  outcome: Outcome;
  tries: number;
  lagsClamped: number;
  /** Of each event, clamped; empty where nothing was sent. */
  lagsUs: readonly number[];
  /** The id that sent it is not used any more. */
  retired: boolean;
  /** Why it was not stored. */
  error?: unknown;
}

export type Keep = "events" | "summary";

export interface SequenceOptions {
  store: Store;
  clock: Clock;
  /** Aborted: nothing is tried again. */
  signal: AbortSignal;
  newWriterId?: () => string;
  /** `events`: raw events and totals. `summary`: totals alone. Default: events. */
  keep?: Keep;
  partitionEventsMax?: number;
  flushAgeMaxMs?: number;
  /** Told of each failed attempt that will be repeated: what was tried, and why it failed. */
  onRetry?: (what: "flush" | "claim" | "seal", error: unknown, tries: number) => void;
  /** Told when a seal is given up: the minute stays open for readers. */
  onSealLost?: (error: unknown) => void;
}

const NO_EVENTS = { createdUs: [], receivedUs: [] };

export class FlushSequence {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #options: SequenceOptions;
  readonly #newWriterId: () => string;
  readonly #partitionEventsMax: number;
  readonly #flushAgeMaxMs: number;
  #writer: string;
  #epoch: number;
  #lastWriteUs = 0;
  #minuteUs: number | null = null;
  #totals = new PartitionTotals();
  /** The claims of this id that are not sealed yet, by minute. */
  #claims = new Map<number, Promise<RetryResult>>();
  /** A claim was given up that may be there: only under a new id is it sure that its minute stays empty. */
  #claimInDoubt = false;
  readonly #background = new Set<Promise<void>>();

  constructor(options: SequenceOptions) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#options = options;
    this.#newWriterId = options.newWriterId ?? (() => Bun.randomUUIDv7());
    const eventsMax = options.keep === "summary" ? SUMMARY_PARTITION_EVENTS_MAX : PARTITION_EVENTS_MAX;
    this.#partitionEventsMax = options.partitionEventsMax ?? eventsMax;
    this.#flushAgeMaxMs = options.flushAgeMaxMs ?? FLUSH_AGE_MAX_MS;
    this.#epoch = options.clock.epoch;
    this.#writer = this.#newWriterId();
  }

  /** The id that the next flush will carry, unless it has to retire it. */
  get writer(): string {
    return this.#writer;
  }

  /** When the first claimed minute is over and wants its seal; undefined if nothing is claimed. */
  get sealDueUs(): number | undefined {
    let earliest: number | undefined;
    for (const minuteUs of this.#claims.keys()) earliest = Math.min(earliest ?? minuteUs, minuteUs);
    return earliest === undefined ? undefined : earliest + MINUTE_US;
  }

  /** Makes `events` durable. Never rejects; call it again only when it has resolved. */
  async flush(events: FlushEvents): Promise<FlushResult> {
    this.#enter(events);
    const partition = { minuteUs: events.minuteUs, writer: this.#writer };
    const deadlineMs = (events.takenMs ?? performance.now()) + this.#flushAgeMaxMs;
    const takenUs = events.takenUs ?? this.#clock.nowUs();
    const claimed = await this.#claim(events.minuteUs, deadlineMs);
    // Without a claim nothing of the flush was sent; the next flush into this minute claims again.
    if (claimed.outcome !== "done") {
      const nothing = { lagsClamped: 0, lagsUs: [], retired: false };
      return { outcome: "refused", tries: claimed.tries, ...nothing, error: claimed.error };
    }
    const firstSeq = this.#totals.events;
    const clampedBefore = this.#totals.lagsClamped;
    const counts = this.#totals.add(events.createdUs, events.receivedUs, this.#clock.nowUs());
    const lagsClamped = this.#totals.lagsClamped - clampedBefore;
    const { lagsUs } = this.#totals;
    const { createdUs, receivedUs } = this.#options.keep === "summary" ? NO_EVENTS : events;
    const flush = { ...partition, firstSeq, createdUs, receivedUs, counts, writtenAtUs: this.#nextWriteUs() };
    const ageMs = () => (this.#clock.nowUs() - takenUs) / 1_000;
    const result = await this.#retry("flush", deadlineMs, async () => {
      // A machine that slept comes back into a minute that others may have settled without it.
      if (ageMs() > this.#flushAgeMaxMs) throw new Reto3Error("STORE_REFUSED", "too old: this machine's clock jumped");
      await this.#store.write(flush);
    });
    const inTime = ageMs() <= this.#flushAgeMaxMs + LAST_ATTEMPT_MAX_MS;
    if (result.outcome === "done" && inTime)
      return { outcome: "stored", tries: result.tries, lagsClamped, lagsUs, retired: false };
    // Given up. If it surely left nothing behind, the partition ends before it; else nobody here knows where it ends.
    const mayHaveApplied = result.outcome === "done" || result.mayHaveApplied;
    this.#retire(mayHaveApplied ? null : firstSeq);
    const error = result.outcome === "done" ? new Reto3Error("STORE_UNKNOWN", "stored too late") : result.error;
    const outcome = mayHaveApplied ? "unknown" : "refused";
    return { outcome, tries: result.tries, lagsClamped, lagsUs, retired: true, error };
  }

  /** Claims the next minute ahead when the current one is far gone, so that its first flush need not wait. */
  claimAhead(nowUs: number): void {
    if (this.#minuteUs === null || nowUs < this.#minuteUs + CLAIM_AHEAD_AFTER_US) return;
    const nextUs = this.#minuteUs + MINUTE_US;
    if (nowUs >= nextUs || this.#claims.has(nextUs)) return;
    this.#inBackground(this.#claim(nextUs, performance.now() + this.#flushAgeMaxMs));
  }

  /** Seals every claimed minute that ended before `nowUs`; for when no event is on its way into it. */
  sealPast(nowUs: number): void {
    for (const minuteUs of this.#claims.keys()) {
      if (nowUs < minuteUs + MINUTE_US) continue;
      const current = minuteUs === this.#minuteUs;
      this.#seal(minuteUs, current ? this.#totals.events : 0);
      if (current) this.#minuteUs = null;
    }
  }

  /** Seals all that is claimed and waits until that is known. Nothing may be flushed after it. */
  async close(): Promise<void> {
    this.#retire(this.#totals.events);
    while (this.#background.size > 0) await Promise.all(this.#background);
  }

  #enter({ minuteUs, epoch, receivedUs }: FlushEvents): void {
    const full = minuteUs === this.#minuteUs && this.#totals.events + receivedUs.length > this.#partitionEventsMax;
    if (epoch !== this.#epoch || full || this.#claimInDoubt) this.#retire(this.#totals.events);
    this.#epoch = epoch;
    if (minuteUs === this.#minuteUs) return;
    // Arrival times only ascend: nothing will come into an earlier minute.
    this.sealPast(minuteUs);
    this.#minuteUs = minuteUs;
    this.#totals = new PartitionTotals();
  }

  /** Takes a new id. `sealedEvents`: what the current partition holds for good; null if that is not known, then its claim stays open. */
  #retire(sealedEvents: number | null): void {
    for (const minuteUs of this.#claims.keys()) {
      const events = minuteUs === this.#minuteUs ? sealedEvents : 0;
      if (events !== null) this.#seal(minuteUs, events);
    }
    this.#claims = new Map();
    this.#claimInDoubt = false;
    this.#writer = this.#newWriterId();
    this.#minuteUs = null;
    this.#lastWriteUs = 0;
  }

  #claim(minuteUs: number, deadlineMs: number): Promise<RetryResult> {
    const known = this.#claims.get(minuteUs);
    if (known) return known;
    const partition = { minuteUs, writer: this.#writer };
    const writtenAtUs = this.#nextWriteUs();
    const claim = this.#retry("claim", deadlineMs, () => this.#store.claim(partition, writtenAtUs));
    const claims = this.#claims;
    claims.set(minuteUs, claim);
    void claim.then((result) => {
      if (result.outcome === "done" || claims !== this.#claims) return;
      if (result.mayHaveApplied) this.#claimInDoubt = true;
      else claims.delete(minuteUs);
    });
    return claim;
  }

  #seal(minuteUs: number, events: number): void {
    const claim = this.#claims.get(minuteUs);
    if (!claim) return;
    this.#claims.delete(minuteUs);
    const partition = { minuteUs, writer: this.#writer };
    const writtenAtUs = this.#nextWriteUs();
    const sealed = claim.then(async (claimed) => {
      if (claimed.outcome !== "done" && !claimed.mayHaveApplied) return;
      const deadlineMs = performance.now() + this.#flushAgeMaxMs;
      const result = await this.#retry("seal", deadlineMs, () => this.#store.seal(partition, events, writtenAtUs));
      if (result.outcome !== "done") this.#options.onSealLost?.(result.error);
    });
    this.#inBackground(sealed);
  }

  #retry(what: "flush" | "claim" | "seal", deadlineMs: number, attempt: () => Promise<void>): Promise<RetryResult> {
    return retryUntilKnown(attempt, {
      deadlineMs,
      signal: this.#options.signal,
      onFailure: (error, tries) => this.#options.onRetry?.(what, error, tries),
    });
  }

  #inBackground(work: Promise<unknown>): void {
    const tracked: Promise<void> = work.then(() => void this.#background.delete(tracked));
    this.#background.add(tracked);
  }

  #nextWriteUs(): number {
    this.#lastWriteUs = Math.max(this.#lastWriteUs + 1, this.#clock.nowUs());
    return this.#lastWriteUs;
  }
}
