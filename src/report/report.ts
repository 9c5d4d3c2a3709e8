// The report: what was read, made into its sections. Pure; reading and printing are elsewhere.

import type { Store } from "../store/store.ts";
import { formatTimestamp } from "../units.ts";
import { comparisonSection, type Side } from "./comparison.ts";
import { diskSection } from "./disk.ts";
import { anomalySection, healthSection } from "./health.ts";
import { lagSection } from "./lag.ts";
import type { Report, StoreSection } from "./model.ts";
import { isoOf, several, words } from "./numbers.ts";
import { rateSection } from "./rate.ts";
import type { StoreReading } from "./reading.ts";
import type { Run } from "./run.ts";
import { kneeSection, runSection, sentSection } from "./runs.ts";

export interface ReportInput {
  nowUs: number;
  /** Null where only records were given. */
  store: { info: Store["info"]; reading: StoreReading } | null;
  runs: readonly Run[];
  /** Events of the store by second, where there are runs to hold against them. */
  counted: ReadonlyMap<number, number>;
  askedPerSec: number | null;
  budgetBytes: number | null;
  /** The earlier of two that are compared, and the later one; null: nothing is. */
  comparison: { before: Side; after: Side } | null;
}

export function makeReport(input: ReportInput): Report {
  const { nowUs, store, runs, comparison } = input;
  const reading = store?.reading;
  const rate = reading ? rateSection(reading) : null;
  const runSections = runs.map(runSection).filter((section) => section !== null);
  const notes = [...(reading?.notes ?? [])];
  for (const run of runs) if (run.span === null) notes.push(`There is no record in ${run.name}.`);
  const isCovered = runs.every(
    ({ span }) => !reading || span === null || (span.fromUs >= reading.fromUs && span.toUs < reading.toUs),
  );
  if (!isCovered)
    notes.push("The range does not cover the load runs: what was sent is not held against what was counted.");
  const compared = comparison && comparisonSection(comparison.before, comparison.after);
  if (comparison && !compared)
    notes.push("There is nothing to compare: both sides want a range with events, or both want load runs.");
  return {
    version: 1,
    writtenAt: isoOf(nowUs),
    notes,
    store: store ? storeSection(store.info, store.reading) : null,
    rate,
    lag: reading ? lagSection(reading) : null,
    health: reading && reading.events > 0 ? healthSection(reading, input.askedPerSec) : null,
    anomalies: reading ? anomalySection(reading) : null,
    runs: runSections,
    knee: kneeSection(runSections),
    sentAgainstCounted: reading && isCovered ? sentSection(runs, input.counted, reading.events) : null,
    disk: store
      ? diskSection(store.reading, rate, store.info.retention, { budgetBytes: input.budgetBytes, nowUs })
      : null,
    comparison: compared,
  };
}

function storeSection(info: Store["info"], reading: StoreReading): StoreSection {
  const { fromUs, toUs, events, completeUs, minutes } = reading;
  const isComplete = completeUs >= toUs;
  const range = `from ${formatTimestamp(fromUs)} to ${formatTimestamp(toUs)} (UTC)`;
  const complete = isComplete
    ? "That is complete."
    : `Complete until ${formatTimestamp(completeUs)}, may still grow after it.`;
  const says =
    events === 0
      ? [`There are no events ${range}.`]
      : [`${words(events)} events ${range}, in ${several(minutes.length, "minute")} with events. ${complete}`];
  return {
    says,
    location: info.location,
    from: isoOf(fromUs),
    to: isoOf(toUs),
    events,
    completeUntil: isoOf(completeUs),
    isComplete,
    minutesWithEvents: minutes.length,
  };
}
