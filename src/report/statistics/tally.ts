// How often each whole number came, such as events in a bucket: exact quantiles in bounded memory.
// Above a maximum of distinct values it falls back to log-linear bins, and says so.

import { Moments } from "./moments.ts";

/** Some 4 MB of memory. A month has 43,200 minutes, so counts per minute stay exact. */
const DISTINCT_MAX = 65_536;

/** Bins in a doubling, after the fall: each is at most 1/256 = 0.4 % of its value wide. */
const BINS_PER_DOUBLING = 256;

export class Tally {
  /** How good it is apart from quantiles: exact always. */
  readonly moments = new Moments();
  readonly #distinctMax: number;
  #times = new Map<number, number>();
  #sorted: number[] | undefined;
  #exact = true;

  constructor(distinctMax = DISTINCT_MAX) {
    this.#distinctMax = distinctMax;
  }

  /** Takes `value`, whole and not negative, as often as `times` says. */
  add(value: number, times = 1): void {
    if (times <= 0) return;
    this.moments.add(value, times);
    this.#count(value, times);
  }

  /** Takes all that `other` has. */
  merge(other: Tally): void {
    if (!other.#exact) this.#coarsen();
    this.moments.merge(other.moments);
    for (const [value, times] of other.#times) this.#count(value, times);
  }

  get count(): number {
    return this.moments.count;
  }

  /** False once values lie in bins: quantiles are then up to 0.4 % low. */
  get exact(): boolean {
    return this.#exact;
  }

  /** The least value that the share `q` (0..1) of the values, or more, do not pass: nearest rank. 0 of nothing. */
  quantile(q: number): number {
    this.#sorted ??= [...this.#times.keys()].sort((a, b) => a - b);
    const rank = Math.max(1, Math.ceil(q * this.count));
    let seen = 0;
    for (const value of this.#sorted) {
      seen += this.#times.get(value) ?? 0;
      if (seen >= rank) return value;
    }
    return this.#sorted.at(-1) ?? 0;
  }

  /** Each value and how often it came, ascending. */
  entries(): [value: number, times: number][] {
    return [...this.#times].sort(([a], [b]) => a - b);
  }

  #count(value: number, times: number): void {
    const key = this.#exact ? value : binStart(value);
    const before = this.#times.get(key);
    this.#times.set(key, (before ?? 0) + times);
    if (before !== undefined) return;
    this.#sorted = undefined;
    if (this.#exact && this.#times.size > this.#distinctMax) this.#coarsen();
  }

  #coarsen(): void {
    if (!this.#exact) return;
    const fine = this.#times;
    this.#exact = false;
    this.#times = new Map();
    for (const [value, times] of fine) this.#count(value, times);
    this.#sorted = undefined;
  }
}

/** The least number of the bin that holds `value`: itself up to twice BINS_PER_DOUBLING. */
function binStart(value: number): number {
  if (value < 2 * BINS_PER_DOUBLING) return value;
  const width = 2 ** Math.floor(Math.log2(value / BINS_PER_DOUBLING));
  return Math.floor(value / width) * width;
}
