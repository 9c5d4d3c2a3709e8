// The counts as a log: every bucket that has events once it has closed, and again when its count has changed.
// Reads the store's contract; writes the log and, every ten seconds, its state. What counts as written is what lies in the log:
// after a crash it is read back from there. Lines that are written twice all the same are equal and have the same id.
//
//     new      every round, an hour at a time: what lies behind the last look, at each period, and the last seconds once more
//     checked  every minute the totals of all minutes that may still change; one that differs from what was written is read again
//
// Where the clock was set back into minutes that are written off as old, the check alone finds what is new in them.

import type { Clock } from "../clock.ts";
import { FINAL_AFTER_MS } from "../config.ts";
import { REVISIT_US, SETTLE_US } from "../counts/follow.ts";
import type { Bucket } from "../counts/read.ts";
import { Reto3Error } from "../errors.ts";
import { bucketStartUs, HOUR_US, MINUTE_US, PERIOD_NAMES, PERIODS, SECOND_US, type PeriodName } from "../period.ts";
import type { Store } from "../store/store.ts";
import { formatTimestamp } from "../units.ts";
import { countsLine, parseCountsLine } from "./counts-line.ts";
import type { CountsState, StateFile } from "./counts-state.ts";
import type { LogFile, LogPosition } from "./log-file.ts";
import { readMinutes } from "./minutes.ts";
import type { MonitorStats } from "./rounds.ts";
import { Shown } from "./shown.ts";

/** Buckets are known one by one for so long: until no flush can come any more, and some minutes. */
const BUCKETS_KNOWN_US = FINAL_AFTER_MS * 1_000 + 4 * MINUTE_US;

/** A minute that may still change is followed for so long: a dead writer's is settled after four hours. Shorter than any lifetime of counts. */
const FOLLOWED_MAX_US = 5 * HOUR_US;

/** So much is caught up at once: bounds memory, and what is read back after a crash. */
const SLICE_US = HOUR_US;

const CHECK_EVERY_US = MINUTE_US;
const STATE_EVERY_US = 10_000_000;

export interface CountsLogOptions {
  store: Store;
  clock: Clock;
  log: LogFile;
  state: StateFile;
  /** Without a state: from this bucket on. */
  fromUs: number;
  hostName: string;
  stats: MonitorStats;
  /** Ends a round in the middle of a long catch-up. */
  signal: AbortSignal;
  warn: (line: string) => void;
}

export class CountsLog {
  readonly #options: CountsLogOptions;
  readonly #shown = new Shown();
  /** Per period: where the buckets begin that were never looked at. */
  readonly #nextUs: Record<PeriodName, number>;
  /** Before `position` lie no lines of buckets at or after `endUs`; the earliest of those that are still of use first. */
  #marks: { endUs: number; position: LogPosition | null }[] = [];
  /** No bucket was written that begins there or later. */
  #endUs = 0;
  /** Nothing before it is written. */
  #startUs: number;
  #writtenMs = 0;
  #checkedUs = 0;
  #savedUs = 0;

  private constructor(options: CountsLogOptions) {
    this.#options = options;
    const { fromUs } = options;
    this.#startUs = fromUs;
    this.#nextUs = { "10ms": fromUs, "1s": fromUs, "1m": fromUs };
  }

  /** Goes on where the state and the log say that it was; begins where there is no state. */
  static async open(options: CountsLogOptions): Promise<CountsLog> {
    const counts = new CountsLog(options);
    const state = options.state.read();
    if (state) await counts.#recover(state);
    else for (const period of PERIOD_NAMES) counts.#shown.forgetBuckets(period, options.fromUs);
    return counts;
  }

