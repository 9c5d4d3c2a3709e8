// The Kibana dashboard: nothing that Kibana refuses or shows as an empty chart, and every panel's question asked of a real OpenSearch
// that has documents whose answers are known. Kibana itself cannot run here.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { dashboardNdjson } from "../src/elastic/dashboard.ts";
import type { LensPanel } from "../src/elastic/lens.ts";
import { COUNT_INDICES, DATA_STREAMS, ndjsonLine, type DatasetName, type Fields } from "../src/monitor/documents.ts";
import type { PeriodName } from "../src/period.ts";
import { rowsByHand, type Document } from "./support/lens-by-hand.ts";
import {
  kibanaIntervalMs,
  rowsIn,
  searchesOf,
  type Bucket,
  type LayerSearch,
  type Range,
  type Row,
} from "./support/lens-queries.ts";
import { hasOpensearch, sharedOpensearch } from "./support/opensearch.ts";
import { reto3 } from "./support/reto3.ts";
import { dashboardIn, problemsOf } from "./support/saved-objects.ts";

const RUN_MS = 300_000;
const GOOD = dashboardNdjson();

describe("the dashboard's file", () => {
  test("has nothing that Kibana refuses, and no chart that would be empty", () => {
    expect(problemsOf(GOOD)).toEqual([]);
  });

  test("has what was asked for", () => {
    const titles = dashboardIn(GOOD).panels.map(({ title }) => title);
    for (const wanted of [
      /per second/,
      /per minute/,
      /per 10 ms/,
      /Zoom/,
      /^LAG$/,
      /^TPS$/,
      /^CPU$/,
      /RAM/,
      /Disk used/,
      /About/,
    ])
      expect(titles.some((title) => wanted.test(title))).toBe(true);
  });

  const inPanels = (from: string | RegExp, to: string) => {
    const changed = GOOD.replace(from, to);
    expect(changed).not.toBe(GOOD);
    return problemsOf(changed).join("\n");
  };
  test.each([
    ["a last line without its end", /\n$/, "", "the last line does not end"],
    ["a line that is none", '{"type":"dashboard"', '"type":"dashboard"', "is no JSON object"],
    ["an object twice", '"id":"reto-host"', '"id":"reto-pipeline"', "index-pattern reto-pipeline: is there twice"],
    ["an unknown type", '"type":"dashboard"', '"type":"dashbord"', "its type is not one of"],
    ["an odd id", '"id":"reto3-overview"', '"id":"reto3 overview"', "its id wants"],
    ["no version", '"typeMigrationVersion":"10.3.0",', "", "typeMigrationVersion wants to be 10.3.0"],
    [
      "a version newer than the server",
      '"coreMigrationVersion":"8.8.0"',
      '"coreMigrationVersion":"9.9.0"',
      "coreMigrationVersion wants",
    ],
    [
      "a data view that no template is for",
      "metrics-reto.host-*",
      "metrics-host-*",
      "no template is for metrics-host-*",
    ],
    [
      "a data view without the time",
      '"timeFieldName":"@timestamp"',
      '"timeFieldName":"timestamp"',
      "index-pattern reto-host: timeFieldName wants to be @timestamp",
    ],
    ["formats that are no JSON", '"fieldFormatMap":"{', '"fieldFormatMap":"', "reto-host: fieldFormatMap is no JSON"],
    [
      "a format of no field",
      '\\"system.memory.total\\"',
      '\\"system.memory.all\\"',
      "fieldFormatMap: its template has no field system.memory.all",
    ],
    ["options that are no JSON", '"optionsJSON":"{', '"optionsJSON":"', "optionsJSON is no JSON"],
    ["a search that is no JSON", '"searchSourceJSON":"{', '"searchSourceJSON":"', "searchSourceJSON is no JSON"],
    ["an odd id of a panel", /\\"tps-now\\"/g, '\\"tps now\\"', "panel tps now: its id wants"],
    ["panels that are no JSON", '"panelsJSON":"[', '"panelsJSON":"', "panelsJSON is no JSON"],
    ["a panel on another", '\\"x\\":24,\\"y\\":15', '\\"x\\":20,\\"y\\":15', "panel per-minute: lies on per-second"],
    [
      "a panel out of the grid",
      '\\"x\\":36,\\"y\\":9',
      '\\"x\\":37,\\"y\\":9',
      "panel disk-now: is not within 48 columns",
    ],
    ["an id twice", '\\"panelIndex\\":\\"tps\\"', '\\"panelIndex\\":\\"lag\\"', "panel lag: its id is another's, too"],
    ["a grid of another", '\\"i\\":\\"tps\\"', '\\"i\\":\\"tp\\"', "panel tps: gridData.i wants to be its id"],
    [
      "a field that does not exist",
      '\\"sourceField\\":\\"reto.tps\\"',
      '\\"sourceField\\":\\"reto.tip\\"',
      "its data view has no field reto.tip",
    ],
    [
      "a field of another type",
      '\\"sourceField\\":\\"reto.tps\\"',
      '\\"sourceField\\":\\"host.name\\"',
      "last_value wants a long or double; host.name is a keyword",
    ],
    ["a column without its scale", ',\\"scale\\":\\"ratio\\"', "", "scale is missing"],
    ["a chart without a legend", /\\"legend\\":\{[^}]*\},/, "", "the chart has no legend"],
    [
      "an order without a column",
      '\\"columnOrder\\":[\\"time\\",\\"max\\",',
      '\\"columnOrder\\":[\\"time\\",',
      "columnOrder wants all columns",
    ],
    [
      "numbers before buckets",
      '\\"columnOrder\\":[\\"time\\",\\"max\\"',
      '\\"columnOrder\\":[\\"max\\",\\"time\\"',
      "columnOrder wants buckets first",
    ],
    [
      "a series of a column that is not there",
      '\\"accessors\\":[\\"max\\"',
      '\\"accessors\\":[\\"most\\"',
      "there is no column most",
    ],
    [
      "an order by a column that is not there",
      '\\"columnId\\":\\"used\\"',
      '\\"columnId\\":\\"use\\"',
      "is ordered by a column that is not there: use",
    ],
    ["a last value by no time", '\\"sortField\\":\\"@timestamp\\",', "", "last_value wants sortField @timestamp"],
    [
      "a data view that is not there",
      /\\"id\\":\\"reto-pipeline\\"/,
      '\\"id\\":\\"reto-pipe\\"',
      "there is no data view reto-pipe",
    ],
    [
      "a reference that is missing",
      /\{"type":"index-pattern","id":"reto-pipeline","name":"tps-now:[^}]*\},/,
      "",
      "the reference tps-now:",
    ],
    [
      "a reference of no layer",
      '\\"name\\":\\"indexpattern-datasource-layer-layer-1\\"',
      '\\"name\\":\\"indexpattern-datasource-layer-layer-7\\"',
      "panel tps-now: no layer has the reference indexpattern-datasource-layer-layer-7",
    ],
    [
      "a layer that is not there",
      '\\"layerId\\":\\"layer-1\\"',
      '\\"layerId\\":\\"layer-7\\"',
      "there is no layer layer-7",
    ],
    [
      "a layer that is not shown",
      '\\"layerId\\":\\"layer-1\\"',
      '\\"layerId\\":\\"layer-7\\"',
      "layer layer-1 is not shown",
    ],
    [
      "an unknown operation",
      '\\"operationType\\":\\"sum\\"',
      '\\"operationType\\":\\"total\\"',
      "panel per-minute: layer layer-1: column sum: there is no operation total",
    ],
    [
      "a chart without time",
      '\\"operationType\\":\\"date_histogram\\"',
      '\\"operationType\\":\\"terms\\"',
      "a chart wants one date_histogram",
    ],
    ["a reference of no panel", '"name":"tps-now:', '"name":"tps-then:', "no panel has the reference tps-then:"],
  ])("is told of: %s", (_, from, to, problem) => {
    expect(inPanels(from, to)).toContain(problem);
  });
});

