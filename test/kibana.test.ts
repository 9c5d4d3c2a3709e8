// The Kibana dashboard: nothing that Kibana refuses or shows as an empty chart, and every panel's question asked of a real OpenSearch
// that has documents whose answers are known. Kibana itself cannot run here.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { dashboardNdjson } from "../src/elastic/dashboard.ts";
import type { LensPanel } from "../src/elastic/lens.ts";
import { ndjsonLine, type DatasetName, type Fields } from "../src/monitor/documents.ts";
import type { PeriodName } from "../src/period.ts";
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
    ["a reference of no panel", '"name":"tps-now:', '"name":"tps-then:', "no panel has the reference tps-then:"],
  ])("is told of: %s", (_, from, to, problem) => {
    expect(inPanels(from, to)).toContain(problem);
  });
});

// --- what the panels ask -----------------------------------------------------------------------------------------------------

/** Ten minutes; all documents lie in the last of them but one. */
const END_MS = Math.floor(Date.UTC(2001, 5, 5, 12));
const FROM_MS = END_MS - 600_000;
const T_MS = END_MS - 60_000;
const CONTAINER = "0123456789ab";

type Documents = { [D in DatasetName]: { index: string; atMs: number; id: string; fields: Fields<D> }[] };

/** Every second of a minute: 3 buckets of 10 ms with 1, 2, 3 events; samples whose values are the second. */
function documents(): Documents {
  const all: Documents = { host: [], pipeline: [], counts: [] };
  for (let second = 0; second < 60; second++) {
    const atMs = T_MS + second * 1_000;
    for (const [at, count] of [1, 2, 3].entries()) addCount(all, "10ms", atMs + at * 10, count);
    addCount(all, "1s", atMs, 6);
    const lag = {
      "reto.lag.p50_ms": 1,
      "reto.lag.p95_ms": 5,
      "reto.lag.p99_ms": second,
      "reto.lag.max_ms": 100 + second,
    };
    const fields = { "reto.tps": second, "reto.events": 6, ...lag, "reto.lag.negative": 1, "reto.lag.clamped": 0 };
    all.pipeline.push({ index: "metrics-reto.pipeline-default", atMs, id: `p-${atMs}`, fields });
    const index = "metrics-reto.host-default";
    const cpu = {
      "system.cpu.total.norm.pct": second / 100,
      "system.cpu.user.norm.pct": 0.2,
      "system.cpu.system.norm.pct": 0.1,
    };
    const rates = {
      "reto.io.disk.read.bytes_per_sec": 10,
      "reto.io.disk.write.bytes_per_sec": 20,
      "reto.io.network.in.bytes_per_sec": 30,
      "reto.io.network.out.bytes_per_sec": 40,
    };
    const host = { ...cpu, "system.cpu.iowait.norm.pct": 0.05, "system.memory.actual.used.pct": 0.5, ...rates };
    all.host.push({ index, atMs, id: `h-${atMs}`, fields: host });
    for (const [mount, used] of [
      ["/", 0.6],
      ["/data", 0.7],
    ] as const) {
      const disk = { "system.filesystem.mount_point": mount, "system.filesystem.used.pct": used };
      all.host.push({ index, atMs, id: `h-${atMs}-fs-${mount}`, fields: disk });
    }
    const container = {
      "container.id": CONTAINER,
      "container.name": "java",
      "docker.cpu.total.norm.pct": 0.3,
      "docker.memory.usage.total": 5_000,
    };
    all.host.push({ index, atMs, id: `h-${atMs}-c`, fields: container });
  }
  addCount(all, "1m", T_MS, 360);
  return all;
}

function addCount(all: Documents, period: PeriodName, atMs: number, count: number): void {
  const day = { "10ms": "2001.06.05", "1s": "2001.06", "1m": "2001" }[period];
  const fields = { "reto.granularity": period, "reto.count": count };
  all.counts.push({ index: `reto-count-${period}-${day}`, atMs, id: `${period}-${atMs}`, fields });
}

/** What the first value (or the one of a series) of a panel's metrics is over the whole time: all that there is goes into one bucket. */
const ANSWERS: Record<string, Record<string, number>> = {
  "tps-now": { value: 59 },
  "lag-now": { value: 59 },
  "cpu-now": { value: 0.59 },
  "disk-now": { value: 0.7 },
  "per-second": { max: 6, average: 6 },
  "per-minute": { sum: 360 },
  "per-10ms": { max: 3, average: 2 },
  "zoom-10ms": { sum: 60 },
  lag: { p50: 1, p95: 5, p99: 29.5, max: 159 },
  tps: { average: 29.5, max: 59 },
  cpu: { user: 0.2, system: 0.1, iowait: 0.05 },
  memory: { used: 0.5 },
  disk: { used: 0.7 },
  io: { read: 10, write: 20, in: 30, out: 40 },
  "container-cpu": { cpu: 0.3 },
  "container-memory": { memory: 5_000 },
  clocks: { negative: 60, clamped: 0 },
  failures: { pipeline: 0, host: 0, counts: 0 },
};

