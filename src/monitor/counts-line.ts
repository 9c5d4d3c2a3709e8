// One line of the counts' log: a bucket and its count. Pure; the names of its fields are in documents.ts.

import type { Bucket } from "../counts/read.ts";
import { periodNamed, type PeriodName } from "../period.ts";
import { ndjsonLine, type LineHead } from "./documents.ts";

/** What is read back of a line. */
export interface CountsLine {
  period: PeriodName;
  bucketUs: number;
  events: number;
  writtenMs: number;
}

/** With its end. `writtenMs`: ms since 1970; of two lines of a bucket the one with the larger stands. */
export function countsLine(
  period: PeriodName,
  { bucketUs, events, lag }: Bucket,
  { writtenMs, ...monitor }: Pick<LineHead, "hostName" | "failures"> & { writtenMs: number },
): string {
  const head = { timestampUs: bucketUs, id: `${period}-${bucketUs / 1_000}`, ...monitor };
  const counted = { "reto.granularity": period, "reto.count": events, "reto.written_ms": writtenMs };
  const lags = lag && {
    "reto.lag.min_ms": lag.minUs / 1_000,
    "reto.lag.avg_ms": Math.round(lag.sumUs / events) / 1_000,
    "reto.lag.max_ms": lag.maxUs / 1_000,
  };
  return ndjsonLine("counts", head, { ...counted, ...lags });
}

/** Undefined for one that a crash cut off. */
export function parseCountsLine(line: string): CountsLine | undefined {
  try {
    const { "@timestamp": time, reto } = JSON.parse(line) as {
      "@timestamp": string;
      reto: { granularity: string; count: number; written_ms: number };
    };
    const period = periodNamed(reto.granularity)?.name;
    const numbers = { bucketUs: Date.parse(time) * 1_000, events: reto.count, writtenMs: reto.written_ms };
    if (period === undefined || !Object.values(numbers).every(Number.isSafeInteger)) return undefined;
    return { period, ...numbers };
  } catch {
    return undefined;
  }
}
