// The seconds of a stream that say something about its rate: silent ones included, those that its start or end has cut left out.
// Pure.
//
//     asked     |----------------------------------------------|
//     events           .:::::::   :::::::::::::.
//     whole             |----------------------|                the silence between is a part of the stream

import type { Bucket } from "../counts/read.ts";
import { SECOND_US } from "../period.ts";

const PORTION_MAX = 3_600;

export interface Second {
  us: number;
  events: number;
  /** Mean LAG; null without events. */
  lagUs: number | null;
}

/**
 * Takes the seconds that have events, ascending. The first is left out unless it is the first of the range, and the last
 * unless it is the last: they were cut somewhere. A stream of one or two seconds is taken as it is.
 */
export async function* wholeSeconds(
  buckets: AsyncIterable<readonly Bucket[]>,
  { fromUs, toUs }: { fromUs: number; toUs: number },
): AsyncGenerator<Second[]> {
  const portion: Second[] = [];
  let first: Second | undefined;
  let last: Second | undefined;
  let isAny = false;
  const keep = (second: Second) => {
    if (second === first && second.us > fromUs) return;
    portion.push(second);
    isAny = true;
  };
  for await (const found of buckets) {
    for (const bucket of found) {
      if (bucket.bucketUs >= toUs) break;
      const second = secondOf(bucket);
      first ??= second;
      if (last) keep(last);
      for (let us = (last?.us ?? second.us) + SECOND_US; us < second.us; us += SECOND_US) {
        keep({ us, events: 0, lagUs: null });
        if (portion.length >= PORTION_MAX) yield portion.splice(0);
      }
      last = second;
    }
    if (portion.length > 0) yield portion.splice(0);
  }
  if (!first || !last) return;
  if (!isAny) yield first === last ? [first] : [first, last];
  else if (last.us + SECOND_US >= toUs) yield [last];
}

function secondOf({ bucketUs, events, lag }: Bucket): Second {
  return { us: bucketUs, events, lagUs: lag && events > 0 ? lag.sumUs / events : null };
}
