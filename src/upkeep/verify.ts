// Verifying: every partition of a range held against itself, and every merged minute against the writers that it names.
// Reads the store; with `repair` it writes what the raw events decide. What is in memory is one minute's counts.

import { FINAL_AFTER_MS } from "../config.ts";
import { mapInOrder } from "../counts/in-order.ts";
import type { Clock } from "../clock.ts";
import { byMinute } from "../counts/plan.ts";
import { isPast } from "../counts/raw.ts";
import { BucketSums, eventsIn, type Totals } from "../counts/sum.ts";
import { HOUR_US, MINUTE_US } from "../period.ts";
import type { Claim, CountRow, MergedLevel, MergedMinute, Store } from "../store/store.ts";
import { MERGED_LEVELS, mergeMinute } from "./merge.ts";
import { judge, readPartition } from "./partition.ts";
import { isAbandoned, mend } from "./settle.ts";

const PARTITIONS_AT_ONCE = 4;

export interface Difference {
  minuteUs: number;
  /** The partition's writer; null for a merged minute. */
  writer: string | null;
  problem: string;
  repaired: boolean;
}

export interface VerifyStats {
  minutes: number;
  partitions: number;
  events: number;
  /** At two levels: a minute that is merged counts twice. */
  mergedMinutes: number;
  differences: number;
  repaired: number;
  /** What was not compared, and why. */
  leftOut: {
    /** Partitions that a writer may still be writing to. */
    openPartitions: number;
    /** Events whose raw rows have expired or were not kept, and the partitions that they are in. */
    rawEvents: number;
    rawPartitions: number;
    /** Partitions whose 10 ms or 1 s counts have expired. */
    countPartitions: number;
  };
}

export interface VerifyOptions {
  fromUs: number;
  toUs: number;
  /** Looked at again for each partition: what expires while others are verified is not missing. */
  clock: Clock;
  repair: boolean;
  signal: AbortSignal;
  onDifference: (difference: Difference) => void;
}

export function emptyVerifyStats(): VerifyStats {
  const leftOut = { openPartitions: 0, rawEvents: 0, rawPartitions: 0, countPartitions: 0 };
  return { minutes: 0, partitions: 0, events: 0, mergedMinutes: 0, differences: 0, repaired: 0, leftOut };
}

/** Verifies the minutes of [fromUs, toUs) in those of `hours`; `stats` tells how far it is. */
export async function verify(
  store: Store,
  hours: readonly number[],
  options: VerifyOptions,
  stats: VerifyStats,
): Promise<void> {
  for (const hourUs of hours) {
    const fromUs = Math.max(hourUs, options.fromUs);
    const toUs = Math.min(hourUs + HOUR_US, options.toUs);
    const merged = new Map<string, MergedMinute>();
    for (const level of MERGED_LEVELS) {
      for await (const page of store.merged(level, fromUs, toUs)) {
        for (const one of page) merged.set(`${level}/${one.minuteUs}`, one);
      }
    }
    const found: Claim[] = [];
    for await (const page of store.claims(fromUs, toUs)) for (const claim of page) found.push(claim);
    for (const [minuteUs, claims] of byMinute(found)) {
      if (options.signal.aborted) return;
      const minute = new MinuteCheck(store, minuteUs, options, stats);
      await minute.checkPartitions(claims);
      for (const level of MERGED_LEVELS) {
        const one = merged.get(`${level}/${minuteUs}`);
        if (one) await minute.checkMerged(level, one, claims);
      }
    }
  }
}

class MinuteCheck {
  readonly #store: Store;
  readonly #minuteUs: number;
  readonly #options: VerifyOptions;
  readonly #stats: VerifyStats;
  /** By writer: the counts that merged minutes are made of. */
  readonly #rows = new Map<string, Record<MergedLevel, readonly CountRow[]>>();

  constructor(store: Store, minuteUs: number, options: VerifyOptions, stats: VerifyStats) {
    this.#store = store;
    this.#minuteUs = minuteUs;
    this.#options = options;
    this.#stats = stats;
    stats.minutes++;
  }

