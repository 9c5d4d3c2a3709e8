// Comparing: the sides take turns, A B A B, so that what changes with time meets all of them; medians, and all values.

/** Measures each side once a round. What it is doing goes to stderr. */
export async function inTurns<Side>(
  sides: readonly Side[],
  rounds: number,
  nameOf: (side: Side) => string,
  measure: (side: Side) => Promise<void>,
): Promise<void> {
  for (let round = 1; round <= rounds; round++) {
    for (const side of sides) {
      console.error(`round ${round} of ${rounds}: ${nameOf(side)}`);
      await measure(side);
    }
  }
}

export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const high = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] ?? Number.NaN) + high) / 2;
}

/** Value by value, of two sides that took turns. */
export function ratios(of: readonly number[], to: readonly number[]): number[] {
  return of.slice(0, to.length).map((value, at) => value / (to[at] ?? Number.NaN));
}
