// The raw events of a partition as far as they are still there, and how many there should be.
// Reads the store's contract. What has expired is left to the caller to notice: found < expected.

import { Reto3Error } from "../errors.ts";
import { SECOND_US, type PeriodName } from "../period.ts";
import type { Claim, EventRow, ReadOptions, Retention, Store } from "../store/store.ts";

/** How many events a partition must have at least: what was sealed, else its total at this moment. */
export async function expectedEvents(store: Store, claim: Claim): Promise<number> {
  if (claim.sealedEvents !== null) return claim.sealedEvents;
  const rows = await store.counts(claim, "1m", claim.minuteUs, claim.minuteUs + 1);
  return rows[0]?.events ?? 0;
}

/** Whether the first rows of a table that were written in this minute have passed their time by now. */
export function isPast(table: "events" | PeriodName, minuteUs: number, retention: Retention, nowUs: number): boolean {
  const seconds = retention[table];
  return seconds !== null && nowUs >= minuteUs + seconds * SECOND_US;
}

/** The raw events of a partition as far as the store still reads them. */
export async function* livingEvents(store: Store, claim: Claim, options?: ReadOptions): AsyncGenerator<EventRow[]> {
  try {
    yield* store.events(claim, options);
  } catch (error) {
    if (!(error instanceof Reto3Error) || error.code !== "EXPIRED") throw error;
  }
}