  /** Writes what is new. Where it throws, what was written stays so, and the next round does the rest. */
  async round(): Promise<void> {
    const { clock, signal } = this.#options;
    // Killed before its first line, it begins there again.
    if (this.#savedUs === 0) this.save();
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
      untilUs = bucketStartUs(Math.min(...Object.values(this.#nextUs)), SLICE_US) + SLICE_US;
      for (const period of PERIOD_NAMES.toReversed()) await this.#writeNew(period, untilUs, nowUs);
      if (signal.aborted) return;
      this.#forgetOld(nowUs);
      this.#mark();
      this.#saveNowAndThen();
    } while (untilUs < nowUs - SETTLE_US);
  }

  /** Writes the state as it is now, after all that it tells of is on the disk. */
  save(): void {
    const { clock, log, state, store } = this.#options;
    const bucketsFromUs = { ...this.#shown.bucketsFromUs };
    this.#mark();
    const earliestUs = Math.min(...Object.values(bucketsFromUs));
    const first = this.#marks.findLastIndex(({ endUs }) => endUs <= earliestUs);
    this.#marks = this.#marks.slice(Math.max(0, first));
    log.sync();
    state.write({
      store: store.info.location,
      startUs: this.#startUs,
      writtenMs: this.#writtenMs,
      read: this.#marks[0]?.position ?? null,
      nextUs: { ...this.#nextUs },
      bucketsFromUs,
      minutes: this.#shown.minutes.map((minuteUs) => ({ minuteUs, sums: this.#shown.sums(minuteUs) })),
    });
    this.#savedUs = clock.nowUs();
  }

  async #recover(state: CountsState): Promise<void> {
    const { log, store, warn } = this.#options;
    const { read, nextUs, bucketsFromUs, minutes, startUs, writtenMs } = state;
    if (state.store !== "" && state.store !== store.info.location) {
      warn(
        `this log was of ${state.store}, and goes on with ${store.info.location}; want a --log-dir for each, should they differ`,
      );
    }
    this.#startUs = startUs;
    this.#writtenMs = writtenMs;
    Object.assign(this.#nextUs, nextUs);
    for (const period of PERIOD_NAMES) this.#shown.forgetBuckets(period, bucketsFromUs[period]);
    for (const { minuteUs, sums } of minutes) this.#shown.restore(minuteUs, sums);
    this.#marks.push({ endUs: 0, position: read });
    for await (const text of log.linesFrom(read)) {
      const line = parseCountsLine(text);
      if (!line) continue;
      this.#endUs = Math.max(this.#endUs, line.bucketUs + 1);
      this.#writtenMs = Math.max(this.#writtenMs, line.writtenMs);
      if (line.bucketUs >= bucketsFromUs[line.period]) this.#shown.note(line.period, line.bucketUs, line.events);
    }
  }

  /** Before `untilUs`. */
  async #writeNew(name: PeriodName, untilUs: number, nowUs: number): Promise<void> {
    const { store, signal } = this.#options;
    const period = PERIODS[name];
    const toUs = Math.min(untilUs, bucketStartUs(nowUs - SETTLE_US, period.us));
    this.#skipExpired(name, nowUs);
    const nextUs = this.#nextUs[name];
    const revisitUs = bucketStartUs(nowUs - REVISIT_US, period.us);
    // After an absence, its minute from the beginning.
    const startUs = nextUs < revisitUs ? bucketStartUs(nextUs, MINUTE_US) : revisitUs;
    const fromUs = Math.max(this.#shown.bucketsFromUs[name], startUs);
    if (fromUs >= toUs) return;
    const expired: number[] = [];
    for await (const { minuteUs, buckets } of readMinutes(store, { period, fromUs, toUs, nowUs, signal }).minutes) {
      if (signal.aborted) return;
      if (buckets) this.#writeMinute(name, minuteUs, buckets);
      else {
        expired.push(minuteUs);
        this.#shown.giveUp(name, minuteUs);
      }
      const doneUs = Math.min(toUs, minuteUs + MINUTE_US);
      this.#nextUs[name] = Math.max(this.#nextUs[name], doneUs);
      this.#shown.forgetBuckets(name, Math.min(doneUs, nowUs - BUCKETS_KNOWN_US));
      this.#saveNowAndThen();
    }
    this.#warnOfExpired(name, expired);
    if (!signal.aborted) this.#nextUs[name] = Math.max(this.#nextUs[name], toUs);
  }

  /** Where a period's counts have expired before they were written, it goes on with those that have not. */
  #skipExpired(name: PeriodName, nowUs: number): void {
    const keptSeconds = this.#options.store.info.retention[name];
    if (keptSeconds === null) return;
    const fromUs = this.#nextUs[name];
    // With some grace: they may expire while they are being read.
    const toUs = bucketStartUs(nowUs - keptSeconds * SECOND_US, MINUTE_US) + 3 * MINUTE_US;
    if (fromUs >= toUs) return;
    const range = `from ${formatTimestamp(fromUs)} to ${formatTimestamp(toUs)}`;
    this.#options.warn(`the ${name} counts ${range} have expired before they were written; going on after them`);
    this.#nextUs[name] = toUs;
    this.#shown.forgetBuckets(name, toUs);
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
    const fromUs = Math.min(...Object.values(this.#nextUs), nowUs - BUCKETS_KNOWN_US);
    const startUs = bucketStartUs(Math.max(this.#startUs, fromUs, nowUs - FOLLOWED_MAX_US), MINUTE_US);
    for (let minuteUs = startUs; minuteUs <= nowUs + MINUTE_US; minuteUs += MINUTE_US) this.#shown.follow(minuteUs);
  }

  #forgetOld(nowUs: number): void {
    for (const name of PERIOD_NAMES) {
      this.#shown.forgetBuckets(name, Math.min(this.#nextUs[name], nowUs - BUCKETS_KNOWN_US));
    }
    for (const minuteUs of this.#shown.minutes) {
      if (minuteUs < nowUs - FOLLOWED_MAX_US) this.#shown.forget(minuteUs);
    }
  }

  /** Holds the totals of minutes that may change against what was written. */
  async #check(nowUs: number): Promise<void> {
    const { store, signal } = this.#options;
    const lookedAtUs = Math.min(...Object.values(this.#nextUs), nowUs - REVISIT_US);
    const known = this.#shown.minutes.filter((minuteUs) => this.#shown.sums(minuteUs)["1m"] !== null);
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
    const knownFromUs = Math.min(...Object.values(this.#shown.bucketsFromUs));
    const expired: Record<PeriodName, number[]> = { "10ms": [], "1s": [], "1m": [] };
    for (const [minuteUs, total] of totals) {
      if (total === null) {
        for (const name of PERIOD_NAMES) this.#shown.giveUp(name, minuteUs);
        expired["1m"].push(minuteUs);
        continue;
      }
      const sums = this.#shown.sums(minuteUs);
      const changed = PERIOD_NAMES.filter((name) => sums[name] !== null && sums[name] !== total);
      for (const name of changed) if (!(await this.#writeAgain(name, minuteUs, nowUs))) expired[name].push(minuteUs);
      const isFinal = minuteUs + MINUTE_US <= finalUs && changed.length === 0;
      if (isFinal && minuteUs < knownFromUs) this.#shown.forget(minuteUs);
    }
    for (const name of PERIOD_NAMES) this.#warnOfExpired(name, expired[name]);
  }

  /** False where its rows have expired. */
  async #writeAgain(name: PeriodName, minuteUs: number, nowUs: number): Promise<boolean> {
    const question = { period: PERIODS[name], fromUs: minuteUs, toUs: minuteUs + MINUTE_US, nowUs };
    let found: Bucket[] = [];
    for await (const { buckets } of readMinutes(this.#options.store, question).minutes) {
      if (!buckets) {
        this.#shown.giveUp(name, minuteUs);
        return false;
      }
      found = buckets;
    }
    this.#writeMinute(name, minuteUs, found);
    const there = new Set(found.map(({ bucketUs }) => bucketUs));
    for (const [bucketUs, events] of this.#shown.buckets(name, minuteUs) ?? []) {
      if (events > 0 && !there.has(bucketUs)) this.#write(name, { bucketUs, events: 0, lag: null });
    }
    return true;
  }

  /** Of one minute's buckets, those that were not written or have changed. */
  #writeMinute(name: PeriodName, minuteUs: number, buckets: readonly Bucket[]): void {
    let known = this.#shown.buckets(name, minuteUs);
    if (!known) {
      // Its sum alone is known. Where that is another one, it is written anew, as a whole.
      if (eventsIn(buckets) === this.#shown.sums(minuteUs)[name]) return;
      this.#shown.restart(name, minuteUs);
      known = this.#shown.buckets(name, minuteUs);
    }
    for (const bucket of buckets) if (known?.get(bucket.bucketUs) !== bucket.events) this.#write(name, bucket);
  }

  #write(name: PeriodName, bucket: Bucket): void {
    const { clock, log, hostName, stats } = this.#options;
    const nowMs = Math.floor(clock.nowUs() / 1_000);
    this.#writtenMs = Math.max(this.#writtenMs, nowMs);
    const monitor = { hostName, failures: stats.failures, writtenMs: this.#writtenMs };
    log.append([countsLine(name, bucket, monitor)], nowMs);
    this.#shown.note(name, bucket.bucketUs, bucket.events);
    this.#endUs = Math.max(this.#endUs, bucket.bucketUs + 1);
  }

  #mark(): void {
    if (this.#marks.at(-1)?.endUs === this.#endUs) this.#marks.pop();
    this.#marks.push({ endUs: this.#endUs, position: this.#options.log.end() });
  }

  #saveNowAndThen(): void {
    if (Math.abs(this.#options.clock.nowUs() - this.#savedUs) >= STATE_EVERY_US) this.save();
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
