// `reto3 merge`: does once, for a range, what serve does beside taking events: settles what dead writers left, merges closed minutes.

import { systemClock } from "../src/clock.ts";
import { FINAL_AFTER_MS } from "../src/config.ts";
import { messageOf } from "../src/errors.ts";
import { formatTimestamp } from "../src/units.ts";
import { checkClock, emptyStats, passHour } from "../src/upkeep/upkeep.ts";
import { defineCommand, oneOf, type Values } from "./flags.ts";
import { log, print, progress } from "./output.ts";
import { rangeFlags, rangeOrAll } from "./range-flags.ts";
import { openStoreAt, storeFlag } from "./store-flag.ts";

const flags = {
  store: storeFlag,
  ...rangeFlags,
  format: oneOf(["text", "json"], { default: "text", description: "how to print the result" }),
};

export const command = defineCommand({
  name: "merge",
  summary: "Adds up the counts of all writers of each closed minute, so that long ranges are read at once",
  flags,
  notes: `A running serve does this by itself, some eleven minutes behind. By hand it is useful after an import, and to
see what is left. Whole hours are looked at. It may run beside anything, be repeated, and be killed: counts
are the same before, meanwhile and after. A minute is merged once it has been over for ten and a half minutes
and all its writers have sealed it; what a writer left that died is settled first, just as long after the
minute on SQLite, four hours on Cassandra.

Exit status: 0 done, 1 something stays open that should not.

Examples:
  reto3 merge
  reto3 merge --last 30d --store 'cassandra://127.0.0.1:9042/reto3?dc=datacenter1'`,
  run,
});

async function run(values: Values<typeof flags>): Promise<number> {
  const clock = systemClock();
  const open = () => openStoreAt(values.store, { mode: "write" });
  const { store, range } = await rangeOrAll(values, open, clock.nowUs());
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort());
  const stats = emptyStats();
  let hours = 0;
  let waitingMinutes = 0;
  try {
    await checkClock(store);
    for (const hourUs of range.hours) {
      if (stop.signal.aborted) break;
      progress(`hour ${++hours} of ${range.hours.length}: ${stats.mergedMinutes} minutes merged`);
      const nowUs = clock.nowUs();
      const left = await passHour(store, hourUs, {
        nowUs,
        untilUs: Math.min(nowUs - FINAL_AFTER_MS * 1_000, range.toUs),
        signal: stop.signal,
        stats,
        onSettled: (claim, events, problem) => {
          const outcome = events === null ? `stays open: ${problem}` : `settled with ${events} events`;
          log.info(`minute ${formatTimestamp(claim.minuteUs)}, writer ${claim.writer}: ${outcome}`);
        },
        onUnsettled: (claim, error) => {
          const what = `minute ${formatTimestamp(claim.minuteUs)}, writer ${claim.writer}`;
          log.warn(`${what}: could not be settled now: ${messageOf(error)}`);
        },
      });
      waitingMinutes += left.waitingMinutes;
    }
  } finally {
    progress("");
    await store.close();
  }
  const { mergedMinutes, settledPartitions, undecided, failures } = stats;
  const result = { hours, mergedMinutes, settledPartitions, waitingMinutes, undecided: undecided.size, failures };
  await print(values.format === "json" ? `${JSON.stringify(result)}\n` : textReport(result));
  return undecided.size > 0 || failures > 0 || stop.signal.aborted ? 1 : 0;
}

function textReport(
  result: Record<"hours" | "mergedMinutes" | "settledPartitions" | "waitingMinutes" | "undecided", number>,
): string {
  const { hours, mergedMinutes, settledPartitions, waitingMinutes, undecided } = result;
  const lines = [
    `minutes merged: ${mergedMinutes}; partitions settled: ${settledPartitions}; hours looked at: ${hours}`,
  ];
  if (waitingMinutes > 0) {
    lines.push(
      `minutes that wait: ${waitingMinutes}; they ended less than 11 minutes ago, or a writer has not sealed them yet`,
    );
  }
  if (undecided > 0)
    lines.push(`partitions that contradict themselves and stay open: ${undecided}; see 'reto3 verify'`);
  return `${lines.join("\n")}\n`;
}
