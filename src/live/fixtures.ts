// For the tests of this folder: writers that put events into a store at given times.

import type { Clock } from "../clock.ts";
import { bucketStartUs, MINUTE_US } from "../period.ts";
import type { Store } from "../store/store.ts";
import { FlushSequence } from "../writer/sequence.ts";

export interface TestWriter {
  /** An event at each of these times, which are of one minute. */
  write(...receivedUs: number[]): Promise<void>;
  /** Seals its minutes. */
  close(): Promise<void>;
}

export function testWriter(store: Store, clock: Clock): TestWriter {
  const sequence = new FlushSequence({ store, clock, signal: new AbortController().signal });
  return {
    async write(...times) {
      const receivedUs = times.toSorted((a, b) => a - b);
      const minuteUs = bucketStartUs(receivedUs[0] ?? 0, MINUTE_US);
      await sequence.flush({ minuteUs, epoch: 0, createdUs: receivedUs.map((us) => BigInt(us - 2_000)), receivedUs });
    },
    async close() {
      await sequence.close();
    },
  };
}
