// The totals of one writer in one partition, and the rows of them that a flush has to write.
// Pure. Arrival times only ascend, so at each level just the last bucket can still grow: three open buckets are all the state.

import { LAG_CLAMP_US } from "../config.ts";
import { Histogram } from "../histogram.ts";
import { bucketStartUs, PERIODS, type PeriodName } from "../period.ts";
import type { CountRow, Flush } from "../store/store.ts";

interface OpenBucket {
  bucketUs: number;
  events: number;
  lagSumUs: number;
  lagMinUs: number;
  lagMaxUs: number;
  lags: Histogram | null;
}

export class PartitionTotals {
  /** Events so far, which is the seq of the next one. */
  events = 0;
  /** Lags so far that were beyond +-LAG_CLAMP_US. */
  lagsClamped = 0;
  /** Of the events that were added last, clamped. */
  lagsUs: readonly number[] = [];
  readonly #open: Record<PeriodName, OpenBucket | null> = { "10ms": null, "1s": null, "1m": null };

  /** Adds events in order of arrival; returns the rows of every bucket they touch, with its total so far. `flushedUs` is when their flush starts: lag = flushedUs - created. */
  add(createdUs: readonly bigint[], receivedUs: readonly number[], flushedUs: number): Flush["counts"] {
    const lagsUs = createdUs.map((created) => this.#lag(flushedUs - Number(created)));
    this.lagsUs = lagsUs;
    this.events += receivedUs.length;
    return {
      "10ms": this.#addTo("10ms", receivedUs, lagsUs),
      "1s": this.#addTo("1s", receivedUs, lagsUs),
      "1m": this.#addTo("1m", receivedUs, lagsUs),
    };
  }

  #lag(lagUs: number): number {
    if (Math.abs(lagUs) <= LAG_CLAMP_US) return Math.round(lagUs);
    this.lagsClamped++;
    return lagUs < 0 ? -LAG_CLAMP_US : LAG_CLAMP_US;
  }

  #addTo(level: PeriodName, receivedUs: readonly number[], lagsUs: readonly number[]): CountRow[] {
    const periodUs = PERIODS[level].us;
    const rows: CountRow[] = [];
    let open = this.#open[level];
    // By index: three levels of every event pass here, and entries() makes an array for each.
    for (let at = 0; at < receivedUs.length; at++) {
      const received = receivedUs[at] ?? 0;
      if (!open || received >= open.bucketUs + periodUs) {
        if (open && at > 0) rows.push(rowOf(open));
        open = emptyBucket(bucketStartUs(received, periodUs), level !== "10ms");
      }
      const lagUs = lagsUs[at] ?? 0;
      open.events++;
      open.lagSumUs += lagUs;
      open.lagMinUs = Math.min(open.lagMinUs, lagUs);
      open.lagMaxUs = Math.max(open.lagMaxUs, lagUs);
      open.lags?.record(lagUs);
    }
    this.#open[level] = open;
    if (open && receivedUs.length > 0) rows.push(rowOf(open));
    return rows;
  }
}

function emptyBucket(bucketUs: number, withLags: boolean): OpenBucket {
  return {
    bucketUs,
    events: 0,
    lagSumUs: 0,
    lagMinUs: Number.POSITIVE_INFINITY,
    lagMaxUs: Number.NEGATIVE_INFINITY,
    lags: withLags ? new Histogram() : null,
  };
}

function rowOf({ bucketUs, events, lagSumUs, lagMinUs, lagMaxUs, lags }: OpenBucket): CountRow {
  return { bucketUs, events, lagSumUs, lagMinUs, lagMaxUs, lagHist: lags ? lags.encode() : null };
}
