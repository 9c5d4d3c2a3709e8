// A log-linear histogram of whole microseconds: mergeable, of fixed size, with a compact binary form.
// Kernel: pure. Percentiles come from merged histograms; they are never averaged.
//
//     magnitude   0..31   32..63   64..127   128..255  ...  2^31..2^32-1
//     bin width     1        1        2         4      ...     2^26          at most 1/32 = 3.1 % of the value
//
// Negative values (a client's clock ahead of ours) have mirrored bins: bin -1 - b for the magnitude whose bin is b.

import { pushVarint, pushZigzag, readVarint, readZigzag } from "./varint.ts";

const SUB_BITS = 5;
const SUB_BINS = 1 << SUB_BITS;
const MAGNITUDE_MAX = 2 ** 32 - 1;
const BINS = (32 - SUB_BITS + 1) * SUB_BINS;

/** First byte of the binary form. */
const FORMAT_VERSION = 1;

export class Histogram {
  /** Counts of the bins -BINS..BINS-1, the negative ones first. */
  readonly #counts = new Float64Array(2 * BINS);
  #total = 0;
  #sum = 0;
  #lowest = 2 * BINS;
  #highest = -1;

  get total(): number {
    return this.#total;
  }

  /** The exact sum of what was recorded or merged here; not part of the binary form. */
  get sum(): number {
    return this.#sum;
  }

  /** Counts `value`, rounded down and clamped to +-(2^32 - 1). */
  record(value: number): void {
    this.#add(BINS + binOf(value), 1);
    this.#sum += value;
  }

  /** Adds all that `other` has counted. */
  merge(other: Histogram): void {
    for (let at = other.#lowest; at <= other.#highest; at++) {
      const times = other.#counts[at] ?? 0;
      if (times > 0) this.#add(at, times);
    }
    this.#sum += other.#sum;
  }

  /**
   * The value below which the share `q` (0..1) of the values lies: the middle of the bin that holds it, so at most
   * 1.6 % off. 0 where nothing was counted.
   */
  quantile(q: number): number {
    const rank = Math.max(1, Math.ceil(q * this.#total));
    let seen = 0;
    for (let at = this.#lowest; at <= this.#highest; at++) {
      seen += this.#counts[at] ?? 0;
      if (seen >= rank) return binMiddle(at - BINS);
    }
    return 0;
  }

  /**
   * As `quantile`, but as if the values of a bin lay evenly in it: two histograms that differ by less than a bin differ
   * here too. For comparisons; what is shown to people is `quantile`.
   */
  evenQuantile(q: number): number {
    const rank = q * this.#total;
    let seen = 0;
    for (let at = this.#lowest; at <= this.#highest; at++) {
      const times = this.#counts[at] ?? 0;
      if (times > 0 && seen + times >= rank) {
        const bin = at - BINS;
        return binMiddle(bin) + (binWidth(bin) * (rank - seen)) / times - binWidth(bin) / 2;
      }
      seen += times;
    }
    return 0;
  }

  /** How many values lie in the bins up to and including that of `value`; for cumulative expositions. */
  countUpTo(value: number): number {
    const last = BINS + binOf(value);
    let seen = 0;
    for (let at = this.#lowest; at <= Math.min(last, this.#highest); at++) seen += this.#counts[at] ?? 0;
    return seen;
  }

  /**
   * The binary form: version (1 byte), then for each bin that is not empty, ascending: the distance from the bin
   * before (zigzag varint; the first from bin 0) and its count (varint). Varints: varint.ts.
   */
  encode(): Uint8Array {
    const bytes = [FORMAT_VERSION];
    let previous = 0;
    for (let at = this.#lowest; at <= this.#highest; at++) {
      const times = this.#counts[at] ?? 0;
      if (times === 0) continue;
      const bin = at - BINS;
      pushZigzag(bytes, bin - previous);
      pushVarint(bytes, times);
      previous = bin;
    }
    return Uint8Array.from(bytes);
  }

  /** The histogram of a binary form; throws RangeError if `bytes` is not one. */
  static decode(bytes: Uint8Array): Histogram {
    const histogram = new Histogram();
    histogram.mergeEncoded(bytes);
    return histogram;
  }

  /** Adds all that a binary form has counted, its sum excepted; throws RangeError if `bytes` is not one. */
  mergeEncoded(bytes: Uint8Array): void {
    if (bytes[0] !== FORMAT_VERSION)
      throw new RangeError(`histogram: format ${bytes[0]} is unknown, want ${FORMAT_VERSION}`);
    const reader = { bytes, at: 1 };
    let bin = 0;
    while (reader.at < bytes.length) {
      bin += readZigzag(reader);
      const times = readVarint(reader);
      if (bin < -BINS || bin >= BINS || times === 0) throw new RangeError("histogram: a bin is out of range");
      this.#add(BINS + bin, times);
    }
  }

  #add(at: number, times: number): void {
    this.#counts[at] = (this.#counts[at] ?? 0) + times;
    this.#total += times;
    if (at < this.#lowest) this.#lowest = at;
    if (at > this.#highest) this.#highest = at;
  }
}

function binOf(value: number): number {
  const whole = Math.floor(value);
  return whole >= 0 ? magnitudeBin(whole) : -1 - magnitudeBin(-whole);
}

function magnitudeBin(magnitude: number): number {
  const clamped = Math.min(magnitude, MAGNITUDE_MAX) >>> 0;
  if (clamped < SUB_BINS) return clamped;
  const shift = 31 - Math.clz32(clamped) - SUB_BITS;
  return (shift + 1) * SUB_BINS + ((clamped >>> shift) - SUB_BINS);
}

function binMiddle(bin: number): number {
  if (bin < 0) return -binMiddle(-1 - bin);
  if (bin < SUB_BINS) return bin;
  const shift = Math.floor(bin / SUB_BINS) - 1;
  const low = (SUB_BINS + (bin % SUB_BINS)) * 2 ** shift;
  return low + Math.floor((2 ** shift - 1) / 2);
}

function binWidth(bin: number): number {
  const magnitude = bin < 0 ? -1 - bin : bin;
  return magnitude < SUB_BINS ? 1 : 2 ** (Math.floor(magnitude / SUB_BINS) - 1);
}
