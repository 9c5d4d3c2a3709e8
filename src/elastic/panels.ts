// Makes panels of a Kibana dashboard from what they are to show. Pure; it knows the names of our fields, so that a field that does not exist,
// or that is no number, does not compile; and nothing of what the dashboard says.

import type { DATASETS, DatasetName, FieldType } from "../monitor/documents.ts";
import type {
  Column,
  Filter,
  FormBasedLayer,
  Format,
  Grid,
  LensPanel,
  MetricColumn,
  MetricOperation,
  MetricState,
  Palette,
  SeriesType,
  TermsColumn,
  TextPanel,
  TimeColumn,
  TimeRange,
  XyDataLayer,
  XyState,
} from "./lens.ts";

type FieldOf<D extends DatasetName, T extends FieldType> = {
  [F in keyof (typeof DATASETS)[D]]: (typeof DATASETS)[D][F] extends T ? F : never;
}[keyof (typeof DATASETS)[D]] &
  string;

export type NumberField<D extends DatasetName> = FieldOf<D, "long" | "double">;
export type KeywordField<D extends DatasetName> = FieldOf<D, "keyword">;

/** A field of any kind of line. */
export type FieldName = { [D in DatasetName]: keyof (typeof DATASETS)[D] & string }[DatasetName];

/** What a layer reads. */
export interface DataView<D extends DatasetName> {
  id: string;
  /** A pattern of index names. */
  title: string;
  name: string;
  dataset: D;
}

/** One number, of all documents in a bucket of time. */
export interface Metric<D extends DatasetName> {
  of: MetricOperation;
  field: NumberField<D>;
  label: string;
  format: Format;
  /** Looks at the end of the time range only: "1m". Not in charts over time. */
  within?: `${number}${"s" | "m"}`;
}

/** Series by the values of one field, or of two together. The first `size` of them, by `order`, the largest first. */
export interface Split<D extends DatasetName, M extends string> {
  field: KeywordField<D>;
  and?: KeywordField<D>;
  label: string;
  order: M;
  size: number;
}

/** Where a panel lies, of 48 columns, and what it is called. Its id is unique in the dashboard: a-z, 0-9, "-". */
export interface Place {
  id: string;
  title: string;
  at: Grid;
}

/** One layer of a chart, made by `xyLayer`. */
export interface XyLayer {
  viewId: string;
  formBased: FormBasedLayer;
  chart: Omit<XyDataLayer, "layerId">;
}

/** Numbers over time, from one data view. A metric's key is the id of its column. */
export function xyLayer<D extends DatasetName, M extends string>(layer: {
  view: DataView<D>;
  series: SeriesType;
  /** "auto": about 50 buckets in the time range. Others are made longer by Kibana where there would be too many of them. */
  interval: "auto" | `${number}${"ms" | "s" | "m"}`;
  metrics: Record<M, Metric<NoInfer<D>>>;
  split?: Split<NoInfer<D>, NoInfer<M>>;
}): XyLayer {
  type Id = M | "time" | "split";
  const ids = Object.keys(layer.metrics) as M[];
  const { split } = layer;
  const columns: { [I in Id]?: Column<Id> } = {};
  // The split is outside of the time, as Lens itself makes it: the same series in all buckets.
  if (split) columns.split = termsColumn<D, Id>(split);
  columns.time = timeColumn(layer.interval);
  for (const id of ids) columns[id] = metricColumn(layer.metrics[id]);
  const columnOrder: Id[] = split ? ["split", "time", ...ids] : ["time", ...ids];
  const formBased: FormBasedLayer<Id> = { columnOrder, columns, incompleteColumns: {}, sampling: 1 };
  const head: Omit<XyDataLayer<Id>, "layerId"> = {
    layerType: "data",
    seriesType: layer.series,
    xAccessor: "time",
    accessors: ids,
    ...(split && { splitAccessor: "split" as const }),
  };
  return { viewId: layer.view.id, formBased, chart: head };
}

/** A chart over time. */
export function xyPanel(
  place: Place,
  options: {
    layers: [XyLayer, ...XyLayer[]];
    /** Only documents that have this field. Of a host's lines, each kind has fields of its own. */
    having?: FieldName;
    /** What a time without documents means. */
    empty: "gap" | "zero";
    /** The y axis goes from 0 to here, whatever the values are. */
    yMax?: number;
    timeRange?: TimeRange;
  },
): LensPanel {
  const { layers, having, empty, yMax, timeRange } = options;
  const named = layers.map((layer, at) => ({ ...layer, layerId: `layer-${at + 1}` }));
  return lensPanel(place, {
    layers: named,
    having,
    visualizationType: "lnsXY",
    visualization: {
      preferredSeriesType: layers[0].chart.seriesType,
      legend: { isVisible: true, position: "bottom" },
      valueLabels: "hide",
      fittingFunction: empty === "zero" ? "Zero" : "None",
      endValue: "None",
      axisTitlesVisibilitySettings: { x: true, yLeft: false, yRight: false },
      ...(yMax !== undefined && { yLeftExtent: { mode: "custom" as const, lowerBound: 0, upperBound: yMax } }),
      layers: named.map(({ layerId, chart }) => Object.assign({ layerId }, chart)),
    },
    config: { ...(timeRange && { timeRange }) },
  });
}

