import { describe, expect, test } from "bun:test";
import { dashboardNdjson, DASHBOARD_ID } from "./dashboard.ts";
import type { FormBasedLayer } from "./lens.ts";
import { metricPanel, xyLayer, xyPanel, type DataView, type Metric, type Place } from "./panels.ts";

const PLACE: Place = { id: "a-panel", title: "A panel", at: { x: 0, y: 0, w: 12, h: 6 } };
const VIEW: DataView<"pipeline"> = { id: "view", title: "metrics-x-*", name: "x", dataset: "pipeline" };
const TPS: Metric<"pipeline"> = {
  of: "average",
  field: "reto.tps",
  label: "TPS",
  format: { id: "number", params: { decimals: 0 } },
};

describe("the dashboard's file", () => {
  test("is the same text each time, an object a line", () => {
    expect(dashboardNdjson()).toBe(dashboardNdjson());
    const objects = dashboardNdjson().split("\n");
    expect(objects.pop()).toBe("");
    const names = objects.map((line) => JSON.parse(line) as { type: string; id: string }).map(({ id }) => id);
    expect(names).toEqual([
      "reto-host",
      "reto-pipeline",
      "reto-count-10ms",
      "reto-count-1s",
      "reto-count-1m",
      DASHBOARD_ID,
    ]);
  });

  test("shows the last 15 minutes anew every 5 s", () => {
    const { attributes } = JSON.parse(dashboardNdjson().trimEnd().split("\n").at(-1) ?? "") as {
      attributes: Record<string, unknown>;
    };
    const { title, timeRestore, timeFrom, timeTo, refreshInterval } = attributes;
    expect({ title, timeRestore, timeFrom, timeTo, refreshInterval }).toEqual({
      title: "reto3",
      timeRestore: true,
      timeFrom: "now-15m",
      timeTo: "now",
      refreshInterval: { pause: false, value: 5_000 },
    });
  });

  test("says of data views which fields are ratios and which are bytes", () => {
    const host = JSON.parse(dashboardNdjson().split("\n")[0] ?? "") as { attributes: { fieldFormatMap: string } };
    const formats = JSON.parse(host.attributes.fieldFormatMap) as Record<string, { id: string }>;
    expect(Object.entries(formats).map(([field, { id }]) => `${id} ${field}`)).toMatchInlineSnapshot(`
      [
        "percent system.cpu.total.norm.pct",
        "percent system.cpu.user.norm.pct",
        "percent system.cpu.system.norm.pct",
        "percent system.cpu.iowait.norm.pct",
        "percent system.cpu.steal.norm.pct",
        "bytes system.memory.total",
        "bytes system.memory.actual.used.bytes",
        "percent system.memory.actual.used.pct",
        "bytes system.memory.swap.total",
        "bytes system.memory.swap.used.bytes",
        "bytes host.disk.read.bytes",
        "bytes host.disk.write.bytes",
        "bytes host.network.ingress.bytes",
        "bytes host.network.egress.bytes",
        "bytes reto.io.disk.read.bytes_per_sec",
        "bytes reto.io.disk.write.bytes_per_sec",
        "bytes reto.io.network.in.bytes_per_sec",
        "bytes reto.io.network.out.bytes_per_sec",
        "bytes system.filesystem.total",
        "bytes system.filesystem.used.bytes",
        "percent system.filesystem.used.pct",
        "bytes system.filesystem.available",
        "percent docker.cpu.total.norm.pct",
        "bytes docker.memory.usage.total",
        "percent docker.memory.usage.pct",
        "bytes docker.memory.limit",
      ]
    `);
  });
});

describe("panels", () => {
  test("of a chart: the split outside, then time, then numbers; ids of columns are the names of metrics", () => {
    const panel = xyPanel(PLACE, {
      layers: [
        xyLayer({
          view: VIEW,
          series: "line",
          interval: "auto",
          metrics: { tps: TPS },
          split: { field: "host.name", label: "host", order: "tps", size: 3 },
        }),
      ],
      empty: "gap",
    });
    const { state, references } = panel.embeddableConfig.attributes;
    expect(state.datasourceStates.formBased.layers["layer-1"]?.columnOrder).toEqual(["split", "time", "tps"]);
    expect(references).toEqual([{ type: "index-pattern", id: "view", name: "indexpattern-datasource-layer-layer-1" }]);
  });

  test("of a last value: sorted by time, only of documents that have the field", () => {
    const panel = metricPanel(PLACE, { view: VIEW, metric: { ...TPS, of: "last_value" } });
    const { state } = panel.embeddableConfig.attributes;
    const [column] = Object.values(state.datasourceStates.formBased.layers["layer-1"]?.columns ?? {});
    expect(column).toMatchObject({
      filter: { query: "reto.tps: *", language: "kuery" },
      params: { sortField: "@timestamp" },
    });
  });

  test("that cannot work do not compile", () => {
    // Never run: each line is an error of types that is expected.
    const never = () => {
      // @ts-expect-error a field of another kind of line
      metricPanel(PLACE, { view: VIEW, metric: { ...TPS, field: "system.load.1" } });
      // @ts-expect-error a field that is no number
      metricPanel(PLACE, { view: VIEW, metric: { ...TPS, field: "host.name" } });
      // @ts-expect-error an operation that is not used
      metricPanel(PLACE, { view: VIEW, metric: { ...TPS, of: "median" } });
      const chart = { view: VIEW, series: "line", interval: "auto", metrics: { tps: TPS } } as const;
      // @ts-expect-error an order by a metric that is not there
      xyLayer({ ...chart, split: { field: "host.name", label: "host", order: "rate", size: 3 } });
      // @ts-expect-error series by a number
      xyLayer({ ...chart, split: { field: "reto.tps", label: "TPS", order: "tps", size: 3 } });
      // @ts-expect-error a chart of nothing
      xyPanel(PLACE, { layers: [], empty: "gap" });
      // @ts-expect-error documents that have a field that does not exist
      xyPanel(PLACE, { layers: [xyLayer(chart)], empty: "gap", having: "reto.tip" });
    };
    const ofColumns = (layer: FormBasedLayer<"value">) => {
      // @ts-expect-error a column that is not there
      layer.columnOrder.push("other");
      // @ts-expect-error a column without its scale
      layer.columns.value = { label: "", dataType: "number", operationType: "max", sourceField: "", isBucketed: false };
    };
    expect([never, ofColumns].every((one) => typeof one === "function")).toBe(true);
  });
});
