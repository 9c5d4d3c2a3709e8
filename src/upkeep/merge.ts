// Merging: the totals of all writers of a closed minute, added up into one cell at each level.
// Any process may do it at any time, again, beside others, and be killed in it: what counts is read from the writers'
// own partitions, which stay; a cell says for whom it speaks; readers read everybody else plainly (src/counts/plan.ts).

import { eventsIn, sumRows } from "../counts/sum.ts";
import { mapInOrder } from "../counts/in-order.ts";
import { MINUTE_US } from "../period.ts";
import type { Claim, MergedLevel, Store } from "../store/store.ts";

export const MERGED_LEVELS: readonly MergedLevel[] = ["1s", "1m"];

/** Partitions that are read side by side. */
const PARTITIONS_AT_ONCE = 8;

/**
 * Merges one minute at one level. `claims`: all of the minute's claims, each sealed. False where rows that are needed have
 * expired: then nothing is written.
 */
export async function mergeMinute(
  store: Store,
  level: MergedLevel,
  claims: readonly Claim[],
  nowUs: number,
): Promise<boolean> {
  const minuteUs = claims[0]?.minuteUs ?? 0;
  const filled = claims.filter(({ sealedEvents }) => sealedEvents !== 0);
  const rows = [];
  const read = (claim: Claim) => store.counts(claim, level, minuteUs, minuteUs + MINUTE_US);
  for await (const { item, result } of mapInOrder(filled, PARTITIONS_AT_ONCE, read)) {
    if (eventsIn(result) !== item.sealedEvents) return false;
    rows.push(...result);
  }
  const writers = claims.map(({ writer }) => writer);
  await store.merge(level, { minuteUs, writers, writerCount: writers.length, rows: sumRows(rows) }, nowUs);
  return true;
}
