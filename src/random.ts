// Random numbers that a seed repeats, and the two distributions of arrivals. Kernel: pure. Not for secrets.

const UINT32 = 2 ** 32;

/** The golden ratio as a fraction of 2^32. */
const GOLDEN = 0x9e3779b9;

/** The four words of a generator's state, of which one at least is not 0. */
export type RandomState = readonly [number, number, number, number];

/**
 * xoshiro128**: 32 bits at a time, period 2^128 - 1. Source: D. Blackman, S. Vigna, "Scrambled linear pseudorandom number
 * generators", ACM Transactions on Mathematical Software 47 (2021), and their xoshiro128starstar.c 1.1.
 */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  constructor([a, b, c, d]: RandomState) {
    [this.#a, this.#b, this.#c, this.#d] = [a, b, c, d];
  }

  /** `seed`: a whole number, of which the lowest 32 bits count; neighbours have nothing in common. */
  static seeded(seed: number): Random {
    const word = (step: number) => mix(Math.imul(step, GOLDEN) + seed);
    // Of the four at most one is 0: mix makes different words of different words.
    return new Random([word(1), word(2), word(3), word(4)]);
  }

  /** A whole number from 0 to 2^32 - 1. */
  uint32(): number {
    const result = Math.imul(rotated(Math.imul(this.#b, 5), 7), 9) >>> 0;
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = rotated(this.#d, 11);
    return result;
  }

  /** A number between 0 and 1, never one of these themselves, so that it has a logarithm. */
  uniform(): number {
    return (this.uint32() + 0.5) / UINT32;
  }

  /** The gap between two events that have nothing to do with one another, `mean` on average: -mean ln u. At most 22.9 means. */
  exponential(mean: number): number {
    return -mean * Math.log(this.uniform());
  }

  /** A whole number from 1 on, `mean` on average (1 or more): each further one has the same chance, 1 - 1/mean. */
  geometric(mean: number): number {
    return 1 + Math.floor(Math.log(this.uniform()) / Math.log1p(-1 / mean));
  }
}

function rotated(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

/** Scatters the bits of a word, no two words to the same. Source: A. Appleby, MurmurHash3, fmix32. */
function mix(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
