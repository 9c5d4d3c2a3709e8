// The counts as a log: every bucket that has events once it has closed, and again when its count has changed.
// Reads the store's contract; writes the log and, every ten seconds, its state. What counts as written is what lies in the log:
// after a crash it is read back from there, so that nothing is left out and nothing written twice.
//
//     live     every round the buckets of the last seconds, at each period
//     checked  every minute the totals of all minutes that may still change; one that differs from what was written is read again

import type { Clock } from "../clock.ts";
import { FINAL_AFTER_MS } from "../config.ts";
import { REVISIT_US, SETTLE_US } from "../counts/follow.ts";
import { readCounts, type Bucket } from "../counts/read.ts";
import { Reto3Error } from "../errors.ts";
import { bucketStartUs, HOUR_US, MINUTE_US, PERIOD_NAMES, PERIODS, periodNamed, type PeriodName } from "../period.ts";
import type { Store } from "../store/store.ts";
import { formatTimestamp } from "../units.ts";
import type { CountsState, StateFile } from "./counts-state.ts";
import { ndjsonLine } from "./documents.ts";
import type { LogFile, LogPosition } from "./log-file.ts";
import type { MonitorStats } from "./rounds.ts";
import { Shown } from "./shown.ts";

/** Buckets are known one by one for so long: until no flush can come any more, and some minutes. */
const BUCKETS_KNOWN_US = FINAL_AFTER_MS * 1_000 + 4 * MINUTE_US;

