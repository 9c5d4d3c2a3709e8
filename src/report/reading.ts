// Reads a range of a store for the report, level by level, into what adds up in bounded memory. Reads the store's contract.
//
//     claims -> 1m, with histograms -> 1s -> 10ms of some minutes; each level from where it has not expired on

import { COMPLETE_AFTER_MS } from "../config.ts";
import { readCounts, type Bucket } from "../counts/read.ts";
import { formatTimestamp } from "../units.ts";
import { bucketCeilUs, bucketStartUs, HOUR_US, MINUTE_US, PERIODS, SECOND_US, type PeriodName } from "../period.ts";
import type { ClaimCount, CountRow, Store, TableSize } from "../store/store.ts";
import { Buckets, readBuckets, spread } from "./buckets.ts";
import { Lags } from "./lags.ts";
import { firstReadable, isExpired, readRows } from "./rows.ts";
import { Seconds } from "./seconds.ts";
import { wholeSeconds } from "./whole-seconds.ts";

const SECONDS = { ...PERIODS["1s"], name: "1s" as const };
const MINUTES = { ...PERIODS["1m"], name: "1m" as const };

/** Up to so many minutes the lags are read by second, for a finer picture. */
const LAG_SECONDS_MINUTES_MAX = 60;

/** A mean LAG of a second is late when it is so many times the median of all, and so much above it. */
const LATE_TIMES = 10;
const LATE_ABOVE_US = 50_000;

export interface ReadingQuestion {
  fromUs: number;
  toUs: number;
  nowUs: number;
  /** The stream starts and ends within the first and the last second, which are therefore cut. */
  isCut?: boolean;
  /** Minutes whose 10 ms buckets are read. */
  minutes10ms: number;
  askedPerSec: number | null;
  /** Told about each second of the range that has events. */
  onSecond?: (us: number, events: number) => void;
  onProgress?: (line: string) => void;
}

export interface StoreReading {
  fromUs: number;
  toUs: number;
  /** Of the whole range, as `count` has it; of what has not expired. */
  events: number;
  completeUs: number;
  notes: string[];
  claims: { minutes: number; claimed: number; open: number; openRecent: number };
  /** Minutes with events, ascending; the first and the last may be cut. */
  minutes: { us: number; events: number }[];
  lags: Lags;
  lateLagUs: number | null;
  seconds: Seconds;
  buckets: Buckets;
  /** Minutes that `buckets` were chosen from. */
  bucketMinutes: number;
  sizes: TableSize[];
  /** The hours of the whole store that have claims, ascending. */
  claimedHours: readonly number[];
}

export async function readForReport(store: Store, question: ReadingQuestion): Promise<StoreReading> {
  const fromUs = bucketCeilUs(question.fromUs, SECOND_US);
  const toUs = bucketCeilUs(question.toUs, SECOND_US);
  const notes: string[] = [];
  if (fromUs >= toUs) notes.push("No second begins within the range; a report is of whole seconds.");
  question.onProgress?.("looking at the minutes");
  const claimedHours = await store.claimedHours();
  const asked = { ...question, ...clipped({ fromUs, toUs }, claimedHours) };
  const claimed = await claimsOf(store, asked);
  const all = claimed.map(({ minuteUs }) => minuteUs);
  const found = await readLags(store, asked, all, notes);
  const late = lateLagOf(found.lags);
  const seconds = new Seconds({ askedPerSec: question.askedPerSec, lateLagUs: late });
  await readSeconds(store, asked, { fromUs, toUs }, all, seconds, notes);
  const firstOpenUs = claimed.find(({ claims, sealed }) => sealed < claims)?.minuteUs ?? toUs;
  const { buckets, bucketMinutes } = await readSample(store, asked, found.minutes, seconds, notes);
  question.onProgress?.("looking at the sizes of the tables");
  return {
    fromUs,
    toUs,
    events: found.lags.events,
    completeUs: Math.min(toUs, firstOpenUs, question.nowUs - COMPLETE_AFTER_MS * 1_000),
    notes,
    claims: countClaims(claimed, question.nowUs - store.info.settleAfterMs * 1_000),
    ...found,
    lateLagUs: late,
    seconds,
    buckets,
    bucketMinutes,
    sizes: await store.sizes(),
    claimedHours,
  };
}

