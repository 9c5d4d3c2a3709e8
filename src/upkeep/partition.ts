// One partition, read whole and held against itself: raw events, counts at each level, and what its claim says.
// Reads the store's contract; `verify`, `settle` and `repair` decide by what is found here.

import { isPast, livingEvents } from "../counts/raw.ts";
import { eventsIn } from "../counts/sum.ts";
import { Reto3Error } from "../errors.ts";
import { Histogram } from "../histogram.ts";
import { bucketStartUs, MINUTE_US, PERIOD_NAMES, PERIODS, type PeriodName } from "../period.ts";
import type { Claim, CountRow, EventRow, Flush, ReadOptions, Retention, Store } from "../store/store.ts";
import { PartitionTotals } from "../writer/totals.ts";

export interface PartitionContent {
  claim: Claim;
  levels: Record<PeriodName, readonly CountRow[]>;
  raw: RawContent;
}

/** Raw events, counted. A partition's events have the seqs 0, 1, 2 ... */
export interface RawContent {
  events: number;
  firstSeq: number;
  lastSeq: number;
  /** Why those after the last one cannot be read; empty where all can. */
  unreadable: string;
  /** Events by 10 ms bucket. */
  buckets: ReadonlyMap<number, number>;
}

export async function readPartition(store: Store, claim: Claim, options?: ReadOptions): Promise<PartitionContent> {
  const endUs = claim.minuteUs + MINUTE_US;
  const level = (name: PeriodName) => store.counts(claim, name, claim.minuteUs, endUs, options);
  const [small, seconds, minute] = await Promise.all([level("10ms"), level("1s"), level("1m")]);
  return {
    claim,
    levels: { "10ms": small, "1s": seconds, "1m": minute },
    raw: await readRaw(livingEvents(store, claim, options)),
  };
}

async function readRaw(pages: AsyncIterable<EventRow[]>): Promise<RawContent> {
  const buckets = new Map<number, number>();
  let events = 0;
  let firstSeq = -1;
  let lastSeq = -1;
  let unreadable = "";
  try {
    for await (const page of pages) {
      if (firstSeq < 0) firstSeq = page[0]?.seq ?? -1;
      lastSeq = page.at(-1)?.seq ?? lastSeq;
      events += page.length;
      for (const { receivedUs } of page) {
        const bucketUs = bucketStartUs(receivedUs, PERIODS["10ms"].us);
        buckets.set(bucketUs, (buckets.get(bucketUs) ?? 0) + 1);
      }
    }
  } catch (error) {
    if (!(error instanceof Reto3Error) || error.code !== "UNREADABLE") throw error;
    unreadable = [error.message, ...(error.hint === undefined ? [] : [error.hint])].join("; ");
  }
  return { events, firstSeq, lastSeq, unreadable, buckets };
}

/** What a partition amounts to. */
export interface Verdict {
  /** How many events it holds for good; null where that cannot be told. */
  events: number | null;
  /**
   * `fine`: everything that is there agrees. `recount`: the raw events are whole, and the counts do not say the same.
   * `undecided`: something is wrong that cannot be put right from what is here.
   */
  state: "fine" | "recount" | "undecided";
  /** What contradicts what, the first of it; empty where all is fine. */
  problem: string;
}

/**
 * Raw events that are whole decide: seqs 0 to n - 1, no count says more, and the claim says n or nothing. Else counts that
 * agree at all levels do. Levels whose lifetime has passed are not asked.
 */
export function judge({ claim, levels, raw }: PartitionContent, retention: Retention, nowUs: number): Verdict {
  const current = PERIOD_NAMES.filter((name) => !isPast(name, claim.minuteUs, retention, nowUs));
  const totals = current.map((name) => eventsIn(levels[name]));
  const sealed = claim.sealedEvents;
  const most = Math.max(0, ...totals);
  // As no seq is there twice, n of them up to n - 1 are all of them.
  const isWhole =
    raw.unreadable === "" &&
    raw.events > 0 &&
    raw.lastSeq === raw.events - 1 &&
    raw.events >= most &&
    (sealed === null || sealed === raw.events);
  if (isWhole) {
    const problem = firstDifference(raw.buckets, "the raw events", current, levels);
    return { events: raw.events, state: problem === "" ? "fine" : "recount", problem };
  }
  // Lifetimes take the first events first, so what is left runs up to the last.
  const expected = sealed ?? most;
  const isRest = raw.events === 0 || (raw.lastSeq === expected - 1 && raw.events === expected - raw.firstSeq);
  // A finer level that is wholly absent has expired under an earlier lifetime, or in the store that this was copied from.
  const live = current.filter((name) => name === "1m" || eventsIn(levels[name]) > 0);
  const [finest] = live;
  let problem = "";
  if (live.length === 0) problem = sealed === null ? "all of its counts have expired" : "";
  else if (finest) problem = firstDifference(sumsOf(levels[finest]), `the ${finest} counts`, live.slice(1), levels);
  if (problem === "" && live.length > 0 && most !== expected)
    problem = `it was sealed with ${expected} events, its counts say ${most}`;
  if (problem !== "") return { events: null, state: "undecided", problem };
  // A later version may read them, and find more than the counts say: nothing is settled by these.
  if (raw.unreadable !== "")
    return { events: null, state: "undecided", problem: `its counts say ${expected}, but ${raw.unreadable}` };
  if (isRest) return { events: expected, state: "fine", problem: "" };
  const seqs = `there are ${raw.events} raw events from seq ${raw.firstSeq} to ${raw.lastSeq}`;
  // Raw events were lost, the counts were not: these agree, and decide.
  const events = raw.events <= expected ? expected : null;
  return { events, state: "undecided", problem: `its counts say ${expected}, but ${seqs}` };
}

