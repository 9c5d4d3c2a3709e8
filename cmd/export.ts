// `reto3 export`: counts or raw events of a range as CSV or Parquet, for other tools.

import { systemClock } from "../src/clock.ts";
import { formatAnswer } from "../src/counts/format.ts";
import { resolveRange, type Range } from "../src/counts/range.ts";
import { readCounts } from "../src/counts/read.ts";
import { Reto3Error } from "../src/errors.ts";
import { PERIOD_NAMES } from "../src/period.ts";
import type { Store } from "../src/store/store.ts";
import { eventsCsv } from "../src/transfer/csv.ts";
import { readEvents } from "../src/transfer/events.ts";
import { countsParquet, eventsParquet } from "../src/transfer/parquet.ts";
import { createWholeFile } from "../src/transfer/whole-file.ts";
import { formatDurationMs, formatTimestamp, INSTANT_FORM } from "../src/units.ts";
import { defineCommand, oneOf, text, toggle, type Values } from "./flags.ts";
import { log, print, progress } from "./output.ts";
import { openStoreAt, storeFlag } from "./store-flag.ts";

const flags = {
  store: storeFlag,
  what: oneOf(["counts", "events"], { default: "counts", description: "the totals, or every raw event that is kept" }),
  period: oneOf(PERIOD_NAMES, { default: "1s", description: "length of a bucket; for counts only" }),
  from: text("time", { description: `start of the range: ${INSTANT_FORM}` }),
  to: text("time", { description: "end of the range, not in it; default: now" }),
  last: text("duration", {
    description: "the range that ends at --to; default: 1h of events; 1m of 10ms, 1h of 1s, 24h of 1m",
  }),
  format: oneOf(["csv", "parquet"], { default: "csv", description: "what to write" }),
  output: text("file", { description: "where to; default: stdout" }),
  force: toggle("replace the file if it is there"),
};

export const command = defineCommand({
  name: "export",
  summary: "Writes counts or raw events of a range to CSV or Parquet, for other tools",
  flags,
  notes: `A file gets its name when it is whole; whatever ends the export earlier leaves none (kill -9: FILE.partial-ID).
Counts:  bucket, events, lag_min_us, lag_avg_us, lag_max_us, as 'reto3 count --format csv' prints them
Events:  received (arrival at the server), created, minute, writer, seq; by minute, writer and seq
All times are UTC. In Parquet they are timestamps of microseconds; the writer is text, all else whole numbers.
Raw events that have expired cannot be written: how many are left out goes to stderr, and is no failure.

Examples:
  reto3 export --last 24h --period 1m --output counts.csv
  reto3 export --what events --last 10m --format parquet --output events.parquet
  reto3 export --what events --from '2026-11-23 05:00' --to '2026-11-23 06:00' | gzip > events.csv.gz`,
  run: exportRange,
});

/** What is to be written, as a stream, and what there is to say of it afterwards. */
interface Content {
  portions: AsyncIterable<string | Uint8Array>;
  verdict(): { said: string; leftOut?: string };
}

interface Output {
  /** False when nobody wants more. */
  put(data: string | Uint8Array): Promise<boolean>;
  keep(): Promise<void>;
  discard(): Promise<void>;
}

async function exportRange(values: Values<typeof flags>): Promise<number> {
  const nowUs = systemClock().nowUs();
  const range = resolveRange(values.what === "events" ? { ...values, period: "1s" } : values, nowUs);
  if (values.format === "parquet" && values.output === undefined && process.stdout.isTTY) {
    throw new Reto3Error("USAGE", "Parquet is not for terminals; want --output FILE, or stdout to a pipe or a file");
  }
  if (values.force && values.output === undefined) throw new Reto3Error("USAGE", "--force goes with --output only");
  const store = await openStoreAt(values.store, { mode: "read" });
  try {
    const stop = new AbortController();
    const output = values.output === undefined ? standardOutput : await fileOutput(values.output, values.force, stop);
    try {
      if (range.isDefault) sayRange(range);
      const content = contentOf(store, range, nowUs, values, stop.signal);
      return await writeAll(content, output, stop.signal, values.output);
    } finally {
      await output.discard();
    }
  } finally {
    await store.close();
  }
}

function sayRange({ fromUs, toUs }: Range): void {
  const span = formatDurationMs((toUs - fromUs) / 1_000);
  log.info(`the last ${span}: from ${formatTimestamp(fromUs)} (UTC); other ranges: --last, --from, --to`);
}

async function writeAll(content: Content, output: Output, signal: AbortSignal, file = ""): Promise<number> {
  let bytes = 0;
  // Lines for people would end up among the data where both go to one terminal.
  const showsProgress = file !== "" || !process.stdout.isTTY;
  const ticker = setInterval(() => showsProgress && progress(`${(bytes / 1e6).toFixed(1)} MB`), 1_000);
  try {
    for await (const portion of content.portions) {
      if (signal.aborted) break;
      bytes += portion.length;
      if (portion.length > 0 && !(await output.put(portion))) return 0;
    }
  } finally {
    clearInterval(ticker);
    if (showsProgress) progress("");
  }
  if (signal.aborted) {
    log.error(`interrupted; ${file} was not written`);
    return 1;
  }
  await output.keep();
  const { said, leftOut } = content.verdict();
  log.info(said);
  if (leftOut !== undefined) log.warn(leftOut);
  return 0;
}

function contentOf(
  store: Store,
  range: Range,
  nowUs: number,
  { what, format }: Values<typeof flags>,
  signal: AbortSignal,
): Content {
  const completeness = (completeUs: number) =>
    completeUs >= range.toUs ? "complete" : `complete until ${formatTimestamp(completeUs)}, may still grow after it`;
  if (what === "counts") {
    const question = { ...range, nowUs, source: "counts" as const, signal };
    const reading = readCounts(store, question);
    const { buckets } = reading;
    return {
      portions: format === "csv" ? formatAnswer("csv", question, buckets, reading) : countsParquet(buckets),
      verdict: () => ({ said: `${reading.summary().events} events; ${completeness(reading.summary().completeUs)}` }),
    };
  }
  const reading = readEvents(store, { ...range, nowUs, signal });
  return {
    portions: format === "csv" ? eventsCsv(reading.pages) : eventsParquet(reading.pages),
    verdict() {
      const { events, completeUs, partitions, missing } = reading.summary();
      const said = `${events} events; ${completeness(completeUs)}`;
      if (missing.partitions === 0) return { said };
      const leftOut = `left out: the raw events of ${missing.partitions} of ${partitions} partitions have expired or were not kept (${missing.events} of ${missing.eventsExpected} events in those minutes)`;
      return { said, leftOut };
    },
  };
}

const standardOutput: Output = {
  put: print,
  async keep() {},
  async discard() {},
};

/** Interrupted, it leaves no file behind; a second signal ends at once. */
async function fileOutput(path: string, replace: boolean, stop: AbortController): Promise<Output> {
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort());
  const file = await createWholeFile(path, { replace });
  return {
    async put(data) {
      await file.put(data);
      return true;
    },
    keep: () => file.keep(),
    discard: () => file.discard(),
  };
}
