// Which partitions hold the answer to a range, minute by minute, found through the claims.
// Knows the store's contract; writes nothing.

import { COMPLETE_AFTER_MS, FINAL_AFTER_MS } from "../config.ts";
import { bucketStartUs, MINUTE_US } from "../period.ts";
import type { Claim, Store } from "../store/store.ts";

/** All writers that claimed one minute. */
export interface MinutePlan {
  minuteUs: number;
  claims: readonly Claim[];
}

/** The minutes of [fromUs, toUs) that anybody claimed, ascending. Ends early when `signal` is aborted. */
export async function* planMinutes(
  store: Store,
  fromUs: number,
  toUs: number,
  signal?: AbortSignal,
): AsyncGenerator<MinutePlan> {
  let open: { minuteUs: number; claims: Claim[] } | undefined;
  for await (const page of store.claims(bucketStartUs(fromUs, MINUTE_US), toUs)) {
    if (signal?.aborted) return;
    for (const claim of page) {
      if (open?.minuteUs !== claim.minuteUs) {
        if (open) yield open;
        open = { minuteUs: claim.minuteUs, claims: [] };
      }
      open.claims.push(claim);
    }
  }
  if (open) yield open;
}

/** Until when an answer stands. Both ends lie at or before the first minute whose claims are not all sealed. */
export class Watermark {
  #completeUs: number;
  #finalUs: number;

  constructor(toUs: number, nowUs: number) {
    this.#completeUs = Math.min(toUs, nowUs - COMPLETE_AFTER_MS * 1_000);
    this.#finalUs = Math.min(toUs, nowUs - FINAL_AFTER_MS * 1_000);
  }

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
