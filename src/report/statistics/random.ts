// Random numbers that are the same again for the same seed: for tests with known truth.
// Pure; not for secrets.

/** Numbers from 0 up to 1. */
export type Random = () => number;

/** Source: mulberry32, T. Ettinger, public domain; period 2^32. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Exponentially distributed, mean 1: by inversion. */
export function exponential(random: Random): number {
  return -Math.log1p(-random());
}

/** Normally distributed, mean 0, deviation 1. Source: G. E. P. Box, M. E. Muller (1958). */
export function normal(random: Random): number {
  return Math.sqrt(2 * exponential(random)) * Math.cos(2 * Math.PI * random());
}

/** 1, 2, ... with the given mean, at least 1: trials up to the first success; by inversion. */
export function geometric(random: Random, mean: number): number {
  return mean <= 1 ? 1 : 1 + Math.floor(Math.log1p(-random()) / Math.log1p(-1 / mean));
}

/**
 * Poisson distributed. Up to 30 by multiplication (D. E. Knuth, TAOCP 2, 3.4.1); above by halving: the sum of two
 * independent Poisson numbers is one too, so that a mean m costs O(m) without underflow.
 */
export function poisson(random: Random, mean: number): number {
  if (mean > 30) return poisson(random, mean / 2) + poisson(random, mean / 2);
  const limit = Math.exp(-mean);
  let product = random();
  let events = 0;
  while (product > limit) {
    product *= random();
    events += 1;
  }
  return events;
}