/** A year is asked for, and the store has a day of it: a store looks into every hour that it is asked for. */
function clipped({ fromUs, toUs }: { fromUs: number; toUs: number }, hours: readonly number[]) {
  const startUs = Math.min(toUs, Math.max(fromUs, hours[0] ?? toUs));
  return { fromUs: startUs, toUs: Math.max(startUs, Math.min(toUs, (hours.at(-1) ?? startUs) + HOUR_US)) };
}

async function claimsOf(store: Store, { fromUs, toUs }: ReadingQuestion): Promise<ClaimCount[]> {
  const counts: ClaimCount[] = [];
  for await (const page of store.claimCounts(bucketStartUs(fromUs, MINUTE_US), toUs))
    for (const count of page) counts.push(count);
  return counts;
}

function countClaims(counts: readonly ClaimCount[], settledBeforeUs: number): StoreReading["claims"] {
  const claims = { minutes: counts.length, claimed: 0, open: 0, openRecent: 0 };
  for (const { minuteUs, claims: claimed, sealed } of counts) {
    claims.claimed += claimed;
    claims.open += claimed - sealed;
    if (minuteUs + 2 * MINUTE_US > settledBeforeUs) claims.openRecent += claimed - sealed;
  }
  return claims;
}

/** From where on a level can be read, and a note where that is not the start. Null if nothing of it is there. */
async function startOf(
  store: Store,
  name: PeriodName,
  minutes: readonly number[],
  fromUs: number,
  notes: string[],
): Promise<number | null> {
  const at = await firstReadable(store, PERIODS[name], minutes);
  const startUs = minutes[at];
  if (at === 0) return fromUs;
  if (startUs === undefined) {
    notes.push(`The ${name} counts of this range have expired or were not kept.`);
    return null;
  }
  const share = `${minutes.length - at} of ${minutes.length} minutes`;
  notes.push(`The ${name} counts before ${formatTimestamp(startUs)} have expired: there are those of ${share}.`);
  return startUs;
}

/** What has expired while it was read ends a level early, with a note. */
async function untilExpired(notes: string[], read: () => Promise<void>): Promise<void> {
  try {
    await read();
  } catch (error) {
    if (!isExpired(error)) throw error;
    notes.push(`Reading ended early: ${error.message}.`);
  }
}

async function readLags(
  store: Store,
  question: ReadingQuestion,
  claimed: readonly number[],
  notes: string[],
): Promise<{ lags: Lags; minutes: StoreReading["minutes"] }> {
  const readableAt = await firstReadable(store, SECONDS, claimed);
  const hasSeconds = { first: readableAt === 0, last: readableAt < claimed.length };
  const bySecond = hasSeconds.first && claimed.length <= LAG_SECONDS_MINUTES_MAX;
  const lags = new Lags(bySecond ? SECONDS.us : MINUTES.us);
  const minutes: StoreReading["minutes"] = [];
  const startUs = await startOf(store, "1m", claimed, question.fromUs, notes);
  if (startUs === null) return { lags, minutes };
  await untilExpired(notes, async () => {
    const asked = { ...question, fromUs: startUs };
    const read = bySecond ? readRows(store, { ...asked, period: SECONDS }) : minuteRows(store, asked, hasSeconds);
    for await (const rows of read) {
      for (const row of rows) {
        lags.add(row);
        const us = bucketStartUs(row.bucketUs, MINUTE_US);
        const last = minutes.at(-1);
        if (last?.us === us) last.events += row.events;
        else minutes.push({ us, events: row.events });
      }
      question.onProgress?.(`LAG: ${minutes.length} of ${claimed.length} minutes`);
    }
  });
  return { lags, minutes };
}