/** One number, large. Its colour turns at `amber` and at `red`. */
export function metricPanel<D extends DatasetName>(
  place: Place,
  options: { view: DataView<D>; metric: Metric<NoInfer<D>>; turns?: { amber: number; red: number } },
): LensPanel {
  const { view, metric, turns } = options;
  const formBased: FormBasedLayer<"value"> = {
    columnOrder: ["value"],
    columns: { value: metricColumn(metric) },
    incompleteColumns: {},
    sampling: 1,
  };
  const layerId = "layer-1";
  const visualization: MetricState<"value"> = {
    layerId,
    layerType: "data",
    metricAccessor: "value",
    ...(turns && { palette: palette(turns) }),
  };
  return lensPanel(place, {
    layers: [{ viewId: view.id, formBased, layerId }],
    having: metric.field,
    visualizationType: "lnsMetric",
    visualization,
    // The number has the metric's label above it.
    config: { hidePanelTitles: true },
  });
}

export function textPanel({ id, title, at }: Place, markdown: string): TextPanel {
  return {
    type: "visualization",
    panelIndex: id,
    gridData: { ...at, i: id },
    title,
    embeddableConfig: {
      savedVis: {
        type: "markdown",
        title: "",
        description: "",
        params: { markdown, fontSize: 12, openLinksInNewTab: false },
        uiState: {},
        data: { aggs: [], searchSource: { query: kql(""), filter: [] } },
      },
      hidePanelTitles: true,
      enhancements: {},
    },
  };
}

function lensPanel(
  { id, title, at }: Place,
  panel: {
    layers: { layerId: string; viewId: string; formBased: FormBasedLayer }[];
    having: string | undefined;
    visualizationType: "lnsXY" | "lnsMetric";
    visualization: XyState | MetricState;
    config: Pick<LensPanel["embeddableConfig"], "hidePanelTitles" | "timeRange">;
  },
): LensPanel {
  const { layers, having, visualizationType, visualization, config } = panel;
  return {
    type: "lens",
    panelIndex: id,
    gridData: { ...at, i: id },
    title,
    embeddableConfig: {
      attributes: {
        title: "",
        type: "lens",
        references: layers.map(({ layerId, viewId }) => ({
          type: "index-pattern",
          id: viewId,
          name: `indexpattern-datasource-layer-${layerId}`,
        })),
        state: {
          query: kql(having === undefined ? "" : `${having}: *`),
          filters: [],
          internalReferences: [],
          adHocDataViews: {},
          datasourceStates: {
            formBased: { layers: Object.fromEntries(layers.map(({ layerId, formBased }) => [layerId, formBased])) },
          },
          visualization,
        },
        visualizationType,
      },
      ...config,
      enhancements: {},
    },
  };
}

function timeColumn(interval: string): TimeColumn {
  return {
    label: "@timestamp",
    dataType: "date",
    operationType: "date_histogram",
    sourceField: "@timestamp",
    isBucketed: true,
    scale: "interval",
    params: { interval, includeEmptyRows: true, dropPartials: false },
  };
}

function termsColumn<D extends DatasetName, Id extends string>(split: Split<D, Id>): TermsColumn<Id> {
  return {
    label: split.label,
    customLabel: true,
    dataType: "string",
    operationType: "terms",
    sourceField: split.field,
    isBucketed: true,
    scale: "ordinal",
    params: {
      size: split.size,
      orderBy: { type: "column", columnId: split.order },
      orderDirection: "desc",
      otherBucket: false,
      missingBucket: false,
      parentFormat: { id: split.and === undefined ? "terms" : "multi_terms" },
      ...(split.and !== undefined && { secondaryFields: [split.and] }),
    },
  };
}

function metricColumn<D extends DatasetName>({ of, field, label, format, within }: Metric<D>): MetricColumn {
  const isLast = of === "last_value";
  return {
    label,
    customLabel: true,
    dataType: "number",
    operationType: of,
    sourceField: field,
    isBucketed: false,
    scale: "ratio",
    // Without it, the last document of all is taken, which need not have the field.
    ...(isLast && { filter: kql(`${field}: *`) }),
    ...(within !== undefined && { reducedTimeRange: within }),
    params: {
      ...(isLast
        ? { sortField: "@timestamp" as const, showArrayValues: false as const }
        : { emptyAsNull: true as const }),
      format,
    },
  };
}

function kql(query: string): Filter {
  return { query, language: "kuery" };
}

function palette({ amber, red }: { amber: number; red: number }): Palette {
  const [green, yellow, danger] = ["#209280", "#d6bf57", "#cc5642"] as const;
  const begins = [0, amber, red];
  // The last colour has no end (`continuity`), but is to have a number greater than its beginning.
  const ends = [amber, red, red + 1];
  const stopsAt = (at: number[]) => [green, yellow, danger].map((color, index) => ({ color, stop: at[index] ?? 0 }));
  return {
    type: "palette",
    name: "custom",
    params: {
      name: "custom",
      reverse: false,
      rangeType: "number",
      rangeMin: 0,
      rangeMax: null,
      progression: "fixed",
      continuity: "above",
      steps: 3,
      maxSteps: 5,
      colorStops: stopsAt(begins),
      stops: stopsAt(ends),
    },
  };
}
