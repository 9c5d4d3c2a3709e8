// Where the answer to a range lies, minute by minute: in merged minutes, and in the partitions of writers that these do not cover.
// Knows the store's contract; writes nothing.
//
//     merged minutes + number of claims -> covered: nothing else to read
//                                       -> not covered: the claims themselves, and each one's partition

import { COMPLETE_AFTER_MS, FINAL_AFTER_MS } from "../config.ts";
import { bucketStartUs, DAY_US, HOUR_US, MINUTE_US } from "../period.ts";
import type { Claim, MergedLevel, MergedMinute, Store } from "../store/store.ts";
import { mapInOrder } from "./in-order.ts";

export interface MinutePlan {
  minuteUs: number;
  /** The totals of some of its writers, already added up. */
  merged: MergedMinute | null;
  /** The others. */
  claims: readonly Claim[];
}

/**
 * The first stretch of a range is short and planned alone, so that its answer starts at once; then each is twice as long
 * as the one before, up to what is good for one page: a minute of seconds has some 10 kB.
 */
const STRETCH_US: Record<MergedLevel, { first: number; max: number }> = {
  "1s": { first: 5 * MINUTE_US, max: HOUR_US },
  "1m": { first: HOUR_US, max: DAY_US },
};

/**
 * Of a range that is longer, the hours that anybody claimed are looked up first, and what is as long and has none is left out:
 * between the years 1 and 9999 lie three million days, each of them a question or two.
 */
const UNSEEN_MAX_US = 40 * DAY_US;

/** Minutes that are not covered are asked for together when no more than this lies between them. */
const GAP_MAX_US = 10 * MINUTE_US;

/**
 * The minutes of [fromUs, toUs) that anybody claimed, ascending, in pages. `level`: use what is merged at it; null: plain
 * partitions alone. Ends early when `signal` is aborted.
 */
export async function* planMinutes(
  store: Store,
  level: MergedLevel | null,
  fromUs: number,
  toUs: number,
  signal?: AbortSignal,
): AsyncGenerator<MinutePlan[]> {
  for (const part of await partsWithClaims(store, { fromUs: bucketStartUs(fromUs, MINUTE_US), toUs })) {
    if (level === null) yield* planPlainly(store, part, signal);
    else yield* planMerged(store, level, part, signal);
  }
}

interface Stretch {
  fromUs: number;
  toUs: number;
}

/** All of a range, or, of a long one, the parts of it that are worth a look. */
async function partsWithClaims(store: Store, range: Stretch): Promise<Stretch[]> {
  if (range.toUs - range.fromUs <= UNSEEN_MAX_US) return [range];
  const parts: Stretch[] = [];
  for (const hourUs of await store.claimedHours()) {
    const last = parts.at(-1);
    if (last && hourUs - last.toUs <= UNSEEN_MAX_US) last.toUs = hourUs + HOUR_US;
    else parts.push({ fromUs: hourUs, toUs: hourUs + HOUR_US });
  }
  return parts
    .map(({ fromUs, toUs }) => ({ fromUs: Math.max(fromUs, range.fromUs), toUs: Math.min(toUs, range.toUs) }))
    .filter(({ fromUs, toUs }) => fromUs < toUs);
}

async function* planMerged(
  store: Store,
  level: MergedLevel,
  { fromUs, toUs }: Stretch,
  signal?: AbortSignal,
): AsyncGenerator<MinutePlan[]> {
  const stretches = stretchesOf(fromUs, toUs, STRETCH_US[level]);
  const plan = (stretch: Stretch) => planStretch(store, level, stretch, signal);
  const first = stretches.next();
  if (!first.done) yield await plan(first.value);
  for await (const { result } of mapInOrder(stretches, 2, plan)) {
    if (signal?.aborted) return;
    yield result;
  }
}

function* stretchesOf(
  fromUs: number,
  toUs: number,
  { first, max }: { first: number; max: number },
): Generator<Stretch> {
  let lengthUs = first;
  for (let startUs = fromUs; startUs < toUs;) {
    const endUs = Math.min(startUs + lengthUs, toUs);
    yield { fromUs: startUs, toUs: endUs };
    startUs = endUs;
    lengthUs = Math.min(max, lengthUs * 2);
  }
}

