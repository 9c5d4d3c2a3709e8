// Data of the past, for tests of what is done to closed minutes: written by the project's own writer, at a time of the test's choice.

import type { Clock } from "../../src/clock.ts";
import { bucketStartUs, MINUTE_US, SECOND_US } from "../../src/period.ts";
import type { Store } from "../../src/store/store.ts";
import { FlushSequence } from "../../src/writer/sequence.ts";

/** A day well before now, at its start. */
export const PAST_US = Date.UTC(2026, 9, 1) * 1_000;

/** `writers` in each of `minutes` minutes from PAST_US on, `events` each, all sealed. Returns how many events that is. */
export async function writePast(store: Store, minutes: number, writers: number, events: number): Promise<number> {
  const clock: Clock = { nowUs: () => PAST_US, epoch: 0 };
  for (let writer = 0; writer < writers; writer++) {
    const sequence = new FlushSequence({ store, clock, signal: new AbortController().signal });
    for (let minute = 0; minute < minutes; minute++) {
      const minuteUs = PAST_US + minute * MINUTE_US;
      const receivedUs = Array.from({ length: events }, (_, at) => minuteUs + at * 7 * SECOND_US + writer);
      await sequence.flush({ minuteUs, epoch: 0, createdUs: receivedUs.map((at) => BigInt(at - 2_000)), receivedUs });
    }
    await sequence.close();
  }
  return minutes * writers * events;
}

/** One event at each of these times, which ascend, by one writer; all sealed. Each was created two milliseconds before. */
export async function writeAt(store: Store, receivedUs: readonly number[]): Promise<void> {
  const clock: Clock = { nowUs: () => receivedUs.at(-1) ?? 0, epoch: 0 };
  const sequence = new FlushSequence({ store, clock, signal: new AbortController().signal });
  for (const [minuteUs, times] of Map.groupBy(receivedUs, (us) => bucketStartUs(us, MINUTE_US))) {
    const createdUs = times.map((us) => BigInt(us - 2_000));
    await sequence.flush({ minuteUs, epoch: 0, createdUs, receivedUs: times });
  }
  await sequence.close();
}