// --- what the panels ask -----------------------------------------------------------------------------------------------------

/** What the dashboard shows at first: 15 minutes. All documents lie in two minutes of them. */
const END_MS = Date.UTC(2001, 5, 5, 12);
const RANGE: Range = { fromMs: END_MS - 900_000, toMs: END_MS };
const T_MS = END_MS - 120_000;
/** The zoom's own ten seconds. */
const ZOOM: Range = { fromMs: T_MS, toMs: T_MS + 9_999 };

type Line = {
  [D in DatasetName]: { dataset: D; index: string; atMs: number; id: string; fields: Fields<D> };
}[DatasetName];

/** Every second of two minutes: 3 buckets of 10 ms with 1, 2 and 3 + second events; samples that grow with the second, of two file systems and three containers. */
function lines(): Line[] {
  return [
    ...Array.from({ length: 120 }, (_, second) => [
      ...countsAt(second),
      ...samplesAt(second),
      ...hostAt(second),
    ]).flat(),
    countOf("1m", T_MS, 60 * 6 + sumOf(0, 59)),
    countOf("1m", T_MS + 60_000, 60 * 6 + sumOf(60, 119)),
  ];
}

function countsAt(second: number): Line[] {
  const atMs = T_MS + second * 1_000;
  const fine = [1, 2, 3 + second].map((count, at) => countOf("10ms", atMs + at * 10, count));
  return [...fine, countOf("1s", atMs, 6 + second)];
}

