// Since when there are counts and raw events in a store, and how much of these. What that costs grows with the store: it is looked
// up now and then, in the background, a few short questions at a time.

import { expectedEvents, livingEvents } from "../counts/raw.ts";
import { Reto3Error } from "../errors.ts";
import type { RawData } from "../live-messages.ts";
import { HOUR_US, SECOND_US } from "../period.ts";
import type { Claim, Store } from "../store/store.ts";

/** The first minute with events; null: there is none. */
export async function firstMinuteUs(store: Store): Promise<number | null> {
  for (const hourUs of await store.claimedHours()) {
    const [first] = await filledClaims(store, hourUs);
    if (first) return first.minuteUs;
  }
  return null;
}

export async function rawData(store: Store, nowUs: number): Promise<RawData> {
  const tables = await store.sizes("raw");
  const sinceUs = await rawSinceUs(store, nowUs);
  return {
    sinceMs: sinceUs === null ? null : sinceUs / 1_000,
    // Of a table that is not used nothing may be known; of none, nothing is.
    events: sumOf(tables.map(({ rows }) => rows)),
    bytes: sumOf(tables.map(({ bytes }) => bytes)),
  };
}

function sumOf(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0);
}

/**
 * The oldest minute whose raw events are there. They go by age, so halving finds it: where for some time they were not kept
 * (--keep summary), it may be one after that.
 */
async function rawSinceUs(store: Store, nowUs: number): Promise<number | null> {
  const { events: seconds } = store.info.retention;
  const fromUs = seconds === null ? Number.NEGATIVE_INFINITY : nowUs - seconds * SECOND_US - 2 * HOUR_US;
  const hours = (await store.claimedHours()).filter((hourUs) => hourUs >= fromUs);
  const hourAt = await firstAt(hours.length, async (at) => {
    const minutes = await filledMinutes(store, hours, at);
    return hasRaw(store, minutes.at(-1));
  });
  const minutes = await filledMinutes(store, hours, hourAt);
  return minutes[await firstAt(minutes.length, (at) => hasRaw(store, minutes[at]))]?.[0]?.minuteUs ?? null;
}

/** The first of 0..length-1 for which `holds`, if it holds for all after that; `length` if there is none. */
async function firstAt(length: number, holds: (at: number) => Promise<boolean>): Promise<number> {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (await holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** By minute, the claims with events of the first hour from `hours[at]` on that has some. */
async function filledMinutes(store: Store, hours: readonly number[], at: number): Promise<Claim[][]> {
  for (const hourUs of hours.slice(at)) {
    const filled = await filledClaims(store, hourUs);
    if (filled.length > 0) return [...Map.groupBy(filled, ({ minuteUs }) => minuteUs).values()];
  }
  return [];
}

async function hasRaw(store: Store, claims: readonly Claim[] = []): Promise<boolean> {
  try {
    for (const claim of claims) {
      for await (const page of livingEvents(store, claim)) if (page.length > 0) return true;
    }
  } catch (error) {
    // They are there, though not for this version.
    if (error instanceof Reto3Error && error.code === "UNREADABLE") return true;
    throw error;
  }
  return false;
}

/** Of an hour. A minute is claimed ahead, and may stay empty. */
async function filledClaims(store: Store, hourUs: number): Promise<Claim[]> {
  const filled: Claim[] = [];
  for await (const page of store.claims(hourUs, hourUs + HOUR_US)) {
    for (const claim of page) if ((await expectedEvents(store, claim)) > 0) filled.push(claim);
  }
  return filled;
}
