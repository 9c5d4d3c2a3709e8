// What the tests of this folder write and read. For tests only.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SECOND_US } from "../../period.ts";
import type { Flush, Store } from "../store.ts";

export const WRITER = "019e0000-0000-7000-8000-000000000001";
export const LONG_AGO = Date.UTC(2_026, 0, 1) * 1_000;

/** A path for a file of that name, and the end of all of them. */
export function temporaryFiles(): { pathOf: (name: string) => string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), "reto3-sqlite-"));
  return { pathOf: (name) => join(folder, name), remove: () => rmSync(folder, { recursive: true }) };
}

/** The seqs of the raw events that are there. */
export async function eventsIn(store: Store, minuteUs: number, writer: string): Promise<number[]> {
  const seqs: number[] = [];
  for await (const page of store.events({ minuteUs, writer })) seqs.push(...page.map(({ seq }) => seq));
  return seqs;
}

/** So many events of one bucket, with their counts. */
export function flushOf(partition: { minuteUs: number; writer: string }, events: number): Flush {
  const { minuteUs } = partition;
  const row = { bucketUs: minuteUs, events, lagSumUs: events, lagMinUs: 1, lagMaxUs: 1 };
  const counted = { ...row, lagHist: new Uint8Array([1, 0]) };
  return {
    ...partition,
    firstSeq: 0,
    createdUs: Array<bigint>(events).fill(BigInt(minuteUs - SECOND_US)),
    receivedUs: Array<number>(events).fill(minuteUs),
    counts: { "10ms": [{ ...row, lagHist: null }], "1s": [counted], "1m": [counted] },
    writtenAtUs: 1,
  };
}
