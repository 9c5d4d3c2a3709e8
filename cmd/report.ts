// `reto3 report`: what the counts of a store and the records of load runs say: rate, LAG, health, exceptions, disk, comparison.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "../src/clock.ts";
import { DEFAULT_STORE } from "../src/config.ts";
import { resolveRange } from "../src/counts/range.ts";
import { messageOf, quote, Reto3Error } from "../src/errors.ts";
import { bucketCeilUs, bucketStartUs, SECOND_US } from "../src/period.ts";
import { drawChart } from "../src/report/charts/chart.ts";
import { chartsOf } from "../src/report/charts/charts.ts";
import { svgFile } from "../src/report/charts/svg.ts";
import type { Side } from "../src/report/comparison.ts";
import { formatHtml } from "../src/report/html.ts";
import type { Report } from "../src/report/model.ts";
import { readForReport, type StoreReading } from "../src/report/reading.ts";
import { readRecords } from "../src/report/records.ts";
import { makeReport } from "../src/report/report.ts";
import { Run } from "../src/report/run.ts";
import { formatText } from "../src/report/text.ts";
import type { Store } from "../src/store/store.ts";
import { createWholeFile } from "../src/transfer/whole-file.ts";
import { formatTimestamp, INSTANT_FORM, parseWhole } from "../src/units.ts";
import { bytes, defineCommand, list, oneOf, text, toggle, whole, type Values } from "./flags.ts";
import { log, print, progress } from "./output.ts";
import { rangeFlags, rangeOrAll } from "./range-flags.ts";
import { openStoreAt, storeFlag } from "./store-flag.ts";

const { default: _, ...storeFlagWithoutDefault } = storeFlag;

const flags = {
  store: {
    ...storeFlagWithoutDefault,
    description: `${storeFlag.description}; default: ${DEFAULT_STORE}; none where --record says it all`,
  },
  ...rangeFlags,
  record: list("file", "the records of a load run, as 'reto3 load --record' wrote them"),
  asked: whole("number", 1, 10_000_000, {
    description: "events a second that were to be held; default: those of the only --record",
  }),
  budget: bytes({ description: "disk for the store: tells when it is used up" }),
  "against-from": text("time", { description: `compares with an earlier range, from: ${INSTANT_FORM}` }),
  "against-to": text("time", {
    description: "end of that range, not in it; default: the start of the range that is compared with it",
  }),
  "against-last": text("duration", { description: "compares with an earlier range of this length" }),
  "against-record": list("file", "compares with an earlier load run"),
  "minutes-10ms": {
    ...whole("number", 1, 1_000_000, {
      default: "240",
      description: "minutes whose 10 ms buckets are read, evenly spread over the range; all: every one",
    }),
    hint: "number|all",
    wanted: 'a whole number from 1 to 1000000, or "all"',
    parse: (value: string) => (value === "all" ? Number.MAX_SAFE_INTEGER : parseWhole(value, 1, 1_000_000)),
  },
  format: oneOf(["text", "json", "html"], {
    default: "text",
    description: "how to print; html: one page, with charts",
  }),
  output: text("file", { description: "where to; default: stdout" }),
  charts: text("folder", { description: "writes each chart there, too, as NAME.svg" }),
  force: toggle("replace files that are there"),
};

export const command = defineCommand({
  name: "report",
  summary: "Says in words and figures how evenly events came, how late, what went wrong, and whether a change helped",
  flags,
  notes: `Reads counts only, never raw events, and may run beside anything. Figures of 10 ms are from 240 minutes at most, which
are spread over the range. The silence before the first event and after the last is not a part of the stream.

Examples:
  reto3 report --last 24h
  reto3 report --from 2026-11-23 --to 2026-11-24 --asked 5000 --budget 100GB --format json
  reto3 report --store sqlite:reto3.db --record run.ndjson
  reto3 report --record 5000.ndjson --record 10000.ndjson --record 20000.ndjson
  reto3 report --last 1h --against-last 1h
  reto3 report --last 7d --format html --output report.html --charts charts
  reto3 report --record after.ndjson --against-record before.ndjson`,
  run,
});

type Given = Values<typeof flags>;

