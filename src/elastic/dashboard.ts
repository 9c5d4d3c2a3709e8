// The Kibana dashboard "reto3" and the data views that it reads, as the text of a saved objects file. Pure and always the same.
//
// Versions: the oldest that are right, because a server refuses what is newer than itself, and migrates what is older
// (elastic/kibana: collect_saved_objects.ts; without versions every migration since 7.x runs, and fails on panels of today).

import { COUNT_INDICES, DATA_STREAMS, DATASETS, type DatasetName } from "../monitor/documents.ts";
import type { PeriodName } from "../period.ts";
import type { Format, Grid, Panel, Reference } from "./lens.ts";
import { metricPanel, textPanel, xyLayer, xyPanel, type DataView, type Place } from "./panels.ts";

export const DASHBOARD_ID = "reto3-overview";

const CORE_VERSION = "8.8.0";
const VERSIONS = { "index-pattern": "8.0.0", dashboard: "10.3.0" } as const;

// --- data views ---

const HOST = sampleView("host");
const PIPELINE = sampleView("pipeline");
const COUNTS = { "10ms": countsView("10ms"), "1s": countsView("1s"), "1m": countsView("1m") };
const VIEWS: DataView<DatasetName>[] = [HOST, PIPELINE, COUNTS["10ms"], COUNTS["1s"], COUNTS["1m"]];

function sampleView<D extends "host" | "pipeline">(dataset: D): DataView<D> {
  const title = DATA_STREAMS[dataset].replace(/default$/, "*");
  return { id: `reto-${dataset}`, title, name: `reto3 ${dataset}`, dataset };
}

function countsView(period: PeriodName): DataView<"counts"> {
  const title = `${COUNT_INDICES[period].prefix}*`;
  return { id: `reto-count-${period}`, title, name: `reto3 counts per ${period}`, dataset: "counts" };
}

// --- formats ---

const WHOLE: Format = { id: "number", params: { decimals: 0 } };
const RATE: Format = { id: "number", params: { decimals: 0, suffix: " /s" } };
const MILLISECONDS: Format = { id: "number", params: { decimals: 1, suffix: " ms" } };
const PERCENT: Format = { id: "percent", params: { decimals: 1 } };
const BYTES_RATE: Format = { id: "bytes", params: { decimals: 1, suffix: "/s" } };
const BYTES: Format = { id: "bytes", params: { decimals: 1 } };

const BYTE_FIELDS = /(\.bytes|\.bytes_per_sec|^(system|docker)\.(memory|filesystem)\.(.*\.)?(total|available|limit))$/;

// --- panels: 48 columns; rows from the top ---

const EXPLANATION = `### reto3
**Counts** (per second, per minute, per 10 ms) are exact: a bucket comes into the log half a second after its end and again when it changed. **Samples** (TPS, LAG, CPU ...) tell how it was then and stay so.
**LAG**: stored minus created, by the client's clock in the event; below zero a client's clock is ahead; p95 and p99 are of the worst sample, p50 is of the last. **TPS**: events per second made durable.
10 ms buckets do not fit on a chart of minutes: it shows the fullest and the average of them; *Zoom* shows ten seconds of each.
**Nothing here, or a gap?** \`docker compose logs monitor-counts monitor-pipeline logstash\`. *Failures* counts samples that could not be taken or written.`;

const place = (id: string, title: string, at: Grid): Place => ({ id, title, at });
const tile = (x: number): Grid => ({ x, y: 9, w: 12, h: 6 });
const half = (x: 0 | 24, y: number): Grid => ({ x, y, w: 24, h: 11 });
const third = (x: 0 | 16 | 32, y: number): Grid => ({ x, y, w: 16, h: 10 });

