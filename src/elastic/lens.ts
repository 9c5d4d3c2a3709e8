// Panels of a Kibana dashboard as typed code: charts and single numbers (Lens), and text. Pure; it knows the names of our fields and
// nothing of what the dashboard shows.
//
// The shapes were checked, and only those are written, against
// - the types in elastic/kibana: src/platform/packages/shared/kbn-lens-common/datasources/operations.ts (columns: `last_value` with sortField,
//   `terms` with orderBy and secondaryFields, `filter`, formats) and x-pack/platform/plugins/shared/lens/public/visualizations/xy/types.ts;
// - what reads stored panels in 9.4 and later: dashboard/server/api/transforms/out (a panel's `title` beside embeddableConfig, references by the prefix
//   "<panelIndex>:"), transformTimeRangeOut (`timeRange` of a panel) and convertToSplitAccessorsFn (one `splitAccessor`), which take the older forms
//   that we write, and that every version since 8.9 reads;
// - the exported dashboard "[Metrics System] Overview" of elastic/integrations (single numbers of last values, with colours; text).

import type { DATASETS, DatasetName, FieldType } from "../monitor/documents.ts";

type FieldOf<D extends DatasetName, T extends FieldType> = {
  [F in keyof (typeof DATASETS)[D]]: (typeof DATASETS)[D][F] extends T ? F : never;
}[keyof (typeof DATASETS)[D]] &
  string;

export type NumberField<D extends DatasetName> = FieldOf<D, "long" | "double">;
export type KeywordField<D extends DatasetName> = FieldOf<D, "keyword">;

/** What a layer reads. */
export interface DataView<D extends DatasetName> {
  id: string;
  /** A pattern of index names. */
  title: string;
  name: string;
  dataset: D;
}

export interface Format {
  id: "number" | "percent" | "bytes";
  params: { decimals: number; suffix?: string };
}

/** One number, of all documents in a bucket of time. */
export interface Metric<D extends DatasetName> {
  of: "average" | "max" | "min" | "sum" | "last_value";
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

// --- What is saved ---

interface Filter {
  query: string;
  language: "kuery";
}

interface ColumnHead {
  label: string;
  customLabel?: true;
  sourceField: string;
}

export interface TimeColumn extends ColumnHead {
  dataType: "date";
  operationType: "date_histogram";
  isBucketed: true;
  scale: "interval";
  params: { interval: string; includeEmptyRows: true; dropPartials: false };
}

export interface TermsColumn<Id extends string = string> extends ColumnHead {
  dataType: "string";
  operationType: "terms";
  isBucketed: true;
  scale: "ordinal";
  params: {
    size: number;
    orderBy: { type: "column"; columnId: Id };
    orderDirection: "desc";
    otherBucket: false;
    missingBucket: false;
    parentFormat: { id: "terms" | "multi_terms" };
    secondaryFields?: string[];
  };
}

export interface MetricColumn extends ColumnHead {
  dataType: "number";
  operationType: Metric<DatasetName>["of"];
  isBucketed: false;
  scale: "ratio";
  filter?: Filter;
  reducedTimeRange?: string;
  params: { format: Format; emptyAsNull?: true; sortField?: "@timestamp"; showArrayValues?: false };
}

export type Column<Id extends string = string> = TimeColumn | TermsColumn<Id> | MetricColumn;

export interface FormBasedLayer<Id extends string = string> {
  /** Buckets first, the outer ones before the inner. */
  columnOrder: Id[];
  columns: { [I in Id]?: Column<Id> };
  incompleteColumns: Record<string, never>;
  sampling: 1;
}

type SeriesType = "line" | "area" | "area_stacked" | "bar" | "bar_stacked";

interface XyDataLayer<Id extends string = string> {
  layerId: string;
  layerType: "data";
  seriesType: SeriesType;
  xAccessor: Id;
  accessors: Id[];
  splitAccessor?: Id;
}

interface XyState {
  preferredSeriesType: SeriesType;
  legend: { isVisible: boolean; position: "bottom" };
  valueLabels: "hide";
  /** Where a bucket of time has no documents: nothing is drawn, or zero. */
  fittingFunction: "None" | "Zero";
  endValue: "None";
  axisTitlesVisibilitySettings: { x: boolean; yLeft: boolean; yRight: boolean };
  yLeftExtent?: { mode: "custom"; lowerBound: number; upperBound: number };
  layers: XyDataLayer[];
}

interface ColorStop {
  color: string;
  stop: number;
}

interface Palette {
  type: "palette";
  name: "custom";
  params: {
    name: "custom";
    reverse: false;
    rangeType: "number";
    rangeMin: number;
    rangeMax: null;
    progression: "fixed";
    continuity: "above";
    steps: number;
    maxSteps: 5;
    /** Where each colour begins. */
    colorStops: ColorStop[];
    /** Where each colour ends. */
    stops: ColorStop[];
  };
}

interface MetricState<Id extends string = string> {
  layerId: string;
  layerType: "data";
  metricAccessor: Id;
  palette?: Palette;
}

export interface Reference {
  type: "index-pattern";
  id: string;
  name: string;
}

export interface Grid {
  x: number;
  y: number;
  w: number;
  h: number;
}

interface PanelHead {
  panelIndex: string;
  gridData: Grid & { i: string };
  title: string;
}

export interface LensPanel extends PanelHead {
  type: "lens";
  embeddableConfig: {
    attributes: {
      title: "";
      type: "lens";
      references: Reference[];
      state: {
        query: Filter;
        filters: [];
        internalReferences: [];
        adHocDataViews: Record<string, never>;
        datasourceStates: { formBased: { layers: Record<string, FormBasedLayer> } };
        visualization: XyState | MetricState;
      };
      visualizationType: "lnsXY" | "lnsMetric";
    };
    hidePanelTitles?: true;
    timeRange?: TimeRange;
    enhancements: Record<string, never>;
  };
}

export interface TextPanel extends PanelHead {
  type: "visualization";
  embeddableConfig: {
    savedVis: {
      type: "markdown";
      title: "";
      description: "";
      params: { markdown: string; fontSize: number; openLinksInNewTab: false };
      uiState: Record<string, never>;
      data: { aggs: []; searchSource: { query: Filter; filter: [] } };
    };
    hidePanelTitles: true;
    enhancements: Record<string, never>;
  };
}

export type Panel = LensPanel | TextPanel;

export interface TimeRange {
  from: string;
  to: string;
}

// --- How it is made ---

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
    having?: string;
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
