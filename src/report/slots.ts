// Values by time in a bounded number of slots: when there are too many, neighbours are merged and slots become wider.
// Pure.

import { bucketStartUs, DAY_US, HOUR_US, MINUTE_US, SECOND_US } from "../period.ts";

/** Widths that people think in; each is a multiple of the one before. Beyond them they double. */
const WIDTHS_US = [
  ...[100, 500].map((ms) => ms * 1_000),
  ...[1, 2, 10, 30].map((seconds) => seconds * SECOND_US),
  ...[1, 2, 10, 30].map((minutes) => minutes * MINUTE_US),
  ...[1, 2, 6].map((hours) => hours * HOUR_US),
  DAY_US,
];

export interface SlotsOptions<T> {
  slotsMax: number;
  /** The narrowest width; one of WIDTHS_US. Default: a second. */
  widthUs?: number;
  empty: () => T;
  /** Adds `from` to `into`. */
  merge: (into: T, from: T) => void;
}

export class Slots<T> {
  readonly #options: SlotsOptions<T>;
  #slots = new Map<number, T>();
  #widthUs: number;

  constructor(options: SlotsOptions<T>) {
    this.#options = options;
    this.#widthUs = options.widthUs ?? SECOND_US;
  }

  get widthUs(): number {
    return this.#widthUs;
  }

  /** The value of the slot that holds `us`, to be added to; it is good until the next call. */
  at(us: number): T {
    const startUs = bucketStartUs(us, this.#widthUs);
    const known = this.#slots.get(startUs);
    if (known !== undefined) return known;
    if (this.#slots.size >= this.#options.slotsMax) {
      this.#widen();
      return this.at(us);
    }
    const value = this.#options.empty();
    this.#slots.set(startUs, value);
    return value;
  }

  /** Ascending; slots that nobody asked for are not there. */
  entries(): [startUs: number, value: T][] {
    return [...this.#slots].sort(([a], [b]) => a - b);
  }

  #widen(): void {
    this.#widthUs = WIDTHS_US.find((width) => width > this.#widthUs) ?? this.#widthUs * 2;
    const old = this.entries();
    this.#slots = new Map();
    for (const [us, value] of old) {
      const startUs = bucketStartUs(us, this.#widthUs);
      const into = this.#slots.get(startUs);
      if (into === undefined) this.#slots.set(startUs, value);
      else this.#options.merge(into, value);
    }
  }
}
