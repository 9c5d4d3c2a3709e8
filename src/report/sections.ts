// The report as it is read: headings, sentences, tables. The same content for text and page; the looks are theirs. Pure.

import { formatBytes } from "../units.ts";
import type { EpisodeFigures, QuantileFigures, Report, RunSection } from "./model.ts";
import { instant, percent, span, words } from "./numbers.ts";

export interface Table {
  caption: string;
  head: readonly string[];
  /** The first cell names the row. */
  rows: readonly (readonly string[])[];
}

export interface Section {
  id: string;
  title: string;
  says: readonly string[];
  tables: readonly Table[];
  /** The charts that belong here, by their id. */
  charts: readonly string[];
}

export function sectionsOf(report: Report): Section[] {
  return [
    storeOf(report),
    comparisonOf(report),
    rateOf(report),
    lagOf(report),
    healthOf(report),
    anomaliesOf(report),
    ...report.runs.map((run, at) => runOf(run, at)),
    runsOf(report),
    sentOf(report),
    diskOf(report),
  ].filter((section) => section !== null);
}

function storeOf({ store, notes }: Report): Section | null {
  if (!store && notes.length === 0) return null;
  return { id: "range", title: "What this is of", says: [...(store?.says ?? []), ...notes], tables: [], charts: [] };
}

function comparisonOf({ comparison }: Report): Section | null {
  if (!comparison) return null;
  const { before, after, differences, says } = comparison;
  const rows = differences.map((one) => [
    `${one.what}, ${one.unit}`,
    words(one.before),
    words(one.after),
    words(one.difference),
    one.low === null || one.high === null ? "-" : `${words(one.low)} to ${words(one.high)}`,
    one.verdict,
  ]);
  const head = ["", "before", "after", "difference", "95 % of it", "after is"];
  return {
    id: "comparison",
    title: "Before and after",
    says,
    tables: [{ caption: `Before: ${before}. After: ${after}`, head, rows }],
    charts: ["changes"],
  };
}

function rateOf({ rate }: Report): Section | null {
  if (!rate) return null;
  const levels = rate.levels.map((level) => [
    level.isSample ? `${level.period} (sample)` : level.period,
    words(level.buckets),
    ...[level.mean, level.deviation, level.min, level.p1, level.p50, level.p90, level.p99, level.p999, level.max].map(
      (value) => words(value),
    ),
  ]);
  const head = ["bucket", "number", "mean", "deviation", "min", "p1", "p50", "p90", "p99", "p99.9", "max"];
  const tables: Table[] = [{ caption: "Events in a bucket", head, rows: levels }];
  if (rate.fano.length > 0)
    tables.push({
      caption: "Index of dispersion by window (a Poisson process has 1)",
      head: ["window", "index", "windows"],
      rows: rate.fano.map(({ windowSeconds, index, windows }) => [span(windowSeconds), words(index), words(windows)]),
    });
  if (rate.periods.length > 0)
    tables.push({
      caption: "Periods",
      head: ["period", "share of the variation", "overtone of"],
      rows: rate.periods.map(({ seconds, share, overtoneOfSeconds }) => [
        span(seconds),
        percent(share),
        overtoneOfSeconds === null ? "-" : span(overtoneOfSeconds),
      ]),
    });
  const charts = ["rate", "distribution-10ms", "fano", "autocorrelation-10ms", "autocorrelation-1s", "periods"];
  return { id: "rate", title: "Rate", says: rate.says, tables, charts };
}

function lagOf({ lag }: Report): Section | null {
  if (!lag) return null;
  const tables: Table[] = [
    {
      caption: "From an event's creation to the start of its flush, ms",
      head: ["", "min", "mean", "p50", "p90", "p99", "p99.9", "max"],
      rows: [
        [
          "LAG",
          ...[lag.minMs, lag.meanMs, lag.p50Ms, lag.p90Ms, lag.p99Ms, lag.p999Ms, lag.maxMs].map((value) =>
            words(value),
          ),
        ],
      ],
    },
  ];
  if (lag.byHour.length > 0)
    tables.push({
      caption: "LAG by hour of the day (UTC), ms",
      head: ["hour", "events", "p50", "p99"],
      rows: lag.byHour.map(({ hour, events, p50Ms, p99Ms }) => [
        `${String(hour).padStart(2, "0")}:00`,
        words(events),
        words(p50Ms),
        words(p99Ms),
      ]),
    });
  return { id: "lag", title: "LAG", says: lag.says, tables, charts: ["lag", "lag-by-rate"] };
}

