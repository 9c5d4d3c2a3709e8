// How buckets are written: lines for people and scripts, CSV, and the JSON of GET /counts. Streams of text; no I/O.

import { formatIso, formatTimestamp } from "../units.ts";
import type { Period } from "../period.ts";
import type { Bucket, Reading } from "./read.ts";

export type Format = "text" | "json" | "csv";
export const FORMATS: readonly Format[] = ["text", "json", "csv"];

/** `2016-05-28 11:11:11.000, 12342`: the line that the three counting scripts of the original task print. */
export function textLine(bucket: Bucket): string {
  return `${formatTimestamp(bucket.bucketUs)}, ${bucket.events}\n`;
}

const CSV_HEADER = "bucket,events,lag_min_us,lag_avg_us,lag_max_us\n";

function csvLine({ bucketUs, events, lag }: Bucket): string {
  const lags = lag && events > 0 ? [lag.minUs, Math.round(lag.sumUs / events), lag.maxUs] : ["", "", ""];
  return `${formatIso(bucketUs)},${events},${lags.join(",")}\n`;
}

function jsonBucket({ bucketUs, events, lag }: Bucket): string {
  const bucket = formatIso(bucketUs);
  if (!lag || events === 0) return JSON.stringify({ bucket, events });
  const lagUs = { min: lag.minUs, avg: Math.round(lag.sumUs / events), max: lag.maxUs };
  return JSON.stringify({ bucket, events, lagUs });
}

export interface AnswerHead {
  period: Period;
  fromUs: number;
  toUs: number;
  /** The clock of whoever answers. */
  nowUs: number;
}

/** The answer as text, portion by portion. `buckets` are those of `reading`, with zeros or without. */
export async function* formatAnswer(
  format: Format,
  head: AnswerHead,
  buckets: AsyncIterable<Bucket[]>,
  reading: Reading,
): AsyncGenerator<string> {
  if (format === "json") {
    yield* jsonAnswer(head, buckets, reading);
    return;
  }
  if (format === "csv") yield CSV_HEADER;
  const line = format === "csv" ? csvLine : textLine;
  for await (const portion of buckets) yield portion.map(line).join("");
}

/**
 * {"period":"1s","from":"...Z","to":"...Z","now":"...Z",
 *  "buckets":[{"bucket":"...Z","events":52,"lagUs":{"min":1,"avg":2,"max":3}}, ...],
 *  "events":52,"completeUntil":"...Z","sealed":false}
 *
 * `completeUntil`: every event that arrived before and was or will be acknowledged is in the answer.
 * `sealed`: nothing can be added any more, up to `to`: the same question will get the same answer for ever.
 */
async function* jsonAnswer(
  head: AnswerHead,
  buckets: AsyncIterable<Bucket[]>,
  reading: Reading,
): AsyncGenerator<string> {
  const { period, fromUs, toUs, nowUs } = head;
  const start = { period: period.name, from: formatIso(fromUs), to: formatIso(toUs), now: formatIso(nowUs) };
  yield `${JSON.stringify(start).slice(0, -1)},"buckets":[`;
  let separator = "\n";
  for await (const portion of buckets) {
    if (portion.length === 0) continue;
    yield separator + portion.map(jsonBucket).join(",\n");
    separator = ",\n";
  }
  const { events, completeUs, finalUs } = reading.summary();
  const end = { events, completeUntil: formatIso(completeUs), sealed: finalUs >= toUs };
  yield `],${JSON.stringify(end).slice(1)}\n`;
}
