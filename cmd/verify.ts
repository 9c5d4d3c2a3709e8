// `reto3 verify`: compares raw events, counts of all levels and merged minutes with one another, and mends what it can.

import { systemClock } from "../src/clock.ts";
import { DIFFERENCES_SHOWN_MAX } from "../src/config.ts";
import { formatIso, formatTimestamp } from "../src/units.ts";
import { checkClock } from "../src/upkeep/upkeep.ts";
import { emptyVerifyStats, verify, type Difference, type VerifyStats } from "../src/upkeep/verify.ts";
import { defineCommand, oneOf, toggle, type Values } from "./flags.ts";
import { log, print, progress } from "./output.ts";
import { rangeFlags, rangeOrAll } from "./range-flags.ts";
import { openStoreAt, storeFlag } from "./store-flag.ts";

const PROGRESS_MS = 500;

const flags = {
  store: storeFlag,
  ...rangeFlags,
  repair: toggle(
    "put right what the raw events decide: counts from raw events that are whole, merged minutes from counts",
  ),
  format: oneOf(["text", "json"], { default: "text", description: "how to print the result" }),
};

export const command = defineCommand({
  name: "verify",
  summary: "Compares raw events, 10 ms, 1 s, 1 m and merged counts with one another, partition by partition",
  flags,
  notes: `Prints the first ${DIFFERENCES_SHOWN_MAX} differences and what could not be compared because it has expired or is still open.
Differences come from a database that acknowledged what it lost (Cassandra with commitlog_sync: periodic,
killed), or from a hand in the tables; raw events that cannot be read are one, too. --repair never lowers a count
for raw events that are not whole.

Exit status: 0 all that is there agrees (or was repaired), 1 it does not.

Examples:
  reto3 verify
  reto3 verify --last 2h --store 'cassandra://127.0.0.1:9042/reto3?dc=datacenter1'
  reto3 verify --from '2026-11-23 05:00' --to '2026-11-23 06:00' --repair --format json`,
  run,
});

async function run(values: Values<typeof flags>): Promise<number> {
  const clock = systemClock();
  const mode = values.repair ? "write" : "read";
  const { store, range } = await rangeOrAll(values, () => openStoreAt(values.store, { mode }), clock.nowUs());
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort());
  const stats = emptyVerifyStats();
  const shown: Difference[] = [];
  const ticker = setInterval(() => progress(`${stats.minutes} minutes, ${stats.events} events`), PROGRESS_MS);
  try {
    if (values.repair) await checkClock(store);
    const onDifference = (difference: Difference) => {
      if (shown.length < DIFFERENCES_SHOWN_MAX) shown.push(difference);
    };
    const options = { ...range, clock, repair: values.repair, signal: stop.signal, onDifference };
    await verify(store, range.hours, options, stats);
  } finally {
    clearInterval(ticker);
    progress("");
    await store.close();
  }
  if (stop.signal.aborted) log.warn("interrupted: only a part of the range was verified");
  await print(values.format === "json" ? jsonReport(stats, shown, range) : textReport(stats, shown, range));
  return stats.differences === stats.repaired && !stop.signal.aborted ? 0 : 1;
}

function textReport(stats: VerifyStats, shown: readonly Difference[], range: { fromUs: number; toUs: number }): string {
  const { minutes, partitions, events, mergedMinutes, differences, repaired, leftOut } = stats;
  const lines = shown.map(({ minuteUs, writer, problem, repaired: mended }) => {
    const where = `${formatTimestamp(minuteUs)}${writer === null ? "" : ` writer ${writer}`}`;
    return `${mended ? "REPAIRED" : "DIFFERENCE"} ${where}: ${problem}`;
  });
  if (differences > shown.length) lines.push(`... and ${differences - shown.length} more`);
  lines.push(`from ${formatTimestamp(range.fromUs)} to ${formatTimestamp(range.toUs)} (UTC)`);
  if (minutes === 0) lines.push("nothing is there");
  lines.push(
    `verified: events ${events}, minutes ${minutes}, partitions ${partitions}, merged counts ${mergedMinutes}`,
  );
  const left = [
    leftOut.rawEvents > 0 &&
      `raw events that have expired or were not kept: ${leftOut.rawEvents}, in partitions: ${leftOut.rawPartitions}`,
    leftOut.countPartitions > 0 && `partitions whose 10 ms or 1 s counts have expired: ${leftOut.countPartitions}`,
    leftOut.openPartitions > 0 && `partitions that are still written to: ${leftOut.openPartitions}`,
  ].filter((line) => line !== false);
  if (left.length > 0) lines.push(`left out: ${left.join("; ")}`);
  lines.push(differences === 0 ? "no differences" : `differences: ${differences}; repaired: ${repaired}`);
  return `${lines.join("\n")}\n`;
}

function jsonReport(stats: VerifyStats, shown: readonly Difference[], range: { fromUs: number; toUs: number }): string {
  const first = shown.map(({ minuteUs, ...rest }) => ({ minute: formatIso(minuteUs), ...rest }));
  const { fromUs, toUs } = range;
  return `${JSON.stringify({ from: formatIso(fromUs), to: formatIso(toUs), ...stats, firstDifferences: first })}\n`;
}