async function run(values: Given): Promise<number> {
  const nowUs = systemClock().nowUs();
  const runs = await readRuns(values.record);
  const against = await readRuns(values["against-record"]);
  const askedPerSec = values.asked ?? rateOf(runs);
  const counted = new Map<number, number>();
  let store: { info: Store["info"]; reading: StoreReading } | null = null;
  let earlier: StoreReading | null = null;
  if (wantsStore(values)) {
    const { opened, range } = await openRange(values, runs, nowUs);
    try {
      const question = { nowUs, minutes10ms: values["minutes-10ms"], askedPerSec, onProgress: progress };
      const onSecond = (us: number, events: number) => {
        if (runs.length > 0) counted.set(us, events);
      };
      const againstRange = againstOf(values, range, nowUs);
      store = { info: opened.info, reading: await readForReport(opened, { ...question, ...range, onSecond }) };
      if (againstRange) earlier = await readForReport(opened, { ...question, ...againstRange });
    } finally {
      progress("");
      await opened.close();
    }
  }
  const isCompared = earlier !== null || against.length > 0;
  const before: Side = { name: nameOf(earlier, against), reading: earlier, runs: against };
  const after: Side = { name: nameOf(store?.reading ?? null, runs), reading: store?.reading ?? null, runs };
  const report = makeReport({
    nowUs,
    store,
    runs,
    counted,
    askedPerSec,
    budgetBytes: values.budget ?? null,
    comparison: isCompared ? { before, after } : null,
  });
  if (values.charts !== undefined) await writeCharts(values.charts, report, values.force);
  const written = FORMATS[values.format](report);
  if (values.output === undefined) await print(written);
  else await writeFile(values.output, written, values.force);
  return 0;
}

const FORMATS = {
  text: formatText,
  json: (report: Report) => `${JSON.stringify(report)}\n`,
  html: formatHtml,
};

async function writeCharts(folder: string, report: Report, replace: boolean): Promise<void> {
  const charts = chartsOf(report);
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw new Reto3Error("USAGE", `--charts: ${messageOf(error)}; want a folder`, { cause: error });
  }
  for (const chart of charts) await writeFile(join(folder, `${chart.id}.svg`), svgFile(drawChart(chart)), replace);
  log.info(`${charts.length} charts in ${folder}`);
}

async function writeFile(path: string, content: string, replace: boolean): Promise<void> {
  const file = await createWholeFile(path, { replace });
  try {
    await file.put(content);
    await file.keep();
  } finally {
    await file.discard();
  }
}

/** Of the only run, in whole events; null where there are several, or none, or fewer events than seconds. */
function rateOf(runs: readonly Run[]): number | null {
  const rate = runs.length === 1 ? (runs[0]?.askedPerSec ?? null) : null;
  return rate === null || rate < 1 ? null : Math.round(rate);
}

/** Records alone say enough; where a store, a range, or what only a store can tell is named, both are wanted. */
function wantsStore({ store, from, to, last, asked, budget, record, ...others }: Given): boolean {
  const against = [others["against-from"], others["against-to"], others["against-last"]];
  const isNamed = [store, from, to, last, asked, budget, ...against].some((value) => value !== undefined);
  return isNamed || record.length === 0;
}

async function readRuns(files: readonly string[]): Promise<Run[]> {
  const runs: Run[] = [];
  for (const file of files) {
    const found = new Run(file);
    const onCut = () => {
      found.isCut = true;
      log.warn(`${quote(file, 200)}: the last line is cut off and left out`);
    };
    for await (const { records, share } of readRecords(file, onCut)) {
      for (const record of records) found.add(record);
      progress(`${file}: ${Math.round(share * 100)} %`);
    }
    progress("");
    runs.push(found);
  }
  return runs;
}

/** The range that was named; else that of the records; else all that the store has. */
async function openRange(
  values: Given,
  runs: readonly Run[],
  nowUs: number,
): Promise<{ opened: Store; range: { fromUs: number; toUs: number; isCut: boolean } }> {
  const open = () => openStoreAt(values.store ?? DEFAULT_STORE, { mode: "read" });
  const spans = runs.map(({ span }) => span).filter((span) => span !== null);
  const isNamed = values.from !== undefined || values.to !== undefined || values.last !== undefined;
  if (!isNamed && spans.length > 0) {
    const fromUs = bucketStartUs(Math.min(...spans.map((span) => span.fromUs)), SECOND_US);
    const toUs = bucketCeilUs(Math.max(...spans.map((span) => span.toUs)) + 1, SECOND_US);
    return { opened: await open(), range: { fromUs, toUs, isCut: true } };
  }
  const { store: opened, range } = await rangeOrAll(values, open, nowUs);
  return { opened, range: { ...range, isCut: false } };
}

/** Undefined if nothing is to be compared. Throws USAGE. */
function againstOf(
  values: Given,
  range: { fromUs: number; toUs: number },
  nowUs: number,
): { fromUs: number; toUs: number } | undefined {
  const [from, to, last] = [values["against-from"], values["against-to"], values["against-last"]];
  if (from === undefined && to === undefined && last === undefined) return undefined;
  if (from === undefined && last === undefined)
    throw new Reto3Error("USAGE", "--against-to goes with --against-from or --against-last");
  const question = { period: "1m", from, to: to ?? formatTimestamp(range.fromUs), last };
  return resolveRange(question, nowUs, (key) => `--against-${key}`);
}

function nameOf(reading: StoreReading | null, runs: readonly Run[]): string {
  const parts = runs.map(({ name }) => name);
  if (reading) parts.unshift(`${formatTimestamp(reading.fromUs)} to ${formatTimestamp(reading.toUs)}`);
  return parts.join(", ");
}