function countOf(period: PeriodName, atMs: number, count: number): Line {
  const day = { "10ms": "2001.06.05", "1s": "2001.06", "1m": "2001" }[period];
  const fields = { "reto.granularity": period, "reto.count": count };
  const index = `${COUNT_INDICES[period].prefix}${day}`;
  return { dataset: "counts", index, atMs, id: `${period}-${atMs}`, fields };
}

function samplesAt(second: number): Line[] {
  const lag = {
    "reto.lag.p50_ms": 1 + second / 10,
    "reto.lag.p95_ms": 5 + second,
    "reto.lag.p99_ms": 10 + second,
    "reto.lag.max_ms": 100 + second,
    "reto.lag.negative": second % 2,
    "reto.lag.clamped": second % 30 === 0 ? 1 : 0,
  };
  const atMs = T_MS + second * 1_000;
  // Where no event came there is no LAG: the last seconds are of that kind.
  const fields = { "reto.tps": 6 + second, "reto.events": 6 + second, ...(second < 110 && lag) };
  return [{ dataset: "pipeline", index: DATA_STREAMS.pipeline, atMs, id: `p-${atMs}`, fields }];
}

function hostAt(second: number): Line[] {
  const atMs = T_MS + second * 1_000;
  const line = (id: string, fields: Fields<"host">): Line => {
    return { dataset: "host", index: DATA_STREAMS.host, atMs, id: `h-${atMs}-${id}`, fields };
  };
  const container = (id: string, name: string, cpu: number, memory: number) =>
    line(id, {
      "container.id": id,
      "container.name": name,
      "docker.cpu.total.norm.pct": cpu,
      "docker.memory.usage.total": memory,
    });
  return [
    line("host", {
      "system.cpu.total.norm.pct": second / 200,
      "system.cpu.user.norm.pct": second / 400,
      "system.cpu.system.norm.pct": 0.1,
      "system.cpu.iowait.norm.pct": second / 1_000,
      "system.memory.actual.used.pct": 0.5 + second / 1_000,
      "reto.io.disk.read.bytes_per_sec": 10 + second,
      "reto.io.disk.write.bytes_per_sec": 20 + second,
      "reto.io.network.in.bytes_per_sec": 30 + second,
      "reto.io.network.out.bytes_per_sec": 40 + second,
    }),
    // It was fuller before its last minute than in it.
    line("root", { "system.filesystem.mount_point": "/", "system.filesystem.used.pct": second < 60 ? 0.95 : 0.6 }),
    line("data", { "system.filesystem.mount_point": "/data", "system.filesystem.used.pct": 0.5 + second / 1_000 }),
    // Two of one name.
    container("0123456789ab", "java", 0.1 + second / 1_000, 5_000 + second),
    container("ba9876543210", "java", 0.4, 7_000 + second),
    container("cccccccccccc", "reto3", 0.05, 1_000 + second),
  ];
}

/** first + ... + last. */
function sumOf(first: number, last: number): number {
  return ((first + last) * (last - first + 1)) / 2;
}

/**
 * By hand, each panel's numbers in the 30 s (a bucket of "auto") that begin 30 s after the first document: seconds 30 to 59; of several series, the first.
 * Bars: of the minute; of the 10 ms.
 */
const ANSWERS: Record<string, Record<string, number>> = {
  "tps-now": { value: 125 },
  "lag-now": { value: 119 },
  "cpu-now": { value: 0.595 },
  "disk-now": { value: 0.619 },
  "per-second": { max: 65, average: 50.5 },
  "per-minute": { sum: 2_130 },
  "per-10ms": { max: 62, average: (30 * 6 + 1_335) / 90 },
  "zoom-10ms": { sum: 1 },
  lag: { p50: 6.9, p95: 64, p99: 69, max: 159 },
  tps: { average: 50.5, max: 65 },
  cpu: { user: 44.5 / 400, system: 0.1, iowait: 0.0445 },
  memory: { used: 0.5445 },
  disk: { used: 0.95 },
  io: { read: 54.5, write: 64.5, in: 74.5, out: 84.5 },
  "container-cpu": { cpu: 0.4 },
  "container-memory": { memory: 7_059 },
  clocks: { negative: 15, clamped: 1 },
  failures: { pipeline: 2, host: 2, counts: 2 },
};

/** Where that bucket begins. */
const BUCKET_MS: Record<string, number> = { "per-minute": T_MS, "zoom-10ms": T_MS };

