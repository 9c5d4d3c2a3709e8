// The counts of the last minutes by second, and those of the newest 10 ms, kept in step with the store. Reads it as `count` does.
//
//     read before ...... REVISIT ......|... ended since ...| begun
//                        1s: which have changed            |
//                                      10ms: of these, and of what has begun
//
// Only what has changed is read at 10 ms: of a minute that is sealed any part costs as much as the whole (src/counts/read.ts).

import { REVISIT_US } from "../counts/follow.ts";
import { readCounts, type Bucket } from "../counts/read.ts";
import { Reto3Error } from "../errors.ts";
import type { SecondRow, Tick } from "../live-messages.ts";
import { bucketStartUs, MINUTE_US, PERIODS, SECOND_US, type PeriodName } from "../period.ts";
import type { Store } from "../store/store.ts";
import { pause } from "../writer/retry.ts";

/** So much is kept. */
export const KEPT_US = 300 * SECOND_US;

/** A 10 ms bucket is shown this long after its end. */
const BUCKET_SETTLE_US = 100_000;

/** So many seconds of 10 ms are told each time, the one that has begun included. */
const FINE_SECONDS = 3;

/** What came later than anything acknowledged can, as after a time without the store, is found by looking at all so often. */
const LOOK_AT_ALL_US = 10 * SECOND_US;

const FINE_US = PERIODS["10ms"].us;
const FINE_PER_SECOND = SECOND_US / FINE_US;

export class Seconds {
  readonly #store: Store;
  /** By start. Without events: absent. */
  readonly #rows = new Map<number, { events: number; peak: number }>();
  /** Starts of those that have changed since `takeChanged`. */
  readonly #changed = new Set<number>();
  /** The 10 ms of the newest seconds, by the second's start. */
  readonly #fine = new Map<number, readonly number[]>();
  /** The seconds before have been read. */
  #readUs = Number.NEGATIVE_INFINITY;
  /** And the 10 ms before. */
  #fineUs = Number.NEGATIVE_INFINITY;

  constructor(store: Store) {
    this.#store = store;
  }

  /** The end of the newest second that was read. */
  get readUs(): number {
    return this.#readUs;
  }

  /** Whether nothing that is kept has events. */
  get isEmpty(): boolean {
    return this.#rows.size === 0;
  }

  /** Reads what is new at `nowUs`, and what has changed. Throws what the store throws; the next reading then reads that, too. */
  async read(nowUs: number, signal: AbortSignal): Promise<void> {
    const fineUs = bucketStartUs(nowUs - BUCKET_SETTLE_US, FINE_US);
    const toUs = bucketStartUs(fineUs, SECOND_US);
    // The clock was set back: what was read then has another time now.
    if (toUs < this.#readUs) this.#forget();
    const all = toUs % LOOK_AT_ALL_US === 0;
    const againUs = all ? Number.NEGATIVE_INFINITY : bucketStartUs(this.#readUs - REVISIT_US, SECOND_US);
    const events = await this.#eventsIn("1s", Math.max(toUs - KEPT_US, againUs), toUs, signal);
    const changed = [...events].filter(([us, now]) => this.#rows.get(us)?.events !== now).map(([us]) => us);
    for (const run of runsOf([...changed, toUs])) {
      await this.#readRun(run, fineUs, events, signal);
      // An embedded store answers at once: a minute takes some 20 ms, and what arrives meanwhile waits. It shall not wait for five.
      await pause(0, signal);
    }
    this.#readUs = toUs;
    this.#fineUs = fineUs;
    for (const old of [this.#rows, this.#changed]) {
      for (const us of old.keys()) if (us < toUs - KEPT_US) old.delete(us);
    }
    for (const us of this.#fine.keys()) if (us <= toUs - FINE_SECONDS * SECOND_US) this.#fine.delete(us);
  }

  /** All that is kept. */
  get all(): SecondRow[] {
    return this.#rowsOf(this.#rows.keys());
  }

  /** What is new or has changed since it was called last. */
  takeChanged(): SecondRow[] {
    const rows = this.#rowsOf(this.#changed);
    // A reading that is under way, or failed, may have found more.
    for (const [startMs] of rows) this.#changed.delete(startMs * 1_000);
    return rows;
  }

  /** The counts of the newest 10 ms, zeros too. */
  get buckets(): Tick["buckets"] {
    if (this.#readUs < 0) return { startMs: 0, events: [] };
    const startUs = this.#readUs - (FINE_SECONDS - 1) * SECOND_US;
    const none = Array.from({ length: FINE_PER_SECOND }, () => 0);
    const all = Array.from({ length: FINE_SECONDS }, (_, at) => this.#fine.get(startUs + at * SECOND_US) ?? none);
    return { startMs: startUs / 1_000, events: all.flat().slice(0, (this.#fineUs - startUs) / FINE_US) };
  }

  /** With the newest second that was read, also where it is empty: that it is tells how far this goes. */
  #rowsOf(starts: Iterable<number>): SecondRow[] {
    if (this.#readUs < 0) return [];
    const newestUs = this.#readUs - SECOND_US;
    const wanted = new Set(starts).add(newestUs);
    const rows = [...wanted].filter((us) => us >= this.#readUs - KEPT_US && us <= newestUs);
    return rows
      .sort((a, b) => a - b)
      .map((us) => [us / 1_000, this.#rows.get(us)?.events ?? 0, this.#rows.get(us)?.peak ?? 0]);
  }

  /** Seconds one after another, at 10 ms; the last of them may have begun only. */
  async #readRun(run: readonly number[], fineUs: number, known: Map<number, number>, signal: AbortSignal) {
    const [fromUs = 0, lastUs = fromUs] = [run[0], run.at(-1)];
    let found: Map<number, number> | undefined;
    try {
      found = await this.#eventsIn("10ms", fromUs, Math.min(lastUs + SECOND_US, fineUs), signal);
    } catch (error) {
      if (!(error instanceof Reto3Error) || error.code !== "EXPIRED") throw error;
    }
    for (const us of run) {
      const fine = found && Array.from({ length: FINE_PER_SECOND }, (_, at) => found.get(us + at * FINE_US) ?? 0);
      if (fine) this.#fine.set(us, fine);
      if (us + SECOND_US > fineUs) continue;
      // Without its 10 ms: what the fullest of them has at least.
      const events = fine?.reduce((sum, one) => sum + one, 0) ?? known.get(us) ?? 0;
      this.#rows.set(us, { events, peak: fine ? Math.max(...fine) : Math.ceil(events / FINE_PER_SECOND) });
      this.#changed.add(us);
    }
  }

  async #eventsIn(period: PeriodName, fromUs: number, toUs: number, signal: AbortSignal): Promise<Map<number, number>> {
    const question = { period: PERIODS[period], fromUs, toUs, nowUs: toUs, source: "counts" as const, signal };
    const events = new Map<number, number>();
    const keep = ({ bucketUs, events: counted }: Bucket) => events.set(bucketUs, counted);
    for await (const portion of readCounts(this.#store, question).buckets) portion.forEach(keep);
    signal.throwIfAborted();
    return events;
  }

  #forget(): void {
    this.#rows.clear();
    this.#changed.clear();
    this.#fine.clear();
    this.#readUs = Number.NEGATIVE_INFINITY;
  }
}

/** Seconds, which ascend, in runs without a gap, each of one minute. */
function runsOf(starts: readonly number[]): number[][] {
  const runs: number[][] = [];
  for (const us of starts) {
    const run = runs.at(-1);
    if (run?.at(-1) === us - SECOND_US && us % MINUTE_US !== 0) run.push(us);
    else runs.push([us]);
  }
  return runs;
}
