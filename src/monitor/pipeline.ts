// One sample of what the servers do: events per second and LAG, over all writers, from the counts that are stored.
// Reads the store's contract only, so one monitor covers all instances. Samples are not written again: what is stored later than a
// second after it arrived is missing in them (and only in them).

import { LAG_CLAMP_US } from "../config.ts";
import { readLags, type Lags } from "../counts/lags.ts";
import type { Histogram } from "../histogram.ts";
import { bucketStartUs, MINUTE_US, SECOND_US } from "../period.ts";
import type { Store } from "../store/store.ts";
import type { Fields } from "./documents.ts";

/** A second is looked at when it has been over for so long. */
const SETTLE_US = SECOND_US;

/** After a longer break, what lies before it is left out: a sample tells how things are, not how they were. */
const SAMPLE_MAX_US = 10 * MINUTE_US;

export interface PipelineSample {
  /** The end of the last second in it. */
  toUs: number;
  fields: Fields<"pipeline">;
}

export class Pipeline {
  readonly #store: Store;
  #fromUs: number;

  constructor(store: Store, nowUs: number) {
    this.#store = store;
    this.#fromUs = bucketStartUs(nowUs - SETTLE_US, SECOND_US);
  }

  /**
   * Hands `write` all seconds since the last sample that are over; nothing where none is. Where the store or `write` throws, the next
   * sample has them.
   */
  async sample(nowUs: number, write: (sample: PipelineSample) => void): Promise<void> {
    const toUs = bucketStartUs(nowUs - SETTLE_US, SECOND_US);
    // Ahead of the clock where that was set back: from there on, once it is over.
    this.#fromUs = Math.min(this.#fromUs, toUs);
    const fromUs = Math.max(this.#fromUs, toUs - SAMPLE_MAX_US);
    if (fromUs >= toUs) return;
    const lags = await readLags(this.#store, fromUs, toUs);
    write({ toUs, fields: fieldsOf(lags, (toUs - fromUs) / SECOND_US) });
    this.#fromUs = toUs;
  }
}

function fieldsOf({ events, sumUs, minUs, maxUs, distribution }: Lags, seconds: number): Fields<"pipeline"> {
  const rate = { "reto.tps": events / seconds, "reto.events": events, "reto.seconds": seconds };
  if (events === 0) return rate;
  // A quantile is the middle of its bin, which may lie beyond all that was in it.
  const quantile = (q: number) => Math.min(maxUs, Math.max(minUs, distribution.quantile(q))) / 1_000;
  return {
    ...rate,
    "reto.lag.min_ms": minUs / 1_000,
    "reto.lag.avg_ms": Math.round(sumUs / events) / 1_000,
    "reto.lag.p50_ms": quantile(0.5),
    "reto.lag.p95_ms": quantile(0.95),
    "reto.lag.p99_ms": quantile(0.99),
    "reto.lag.max_ms": maxUs / 1_000,
    "reto.lag.negative": distribution.countUpTo(-1),
    "reto.lag.clamped": clampedIn(distribution),
  };
}

/** What lies in the bins of the clamp: at the limit, or within a bin of it. */
function clampedIn(distribution: Histogram): number {
  const below = distribution.countUpTo(-LAG_CLAMP_US);
  const beforeTop = distribution.countUpTo(LAG_CLAMP_US * 0.97);
  return below + distribution.total - beforeTop;
}
