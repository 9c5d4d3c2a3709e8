// What the records of one load run say: outcomes, latencies as a whole and over time, and what was sent in which second.
// Pure; takes records in any order.

import { Histogram } from "../histogram.ts";
import { LoadResult, type LoadRecord } from "../load/result.ts";
import { bucketStartUs, SECOND_US } from "../period.ts";
import { Slots } from "./slots.ts";

/** Histograms over time: some 15 kB each. */
const LATENCY_SLOTS_MAX = 240;

/** What the records say of one second. Arrival at the server lies between a request's sending and its end. */
export interface SentSecond {
  /** Sent in it. */
  sent: number;
  /** Acked, and both sent and answered in it: these arrived in it. */
  arrived: number;
  /** Acked, and under way in it: these may have arrived in it. */
  maybe: number;
  /** Of unknown outcome, sent in it: these may have arrived in it, later, or never. */
  unknown: number;
}

/** Answered requests of a stretch of time: microseconds from when they were due. */
export interface LatencySlot {
  sinceDueUs: Histogram;
  requests: number;
  notAcked: number;
}

export class Run {
  readonly name: string;
  readonly result = new LoadResult();
  readonly seconds = new Map<number, SentSecond>();
  readonly latencies = new Slots<LatencySlot>({
    slotsMax: LATENCY_SLOTS_MAX,
    widthUs: 100_000,
    empty: () => ({ sinceDueUs: new Histogram(), requests: 0, notAcked: 0 }),
    merge: (into, from) => {
      into.sinceDueUs.merge(from.sinceDueUs);
      into.requests += from.requests;
      into.notAcked += from.notAcked;
    },
  });
  /** The last line was cut off. */
  isCut = false;
  #firstDueUs = Number.POSITIVE_INFINITY;
  #lastDueUs = Number.NEGATIVE_INFINITY;
  #firstSentUs = Number.POSITIVE_INFINITY;
  #lastDoneUs = Number.NEGATIVE_INFINITY;

  constructor(name: string) {
    this.name = name;
  }

  add(record: LoadRecord): void {
    const { dueUs, sentUs, doneUs, outcome, status } = record;
    this.result.add(record, status === null ? `${outcome}, no answer` : `status ${status}`);
    this.#firstDueUs = Math.min(this.#firstDueUs, dueUs);
    this.#lastDueUs = Math.max(this.#lastDueUs, dueUs);
    this.#lastDoneUs = Math.max(this.#lastDoneUs, doneUs);
    const slot = this.latencies.at(dueUs);
    slot.requests++;
    if (outcome !== "acked") slot.notAcked++;
    if (sentUs === null) return;
    this.#firstSentUs = Math.min(this.#firstSentUs, sentUs);
    if (status !== null) slot.sinceDueUs.record(doneUs - dueUs);
    this.#sent(sentUs, doneUs, outcome);
  }

  #sent(sentUs: number, doneUs: number, outcome: LoadRecord["outcome"]): void {
    const sentSecond = bucketStartUs(sentUs, SECOND_US);
    const second = this.#second(sentSecond);
    second.sent++;
    if (outcome === "unknown") second.unknown++;
    if (outcome !== "acked") return;
    const doneSecond = bucketStartUs(doneUs, SECOND_US);
    if (doneSecond === sentSecond) second.arrived++;
    for (let us = sentSecond; us <= doneSecond; us += SECOND_US) this.#second(us).maybe++;
  }

  #second(us: number): SentSecond {
    let second = this.seconds.get(us);
    if (!second) this.seconds.set(us, (second = { sent: 0, arrived: 0, maybe: 0, unknown: 0 }));
    return second;
  }

  /** From the first that was due to the last that had an outcome; null without records. */
  get span(): { fromUs: number; toUs: number } | null {
    const fromUs = Math.min(this.#firstDueUs, this.#firstSentUs);
    return Number.isFinite(fromUs) ? { fromUs, toUs: Math.max(this.#lastDoneUs, fromUs) } : null;
  }

  /** Events a second of the schedule; null where there are too few to tell. */
  get askedPerSec(): number | null {
    const requests = this.result.finished;
    const spanUs = this.#lastDueUs - this.#firstDueUs;
    return requests > 1 && spanUs > 0 ? ((requests - 1) / spanUs) * SECOND_US : null;
  }

  /** Answered with 2xx, a second of the schedule. */
  get ackedPerSec(): number | null {
    const { askedPerSec } = this;
    const { finished, outcomes } = this.result;
    return askedPerSec === null ? null : (askedPerSec * outcomes.acked) / finished;
  }
}
