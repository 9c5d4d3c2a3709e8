// What every fault is held against: the outcome that each client was told of each event, and what is in the store afterwards.
// Events are known by their time of creation, which the clients choose to the microsecond.
//
//     acked  <=  stored  <=  acked + unknown          event by event, none twice; what was refused is not there
//     10 ms = 1 s = 1 m = raw events                  count and verify say the same

import { readFileSync } from "node:fs";
import { expect } from "bun:test";
import type { LoadOutcome, LoadRecord } from "../../src/load/result.ts";
import { countEveryWay } from "../support/load.ts";
import { reto3 } from "../support/reto3.ts";

/** One line of the table in docs/faults.md. */
export interface FaultFigures {
  sent: number;
  acked: number;
  refused: number;
  unknown: number;
  stored: number;
  /** The longest time in which no client got a 200, seconds. */
  outageSeconds: number;
}

/** What one client was told of one event. Times in microseconds since 1970. */
export interface Told {
  createdUs: number;
  doneUs: number;
  outcome: LoadOutcome;
}

/** The files that `load --record` wrote; what a killed load was writing last may be cut off. */
export function readRecords(files: readonly string[]): Told[] {
  return files
    .flatMap((file) => readFileSync(file, "utf8").trimEnd().split("\n"))
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as LoadRecord)
    .flatMap(({ sentUs, doneUs, outcome }) => (sentUs === null ? [] : [{ createdUs: sentUs, doneUs, outcome }]));
}

/** The times of creation of all raw events in the store, as export writes them. */
export async function storedIn(store: string): Promise<number[]> {
  const args = ["export", "--store", store, "--what", "events", "--last", "1h", "--format", "csv"];
  const { code, stdout, stderr } = await reto3(args);
  if (code !== 0) throw new Error(`export failed:\n${stderr}`);
  const [head = "", ...rows] = stdout.trimEnd().split("\n");
  const column = head.split(",").indexOf("created");
  return rows.filter((row) => row !== "").map((row) => microsecondsOf(row.split(",")[column] ?? ""));
}

/** Holds what was told against what is stored, and all levels of the counts against each other. Throws where they differ. */
export async function judge(told: readonly Told[], store: string): Promise<FaultFigures> {
  const stored = await storedIn(store);
  expect(contradictions(told, stored)).toEqual([]);
  expect(await countEveryWay(store)).toBe(stored.length);
  const { code, stderr } = await reto3(["verify", "--store", store, "--last", "1h"]);
  expect([code, stderr]).toEqual([0, expect.anything()]);
  return figuresOf(told, stored.length);
}

/** In words: events that are missing, twice there, or there though they were refused or never sent. */
export function contradictions(told: readonly Told[], stored: readonly number[]): string[] {
  const acked = tally(told.filter(({ outcome }) => outcome === "acked"));
  const maybe = tally(told.filter(({ outcome }) => outcome === "unknown"));
  const there = tally(stored.map((createdUs) => ({ createdUs })));
  const found: string[] = [];
  for (const createdUs of new Set([...acked.keys(), ...there.keys()])) {
    const [times, least] = [there.get(createdUs) ?? 0, acked.get(createdUs) ?? 0];
    const most = least + (maybe.get(createdUs) ?? 0);
    if (times < least) found.push(`${createdUs}: ${least} acked, ${times} stored`);
    if (times > most) found.push(`${createdUs}: ${most} acked or unknown, ${times} stored`);
  }
  return found;
}

export function figuresOf(told: readonly Told[], stored: number): FaultFigures {
  const of = (outcome: LoadOutcome) => told.filter((one) => one.outcome === outcome).length;
  const acks = told.flatMap(({ outcome, doneUs }) => (outcome === "acked" ? [doneUs] : [])).toSorted((a, b) => a - b);
  const gapsUs = acks.map((doneUs, at) => doneUs - (acks[at - 1] ?? doneUs));
  const outageUs = gapsUs.reduce((longest, gap) => Math.max(longest, gap), 0);
  const figures = { acked: of("acked"), refused: of("refused"), unknown: of("unknown") };
  return { sent: told.length, ...figures, stored, outageSeconds: Math.round(outageUs / 1e5) / 10 };
}

function tally(events: readonly { createdUs: number }[]): Map<number, number> {
  const times = new Map<number, number>();
  for (const { createdUs } of events) times.set(createdUs, (times.get(createdUs) ?? 0) + 1);
  return times;
}

/** Of a time such as 2026-11-25T11:11:11.123456Z. */
function microsecondsOf(text: string): number {
  return Date.parse(`${text.slice(0, 23)}Z`) * 1_000 + Number(text.slice(23, 26));
}