describe("Kibana's intervals of time", () => {
  test.each([
    ["auto", 900_000, 30_000],
    ["auto", 3_600_000, 60_000],
    ["auto", 86_400_000, 3_600_000 / 2],
    ["auto", 10_000, 200],
    ["auto", 1_000, 20],
    ["10ms", 10_000, 10],
    ["10ms", 10_999, 10],
    ["10ms", 30_000, 30],
    ["10ms", 900_000, 100],
    ["1m", 900_000, 60_000],
  ])("%s of %d ms is %d ms", (interval, rangeMs, ms) => {
    expect(kibanaIntervalMs(interval, rangeMs)).toBe(ms);
  });
});

describe.skipIf(!hasOpensearch)("the dashboard's panels, asked of OpenSearch", () => {
  const { panels, views } = dashboardIn(GOOD);
  const lens = panels.filter((panel): panel is LensPanel => panel.type === "lens");
  const head = { hostName: "here", failures: 2 };
  const written = lines();
  const documents: Document[] = written.map(({ index, atMs, fields }) => ({
    index,
    atMs,
    fields: { "@timestamp": atMs, "host.name": head.hostName, "reto.monitor.failures": head.failures, ...fields },
  }));
  let url: string;

  beforeAll(async () => {
    ({ url } = await sharedOpensearch());
    const { code, stderr } = await reto3(["setup", "elastic", "--elasticsearch", url, "--kibana", "none"]);
    if (code !== 0) throw new Error(stderr);
    const bulk = written.flatMap(({ dataset, index, atMs, id, fields }) => [
      `${JSON.stringify({ [dataset === "counts" ? "index" : "create"]: { _index: index, _id: id } })}\n`,
      ndjsonLine(dataset, { timestampUs: atMs * 1_000, id, ...head }, fields),
    ]);
    const answer = await post(`${url}/_bulk?refresh=true`, bulk.join(""));
    expect(((await answer.json()) as { errors: boolean }).errors).toBe(false);
  }, RUN_MS);
  afterAll(async () => {
    // Others use the same server.
    const query = JSON.stringify({ query: { range: { "@timestamp": { lte: END_MS } } } });
    await post(`${url}/reto-count-*,metrics-reto.*/_delete_by_query?refresh=true`, query);
  });

  test("each panel has an answer here", () => {
    expect(lens.map(({ panelIndex }) => panelIndex)).toEqual(Object.keys(ANSWERS));
  });

  test.each(lens.map((panel) => [panel.title, panel] as const))("%s", async (_, panel) => {
    const found: Record<string, number | null> = {};
    const range = panel.embeddableConfig.timeRange ? ZOOM : RANGE;
    for (const search of searchesOf(panel, views, range)) {
      const answer = await post(`${url}/${search.index}/_search`, JSON.stringify(search.body));
      const { aggregations, error } = (await answer.json()) as { aggregations?: Bucket; error?: unknown };
      expect(error).toBeUndefined();
      const rows = rowsIn(aggregations ?? {}, search);
      expect(rows).not.toEqual([]);
      expect(comparable(rows)).toEqual(comparable(rowsByHand(search, documents)));
      const bucketMs = BUCKET_MS[panel.panelIndex] ?? T_MS + 30_000;
      Object.assign(found, rows.find(({ atMs = bucketMs }) => atMs === bucketMs)?.values);
    }
    expect(rounded(found)).toEqual(rounded(ANSWERS[panel.panelIndex] ?? {}));
  });

  // Over a week, Kibana makes ten minutes of "1m".
  test("a longer bar of events per minute is the sum of its minutes", async () => {
    const panel = lens.find(({ panelIndex }) => panelIndex === "per-minute")!;
    const week = { fromMs: END_MS - 7 * 86_400_000, toMs: END_MS };
    const [search] = searchesOf(panel, views, week) as [LayerSearch];
    const answer = await post(`${url}/${search.index}/_search`, JSON.stringify(search.body));
    const { aggregations } = (await answer.json()) as { aggregations: Bucket };
    const values = { sum: 120 * 6 + sumOf(0, 119) };
    expect(rowsIn(aggregations, search)).toEqual([{ atMs: END_MS - 600_000, series: undefined, values }]);
  });
});

function post(url: string, body: string): Promise<Response> {
  return fetch(url, { method: "POST", headers: { "Content-Type": "application/x-ndjson" }, body });
}

/** Sums of doubles differ in their last digits by the order in which they were made. */
function comparable(rows: readonly Row[]): Row[] {
  return rows.map(({ atMs, series, values }) => ({ atMs, series, values: rounded(values) }));
}

function rounded(values: Record<string, number | null>): Record<string, number | null> {
  return Object.fromEntries(
    Object.entries(values).map(([id, value]) => [id, value === null ? null : Number(value.toPrecision(9))]),
  );
}