describe.skipIf(!hasOpensearch)("the dashboard's panels, asked of OpenSearch", () => {
  const { panels, views } = dashboardIn(GOOD);
  const lens = panels.filter((panel): panel is LensPanel => panel.type === "lens");
  let url: string;

  beforeAll(async () => {
    ({ url } = await sharedOpensearch());
    const { code, stderr } = await reto3(["setup", "elastic", "--elasticsearch", url, "--kibana", "none"]);
    if (code !== 0) throw new Error(stderr);
    const lines: string[] = [];
    for (const [dataset, some] of Object.entries(documents()) as [DatasetName, Documents[DatasetName]][]) {
      for (const { index, atMs, id, fields } of some) {
        lines.push(JSON.stringify({ [dataset === "counts" ? "index" : "create"]: { _index: index, _id: id } }));
        const head = { timestampUs: atMs * 1_000, id, hostName: "here", failures: 0 };
        lines.push(ndjsonLine(dataset, head, fields).trimEnd());
      }
    }
    const body = `${lines.join("\n")}\n`;
    const answer = await fetch(`${url}/_bulk?refresh=true`, { method: "POST", headers: JSON_LINES, body });
    expect(((await answer.json()) as { errors: boolean }).errors).toBe(false);
  }, RUN_MS);
  afterAll(async () => {
    // Others use the same server.
    const query = JSON.stringify({ query: { range: { "@timestamp": { lte: END_MS } } } });
    await fetch(`${url}/reto-count-*,metrics-reto.*/_delete_by_query?refresh=true`, {
      method: "POST",
      headers: JSON_ONE,
      body: query,
    });
  });

  test("each panel has an answer here", () => {
    expect(lens.map(({ panelIndex }) => panelIndex)).toEqual(Object.keys(ANSWERS));
  });

  test.each(lens.map((panel) => [panel.title || panel.panelIndex, panel] as const))("%s", async (_, panel) => {
    const found: Record<string, number> = {};
    for (const question of questionsOf(panel, views)) {
      const answer = await fetch(`${url}/${question.index}/_search`, {
        method: "POST",
        headers: JSON_ONE,
        body: JSON.stringify(question.body),
      });
      expect([answer.status, panel.panelIndex]).toEqual([200, panel.panelIndex]);
      const { aggregations } = (await answer.json()) as { aggregations: Buckets };
      Object.assign(found, valuesIn(aggregations, question.metrics));
    }
    const wanted = ANSWERS[panel.panelIndex] ?? {};
    expect(Object.keys(found).sort()).toEqual(Object.keys(wanted).sort());
    for (const [name, value] of Object.entries(wanted))
      expect([name, found[name]]).toEqual([name, expect.closeTo(value, 6)]);
  });
});

const JSON_ONE = { "Content-Type": "application/json" };
const JSON_LINES = { "Content-Type": "application/x-ndjson" };

interface Buckets {
  [name: string]: { buckets?: Buckets[]; value?: number; top?: { metrics: Record<string, number> }[] } | undefined;
}

/** What Lens asks Elasticsearch for a panel: a body for each of its layers. */
function questionsOf(panel: LensPanel, views: Map<string, string>) {
  const { state, references } = panel.embeddableConfig.attributes;
  return Object.entries(state.datasourceStates.formBased.layers).map(([layerId, { columnOrder, columns }]) => {
    const view = references.find(({ name }) => name.endsWith(`-${layerId}`));
    // The zoom has a range of its own, ten seconds long; here it is the first ten of the minute.
    const isZoom = panel.embeddableConfig.timeRange !== undefined;
    const range = isZoom ? { gte: T_MS, lt: T_MS + 10_000 } : { gte: FROM_MS, lt: END_MS };
    let aggs: object = {};
    const metrics: string[] = [];
    for (const id of columnOrder.toReversed()) {
      const column = columns[id];
      if (!column) continue;
      if (column.operationType === "date_histogram") {
        const { interval } = column.params;
        // "auto" of these ten minutes: all in one bucket, so that the answer is one number.
        const fixed = interval === "auto" ? "10m" : interval;
        aggs = {
          time: { date_histogram: { field: column.sourceField, fixed_interval: fixed, min_doc_count: 1 }, aggs },
        };
      } else if (column.operationType === "terms") {
        const { size, orderBy, secondaryFields = [] } = column.params;
        const inner = columns[orderBy.columnId];
        const order = { by: "desc" };
        const by = { max: { field: inner?.sourceField } };
        const fields = [column.sourceField, ...secondaryFields];
        const kind =
          fields.length === 1
            ? { terms: { field: column.sourceField, size, order } }
            : { multi_terms: { terms: fields.map((field) => ({ field })), size, order } };
        aggs = { split: { ...kind, aggs: { ...aggs, by } } };
      } else {
        metrics.push(id);
        const { operationType, sourceField } = column;
        const plain = { average: "avg", max: "max", min: "min", sum: "sum", last_value: "" }[operationType];
        const last = { top_hits: { size: 1, sort: [{ "@timestamp": "desc" }], _source: [sourceField] } };
        aggs = { ...aggs, [id]: operationType === "last_value" ? last : { [plain]: { field: sourceField } } };
      }
    }
    const having = /^(\S+): \*$/.exec(state.query.query)?.[1];
    const filter = [
      { range: { "@timestamp": range } },
      ...(having === undefined ? [] : [{ exists: { field: having } }]),
    ];
    const index = views.get(view?.id ?? "") ?? "";
    return { index, metrics, body: { size: 0, query: { bool: { filter } }, aggs } };
  });
}

/** Of each metric: its value; over several buckets of time their sum; of several series the first. */
function valuesIn(aggregations: Buckets, metrics: readonly string[]): Record<string, number> {
  const [series = aggregations] = aggregations["split"]?.buckets ?? [];
  const times = series["time"]?.buckets ?? [series];
  return Object.fromEntries(
    metrics.map((name) => [name, times.reduce((sum, bucket) => sum + numberIn(bucket[name]), 0)]),
  );
}

function numberIn(value: Buckets[string]): number {
  const hits = (value as { hits?: { hits: { _source: object }[] } } | undefined)?.hits?.hits;
  if (!hits) return value?.value ?? Number.NaN;
  let at: unknown = hits[0]?._source;
  while (typeof at === "object" && at !== null) at = Object.values(at)[0];
  return Number(at);
}