/** Whole minutes by minute; at the ends of a range that cuts a minute by second, or not at all where these have expired. */
async function* minuteRows(
  store: Store,
  { fromUs, toUs }: ReadingQuestion,
  hasSeconds: { first: boolean; last: boolean },
): AsyncGenerator<CountRow[]> {
  const [wholeFromUs, wholeToUs] = [bucketCeilUs(fromUs, MINUTE_US), bucketStartUs(toUs, MINUTE_US)];
  if (hasSeconds.first && fromUs < wholeFromUs) yield* readRows(store, { period: SECONDS, fromUs, toUs: wholeFromUs });
  yield* readRows(store, { period: MINUTES, fromUs: wholeFromUs, toUs: wholeToUs });
  if (hasSeconds.last && wholeToUs < toUs) yield* readRows(store, { period: SECONDS, fromUs: wholeToUs, toUs });
}

function lateLagOf({ all }: Lags): number | null {
  if (all.total === 0) return null;
  const median = Math.max(0, all.quantile(0.5));
  return Math.max(LATE_TIMES * median, median + LATE_ABOVE_US);
}

async function readSeconds(
  store: Store,
  question: ReadingQuestion,
  range: { fromUs: number; toUs: number },
  claimed: readonly number[],
  into: Seconds,
  notes: string[],
): Promise<void> {
  const startUs = await startOf(store, "1s", claimed, question.fromUs, notes);
  if (startUs === null) return;
  const asked = { ...question, fromUs: startUs, period: SECONDS, source: "counts" as const };
  const reading = readCounts(store, asked);
  // A stream that goes back beyond the range, or beyond what is left of it, has a whole first second.
  const edgeUs = startUs === question.fromUs ? range.fromUs : startUs;
  const endUs = Math.min(range.toUs, bucketStartUs(question.nowUs - COMPLETE_AFTER_MS * 1_000, SECOND_US));
  await untilExpired(notes, async () => {
    // Such a range begins before its first whole second and ends after its last.
    const isCut = question.isCut === true;
    const seconds = wholeSeconds(told(reading.buckets, question), {
      fromUs: isCut ? edgeUs - 1 : edgeUs,
      toUs: isCut && endUs === range.toUs ? endUs + 1 : endUs,
    });
    for await (const portion of seconds) {
      for (const second of portion) into.add(second);
      question.onProgress?.(`rate: ${into.tally.count} seconds`);
    }
  });
}

/** The same stream, with an ear to it. */
async function* told(
  buckets: AsyncIterable<Bucket[]>,
  { onSecond }: ReadingQuestion,
): AsyncGenerator<readonly Bucket[]> {
  for await (const portion of buckets) {
    for (const { bucketUs, events } of portion) onSecond?.(bucketUs, events);
    yield portion;
  }
}

function wholeMinutes(fromUs: number, toUs: number): number {
  return Math.max(0, (bucketStartUs(toUs, MINUTE_US) - bucketCeilUs(fromUs, MINUTE_US)) / MINUTE_US);
}

async function readSample(
  store: Store,
  question: ReadingQuestion,
  minutes: StoreReading["minutes"],
  seconds: Seconds,
  notes: string[],
): Promise<{ buckets: Buckets; bucketMinutes: number }> {
  const buckets = new Buckets();
  const { span } = seconds;
  if (span === null) return { buckets, bucketMinutes: 0 };
  const touched = minutes.map(({ us }) => us).filter((us) => us + MINUTE_US > span.fromUs && us < span.toUs);
  const whole = touched.filter((us) => us >= span.fromUs && us + MINUTE_US <= span.toUs);
  const usable = whole.length > 0 ? whole : touched;
  const startUs = await startOf(store, "10ms", usable, question.fromUs, notes);
  if (startUs === null) return { buckets, bucketMinutes: 0 };
  const living = usable.filter((us) => us + MINUTE_US > startUs);
  const chosen = spread(living, question.minutes10ms);
  await untilExpired(notes, async () => {
    for await (const _ of readBuckets(store, chosen, span, buckets))
      question.onProgress?.(`10 ms: ${buckets.minutes} of ${chosen.length} minutes`);
  });
  // Of a sample as many as it has of the others, so that its mean is that of the stream.
  const silent = whole.length > 0 ? wholeMinutes(Math.max(startUs, span.fromUs), span.toUs) - living.length : 0;
  buckets.addSilent(Math.round((silent * buckets.minutes) / living.length));
  return { buckets, bucketMinutes: living.length };
}