async function* planPlainly(
  store: Store,
  { fromUs, toUs }: Stretch,
  signal?: AbortSignal,
): AsyncGenerator<MinutePlan[]> {
  // A minute's claims may lie on two pages; what may go on is held back.
  let open: Claim[] = [];
  for await (const page of store.claims(fromUs, toUs)) {
    if (signal?.aborted) return;
    const claims = [...open, ...page];
    const lastMinuteUs = claims.at(-1)?.minuteUs;
    open = claims.filter(({ minuteUs }) => minuteUs === lastMinuteUs);
    yield plainPlans(claims.slice(0, claims.length - open.length));
  }
  yield plainPlans(open);
}

function plainPlans(claims: readonly Claim[]): MinutePlan[] {
  return [...byMinute(claims)].map(([minuteUs, some]) => ({ minuteUs, merged: null, claims: some }));
}

/**
 * A merge covers all claims that it found, and claims are never taken back. So a merged minute that names as many writers
 * as there are claims names just these; the merged minutes are read first, the claims after them.
 */
async function planStretch(
  store: Store,
  level: MergedLevel,
  { fromUs, toUs }: Stretch,
  signal?: AbortSignal,
): Promise<MinutePlan[]> {
  const found = await all(store.merged(level, fromUs, toUs), signal);
  if (found.length === 0) return plainPlans(await all(store.claims(fromUs, toUs), signal));
  const merged = new Map(found.map((one) => [one.minuteUs, one]));
  const counts = await all(store.claimCounts(fromUs, toUs), signal);
  const uncovered = counts.filter(({ minuteUs, claims }) => merged.get(minuteUs)?.writerCount !== claims);
  const claims = byMinute(await claimsOf(store, uncovered));
  return counts.map(({ minuteUs }) => {
    const one = merged.get(minuteUs) ?? null;
    const others = claims.get(minuteUs);
    if (!others) return { minuteUs, merged: one, claims: [] };
    const covered = new Set(one?.writers);
    return { minuteUs, merged: one, claims: others.filter(({ writer }) => !covered.has(writer)) };
  });
}

/** All claims of `minutes`, which ascend. */
async function claimsOf(store: Store, minutes: readonly { minuteUs: number }[]): Promise<Claim[]> {
  const wanted = new Set(minutes.map(({ minuteUs }) => minuteUs));
  const claims: Claim[] = [];
  let run: { fromUs: number; toUs: number } | undefined;
  const readRun = async () => {
    if (run) claims.push(...(await all(store.claims(run.fromUs, run.toUs))));
  };
  for (const { minuteUs } of minutes) {
    if (!run || minuteUs > run.toUs + GAP_MAX_US) {
      await readRun();
      run = { fromUs: minuteUs, toUs: minuteUs };
    }
    run.toUs = minuteUs + MINUTE_US;
  }
  await readRun();
  return claims.filter(({ minuteUs }) => wanted.has(minuteUs));
}

export function byMinute(claims: readonly Claim[]): Map<number, Claim[]> {
  const minutes = new Map<number, Claim[]>();
  for (const claim of claims) {
    const known = minutes.get(claim.minuteUs);
    if (known) known.push(claim);
    else minutes.set(claim.minuteUs, [claim]);
  }
  return minutes;
}

/** All items; those so far when `signal` is aborted, for then nobody looks at them. */
async function all<T>(pages: AsyncIterable<T[]>, signal?: AbortSignal): Promise<T[]> {
  const items: T[] = [];
  for await (const page of pages) {
    if (signal?.aborted) break;
    for (const item of page) items.push(item);
  }
  return items;
}

/** Until when an answer stands. Both ends lie at or before the first minute whose claims are not all sealed. */
export class Watermark {
  #completeUs: number;
  #finalUs: number;

  constructor(toUs: number, nowUs: number) {
    this.#completeUs = Math.min(toUs, nowUs - COMPLETE_AFTER_MS * 1_000);
    this.#finalUs = Math.min(toUs, nowUs - FINAL_AFTER_MS * 1_000);
  }

  /** What is merged was sealed. */
  see({ minuteUs, claims }: MinutePlan): void {
    if (claims.every((claim) => claim.sealedEvents !== null)) return;
    this.#completeUs = Math.min(this.#completeUs, minuteUs);
    this.#finalUs = Math.min(this.#finalUs, minuteUs);
  }

  /** No event that arrived before can be acknowledged any more and be missing. */
  get completeUs(): number {
    return this.#completeUs;
  }

  /** Nothing that arrived before can come any more, not even what was answered "unknown": this part is the same for ever. */
  get finalUs(): number {
    return this.#finalUs;
  }
}
