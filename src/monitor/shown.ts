// What the counts monitor has written: per minute and period, so that a bucket is written once, and again only when it changed.
// Pure. Of young minutes every bucket is known; of old ones the sum alone, which tells whether a minute has changed.

import { bucketStartUs, MINUTE_US, PERIOD_NAMES, type PeriodName } from "../period.ts";

interface ShownPeriod {
  /** Null: given up. */
  events: number | null;
  /** Events by bucket; null where the minute is old. */
  buckets: Map<number, number> | null;
}

/** One minute of what was written, as its state keeps it: the sums of its three periods; null for one that was given up. */
export type ShownSums = Record<PeriodName, number | null>;

export class Shown {
  readonly #minutes = new Map<number, Record<PeriodName, ShownPeriod>>();
  readonly #bucketsFromUs: Record<PeriodName, number> = { "10ms": 0, "1s": 0, "1m": 0 };

  /** The minutes that are still followed, ascending. */
  get minutes(): number[] {
    return [...this.#minutes.keys()].sort((a, b) => a - b);
  }

  /** Per period: from this minute on all buckets are known, before it the sums alone. */
  get bucketsFromUs(): Readonly<Record<PeriodName, number>> {
    return this.#bucketsFromUs;
  }

  sums(minuteUs: number): ShownSums {
    const minute = this.#minute(minuteUs);
    return { "10ms": minute["10ms"].events, "1s": minute["1s"].events, "1m": minute["1m"].events };
  }

  /** The buckets of a minute that were written, with their events; null where they are not known any more. */
  buckets(period: PeriodName, minuteUs: number): ReadonlyMap<number, number> | null {
    return this.#minute(minuteUs)[period].buckets;
  }

  /** From now on `minuteUs` is followed, though nothing was written of it. */
  follow(minuteUs: number): void {
    this.#minute(minuteUs);
  }

  note(period: PeriodName, bucketUs: number, events: number): void {
    const shown = this.#minute(bucketStartUs(bucketUs, MINUTE_US))[period];
    shown.events = (shown.events ?? 0) + events - (shown.buckets?.get(bucketUs) ?? 0);
    shown.buckets?.set(bucketUs, events);
  }

  /** Of a minute whose rows have expired: what was not written of it, nobody can write any more. */
  giveUp(period: PeriodName, minuteUs: number): void {
    this.#minute(minuteUs)[period] = { events: null, buckets: null };
  }

  /** Before a minute is written anew, as a whole. */
  restart(period: PeriodName, minuteUs: number): void {
    this.#minute(minuteUs)[period] = { events: 0, buckets: new Map() };
  }

  /** A minute of which the sums are known; with nothing written at those periods at which its buckets will be told. */
  restore(minuteUs: number, sums: ShownSums): void {
    const minute = this.#minute(minuteUs);
    for (const period of PERIOD_NAMES) {
      if (minuteUs < this.#bucketsFromUs[period]) minute[period] = { events: sums[period], buckets: null };
    }
  }

  /** Of minutes before `us`, forgets the buckets. */
  forgetBuckets(period: PeriodName, us: number): void {
    const fromUs = Math.max(this.#bucketsFromUs[period], bucketStartUs(us, MINUTE_US));
    this.#bucketsFromUs[period] = fromUs;
    for (const [minuteUs, minute] of this.#minutes) if (minuteUs < fromUs) minute[period].buckets = null;
  }

  forget(minuteUs: number): void {
    this.#minutes.delete(minuteUs);
  }

  #minute(minuteUs: number): Record<PeriodName, ShownPeriod> {
    let minute = this.#minutes.get(minuteUs);
    if (!minute) {
      const empty = (): ShownPeriod => ({ events: 0, buckets: new Map<number, number>() });
      minute = { "10ms": empty(), "1s": empty(), "1m": empty() };
      this.#minutes.set(minuteUs, minute);
    }
    return minute;
  }
}