const PANELS: Panel[] = [
  textPanel(place("explanation", "About", { x: 0, y: 0, w: 48, h: 9 }), EXPLANATION),

  metricPanel(place("tps-now", "TPS now", tile(0)), {
    view: PIPELINE,
    metric: { of: "last_value", field: "reto.tps", label: "TPS", format: RATE },
  }),
  metricPanel(place("lag-now", "LAG now", tile(12)), {
    view: PIPELINE,
    metric: { of: "last_value", field: "reto.lag.p99_ms", label: "LAG, 99 of 100 below", format: MILLISECONDS },
    turns: { amber: 100, red: 1_000 },
  }),
  metricPanel(place("cpu-now", "CPU now", tile(24)), {
    view: HOST,
    metric: { of: "last_value", field: "system.cpu.total.norm.pct", label: "CPU", format: PERCENT },
    turns: { amber: 0.8, red: 0.95 },
  }),
  metricPanel(place("disk-now", "Fullest disk", tile(36)), {
    view: HOST,
    metric: { of: "max", field: "system.filesystem.used.pct", label: "Fullest disk", format: PERCENT, within: "1m" },
    turns: { amber: 0.8, red: 0.9 },
  }),

  xyPanel(place("per-second", "Events per second: fullest and average second", half(0, 15)), {
    layers: [
      xyLayer({
        view: COUNTS["1s"],
        series: "line",
        interval: "auto",
        metrics: {
          max: { of: "max", field: "reto.count", label: "fullest second", format: WHOLE },
          average: { of: "average", field: "reto.count", label: "average of those with events", format: WHOLE },
        },
      }),
    ],
    empty: "zero",
  }),
  xyPanel(place("per-minute", "Events per minute", half(24, 15)), {
    layers: [
      xyLayer({
        view: COUNTS["1m"],
        series: "bar",
        interval: "1m",
        metrics: { sum: { of: "sum", field: "reto.count", label: "events", format: WHOLE } },
      }),
    ],
    empty: "zero",
  }),
  xyPanel(place("per-10ms", "Events per 10 ms: fullest and average", half(0, 26)), {
    layers: [
      xyLayer({
        view: COUNTS["10ms"],
        series: "line",
        interval: "auto",
        metrics: {
          max: { of: "max", field: "reto.count", label: "fullest 10 ms", format: WHOLE },
          average: { of: "average", field: "reto.count", label: "average of those with events", format: WHOLE },
        },
      }),
    ],
    empty: "zero",
  }),
  // 1,000 bars, as many as Kibana draws by default (histogram:maxBars; https://github.com/elastic/kibana/pull/143081).
  // With more of them it makes the interval longer without a word: up to 11 s it stays at 10 ms, at 30 s it would be 30 ms, at 15
  // minutes 100 ms (elastic/kibana: src/platform/plugins/shared/data/common/search/aggs/buckets/lib/time_buckets). So it has a range of its own.
  xyPanel(place("zoom-10ms", "Zoom: every 10 ms of ten seconds", half(24, 26)), {
    layers: [
      xyLayer({
        view: COUNTS["10ms"],
        series: "bar",
        interval: "10ms",
        metrics: { sum: { of: "sum", field: "reto.count", label: "events", format: WHOLE } },
      }),
    ],
    empty: "zero",
    // Not the newest: those are on their way through Logstash.
    timeRange: { from: "now-25s", to: "now-15s" },
  }),

  xyPanel(place("lag", "LAG", half(0, 37)), {
    layers: [
      xyLayer({
        view: PIPELINE,
        series: "line",
        interval: "auto",
        metrics: {
          // No average of percentiles, which would be the percentile of nothing.
          p50: { of: "last_value", field: "reto.lag.p50_ms", label: "p50, last sample", format: MILLISECONDS },
          p95: { of: "max", field: "reto.lag.p95_ms", label: "p95, worst sample", format: MILLISECONDS },
          p99: { of: "max", field: "reto.lag.p99_ms", label: "p99, worst sample", format: MILLISECONDS },
          max: { of: "max", field: "reto.lag.max_ms", label: "longest", format: MILLISECONDS },
        },
      }),
    ],
    having: "reto.lag.p50_ms",
    empty: "gap",
  }),
  xyPanel(place("tps", "TPS", half(24, 37)), {
    layers: [
      xyLayer({
        view: PIPELINE,
        series: "line",
        interval: "auto",
        metrics: {
          average: { of: "average", field: "reto.tps", label: "average", format: RATE },
          max: { of: "max", field: "reto.tps", label: "highest", format: RATE },
        },
      }),
    ],
    empty: "gap",
  }),

  xyPanel(place("cpu", "CPU", third(0, 48)), {
    layers: [
      xyLayer({
        view: HOST,
        series: "area_stacked",
        interval: "auto",
        metrics: {
          user: { of: "average", field: "system.cpu.user.norm.pct", label: "user", format: PERCENT },
          system: { of: "average", field: "system.cpu.system.norm.pct", label: "system", format: PERCENT },
          iowait: { of: "average", field: "system.cpu.iowait.norm.pct", label: "waiting for disks", format: PERCENT },
        },
      }),
    ],
    having: "system.cpu.user.norm.pct",
    empty: "gap",
    yMax: 1,
  }),
  xyPanel(place("memory", "RAM used", third(16, 48)), {
    layers: [
      xyLayer({
        view: HOST,
        series: "area",
        interval: "auto",
        metrics: {
          used: { of: "average", field: "system.memory.actual.used.pct", label: "used", format: PERCENT },
        },
      }),
    ],
    having: "system.memory.actual.used.pct",
    empty: "gap",
    yMax: 1,
  }),
  xyPanel(place("disk", "Disk used", third(32, 48)), {
    layers: [
      xyLayer({
        view: HOST,
        series: "line",
        interval: "auto",
        metrics: { used: { of: "max", field: "system.filesystem.used.pct", label: "used", format: PERCENT } },
        split: { field: "system.filesystem.mount_point", label: "file system", order: "used", size: 6 },
      }),
    ],
    having: "system.filesystem.used.pct",
    empty: "gap",
    yMax: 1,
  }),

  xyPanel(place("io", "Disks and network", third(0, 58)), {
    layers: [
      xyLayer({
        view: HOST,
        series: "line",
        interval: "auto",
        metrics: {
          read: { of: "average", field: "reto.io.disk.read.bytes_per_sec", label: "read", format: BYTES_RATE },
          write: { of: "average", field: "reto.io.disk.write.bytes_per_sec", label: "written", format: BYTES_RATE },
          in: { of: "average", field: "reto.io.network.in.bytes_per_sec", label: "received", format: BYTES_RATE },
          out: { of: "average", field: "reto.io.network.out.bytes_per_sec", label: "sent", format: BYTES_RATE },
        },
      }),
    ],
    having: "reto.io.disk.read.bytes_per_sec",
    empty: "gap",
  }),
  xyPanel(place("container-cpu", "Containers: CPU of what each may use", third(16, 58)), {
    layers: [
      xyLayer({
        view: HOST,
        series: "line",
        interval: "auto",
        metrics: { cpu: { of: "average", field: "docker.cpu.total.norm.pct", label: "CPU", format: PERCENT } },
        split: { field: "container.name", and: "container.id", label: "container", order: "cpu", size: 10 },
      }),
    ],
    having: "docker.cpu.total.norm.pct",
    empty: "gap",
  }),
  xyPanel(place("container-memory", "Containers: memory", third(32, 58)), {
    layers: [
      xyLayer({
        view: HOST,
        series: "line",
        interval: "auto",
        metrics: { memory: { of: "max", field: "docker.memory.usage.total", label: "memory", format: BYTES } },
        split: { field: "container.name", and: "container.id", label: "container", order: "memory", size: 10 },
      }),
    ],
    having: "docker.memory.usage.total",
    empty: "gap",
  }),

  xyPanel(place("clocks", "LAG that tells of clocks: events below zero, and at the limit of an hour", half(0, 68)), {
    layers: [
      xyLayer({
        view: PIPELINE,
        series: "bar_stacked",
        interval: "auto",
        metrics: {
          negative: { of: "sum", field: "reto.lag.negative", label: "below zero", format: WHOLE },
          clamped: { of: "sum", field: "reto.lag.clamped", label: "an hour or more", format: WHOLE },
        },
      }),
    ],
    having: "reto.lag.negative",
    empty: "zero",
  }),
  xyPanel(place("failures", "Failures of the monitors since they started", half(24, 68)), {
    layers: [
      xyLayer({
        view: PIPELINE,
        series: "line",
        interval: "auto",
        metrics: { pipeline: { of: "max", field: "reto.monitor.failures", label: "TPS and LAG", format: WHOLE } },
      }),
      xyLayer({
        view: HOST,
        series: "line",
        interval: "auto",
        metrics: { host: { of: "max", field: "reto.monitor.failures", label: "host", format: WHOLE } },
      }),
      xyLayer({
        view: COUNTS["1s"],
        series: "line",
        interval: "auto",
        metrics: { counts: { of: "max", field: "reto.monitor.failures", label: "counts", format: WHOLE } },
      }),
    ],
    empty: "gap",
  }),
];

