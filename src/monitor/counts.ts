// The counts as a log: every bucket that has events once it has closed, and again when its count has changed.
// Reads the store's contract; what was written, and how that outlives a crash, is in ledger.ts. Lines that are written twice all the
// same are equal and have the same id.
//
//     new      every round, an hour at a time: what lies behind the last look, at each period, and the last seconds once more
//     checked  every minute the totals of all minutes that may still change; one that differs from what was written is read again
//
// Where the clock was set back into minutes that are written off as old, the check alone finds what is new in them.

import { FINAL_AFTER_MS } from "../config.ts";
import { REVISIT_US, SETTLE_US } from "../counts/follow.ts";
import type { Bucket } from "../counts/read.ts";
import { Reto3Error } from "../errors.ts";
import { bucketStartUs, HOUR_US, MINUTE_US, PERIOD_NAMES, PERIODS, SECOND_US, type PeriodName } from "../period.ts";
import type { Store } from "../store/store.ts";
import { formatTimestamp } from "../units.ts";
import { Ledger, type LedgerOptions } from "./ledger.ts";
import { readMinutes } from "./minutes.ts";

/** Buckets are known one by one for so long: until no flush can come any more, and some minutes. */
const BUCKETS_KNOWN_US = FINAL_AFTER_MS * 1_000 + 4 * MINUTE_US;

/** A minute that may still change is followed for so long: a dead writer's is settled after four hours. Shorter than any lifetime of counts. */
const FOLLOWED_MAX_US = 5 * HOUR_US;

/** So much is caught up at once: bounds memory, and what is read back after a crash. */
const SLICE_US = HOUR_US;

const CHECK_EVERY_US = MINUTE_US;

export interface CountsLogOptions extends Omit<LedgerOptions, "location"> {
  store: Store;
  /** Ends a round in the middle of a long catch-up. */
  signal: AbortSignal;
}

export class CountsLog {
  readonly #options: CountsLogOptions;
  readonly #ledger: Ledger;
  #checkedUs = 0;

  private constructor(options: CountsLogOptions, ledger: Ledger) {
    this.#options = options;
    this.#ledger = ledger;
  }

  /** Goes on where it was; see Ledger. */
  static async open(options: CountsLogOptions): Promise<CountsLog> {
    return new CountsLog(options, await Ledger.open({ ...options, location: options.store.info.location }));
  }

