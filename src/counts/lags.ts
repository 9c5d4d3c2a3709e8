// The lags of a short range, with their distribution: all writers' seconds added up.
// Reads the store's contract only.

import { Histogram } from "../histogram.ts";
import type { Store } from "../store/store.ts";
import { mapInOrder } from "./in-order.ts";
import { planMinutes } from "./plan.ts";
import { sumRows } from "./sum.ts";

/** Lag is stored minus created, microseconds. Without events, the lowest and highest are 0. */
export interface Lags {
  events: number;
  sumUs: number;
  minUs: number;
  maxUs: number;
  distribution: Histogram;
}

const PARTITIONS_AT_ONCE = 16;

/** Of the events that arrived in [fromUs, toUs), whole seconds. Throws what the store throws. */
export async function readLags(store: Store, fromUs: number, toUs: number): Promise<Lags> {
  const lags: Lags = { events: 0, sumUs: 0, minUs: 0, maxUs: 0, distribution: new Histogram() };
  for await (const minutes of planMinutes(store, null, fromUs, toUs)) {
    const claims = minutes.flatMap((minute) => minute.claims).filter(({ sealedEvents }) => sealedEvents !== 0);
    const read = mapInOrder(claims, PARTITIONS_AT_ONCE, (claim) => store.counts(claim, "1s", fromUs, toUs));
    for await (const { result } of read) {
      for (const { events, lagSumUs, lagMinUs, lagMaxUs, lagHist } of sumRows(result)) {
        lags.minUs = lags.events === 0 ? lagMinUs : Math.min(lags.minUs, lagMinUs);
        lags.maxUs = lags.events === 0 ? lagMaxUs : Math.max(lags.maxUs, lagMaxUs);
        lags.events += events;
        lags.sumUs += lagSumUs;
        if (lagHist) lags.distribution.mergeEncoded(lagHist);
      }
    }
  }
  return lags;
}