function healthOf({ health }: Report): Section | null {
  if (!health) return null;
  const tables: Table[] = [];
  if (health.gaps && health.gaps.count > 0) tables.push(episodes("Gaps", health.gaps, null));
  if (health.lateFlushes && health.lateFlushes.count > 0)
    tables.push(episodes("Late flushes", health.lateFlushes, "mean LAG of the worst second, ms"));
  return { id: "health", title: "Health", says: health.says, tables, charts: [] };
}

function episodes(caption: string, { first, count }: EpisodeFigures, peak: string | null): Table {
  const more = count > first.length ? `; the first ${first.length} of ${words(count)}` : "";
  return {
    caption: `${caption}${more}`,
    head: ["from", "lasting", ...(peak === null ? [] : [peak])],
    rows: first.map(({ from, seconds, peakMs }) => [
      instant(from),
      span(seconds),
      ...(peak === null ? [] : [words(peakMs)]),
    ]),
  };
}

function anomaliesOf({ anomalies }: Report): Section | null {
  if (!anomalies) return null;
  const { found, more, says } = anomalies;
  const rows = found.map(({ at, events, expected, score }) => [
    instant(at),
    words(events),
    words(expected),
    words(score),
  ]);
  const caption =
    more > 0 ? `Minutes that do not fit: the ${found.length} worst; ${words(more)} more` : "Minutes that do not fit";
  const tables = rows.length > 0 ? [{ caption, head: ["minute", "events", "expected", "deviations"], rows }] : [];
  return { id: "anomalies", title: "Minutes that do not fit", says, tables, charts: [] };
}

function runOf(run: RunSection, at: number): Section {
  const { outcomes, latencyMs, sendErrorMs, reasons } = run;
  const row = (name: string, { p50, p99, p999, max }: QuantileFigures) => [
    name,
    ...[p50, p99, p999, max].map((ms) => words(ms)),
  ];
  const tables: Table[] = [
    {
      caption: "Milliseconds",
      head: ["", "p50", "p99", "p99.9", "max"],
      rows: [
        row("latency from schedule", latencyMs.fromSchedule),
        row("latency from send", latencyMs.fromSend),
        row("send error", sendErrorMs),
      ],
    },
    {
      caption: "Outcomes",
      head: ["", "events"],
      rows: [
        ...Object.entries(outcomes).map(([name, times]) => [name, words(times)]),
        ...Object.entries(reasons).map(([name, times]) => [`(${name})`, words(times)]),
      ],
    },
  ];
  return { id: `run-${at + 1}`, title: `Load run ${run.name}`, says: run.says, tables, charts: [`latency-${at + 1}`] };
}

function runsOf({ runs, knee }: Report): Section | null {
  if (runs.length < 2) return runs.length === 0 ? null : { ...RUNS, says: [], tables: [] };
  const sorted = [...runs].sort((a, b) => (a.askedPerSec ?? 0) - (b.askedPerSec ?? 0));
  const rows = sorted.map(({ name, askedPerSec, requests, outcomes, latencyMs: { fromSchedule } }) => [
    name,
    words(askedPerSec),
    percent(outcomes.acked / requests),
    words(fromSchedule.p50),
    words(fromSchedule.p99),
    words(fromSchedule.p999),
    words(fromSchedule.max),
  ]);
  const head = ["run", "events/s", "acked", "p50", "p99", "p99.9", "max"];
  const tables = [{ caption: "Latency from schedule, ms", head, rows }];
  return { ...RUNS, says: knee?.says ?? [], tables, charts: ["latency-quantiles", "knee"] };
}

const RUNS = { id: "runs", title: "Latency of all runs", charts: ["latency-quantiles"] };

function sentOf({ sentAgainstCounted: section }: Report): Section | null {
  if (!section) return null;
  const { sent, acked, unknown, counted } = section;
  const rows = Object.entries({ sent, acked, counted, unknown }).map(([name, events]) => [name, words(events)]);
  const tables = [{ caption: "acked <= counted <= acked + unknown", head: ["", "events"], rows }];
  return { id: "sent", title: "Sent against counted", says: section.says, tables, charts: ["sent"] };
}

function diskOf({ disk }: Report): Section | null {
  if (!disk) return null;
  const size = (bytes: number | null) => (bytes === null ? "-" : formatBytes(bytes));
  const tables: Table[] = [
    {
      caption: "What is kept",
      head: ["table", "rows", "size", "for"],
      rows: disk.tables.map(({ name, rows, bytes, keptSeconds }) => [
        name,
        words(rows),
        size(bytes),
        keptSeconds === null ? "good" : span(keptSeconds),
      ]),
    },
  ];
  if (disk.forecast.length > 0)
    tables.push({
      caption: "If it goes on like this",
      head: ["in", "size"],
      rows: disk.forecast.map(({ days, bytes }) => [span(days * 86_400), size(bytes)]),
    });
  return { id: "disk", title: "Disk", says: disk.says, tables, charts: [] };
}
