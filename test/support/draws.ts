// Draws for streams whose truth is known, beside those that the kernel's generator has.

import type { Random } from "../../src/random.ts";

/** Normally distributed, mean 0, deviation 1. Source: G. E. P. Box, M. E. Muller (1958). */
export function normal(random: Random): number {
  return Math.sqrt(2 * random.exponential(1)) * Math.cos(2 * Math.PI * random.uniform());
}

/**
 * Poisson distributed. Up to 30 by multiplication (D. E. Knuth, TAOCP 2, 3.4.1); above by halving: the sum of two
 * independent Poisson numbers is one too, so that a mean m costs O(m) without underflow.
 */
export function poisson(random: Random, mean: number): number {
  if (mean > 30) return poisson(random, mean / 2) + poisson(random, mean / 2);
  const limit = Math.exp(-mean);
  let product = random.uniform();
  let events = 0;
  while (product > limit) {
    product *= random.uniform();
    events += 1;
  }
  return events;
}