function sumsOf(rows: readonly CountRow[]): Map<number, number> {
  return new Map(rows.map(({ bucketUs, events }) => [bucketUs, events]));
}

/** The first bucket at any of `levels` where the count is not the sum of `finer`; empty if there is none. */
function firstDifference(
  finer: ReadonlyMap<number, number>,
  finerName: string,
  names: readonly PeriodName[],
  levels: PartitionContent["levels"],
): string {
  for (const name of names) {
    const sums = new Map<number, number>();
    for (const [bucketUs, events] of finer) {
      const startUs = bucketStartUs(bucketUs, PERIODS[name].us);
      sums.set(startUs, (sums.get(startUs) ?? 0) + events);
    }
    const counts = sumsOf(levels[name]);
    const buckets = [...new Set([...sums.keys(), ...counts.keys()])].sort((a, b) => a - b);
    const bucketUs = buckets.find((at) => (sums.get(at) ?? 0) !== (counts.get(at) ?? 0));
    if (bucketUs === undefined) continue;
    const at = new Date(Math.floor(bucketUs / 1_000)).toISOString().slice(11, 23);
    return `the ${name} counts say ${counts.get(bucketUs) ?? 0} at ${at}, ${finerName} ${sums.get(bucketUs) ?? 0}`;
  }
  return "";
}

/**
 * The totals that the raw events of a partition amount to, as a flush without events that puts them in the place of what
 * is there; a bucket that has no event is set to nothing. When each was flushed is not kept: lags count to the end of the
 * event's 10 ms bucket.
 */
export async function recountedFlush(
  store: Store,
  { claim, levels }: Pick<PartitionContent, "claim" | "levels">,
  writtenAtUs: number,
): Promise<Flush> {
  const totals = new PartitionTotals();
  const rows = {
    "10ms": new Map(levels["10ms"].map((row) => [row.bucketUs, nothingIn(row)])),
    "1s": new Map(levels["1s"].map((row) => [row.bucketUs, nothingIn(row)])),
    "1m": new Map(levels["1m"].map((row) => [row.bucketUs, nothingIn(row)])),
  };
  for await (const page of store.events(claim, { all: true })) {
    for (const bucket of bucketsOf(page)) {
      const endUs = bucketStartUs(bucket[0]?.receivedUs ?? 0, PERIODS["10ms"].us) + PERIODS["10ms"].us;
      const added = totals.add(
        bucket.map(({ createdUs }) => createdUs),
        bucket.map(({ receivedUs }) => receivedUs),
        endUs,
      );
      for (const name of PERIOD_NAMES) for (const row of added[name]) rows[name].set(row.bucketUs, row);
    }
  }
  const counts = { "10ms": [...rows["10ms"].values()], "1s": [...rows["1s"].values()], "1m": [...rows["1m"].values()] };
  const { minuteUs, writer } = claim;
  return { minuteUs, writer, firstSeq: totals.events, createdUs: [], receivedUs: [], counts, writtenAtUs };
}

function nothingIn({ bucketUs, lagHist }: CountRow): CountRow {
  const none = lagHist === null ? null : new Histogram().encode();
  return { bucketUs, events: 0, lagSumUs: 0, lagMinUs: 0, lagMaxUs: 0, lagHist: none };
}

/** Consecutive events of the same 10 ms. */
function* bucketsOf(events: readonly EventRow[]): Generator<EventRow[]> {
  let bucket: EventRow[] = [];
  let endUs = Number.NEGATIVE_INFINITY;
  for (const event of events) {
    if (event.receivedUs >= endUs) {
      if (bucket.length > 0) yield bucket;
      bucket = [];
      endUs = bucketStartUs(event.receivedUs, PERIODS["10ms"].us) + PERIODS["10ms"].us;
    }
    bucket.push(event);
  }
  if (bucket.length > 0) yield bucket;
}
