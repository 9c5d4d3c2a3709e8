// Adding up the rows of several writers, bucket by bucket.
// Pure; knows the shape of a row and nothing of where it comes from.

import { Histogram } from "../histogram.ts";
import type { CountRow } from "../store/store.ts";

/** A row without its histogram. */
export type Totals = Omit<CountRow, "lagHist">;

/** Totals by bucket, to which rows are added. */
export class BucketSums {
  readonly #sums = new Map<number, Totals>();

  add({ bucketUs, events, lagSumUs, lagMinUs, lagMaxUs }: Totals): void {
    // A bucket that was corrected to nothing is as one that never was.
    if (events === 0) return;
    const known = this.#sums.get(bucketUs);
    if (!known) {
      this.#sums.set(bucketUs, { bucketUs, events, lagSumUs, lagMinUs, lagMaxUs });
      return;
    }
    known.events += events;
    known.lagSumUs += lagSumUs;
    known.lagMinUs = Math.min(known.lagMinUs, lagMinUs);
    known.lagMaxUs = Math.max(known.lagMaxUs, lagMaxUs);
  }

  /** By bucket, ascending. */
  get rows(): Totals[] {
    return [...this.#sums.values()].sort((a, b) => a.bucketUs - b.bucketUs);
  }
}

/** The rows of all writers as one row a bucket, ascending, histograms merged. */
export function sumRows(rows: readonly CountRow[]): CountRow[] {
  const sums = new BucketSums();
  const lags = new Map<number, Histogram>();
  for (const row of rows) {
    sums.add(row);
    let lag = lags.get(row.bucketUs);
    if (!lag) lags.set(row.bucketUs, (lag = new Histogram()));
    if (row.lagHist) lag.mergeEncoded(row.lagHist);
  }
  const lagHist = (bucketUs: number) => (lags.get(bucketUs) ?? new Histogram()).encode();
  return sums.rows.map((totals) => Object.assign(totals, { lagHist: lagHist(totals.bucketUs) }));
}

export function eventsIn(rows: readonly { events: number }[]): number {
  return rows.reduce((sum, { events }) => sum + events, 0);
}
