// `reto3 count`: reads the store directly, beside a running serve or without one, and prints the counts of a range.

import { systemClock } from "../src/clock.ts";
import { FORMATS, formatAnswer, textLine } from "../src/counts/format.ts";
import { followCounts } from "../src/counts/follow.ts";
import { resolveRange, type Range } from "../src/counts/range.ts";
import { readCounts, withZeros, type Source } from "../src/counts/read.ts";
import { Reto3Error } from "../src/errors.ts";
import { PERIOD_NAMES } from "../src/period.ts";
import type { Store } from "../src/store/store.ts";
import { formatDurationMs, formatTimestamp, INSTANT_FORM } from "../src/units.ts";
import { defineCommand, oneOf, text, toggle, type Values } from "./flags.ts";
import { log, print } from "./output.ts";
import { openStoreAt, storeFlag } from "./store-flag.ts";

const SOURCES: readonly Source[] = ["counts", "events"];

const flags = {
  store: storeFlag,
  period: oneOf(PERIOD_NAMES, { default: "1s", description: "length of a bucket" }),
  from: text("time", { description: `start of the range: ${INSTANT_FORM}` }),
  to: text("time", { description: "end of the range, not in it; default: now" }),
  last: text("duration", { description: "the range that ends at --to; default: 1m of 10ms, 1h of 1s, 24h of 1m" }),
  source: oneOf(SOURCES, {
    default: "counts",
    description: "counts: the stored totals; events: count the raw events again, while they are kept",
  }),
  format: oneOf(FORMATS, { default: "text", description: "how to print" }),
  zeros: toggle("print the buckets without events too"),
  follow: toggle("go on printing buckets as they close, until interrupted (text only)"),
};

export const command = defineCommand({
  name: "count",
  summary: "Prints how many events arrived, per 10 ms, second or minute (by arrival at the server, UTC)",
  flags,
  notes: `Prints lines such as:  2026-11-23 05:11:11.120, 52
A bucket is printed when its start is in [from, to). Until when the answer is complete goes to stderr:
a minute that is being written is complete only when it is over, so the newest part never is.
--follow prints a bucket half a second after its end, and again if it grew later.
json and csv have the lag too: from the event's own time to its flush, in microseconds, 1 h at most.

Examples:
  reto3 count --period 10ms
  reto3 count --period 1s --last 5m --zeros
  reto3 count --period 1m --from '2026-11-23 05:00' --to '2026-11-23 06:00' --format csv
  reto3 count --period 1s --source events`,
  run: count,
});

async function count(values: Values<typeof flags>): Promise<number> {
  const nowUs = systemClock().nowUs();
  const range = resolveRange(values, nowUs);
  if (values.follow && (values.format !== "text" || values.source !== "counts" || values.to !== undefined)) {
    throw new Reto3Error("USAGE", "--follow goes with --format text and --source counts only, and without --to");
  }
  const store = await openStoreAt(values.store, { mode: "read" });
  try {
    return values.follow ? await follow(store, range, values.zeros) : await printRange(store, range, nowUs, values);
  } finally {
    await store.close();
  }
}

async function printRange(store: Store, range: Range, nowUs: number, values: Values<typeof flags>): Promise<number> {
  if (range.isDefault) {
    const span = formatDurationMs((range.toUs - range.fromUs) / 1_000);
    log.info(`the last ${span}: from ${formatTimestamp(range.fromUs)} (UTC); other ranges: --last, --from, --to`);
  }
  const question = { ...range, nowUs, source: values.source };
  const reading = readCounts(store, question);
  const buckets = values.zeros ? withZeros(reading.buckets, question) : reading.buckets;
  for await (const portion of formatAnswer(values.format, question, buckets, reading)) {
    if (portion !== "" && !(await print(portion))) return 0;
  }
  const { events, completeUs } = reading.summary();
  const complete =
    completeUs >= range.toUs ? "complete" : `complete until ${formatTimestamp(completeUs)}, may still grow after it`;
  log.info(`${events} events; ${complete}`);
  return 0;
}

async function follow(store: Store, range: Range, zeros: boolean): Promise<number> {
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort());
  const clock = systemClock();
  for await (const buckets of followCounts(store, range, { zeros, clock, signal: stop.signal })) {
    if (!(await print(buckets.map(textLine).join("")))) return 0;
  }
  return 0;
}
