// What a store needs done now and then: settling what dead writers left, merging closed minutes. An hour at a time.
// `pass` does it once for a range (`reto3 merge`), `Upkeep` goes on doing it (serve). Knows the store's contract.

import type { Clock } from "../clock.ts";
import { FINAL_AFTER_MS, UPKEEP_INTERVAL_MS } from "../config.ts";
import { bucketStartUs, HOUR_US, MINUTE_US } from "../period.ts";
import type { Claim, Store } from "../store/store.ts";
import { pause } from "../writer/retry.ts";
import { MERGED_LEVELS, mergeMinute } from "./merge.ts";
import { isAbandoned, settle } from "./settle.ts";

/** Between two looks at all hours that the store has. */
const LOOK_INTERVAL_MS = 6 * 3_600_000;

export interface UpkeepStats {
  mergedMinutes: number;
  settledPartitions: number;
  /** Partitions of dead writers that contradict themselves, as "minute/writer"; they stay open, and are not tried again. */
  readonly undecided: Set<string>;
  failures: number;
}

export function emptyStats(): UpkeepStats {
  return { mergedMinutes: 0, settledPartitions: 0, undecided: new Set(), failures: 0 };
}

export interface PassOptions {
  /** The clock of whoever does it. */
  nowUs: number;
  /** Minutes that ended after it are left alone. */
  untilUs: number;
  signal: AbortSignal;
  stats: UpkeepStats;
  /** Told of each partition of a dead writer that was settled or could not be, for people. */
  onSettled?: (claim: Claim, events: number | null, problem: string) => void;
}

/** Settles and merges what is due in one hour. True if nothing is left to do there, ever, unless a late claim comes. */
export async function passHour(store: Store, hourUs: number, options: PassOptions): Promise<boolean> {
  const { nowUs, untilUs, signal, stats } = options;
  let done = hourUs + HOUR_US <= untilUs;
  const minutes = new Map<number, Claim[]>();
  for await (const page of store.claims(hourUs, hourUs + HOUR_US)) {
    for (const claim of page) {
      const settled = isAbandoned(claim, store, nowUs) ? await settleOne(store, claim, options) : claim;
      minutes.set(claim.minuteUs, [...(minutes.get(claim.minuteUs) ?? []), settled]);
      if (signal.aborted) return false;
    }
  }
  for (const level of MERGED_LEVELS) {
    const merged = new Map<number, number>();
    for await (const page of store.merged(level, hourUs, hourUs + HOUR_US)) {
      for (const { minuteUs, writerCount } of page) merged.set(minuteUs, writerCount);
    }
    for (const [minuteUs, claims] of minutes) {
      if (signal.aborted) return false;
      if (merged.get(minuteUs) === claims.length) continue;
      const closed = minuteUs + MINUTE_US <= untilUs && claims.every(({ sealedEvents }) => sealedEvents !== null);
      if (!closed) done = false;
      else if ((await mergeMinute(store, level, claims, nowUs)) && level === "1m") stats.mergedMinutes++;
    }
  }
  return done;
}

async function settleOne(store: Store, claim: Claim, { nowUs, stats, onSettled }: PassOptions): Promise<Claim> {
  const key = `${claim.minuteUs}/${claim.writer}`;
  if (stats.undecided.has(key)) return claim;
  const { events, problem } = await settle(store, claim, nowUs);
  if (events === null) stats.undecided.add(key);
  else stats.settledPartitions++;
  onSettled?.(claim, events, problem);
  return { ...claim, sealedEvents: events };
}

export interface UpkeepOptions extends Pick<PassOptions, "onSettled"> {
  store: Store;
  clock: Clock;
  /** Told when a round failed; the next one tries again. */
  onFailure: (error: unknown) => void;
}

/** Rounds of upkeep beside a running writer, one hour after another with a rest between them. */
export class Upkeep {
  readonly stats = emptyStats();
  readonly #options: UpkeepOptions;
  readonly #stop = new AbortController();
  /** Hours in which something may be left to do. */
  #pending = new Set<number>();
  #nextLookMs = 0;
  readonly #running: Promise<void>;

  constructor(options: UpkeepOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** Resolves when no more is done; what was under way may be half done, which is harmless. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      // Several processes that share a store take turns by chance: who comes later finds the work done.
      await pause(UPKEEP_INTERVAL_MS * (0.5 + Math.random()), signal);
      try {
        await this.#round();
      } catch (error) {
        this.stats.failures++;
        this.#options.onFailure(error);
      }
    }
  }

  /** The newest hours first: these are asked for most. */
  async #round(): Promise<void> {
    const { store, clock } = this.#options;
    const { signal } = this.#stop;
    await this.#look(clock.nowUs());
    for (const hourUs of [...this.#pending].sort((a, b) => b - a)) {
      if (signal.aborted) return;
      const nowUs = clock.nowUs();
      const options = { ...this.#options, nowUs, untilUs: nowUs - FINAL_AFTER_MS * 1_000, signal, stats: this.stats };
      const startedMs = performance.now();
      if (await passHour(store, hourUs, options)) this.#pending.delete(hourUs);
      // At most half of the time, so that a long backlog leaves room for flushes.
      await pause(performance.now() - startedMs, signal);
    }
  }

  /** All hours now and then, for what others have left or brought; between, those that pass. */
  async #look(nowUs: number): Promise<void> {
    if (performance.now() >= this.#nextLookMs) {
      this.#pending = new Set(await this.#options.store.claimedHours());
      this.#nextLookMs = performance.now() + LOOK_INTERVAL_MS;
    }
    this.#pending.add(bucketStartUs(nowUs, HOUR_US));
  }
}
