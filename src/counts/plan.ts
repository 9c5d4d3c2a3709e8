// Which partitions hold the answer to a range, minute by minute, found through the claims.
// Knows the store's contract; writes nothing.

import { ACK_TIMEOUT_MS } from "../config.ts";
import { bucketStartUs, MINUTE_US } from "../period.ts";
import type { Claim, Store } from "../store/store.ts";

/** All writers that claimed one minute. */
export interface MinutePlan {
  minuteUs: number;
  claims: readonly Claim[];
}

/** The minutes of [fromUs, toUs) that anybody claimed, ascending. */
export async function* planMinutes(store: Store, fromUs: number, toUs: number): AsyncGenerator<MinutePlan> {
  let open: { minuteUs: number; claims: Claim[] } | undefined;
  for await (const claim of store.claims(bucketStartUs(fromUs, MINUTE_US), toUs)) {
    if (open?.minuteUs !== claim.minuteUs) {
      if (open) yield open;
      open = { minuteUs: claim.minuteUs, claims: [] };
    }
    open.claims.push(claim);
  }
  if (open) yield open;
}

/**
 * Until when an answer is complete: no event that arrived before can be acknowledged any more and be missing in it.
 * That is the first minute whose claims are not all sealed, at most `nowUs` less the time in which an event that has no
 * claim yet may still be acknowledged.
 */
export class Watermark {
  #completeUs: number;

  constructor(toUs: number, nowUs: number) {
    this.#completeUs = Math.min(toUs, nowUs - ACK_TIMEOUT_MS * 1_000);
  }

  see({ minuteUs, claims }: MinutePlan): void {
    if (claims.every((claim) => claim.sealedEvents !== null)) return;
    this.#completeUs = Math.min(this.#completeUs, minuteUs);
  }

  get completeUs(): number {
    return this.#completeUs;
  }
}
