// What the whole seconds of a stream say of its rate, in bounded memory. Pure: takes seconds in ascending order, without gaps.

import { MINUTE_US, SECOND_US } from "../period.ts";
import { Slots } from "./slots.ts";
import { FanoCurve } from "./statistics/dispersion.ts";
import { Moments } from "./statistics/moments.ts";
import { Tally } from "./statistics/tally.ts";
import type { Second } from "./whole-seconds.ts";

/** Points of a chart. */
const SLOTS_MAX = 720;

/** A day and a half of seconds; longer streams are taken together by two, four, eight seconds. */
const SERIES_MAX = 131_072;

/** Windows of the Fano curve, in seconds. */
const FANO_SECONDS = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_800, 3_600];

const EPISODES_SHOWN_MAX = 10;

/** A stretch of seconds with something in common. */
export interface Episode {
  fromUs: number;
  seconds: number;
  /** The worst of it; its meaning is the episode's kind. */
  peak: number;
}

export interface SecondsSlot {
  rate: Moments;
  lagSumUs: number;
  lagEvents: number;
}

export interface SecondsOptions {
  /** Events a second that were to be held; null: none was named. */
  askedPerSec: number | null;
  /** A second whose mean LAG is above it is late; null: none is. */
  lateLagUs: number | null;
}

/** A second holds the asked rate with this share of it. */
export const HELD_SHARE = 0.99;

export class Seconds {
  readonly tally = new Tally();
  readonly minutes = new Tally();
  readonly slots = new Slots<SecondsSlot>({
    slotsMax: SLOTS_MAX,
    empty: () => ({ rate: new Moments(), lagSumUs: 0, lagEvents: 0 }),
    merge(into, from) {
      into.rate.merge(from.rate);
      into.lagSumUs += from.lagSumUs;
      into.lagEvents += from.lagEvents;
    },
  });
  readonly fano = new FanoCurve(SECOND_US, FANO_SECONDS);
  readonly silences = new Episodes();
  readonly late = new Episodes();
  readonly held = new Episodes();
  readonly #options: SecondsOptions;
  #series: number[] = [];
  #perValue = 1;
  #pending = { events: 0, seconds: 0 };
  #minute = { us: Number.NaN, events: 0, seconds: 0 };
  #firstUs: number | null = null;
  #lastUs = 0;

  constructor(options: SecondsOptions) {
    this.#options = options;
  }

  add({ us, events, lagUs }: Second): void {
    this.#firstUs ??= us;
    this.#lastUs = us;
    this.tally.add(events);
    this.fano.add(us / SECOND_US, events);
    const slot = this.slots.at(us);
    slot.rate.add(events);
    if (lagUs !== null) {
      slot.lagSumUs += lagUs * events;
      slot.lagEvents += events;
    }
    const { askedPerSec, lateLagUs } = this.#options;
    this.silences.see(us, events === 0, 0);
    this.late.see(us, lateLagUs !== null && lagUs !== null && lagUs > lateLagUs, lagUs ?? 0);
    this.held.see(us, askedPerSec !== null && events >= HELD_SHARE * askedPerSec, events);
    this.#addToMinute(us, events);
    this.#addToSeries(events);
  }

  #addToMinute(us: number, events: number): void {
    const minuteUs = us - (us % MINUTE_US);
    if (minuteUs !== this.#minute.us) this.#minute = { us: minuteUs, events: 0, seconds: 0 };
    this.#minute.events += events;
    this.#minute.seconds++;
    if (this.#minute.seconds === 60) this.minutes.add(this.#minute.events);
  }

  #addToSeries(events: number): void {
    this.#pending.events += events;
    this.#pending.seconds++;
    if (this.#pending.seconds < this.#perValue) return;
    this.#series.push(this.#pending.events);
    this.#pending = { events: 0, seconds: 0 };
    if (this.#series.length < SERIES_MAX) return;
    this.#perValue *= 2;
    this.#series = Array.from(
      { length: SERIES_MAX / 2 },
      (_, at) => (this.#series[2 * at] ?? 0) + (this.#series[2 * at + 1] ?? 0),
    );
  }

  /** Events in equal stretches of time, one after another. */
  get series(): { values: readonly number[]; widthUs: number } {
    return { values: this.#series, widthUs: this.#perValue * SECOND_US };
  }

  /** From the start of the first second to the end of the last; null of nothing. */
  get span(): { fromUs: number; toUs: number } | null {
    return this.#firstUs === null ? null : { fromUs: this.#firstUs, toUs: this.#lastUs + SECOND_US };
  }
}

/** Stretches of neighbouring seconds: how many, how long in all, the longest, and the first few. */
export class Episodes {
  count = 0;
  seconds = 0;
  longest: Episode | null = null;
  readonly shown: Episode[] = [];
  #current: Episode | null = null;

  see(us: number, isIn: boolean, value: number): void {
    if (!isIn) {
      this.#current = null;
      return;
    }
    this.seconds++;
    const current = this.#current;
    if (current) {
      current.seconds++;
      current.peak = Math.max(current.peak, value);
    } else {
      this.#current = { fromUs: us, seconds: 1, peak: value };
      this.count++;
      if (this.shown.length < EPISODES_SHOWN_MAX) this.shown.push(this.#current);
    }
    if (this.#current && this.#current.seconds > (this.longest?.seconds ?? 0)) this.longest = this.#current;
  }
}