  /** Writes what is new. Where it throws, what was written stays so, and the next round does the rest. */
  async round(): Promise<void> {
    const { clock, signal } = this.#options;
    // Killed before its first line, it begins there again.
    if (!this.#ledger.isSaved) this.save();
    let untilUs = 0;
    let nowUs = 0;
    do {
      nowUs = clock.nowUs();
      // First, while all is known of the minutes before a long absence.
      if (Math.abs(nowUs - this.#checkedUs) >= CHECK_EVERY_US) {
        await this.#check(nowUs);
        this.#checkedUs = nowUs;
      }
      this.#follow(nowUs);
      untilUs = bucketStartUs(Math.min(...Object.values(this.#ledger.nextUs)), SLICE_US) + SLICE_US;
      for (const period of PERIOD_NAMES.toReversed()) await this.#writeNew(period, untilUs, nowUs);
      if (signal.aborted) return;
      this.#forgetOld(nowUs);
      this.#ledger.mark();
      this.#ledger.saveNowAndThen();
    } while (untilUs < nowUs - SETTLE_US);
  }

  /** Writes the state as it is now. */
  save(): void {
    this.#ledger.save();
  }

  /** Before `untilUs`. */
  async #writeNew(name: PeriodName, untilUs: number, nowUs: number): Promise<void> {
    const { store, signal } = this.#options;
    const period = PERIODS[name];
    const toUs = Math.min(untilUs, bucketStartUs(nowUs - SETTLE_US, period.us));
    this.#skipExpired(name, nowUs);
    const nextUs = this.#ledger.nextUs[name];
    const revisitUs = bucketStartUs(nowUs - REVISIT_US, period.us);
    // After an absence, its minute from the beginning.
    const startUs = nextUs < revisitUs ? bucketStartUs(nextUs, MINUTE_US) : revisitUs;
    const fromUs = Math.max(this.#ledger.shown.bucketsFromUs[name], startUs);
    if (fromUs >= toUs) return;
    const expired: number[] = [];
    for await (const { minuteUs, buckets } of readMinutes(store, { period, fromUs, toUs, nowUs, signal }).minutes) {
      if (signal.aborted) return;
      if (buckets) this.#writeMinute(name, minuteUs, buckets);
      else {
        expired.push(minuteUs);
        this.#ledger.shown.giveUp(name, minuteUs);
      }
      const doneUs = Math.min(toUs, minuteUs + MINUTE_US);
      this.#ledger.nextUs[name] = Math.max(this.#ledger.nextUs[name], doneUs);
      this.#ledger.shown.forgetBuckets(name, Math.min(doneUs, nowUs - BUCKETS_KNOWN_US));
      this.#ledger.saveNowAndThen();
    }
    this.#warnOfExpired(name, expired);
    if (!signal.aborted) this.#ledger.nextUs[name] = Math.max(this.#ledger.nextUs[name], toUs);
  }

  /** Where a period's counts have expired before they were written, it goes on with those that have not. */
  #skipExpired(name: PeriodName, nowUs: number): void {
    const keptSeconds = this.#options.store.info.retention[name];
    if (keptSeconds === null) return;
    const fromUs = this.#ledger.nextUs[name];
    // With some grace: they may expire while they are being read.
    const toUs = bucketStartUs(nowUs - keptSeconds * SECOND_US, MINUTE_US) + 3 * MINUTE_US;
    if (fromUs >= toUs) return;
    const range = `from ${formatTimestamp(fromUs)} to ${formatTimestamp(toUs)}`;
    this.#options.warn(`the ${name} counts ${range} have expired before they were written; going on after them`);
    this.#ledger.nextUs[name] = toUs;
    this.#ledger.shown.forgetBuckets(name, toUs);
  }

  #warnOfExpired(name: PeriodName, minutes: readonly number[]): void {
    const [firstUs, lastUs] = [minutes[0], minutes.at(-1)];
    if (firstUs === undefined || lastUs === undefined) return;
    const range = `${minutes.length} minutes from ${formatTimestamp(firstUs)} to ${formatTimestamp(lastUs)}`;
    const which = minutes.length === 1 ? `minute ${formatTimestamp(firstUs)}` : range;
    this.#options.warn(
      `the ${name} counts of ${which} have expired, or are missing ('reto3 verify' tells); going on without what the log does not have of them`,
    );
  }

  /** All minutes that were not written yet, and, as the clock may have been set back, those that flushes may still be on their way to. */
  #follow(nowUs: number): void {
    const fromUs = Math.min(...Object.values(this.#ledger.nextUs), nowUs - BUCKETS_KNOWN_US);
    const startUs = bucketStartUs(Math.max(this.#ledger.startUs, fromUs, nowUs - FOLLOWED_MAX_US), MINUTE_US);
    for (let minuteUs = startUs; minuteUs <= nowUs + MINUTE_US; minuteUs += MINUTE_US)
      this.#ledger.shown.follow(minuteUs);
  }

  #forgetOld(nowUs: number): void {
    for (const name of PERIOD_NAMES) {
      this.#ledger.shown.forgetBuckets(name, Math.min(this.#ledger.nextUs[name], nowUs - BUCKETS_KNOWN_US));
    }
    for (const minuteUs of this.#ledger.shown.minutes) {
      if (minuteUs < nowUs - FOLLOWED_MAX_US) this.#ledger.shown.forget(minuteUs);
    }
  }

  /** Holds the totals of minutes that may change against what was written. */
  async #check(nowUs: number): Promise<void> {
    const { store, signal } = this.#options;
    const lookedAtUs = Math.min(...Object.values(this.#ledger.nextUs), nowUs - REVISIT_US);
    const known = this.#ledger.shown.minutes.filter((minuteUs) => this.#ledger.shown.sums(minuteUs)["1m"] !== null);
    const minutes = known.filter((minuteUs) => minuteUs + MINUTE_US <= lookedAtUs);
    const [firstUs, lastUs] = [minutes[0], minutes.at(-1)];
    if (firstUs === undefined || lastUs === undefined) return;
    const question = { period: PERIODS["1m"], fromUs: firstUs, toUs: lastUs + MINUTE_US, nowUs, signal };
    const reading = readMinutes(store, question);
    const totals = new Map<number, number | null>(minutes.map((minuteUs) => [minuteUs, 0]));
    for await (const { minuteUs, buckets } of reading.minutes) {
      if (totals.has(minuteUs)) totals.set(minuteUs, buckets && eventsIn(buckets));
    }
    if (signal.aborted) return;
    const finalUs = reading.finalUs();
    const knownFromUs = Math.min(...Object.values(this.#ledger.shown.bucketsFromUs));
    const expired: Record<PeriodName, number[]> = { "10ms": [], "1s": [], "1m": [] };
    for (const [minuteUs, total] of totals) {
      if (total === null) {
        for (const name of PERIOD_NAMES) this.#ledger.shown.giveUp(name, minuteUs);
        expired["1m"].push(minuteUs);
        continue;
      }
      const sums = this.#ledger.shown.sums(minuteUs);
      const changed = PERIOD_NAMES.filter((name) => sums[name] !== null && sums[name] !== total);
      for (const name of changed) if (!(await this.#writeAgain(name, minuteUs, nowUs))) expired[name].push(minuteUs);
      const isFinal = minuteUs + MINUTE_US <= finalUs && changed.length === 0;
      if (isFinal && minuteUs < knownFromUs) this.#ledger.shown.forget(minuteUs);
    }
    for (const name of PERIOD_NAMES) this.#warnOfExpired(name, expired[name]);
  }

  /** False where its rows have expired. */
  async #writeAgain(name: PeriodName, minuteUs: number, nowUs: number): Promise<boolean> {
    const question = { period: PERIODS[name], fromUs: minuteUs, toUs: minuteUs + MINUTE_US, nowUs };
    let found: Bucket[] = [];
    for await (const { buckets } of readMinutes(this.#options.store, question).minutes) {
      if (!buckets) {
        this.#ledger.shown.giveUp(name, minuteUs);
        return false;
      }
      found = buckets;
    }
    this.#writeMinute(name, minuteUs, found);
    const there = new Set(found.map(({ bucketUs }) => bucketUs));
    for (const [bucketUs, events] of this.#ledger.shown.buckets(name, minuteUs) ?? []) {
      if (events > 0 && !there.has(bucketUs)) this.#ledger.write(name, { bucketUs, events: 0, lag: null });
    }
    return true;
  }

  /** Of one minute's buckets, those that were not written or have changed. */
  #writeMinute(name: PeriodName, minuteUs: number, buckets: readonly Bucket[]): void {
    let known = this.#ledger.shown.buckets(name, minuteUs);
    if (!known) {
      // Its sum alone is known. Where that is another one, it is written anew, as a whole.
      if (eventsIn(buckets) === this.#ledger.shown.sums(minuteUs)[name]) return;
      this.#ledger.shown.restart(name, minuteUs);
      known = this.#ledger.shown.buckets(name, minuteUs);
    }
    for (const bucket of buckets) if (known?.get(bucket.bucketUs) !== bucket.events) this.#ledger.write(name, bucket);
  }
}

function eventsIn(buckets: readonly Bucket[]): number {
  return buckets.reduce((sum, { events }) => sum + events, 0);
}

/** Where a log begins that is told to begin at `fromUs`: with a whole minute. */
export function firstBucketUs(fromUs: number): number {
  const minuteUs = bucketStartUs(fromUs, MINUTE_US);
  if (minuteUs < 0) throw new Reto3Error("USAGE", "--from: want a time after 1970");
  return minuteUs;
}
