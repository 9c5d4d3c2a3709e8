// Means of long stretches of a series. What follows closely upon one another is alike, so that a hundred seconds tell
// less than a hundred independent values; means of stretches longer than that memory are as good as independent.
// Source: B. Schmeiser, "Batch size effects in the analysis of simulation output" (1982): 10 to 30 batches are enough,
// as Student's t pays for their being few.

export type Values = readonly number[] | Float64Array;

/** Of a series: fewer and longer stretches forget better. 10 more would narrow intervals by a twentieth. */
export const BATCHES = 12;

/** The means of 12 equal stretches; the values themselves where there are no more than that. */
export function batchMeans(values: Values): Float64Array {
  return Float64Array.from(stretches(values.length), ({ from, to }) => meanOf(values, from, to));
}

/** The bounds [from, to) of 12 equal stretches of `count` values, of as many as there are values if these are fewer. */
export function stretches(count: number): { from: number; to: number }[] {
  const batches = Math.min(BATCHES, count);
  return Array.from({ length: batches }, (_, batch) => ({
    from: Math.floor((batch * count) / batches),
    to: Math.floor(((batch + 1) * count) / batches),
  }));
}

/** 0 of nothing. */
export function meanOf(values: Values, from = 0, to = values.length): number {
  let sum = 0;
  for (let at = from; at < to; at++) sum += values[at] ?? 0;
  return to > from ? sum / (to - from) : 0;
}

/** 0 of nothing. */
export function medianOf(values: Values): number {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}
