// What the counts' monitor has written, and how that outlives it: the log, what is known of the lines in it, and the state that tells where
// to read them back. What counts as written is what lies in the log. Knows nothing of the store but its name.
//
//     write    a line into the log, and what it says into `shown`
//     save     log to the disk, then the state: how far each period was looked through, the sums of old minutes that may still
//              change, and a place in the log after which lie all lines of younger ones

import type { Clock } from "../clock.ts";
import type { Bucket } from "../counts/read.ts";
import { PERIOD_NAMES, type PeriodName } from "../period.ts";
import { countsLine, parseCountsLine } from "./counts-line.ts";
import type { CountsState, StateFile } from "./counts-state.ts";
import type { LogFile, LogPosition } from "./log-file.ts";
import type { MonitorStats } from "./rounds.ts";
import { Shown } from "./shown.ts";

const STATE_EVERY_US = 10_000_000;

export interface LedgerOptions {
  clock: Clock;
  log: LogFile;
  state: StateFile;
  /** Where the store is whose counts these are. */
  location: string;
  /** Without a state: from this bucket on. */
  fromUs: number;
  hostName: string;
  stats: MonitorStats;
  warn: (line: string) => void;
}

export class Ledger {
  readonly #options: LedgerOptions;
  readonly shown = new Shown();
  /** Per period: where the buckets begin that were never looked at. */
  readonly nextUs: Record<PeriodName, number>;
  /** Before `position` lie no lines of buckets at or after `endUs`; the earliest of those that are still of use first. */
  #marks: { endUs: number; position: LogPosition | null }[] = [];
  /** No bucket was written that begins there or later. */
  #endUs = 0;
  #startUs: number;
  #writtenMs = 0;
  #savedUs = 0;

  private constructor(options: LedgerOptions) {
    this.#options = options;
    const { fromUs } = options;
    this.#startUs = fromUs;
    this.nextUs = { "10ms": fromUs, "1s": fromUs, "1m": fromUs };
  }

  /** Goes on where the state and the log say that it was; begins where there is no state. */
  static async open(options: LedgerOptions): Promise<Ledger> {
    const ledger = new Ledger(options);
    const state = options.state.read();
    if (state) await ledger.#recover(state);
    else for (const period of PERIOD_NAMES) ledger.shown.forgetBuckets(period, options.fromUs);
    return ledger;
  }

  /** False until this process has written its state once. */
  get isSaved(): boolean {
    return this.#savedUs > 0;
  }

  /** Nothing before it is written. */
  get startUs(): number {
    return this.#startUs;
  }

  /** Throws OUTPUT; then it is not written. */
  write(name: PeriodName, bucket: Bucket): void {
    const { clock, log, hostName, stats } = this.#options;
    const nowMs = Math.floor(clock.nowUs() / 1_000);
    this.#writtenMs = Math.max(this.#writtenMs, nowMs);
    const monitor = { hostName, failures: stats.failures, writtenMs: this.#writtenMs };
    log.append([countsLine(name, bucket, monitor)], nowMs);
    this.shown.note(name, bucket.bucketUs, bucket.events);
    this.#endUs = Math.max(this.#endUs, bucket.bucketUs + 1);
  }

  /** Now and then, so that little is read back after a crash. */
  mark(): void {
    if (this.#marks.at(-1)?.endUs === this.#endUs) this.#marks.pop();
    this.#marks.push({ endUs: this.#endUs, position: this.#options.log.end() });
  }

  /** Writes the state as it is now, after all that it tells of is on the disk. */
  save(): void {
    const { clock, log, state, location } = this.#options;
    const bucketsFromUs = { ...this.shown.bucketsFromUs };
    this.mark();
    const earliestUs = Math.min(...Object.values(bucketsFromUs));
    const first = this.#marks.findLastIndex(({ endUs }) => endUs <= earliestUs);
    this.#marks = this.#marks.slice(Math.max(0, first));
    log.sync();
    state.write({
      store: location,
      startUs: this.#startUs,
      writtenMs: this.#writtenMs,
      read: this.#marks[0]?.position ?? null,
      nextUs: { ...this.nextUs },
      bucketsFromUs,
      minutes: this.shown.minutes.map((minuteUs) => ({ minuteUs, sums: this.shown.sums(minuteUs) })),
    });
    this.#savedUs = clock.nowUs();
  }

  /** Every ten seconds. */
  saveNowAndThen(): void {
    if (Math.abs(this.#options.clock.nowUs() - this.#savedUs) >= STATE_EVERY_US) this.save();
  }

  async #recover(state: CountsState): Promise<void> {
    const { log, location, warn } = this.#options;
    const { read, nextUs, bucketsFromUs, minutes, startUs, writtenMs } = state;
    if (state.store !== "" && state.store !== location) {
      warn(
        `this log was of ${state.store}, and goes on with ${location}; want a --log-dir for each, should they differ`,
      );
    }
    this.#startUs = startUs;
    this.#writtenMs = writtenMs;
    Object.assign(this.nextUs, nextUs);
    for (const period of PERIOD_NAMES) this.shown.forgetBuckets(period, bucketsFromUs[period]);
    for (const { minuteUs, sums } of minutes) this.shown.restore(minuteUs, sums);
    this.#marks.push({ endUs: 0, position: read });
    for await (const text of log.linesFrom(read)) {
      const line = parseCountsLine(text);
      if (!line) continue;
      this.#endUs = Math.max(this.#endUs, line.bucketUs + 1);
      this.#writtenMs = Math.max(this.#writtenMs, line.writtenMs);
      if (line.bucketUs >= bucketsFromUs[line.period]) this.shown.note(line.period, line.bucketUs, line.events);
    }
  }
}