  async checkPartitions(claims: readonly Claim[]): Promise<void> {
    const { leftOut } = this.#stats;
    const closed = claims.filter((claim) => claim.sealedEvents !== null || this.#isLongOver());
    leftOut.openPartitions += claims.length - closed.length;
    const check = (claim: Claim) => this.#checkPartition(claim);
    for await (const _ of mapInOrder(closed, PARTITIONS_AT_ONCE, check)) this.#stats.partitions++;
  }

  async #checkPartition(claim: Claim): Promise<void> {
    const { clock, repair } = this.#options;
    const { retention } = this.#store.info;
    const content = await readPartition(this.#store, claim);
    const nowUs = clock.nowUs();
    const { state, events, problem } = judge(content, retention, nowUs);
    const { "1s": seconds, "1m": minute } = content.levels;
    this.#rows.set(claim.writer, { "1s": seconds, "1m": minute });
    const held = events ?? eventsIn(minute);
    this.#stats.events += held;
    const { leftOut } = this.#stats;
    if (state === "fine" && content.raw.events < held) {
      leftOut.rawPartitions++;
      leftOut.rawEvents += held - content.raw.events;
    }
    const isGone = (level: "10ms" | "1s") =>
      isPast(level, claim.minuteUs, retention, nowUs) || (held > 0 && content.levels[level].length === 0);
    if (isGone("10ms") || isGone("1s")) leftOut.countPartitions++;
    if (state === "fine") return;
    const mayMend = repair && (claim.sealedEvents !== null || isAbandoned(claim, this.#store, nowUs));
    const mended = mayMend ? await mend(this.#store, claim, nowUs) : undefined;
    const repaired = mended !== undefined && mended.recounted && mended.events !== null;
    if (repaired) {
      const level = (name: MergedLevel) => this.#store.counts(claim, name, claim.minuteUs, claim.minuteUs + MINUTE_US);
      this.#rows.set(claim.writer, { "1s": await level("1s"), "1m": await level("1m") });
    }
    this.#report(claim.writer, problem, repaired);
  }

  async checkMerged(level: MergedLevel, merged: MergedMinute, claims: readonly Claim[]): Promise<void> {
    this.#stats.mergedMinutes++;
    const problem = this.#mergedProblem(level, merged, claims);
    if (problem === "") return;
    const allSealed = claims.every(({ sealedEvents }) => sealedEvents !== null);
    const repaired =
      this.#options.repair && allSealed && (await mergeMinute(this.#store, level, claims, this.#options.clock.nowUs()));
    this.#report(null, problem, repaired);
  }

  #mergedProblem(level: MergedLevel, merged: MergedMinute, claims: readonly Claim[]): string {
    const named = new Set(merged.writers);
    const covered = claims.filter(({ writer }) => named.has(writer));
    if (covered.length < named.size) return `the merged ${level} counts name a writer that has no claim`;
    const rows = covered.flatMap(({ writer }) => this.#rows.get(writer)?.[level] ?? []);
    const sealed = covered.reduce((sum, { sealedEvents }) => sum + (sealedEvents ?? 0), 0);
    const found = eventsIn(merged.rows);
    if (found !== sealed) return `the merged ${level} counts say ${found}, the seals of their writers ${sealed}`;
    const { retention } = this.#store.info;
    if (rows.length === 0 || isPast(level, this.#minuteUs, retention, this.#options.clock.nowUs())) return "";
    return Bun.deepEquals(totalsOf(rows), totalsOf(merged.rows))
      ? ""
      : `the merged ${level} counts are not the sum of their writers'`;
  }

  #report(writer: string | null, problem: string, repaired: boolean): void {
    this.#stats.differences++;
    if (repaired) this.#stats.repaired++;
    this.#options.onDifference({ minuteUs: this.#minuteUs, writer, problem, repaired });
  }

  /** Nobody writes into it any more, though somebody left it open. */
  #isLongOver(): boolean {
    return this.#options.clock.nowUs() >= this.#minuteUs + MINUTE_US + FINAL_AFTER_MS * 1_000;
  }
}

/** By bucket, over all writers. */
function totalsOf(rows: readonly CountRow[]): Totals[] {
  const sums = new BucketSums();
  for (const row of rows) sums.add(row);
  return sums.rows;
}
