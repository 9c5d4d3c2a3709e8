// The rows of a level with their lag histograms, summed over all writers; and from which minute on a level can be read at all.
// Reads the store's contract only.

import { Gate, mapInOrder } from "../counts/in-order.ts";
import { planMinutes, type MinutePlan } from "../counts/plan.ts";
import { countsOf, readCounts } from "../counts/read.ts";
import { sumRows } from "../counts/sum.ts";
import { Reto3Error } from "../errors.ts";
import { MINUTE_US, type Period } from "../period.ts";
import type { CountRow, Store } from "../store/store.ts";

const MINUTES_AT_ONCE = 16;
const PARTITIONS_AT_ONCE = 96;

/** Whoever looks for the edge of what has expired finds it a little later gone: so many minutes are left as a margin. */
const EXPIRY_MARGIN_MINUTES = 2;

export interface RowQuestion {
  /** A level that has histograms. */
  period: Period & { name: "1s" | "1m" };
  fromUs: number;
  toUs: number;
}

/** Rows with events whose bucket starts in [fromUs, toUs), ascending, in portions of a minute. Throws EXPIRED. */
export async function* readRows(store: Store, question: RowQuestion): AsyncGenerator<CountRow[]> {
  const { period, fromUs, toUs } = question;
  const gate = new Gate(PARTITIONS_AT_ONCE);
  for await (const minutes of planMinutes(store, period.name, fromUs, toUs)) {
    const read = mapInOrder(minutes, MINUTES_AT_ONCE, (minute) => rowsOf(store, minute, question, gate));
    for await (const { result } of read) if (result.length > 0) yield result;
  }
}

async function rowsOf(
  store: Store,
  { merged, claims }: MinutePlan,
  question: RowQuestion,
  gate: Gate,
): Promise<CountRow[]> {
  const filled = claims.filter(({ sealedEvents }) => sealedEvents !== 0);
  const isAsked = ({ bucketUs, events }: CountRow) =>
    events > 0 && bucketUs >= question.fromUs && bucketUs < question.toUs;
  const perWriter = await Promise.all(filled.map((claim) => gate.run(() => countsOf(store, claim, question))));
  const parts = [merged?.rows ?? [], ...perWriter]
    .map((rows) => rows.filter(isAsked))
    .filter((rows) => rows.length > 0);
  return parts.length === 1 ? (parts[0] ?? []) : sumRows(parts.flat());
}

/**
 * Where in `minutes`, ascending, those start whose rows are all there; `minutes.length` if none of them is. Rows go from the
 * oldest on, so that a few looks are enough.
 */
export async function firstReadable(store: Store, period: Period, minutes: readonly number[]): Promise<number> {
  const readable = async (at: number) => {
    const minuteUs = minutes[at];
    return minuteUs === undefined || (await isReadable(store, period, minuteUs));
  };
  if (await readable(0)) return 0;
  let [gone, there] = [0, minutes.length];
  while (there - gone > 1) {
    const middle = Math.floor((gone + there) / 2);
    if (await readable(middle)) there = middle;
    else gone = middle;
  }
  return Math.min(minutes.length, there + EXPIRY_MARGIN_MINUTES);
}

async function isReadable(store: Store, period: Period, minuteUs: number): Promise<boolean> {
  try {
    const question = { period, fromUs: minuteUs, toUs: minuteUs + MINUTE_US, nowUs: 0, source: "counts" as const };
    for await (const _ of readCounts(store, question).buckets);
    return true;
  } catch (error) {
    if (isExpired(error)) return false;
    throw error;
  }
}

export function isExpired(error: unknown): error is Reto3Error {
  return error instanceof Reto3Error && error.code === "EXPIRED";
}
