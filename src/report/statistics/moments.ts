// Count, mean, variance and extremes of a stream, in constant memory and without cancellation.
// Source: B. P. Welford (1962); merging: T. F. Chan, G. H. Golub, R. J. LeVeque (1979).

export class Moments {
  #count = 0;
  #mean = 0;
  /** The sum of the squared distances from the mean. */
  #squares = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;

  /** Takes `value`, as often as `times` says. */
  add(value: number, times = 1): void {
    if (times > 0) this.#take(times, value, 0, value, value);
  }

  /** Takes all that `other` has. */
  merge(other: Moments): void {
    if (other.#count > 0) this.#take(other.#count, other.#mean, other.#squares, other.#min, other.#max);
  }

  get count(): number {
    return this.#count;
  }

  /** 0 of nothing, as `variance`, `min` and `max` are. */
  get mean(): number {
    return this.#mean;
  }

  /** Of the sample: divided by count - 1. 0 of fewer than two values. */
  get variance(): number {
    return this.#count > 1 ? this.#squares / (this.#count - 1) : 0;
  }

  get deviation(): number {
    return Math.sqrt(this.variance);
  }

  get min(): number {
    return this.#count > 0 ? this.#min : 0;
  }

  get max(): number {
    return this.#count > 0 ? this.#max : 0;
  }

  #take(count: number, mean: number, squares: number, min: number, max: number): void {
    const total = this.#count + count;
    const distance = mean - this.#mean;
    this.#squares += squares + distance * distance * ((this.#count * count) / total);
    this.#mean += distance * (count / total);
    this.#count = total;
    if (min < this.#min) this.#min = min;
    if (max > this.#max) this.#max = max;
  }
}
