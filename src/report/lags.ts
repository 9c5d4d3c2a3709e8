// What the histograms of a stream say of its LAG, in bounded memory. Pure: takes rows of a second or a minute, ascending.

import { Histogram } from "../histogram.ts";
import { HOUR_US } from "../period.ts";
import type { CountRow } from "../store/store.ts";
import { Slots } from "./slots.ts";

/** Histograms over time: some 15 kB each. */
const SLOTS_MAX = 240;

export interface LagSlot {
  histogram: Histogram;
  events: number;
  minUs: number;
  maxUs: number;
}

export class Lags {
  readonly all = new Histogram();
  readonly hours = Array.from({ length: 24 }, () => new Histogram());
  readonly slots: Slots<LagSlot>;
  events = 0;
  sumUs = 0;
  minUs = Number.POSITIVE_INFINITY;
  maxUs = Number.NEGATIVE_INFINITY;

  /** `rowUs`: how long a row's bucket is; some may be shorter. */
  constructor(rowUs: number) {
    this.slots = new Slots<LagSlot>({
      slotsMax: SLOTS_MAX,
      widthUs: rowUs,
      empty: () => ({
        histogram: new Histogram(),
        events: 0,
        minUs: Number.POSITIVE_INFINITY,
        maxUs: Number.NEGATIVE_INFINITY,
      }),
      merge(into, from) {
        into.histogram.merge(from.histogram);
        into.events += from.events;
        into.minUs = Math.min(into.minUs, from.minUs);
        into.maxUs = Math.max(into.maxUs, from.maxUs);
      },
    });
  }

  add({ bucketUs, events, lagSumUs, lagMinUs, lagMaxUs, lagHist }: CountRow): void {
    this.events += events;
    this.sumUs += lagSumUs;
    this.minUs = Math.min(this.minUs, lagMinUs);
    this.maxUs = Math.max(this.maxUs, lagMaxUs);
    const slot = this.slots.at(bucketUs);
    slot.events += events;
    slot.minUs = Math.min(slot.minUs, lagMinUs);
    slot.maxUs = Math.max(slot.maxUs, lagMaxUs);
    if (!lagHist) return;
    this.all.mergeEncoded(lagHist);
    slot.histogram.mergeEncoded(lagHist);
    this.hours[Math.floor(bucketUs / HOUR_US) % 24]?.mergeEncoded(lagHist);
  }
}
