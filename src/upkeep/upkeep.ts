// What a store needs done now and then: settling what dead writers left, merging closed minutes. An hour at a time.
// `passHour` does it once (`reto3 merge`), `Upkeep` goes on doing it (serve). Knows the store's contract.

import type { Clock } from "../clock.ts";
import { FINAL_AFTER_MS, UPKEEP_INTERVAL_MS } from "../config.ts";
import { bucketStartUs, DAY_US, HOUR_US, MINUTE_US } from "../period.ts";
import { byMinute } from "../counts/plan.ts";
import { isPast } from "../counts/raw.ts";
import { Reto3Error } from "../errors.ts";
import type { Claim, Store } from "../store/store.ts";
import { pause } from "../writer/retry.ts";
import { MERGED_LEVELS, mergeMinute } from "./merge.ts";
import { isAbandoned, settle } from "./settle.ts";

/** Between two looks at the hours of the last days, for what others have left or brought. */
const LOOK_INTERVAL_MS = 6 * 3_600_000;

/** What is older was merged by those who served then; after an import `reto3 merge` does it. */
const LOOK_BACK_US = 7 * DAY_US;

/** Who is further off than this from the store's clock would take living writers for dead ones. */
const CLOCK_OFFSET_MAX_US = MINUTE_US;

export interface UpkeepStats {
  mergedMinutes: number;
  settledPartitions: number;
  /** Partitions of dead writers that contradict themselves, as "minute/writer"; they stay open, and are not tried again. */
  readonly undecided: Set<string>;
  /** Claims of minutes that have been over for a minute and are not sealed, as of the last round. */
  unsealedClaims: number;
  /** The earliest minute of these; null where there are none, and before the first round. */
  unsealedSinceUs: number | null;
  /** Partitions that could not be settled just now, as while a replica is down, and rounds that failed as a whole. */
  failures: number;
}

/** What is left to do in an hour. */
export interface HourLeft {
  /** Closed minutes with a claim that is not sealed, and minutes that are not over for long enough. */
  waitingMinutes: number;
  /** The minutes of claims that are not sealed, once they have been over for a minute. */
  unsealedUs: number[];
  /** Nothing is left, ever, unless a late claim comes. */
  done: boolean;
}

export function emptyStats(): UpkeepStats {
  return {
    mergedMinutes: 0,
    settledPartitions: 0,
    undecided: new Set(),
    unsealedClaims: 0,
    unsealedSinceUs: null,
    failures: 0,
  };
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
  /** Told of each partition that could not be settled just now. */
  onUnsettled?: (claim: Claim, error: unknown) => void;
}

/** Throws STORE_REFUSED where this machine's clock cannot be trusted to tell a dead writer from a living one. */
export async function checkClock(store: Store): Promise<void> {
  const offsetUs = (await store.clockOffsetUs()) ?? 0;
  if (Math.abs(offsetUs) <= CLOCK_OFFSET_MAX_US) return;
  throw new Reto3Error(
    "STORE_REFUSED",
    `this machine's clock differs from the store's by ${Math.round(offsetUs / 1_000_000)} s; nothing is settled or merged by it`,
    { hint: "set the clock; run NTP on both" },
  );
}

/** Settles and merges what is due in one hour. */
export async function passHour(store: Store, hourUs: number, options: PassOptions): Promise<HourLeft> {
  const { nowUs, untilUs, signal, stats } = options;
  const claims: Claim[] = [];
  const waiting = new Set<number>();
  const interrupted = { waitingMinutes: 0, unsealedUs: [], done: false };
  for await (const page of store.claims(hourUs, hourUs + HOUR_US)) {
    for (const claim of page) {
      claims.push(isAbandoned(claim, store, nowUs) ? await settleOne(store, claim, options) : claim);
      if (signal.aborted) return interrupted;
    }
  }
  for (const level of MERGED_LEVELS) {
    const merged = new Map<number, number>();
    for await (const page of store.merged(level, hourUs, hourUs + HOUR_US)) {
      for (const { minuteUs, writerCount } of page) merged.set(minuteUs, writerCount);
    }
    for (const [minuteUs, some] of byMinute(claims)) {
      if (signal.aborted) return interrupted;
      if (merged.get(minuteUs) === some.length || isPast(level, minuteUs, store.info.retention, nowUs)) continue;
      const closed = minuteUs + MINUTE_US <= untilUs && some.every(({ sealedEvents }) => sealedEvents !== null);
      if (!closed) waiting.add(minuteUs);
      else if ((await mergeMinute(store, level, some, nowUs)) && level === "1m") stats.mergedMinutes++;
    }
  }
  const unsealedUs = claims
    .filter(({ minuteUs, sealedEvents }) => sealedEvents === null && minuteUs + 2 * MINUTE_US <= nowUs)
    .map(({ minuteUs }) => minuteUs);
  return { waitingMinutes: waiting.size, unsealedUs, done: waiting.size === 0 && hourUs + HOUR_US <= untilUs };
}

/** A partition that cannot be settled holds up nothing else. */
async function settleOne(store: Store, claim: Claim, options: PassOptions): Promise<Claim> {
  const { nowUs, stats, onSettled, onUnsettled } = options;
  const key = `${claim.minuteUs}/${claim.writer}`;
  if (stats.undecided.has(key)) return claim;
  try {
    const { events, problem } = await settle(store, claim, nowUs);
    if (events === null) stats.undecided.add(key);
    else stats.settledPartitions++;
    onSettled?.(claim, events, problem);
    return { ...claim, sealedEvents: events };
  } catch (error) {
    stats.failures++;
    onUnsettled?.(claim, error);
    return claim;
  }
}

export interface UpkeepOptions extends Pick<PassOptions, "onSettled" | "onUnsettled"> {
  store: Store;
  clock: Clock;
  /** Told when a round failed; the next one tries again. */
  onFailure: (error: unknown) => void;
  /** Between two rounds, on average. Default: UPKEEP_INTERVAL_MS. */
  intervalMs?: number;
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
      await pause((this.#options.intervalMs ?? UPKEEP_INTERVAL_MS) * (0.5 + Math.random()), signal);
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
    await checkClock(store);
    await this.#look(clock.nowUs());
    const unsealedUs: number[] = [];
    for (const hourUs of [...this.#pending].sort((a, b) => b - a)) {
      if (signal.aborted) return;
      const nowUs = clock.nowUs();
      const options = { ...this.#options, nowUs, untilUs: nowUs - FINAL_AFTER_MS * 1_000, signal, stats: this.stats };
      const startedMs = performance.now();
      const left = await passHour(store, hourUs, options);
      unsealedUs.push(...left.unsealedUs);
      if (left.done) this.#pending.delete(hourUs);
      // At most half of the time, so that a long backlog leaves room for flushes.
      await pause(performance.now() - startedMs, signal);
    }
    this.stats.unsealedClaims = unsealedUs.length;
    this.stats.unsealedSinceUs = unsealedUs.length === 0 ? null : Math.min(...unsealedUs);
  }

  /** All hours of the last days now and then; between, those that pass. */
  async #look(nowUs: number): Promise<void> {
    if (performance.now() >= this.#nextLookMs) {
      const hours = await this.#options.store.claimedHours();
      this.#pending = new Set(hours.filter((hourUs) => hourUs > nowUs - LOOK_BACK_US));
      this.#nextLookMs = performance.now() + LOOK_INTERVAL_MS;
    }
    this.#pending.add(bucketStartUs(nowUs, HOUR_US));
  }
}