/** One object a line, each with its end. */
export function dashboardNdjson(): string {
  return [...VIEWS.map(viewObject), dashboardObject()].map((object) => `${JSON.stringify(object)}\n`).join("");
}

function viewObject({ id, title, name, dataset }: DataView<DatasetName>) {
  return {
    type: "index-pattern",
    id,
    coreMigrationVersion: CORE_VERSION,
    typeMigrationVersion: VERSIONS["index-pattern"],
    attributes: {
      title,
      name,
      timeFieldName: "@timestamp",
      // Nothing may have been written yet.
      allowNoIndex: true,
      fieldFormatMap: JSON.stringify(formatsOf(dataset)),
    },
    references: [],
  };
}

/** How Discover, and a panel that somebody adds, shows ratios and bytes; ours say it themselves. */
function formatsOf(dataset: DatasetName): Record<string, object> {
  const formats: Record<string, object> = {};
  for (const field of Object.keys(DATASETS[dataset])) {
    if (field.endsWith(".pct")) formats[field] = { id: "percent", params: { pattern: "0,0.[0]%" } };
    if (BYTE_FIELDS.test(field)) formats[field] = { id: "bytes" };
  }
  return formats;
}

function dashboardObject() {
  return {
    type: "dashboard",
    id: DASHBOARD_ID,
    coreMigrationVersion: CORE_VERSION,
    typeMigrationVersion: VERSIONS.dashboard,
    attributes: {
      title: "reto3",
      description: "Counts per 10 ms, second and minute; LAG, TPS, CPU, RAM and disks",
      timeRestore: true,
      timeFrom: "now-15m",
      timeTo: "now",
      refreshInterval: { pause: false, value: 5_000 },
      optionsJSON: JSON.stringify({
        useMargins: true,
        syncColors: false,
        syncCursor: true,
        syncTooltips: false,
        hidePanelTitles: false,
      }),
      panelsJSON: JSON.stringify(PANELS),
      kibanaSavedObjectMeta: {
        searchSourceJSON: JSON.stringify({ query: { query: "", language: "kuery" }, filter: [] }),
      },
    },
    references: PANELS.flatMap(referencesOf),
  };
}

/** A panel's own references, once more by the panel's name. */
function referencesOf(panel: Panel): Reference[] {
  if (panel.type !== "lens") return [];
  return panel.embeddableConfig.attributes.references.map(({ type, id, name }) => ({
    type,
    id,
    name: `${panel.panelIndex}:${name}`,
  }));
}
