// Settling: a partition whose writer died is read from all replicas, made to agree with itself, and sealed.
// Safe to repeat, to run twice at once, and to be killed in: the counts are put right before the claim is sealed.

import { MINUTE_US } from "../period.ts";
import type { Claim, Store } from "../store/store.ts";
import { judge, readPartition, recountedFlush } from "./partition.ts";

export interface Settled {
  /** Events that the partition was sealed with; null: it stays open, because nobody can tell. */
  events: number | null;
  /** Its counts were written anew from its raw events. */
  recounted: boolean;
  /** What was wrong with it; empty where nothing was. */
  problem: string;
}

/** Whether `claim` is one that only settling can seal: its writer, if it lived, could not write there any more. */
export function isAbandoned(claim: Claim, store: Store, nowUs: number): boolean {
  return claim.sealedEvents === null && nowUs >= claim.minuteUs + MINUTE_US + store.info.settleAfterMs * 1_000;
}

/** Settles the partition of an abandoned claim. Throws what the store throws, as when a replica is down. */
export async function settle(store: Store, claim: Claim, nowUs: number): Promise<Settled> {
  const { events, recounted, problem } = await mend(store, claim, nowUs);
  if (events !== null) await store.seal(claim, events, nowUs);
  return { events, recounted, problem };
}

/** Makes the counts of a partition what its raw events say, where these are whole and the counts differ. Nobody may be writing there any more. */
export async function mend(store: Store, claim: Claim, nowUs: number): Promise<Settled> {
  const { retention } = store.info;
  const content = await readPartition(store, claim, { all: true });
  const found = judge(content, retention, nowUs);
  if (found.state === "fine") return { events: found.events, recounted: false, problem: "" };
  if (found.state === "undecided") return { events: found.events, recounted: false, problem: found.problem };
  await store.write(await recountedFlush(store, content, nowUs));
  // A count that was written with a later timestamp than ours stands: then nothing is settled.
  const after = judge(await readPartition(store, claim, { all: true }), retention, nowUs);
  return { events: after.state === "fine" ? after.events : null, recounted: true, problem: found.problem };
}