/** A minute with an unsealed claim is followed for so long: a dead writer's is settled after four hours. Shorter than any lifetime of counts. */
const FOLLOWED_MAX_US = 5 * HOUR_US;

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
  /** Where the log ended at what time; the oldest of those that are still of use first. */
  #marks: { atUs: number; position: LogPosition | null }[] = [];
  /** Nothing before it is written. */
  #startUs = 0;
  #checkedUs = 0;
  #writtenMs = 0;
  #savedUs = 0;

  private constructor(options: CountsLogOptions) {
    this.#options = options;
    const { fromUs } = options;
    this.#nextUs = { "10ms": fromUs, "1s": fromUs, "1m": fromUs };
  }

  /** Goes on where the state and the log say that it was; begins where there is no state. */
  static async open(options: CountsLogOptions): Promise<CountsLog> {
    const counts = new CountsLog(options);
    const state = options.state.read();
    if (state) await counts.#recover(state);
    else {
      counts.#startUs = options.fromUs;
      for (const period of PERIOD_NAMES) counts.#shown.forgetBuckets(period, options.fromUs);
      counts.#marks.push({ atUs: 0, position: options.log.end() });
    }
    return counts;
  }

  /** Writes what is new. Where it throws, what was written stays so, and the next round does the rest. */
  async round(): Promise<void> {
    const nowUs = this.#options.clock.nowUs();
    // The coarse ones first: a long catch-up takes its time with the fine ones.
    for (const period of PERIOD_NAMES.toReversed()) {
      try {
        await this.#writeNew(period, nowUs);
      } catch (error) {
        if (!(error instanceof Reto3Error) || error.code !== "EXPIRED") throw error;
        // A lifetime that is shorter than this process was told, or rows that went while they were read.
        this.#skipTo(period, Math.min(nowUs, this.#nextUs[period] + HOUR_US));
      }
    }
    if (nowUs - this.#checkedUs >= CHECK_EVERY_US) {
      await this.#check(nowUs);
      this.#checkedUs = nowUs;
    }
    this.#saveNowAndThen();
  }

  /** Writes the state as it is now. */
  save(): void {
    const { clock, log, state } = this.#options;
    const nowUs = clock.nowUs();
    const bucketsFromUs = { ...this.#shown.bucketsFromUs };
    this.#marks.push({ atUs: nowUs, position: log.end() });
    // A line is written after the end of its bucket: those at or after `bucketsFromUs` come after the last mark before it.
    const earliestUs = Math.min(...Object.values(bucketsFromUs));
    const first = this.#marks.findLastIndex(({ atUs }) => atUs <= earliestUs);
    this.#marks = this.#marks.slice(Math.max(0, first));
    state.write({
      read: this.#marks[0]?.position ?? null,
      nextUs: { ...this.#nextUs },
      bucketsFromUs,
      minutes: this.#shown.minutes.map((minuteUs) => ({ minuteUs, sums: this.#shown.sums(minuteUs) })),
    });
    this.#savedUs = nowUs;
  }

  async #recover({ read, nextUs, bucketsFromUs, minutes }: CountsState): Promise<void> {
    const { log } = this.#options;
    Object.assign(this.#nextUs, nextUs);
    for (const period of PERIOD_NAMES) this.#shown.forgetBuckets(period, bucketsFromUs[period]);
    for (const { minuteUs, sums } of minutes) this.#shown.restore(minuteUs, sums);
    this.#marks.push({ atUs: 0, position: read });
    for await (const line of log.linesFrom(read)) {
      const written = bucketOf(line);
      if (!written) continue;
      const { period, bucketUs, events } = written;
      if (bucketUs >= bucketsFromUs[period]) this.#shown.note(period, bucketUs, events);
    }
  }

  async #writeNew(name: PeriodName, nowUs: number): Promise<void> {
    const { store, signal } = this.#options;
    const period = PERIODS[name];
    const toUs = bucketStartUs(nowUs - SETTLE_US, period.us);
    const nextUs = this.#skipExpired(name, nowUs);
    const revisitUs = bucketStartUs(nowUs - REVISIT_US, period.us);
    // After an absence from before it, for what came meanwhile into minutes that were written already.
    const startUs = nextUs < revisitUs ? this.#shown.bucketsFromUs[name] : revisitUs;
    const fromUs = Math.max(this.#startUs, startUs);
    if (fromUs >= toUs) return;
    this.#follow(fromUs, toUs, nowUs);
    const { buckets } = readCounts(store, { period, fromUs, toUs, nowUs, source: "counts", signal });
    for await (const portion of buckets) {
      for (const minute of byMinute(portion)) this.#writeMinute(name, minute);
      if (signal.aborted) return;
      // Portions are of whole minutes.
      const doneUs = Math.min(toUs, bucketStartUs(portion.at(-1)?.bucketUs ?? fromUs, MINUTE_US) + MINUTE_US);
      this.#nextUs[name] = Math.max(this.#nextUs[name], doneUs);
      this.#shown.forgetBuckets(name, Math.min(doneUs, nowUs - BUCKETS_KNOWN_US));
      this.#saveNowAndThen();
    }
    if (!signal.aborted) this.#nextUs[name] = Math.max(this.#nextUs[name], toUs);
  }

  /** Where a period's counts have expired before they were written, it goes on with those that have not. */
  #skipExpired(name: PeriodName, nowUs: number): number {
    const keptSeconds = this.#options.store.info.retention[name];
    // Two minutes of grace: they expire while they are being read.
    const livingUs = keptSeconds === null ? 0 : nowUs - keptSeconds * 1_000_000 + 2 * MINUTE_US;
    if (this.#nextUs[name] < livingUs) this.#skipTo(name, livingUs);
    return this.#nextUs[name];
  }

  #skipTo(name: PeriodName, us: number): void {
    const toUs = bucketStartUs(us, MINUTE_US);
    const fromUs = this.#nextUs[name];
    if (toUs <= fromUs) return;
    const range = `from ${formatTimestamp(fromUs)} to ${formatTimestamp(toUs)}`;
    this.#options.warn(`the ${name} counts ${range} have expired before they were written; going on after them`);
    this.#nextUs[name] = toUs;
    this.#shown.forgetBuckets(name, toUs);
  }

  #follow(fromUs: number, toUs: number, nowUs: number): void {
    const startUs = Math.max(fromUs, nowUs - FOLLOWED_MAX_US);
    for (let minuteUs = bucketStartUs(startUs, MINUTE_US); minuteUs < toUs; minuteUs += MINUTE_US) {
      this.#shown.follow(minuteUs);
    }
  }

  /** Holds the totals of minutes that may change against what was written. */
  async #check(nowUs: number): Promise<void> {
    const { store, signal } = this.#options;
    const lookedAtUs = Math.min(...Object.values(this.#nextUs), nowUs - REVISIT_US);
    const minutes = this.#shown.minutes.filter((minuteUs) => minuteUs + MINUTE_US <= lookedAtUs);
    const [firstUs, lastUs] = [minutes[0], minutes.at(-1)];
    if (firstUs === undefined || lastUs === undefined) return;
    const question = { fromUs: firstUs, toUs: lastUs + MINUTE_US, nowUs, source: "counts" as const, signal };
    const reading = readCounts(store, { ...question, period: PERIODS["1m"] });
    const totals = new Map<number, number>();
    for await (const portion of reading.buckets)
      for (const { bucketUs, events } of portion) totals.set(bucketUs, events);
    if (signal.aborted) return;
    const { finalUs } = reading.summary();
    for (const minuteUs of minutes) {
      const total = totals.get(minuteUs) ?? 0;
      const sums = this.#shown.sums(minuteUs);
      const changed = PERIOD_NAMES.filter((name) => sums[name] !== total);
      for (const name of changed) await this.#writeAgain(name, minuteUs, nowUs);
      // One whose buckets are known is still read after an absence.
      const isOld = minuteUs < Math.min(...Object.values(this.#shown.bucketsFromUs));
      const isFinal = minuteUs + MINUTE_US <= finalUs && changed.length === 0;
      if (isOld && (isFinal || minuteUs < nowUs - FOLLOWED_MAX_US)) this.#shown.forget(minuteUs);
    }
    for (const name of PERIOD_NAMES) {
      this.#shown.forgetBuckets(name, Math.min(this.#nextUs[name], nowUs - BUCKETS_KNOWN_US));
    }
  }

  async #writeAgain(name: PeriodName, minuteUs: number, nowUs: number): Promise<void> {
    const question = { period: PERIODS[name], fromUs: minuteUs, toUs: minuteUs + MINUTE_US, nowUs };
    const { buckets } = readCounts(this.#options.store, { ...question, source: "counts" });
    const found: Bucket[] = [];
    for await (const portion of buckets) found.push(...portion);
    this.#writeMinute(name, found);
    const there = new Set(found.map(({ bucketUs }) => bucketUs));
    for (const [bucketUs, events] of this.#shown.buckets(name, minuteUs) ?? []) {
      if (events > 0 && !there.has(bucketUs)) this.#write(name, { bucketUs, events: 0, lag: null });
    }
  }

  /** Of one minute's buckets, those that were not written or have changed. */
  #writeMinute(name: PeriodName, buckets: readonly Bucket[]): void {
    const [first] = buckets;
    if (!first) return;
    const minuteUs = bucketStartUs(first.bucketUs, MINUTE_US);
    let known = this.#shown.buckets(name, minuteUs);
    if (!known) {
      // Its sum alone is known. Where that is another one, it is written anew, as a whole.
      const total = buckets.reduce((sum, { events }) => sum + events, 0);
      if (total === this.#shown.sums(minuteUs)[name]) return;
      this.#shown.restart(name, minuteUs);
      known = this.#shown.buckets(name, minuteUs);
    }
    for (const bucket of buckets) if (known?.get(bucket.bucketUs) !== bucket.events) this.#write(name, bucket);
  }

  #write(name: PeriodName, { bucketUs, events, lag }: Bucket): void {
    const { clock, log, hostName, stats } = this.#options;
    const head = { timestampUs: bucketUs, id: `${name}-${bucketUs / 1_000}`, hostName, failures: stats.failures };
    const writtenMs = Math.max(this.#writtenMs, Math.floor(clock.nowUs() / 1_000));
    this.#writtenMs = writtenMs;
    const counted = { "reto.granularity": name, "reto.count": events, "reto.written_ms": writtenMs };
    const lags = lag && {
      "reto.lag.min_ms": lag.minUs / 1_000,
      "reto.lag.avg_ms": Math.round(lag.sumUs / events) / 1_000,
      "reto.lag.max_ms": lag.maxUs / 1_000,
    };
    log.append([ndjsonLine("counts", head, { ...counted, ...lags })], clock.nowUs() / 1_000);
    this.#shown.note(name, bucketUs, events);
  }

  #saveNowAndThen(): void {
    if (this.#options.clock.nowUs() - this.#savedUs >= STATE_EVERY_US) this.save();
  }
}

function* byMinute(buckets: readonly Bucket[]): Generator<Bucket[]> {
  let minute: Bucket[] = [];
  for (const bucket of buckets) {
    const [first] = minute;
    if (first && bucket.bucketUs >= bucketStartUs(first.bucketUs, MINUTE_US) + MINUTE_US) {
      yield minute;
      minute = [];
    }
    minute.push(bucket);
  }
  yield minute;
}

/** What a line of the log says; undefined for one that a crash cut off. */
function bucketOf(line: string): { period: PeriodName; bucketUs: number; events: number } | undefined {
  try {
    const { "@timestamp": time, reto } = JSON.parse(line) as {
      "@timestamp": string;
      reto: { granularity: string; count: number };
    };
    const period = periodNamed(reto.granularity);
    const bucketUs = Date.parse(time) * 1_000;
    const isWhole = period !== undefined && Number.isSafeInteger(bucketUs) && Number.isSafeInteger(reto.count);
    return isWhole ? { period: period.name, bucketUs, events: reto.count } : undefined;
  } catch {
    return undefined;
  }
}

/** Where a log begins that is told to begin at `fromUs`: with a whole minute. */
export function firstBucketUs(fromUs: number): number {
  const minuteUs = bucketStartUs(fromUs, MINUTE_US);
  if (minuteUs < 0) throw new Reto3Error("USAGE", "--from: want a time after 1970");
  return minuteUs;
}
