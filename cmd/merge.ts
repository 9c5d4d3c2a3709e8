// `reto3 merge`: does once, for a range, what serve does beside taking events: settles what dead writers left, merges closed minutes.

import { systemClock } from "../src/clock.ts";
import { openStore } from "../src/store/open.ts";
import { formatTimestamp } from "../src/units.ts";
import { emptyStats, passHour } from "../src/upkeep/upkeep.ts";
import { defineCommand, oneOf, type Values } from "./flags.ts";
import { log, print, progress } from "./output.ts";
import { rangeFlags, rangeOrAll } from "./range-flags.ts";
import { storeFlag } from "./store-flag.ts";

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
are the same before, meanwhile and after. A minute is merged once all its writers have sealed it; what a
writer left that died is settled first, ten and a half minutes later on SQLite, four hours on Cassandra.

Examples:
  reto3 merge
  reto3 merge --last 30d --store 'cassandra://127.0.0.1:9042/reto3?dc=datacenter1'`,
  run,
});

async function run(values: Values<typeof flags>): Promise<number> {
  const nowUs = systemClock().nowUs();
  const { store, range } = await rangeOrAll(values, () => openStore(values.store, { mode: "write" }), nowUs);
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort());
  const stats = emptyStats();
  let hours = 0;
  let unfinished = 0;
  try {
    for (const hourUs of range.hours) {
      if (stop.signal.aborted) break;
      progress(`hour ${++hours} of ${range.hours.length}: ${stats.mergedMinutes} minutes merged`);
      const done = await passHour(store, hourUs, {
        nowUs,
        untilUs: Math.min(nowUs, range.toUs),
        signal: stop.signal,
        stats,
        onSettled: (claim, events, problem) => {
          const outcome = events === null ? `stays open: ${problem}` : `settled with ${events} events`;
          log.info(`minute ${formatTimestamp(claim.minuteUs)}, writer ${claim.writer}: ${outcome}`);
        },
      });
      if (!done) unfinished++;
    }
  } finally {
    progress("");
    await store.close();
  }
  const { mergedMinutes, settledPartitions, undecided } = stats;
  const result = { hours, mergedMinutes, settledPartitions, undecided: undecided.size, unfinishedHours: unfinished };
  await print(values.format === "json" ? `${JSON.stringify(result)}\n` : textReport(result));
  return undecided.size > 0 || stop.signal.aborted ? 1 : 0;
}

function textReport(result: {
  hours: number;
  mergedMinutes: number;
  settledPartitions: number;
  undecided: number;
  unfinishedHours: number;
}): string {
  const { hours, mergedMinutes, settledPartitions, undecided, unfinishedHours } = result;
  const lines = [`merged ${mergedMinutes} minutes, settled ${settledPartitions} partitions, in ${hours} hours`];
  if (unfinishedHours > 0) lines.push(`${unfinishedHours} hours have minutes that are not over or not sealed yet`);
  if (undecided > 0) lines.push(`${undecided} partitions contradict themselves and stay open: see 'reto3 verify'`);
  return `${lines.join("\n")}\n`;
}
