// The panels of a Kibana dashboard as they are saved: charts and single numbers (Lens), and text. Types only, and only of what is used.
//
// The shapes were checked against
// - the types in elastic/kibana: src/platform/packages/shared/kbn-lens-common/datasources/operations.ts (columns: `last_value` with sortField,
//   `terms` with orderBy and secondaryFields, `filter`, formats) and x-pack/platform/plugins/shared/lens/public/visualizations/xy/types.ts;
// - what reads stored panels in 9.4 and later: dashboard/server/api/transforms/out (a panel's `title` beside embeddableConfig, references by the prefix
//   "<panelIndex>:"), transformTimeRangeOut (`timeRange` of a panel) and convertToSplitAccessorsFn (one `splitAccessor`), which take the older forms
//   that we write, and that every version since 8.9 reads;
// - the exported dashboard "[Metrics System] Overview" of elastic/integrations (single numbers of last values, with colours; text).

/** Of all that Lens can do with a number, what is used here. */
export type MetricOperation = "average" | "max" | "min" | "sum" | "last_value";

export interface Format {
  id: "number" | "percent" | "bytes";
  params: { decimals: number; suffix?: string };
}

export interface Filter {
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
  operationType: MetricOperation;
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

export type SeriesType = "line" | "area" | "area_stacked" | "bar" | "bar_stacked";

export interface XyDataLayer<Id extends string = string> {
  layerId: string;
  layerType: "data";
  seriesType: SeriesType;
  xAccessor: Id;
  accessors: Id[];
  splitAccessor?: Id;
}

export interface XyState {
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

export interface Palette {
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

export interface MetricState<Id extends string = string> {
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
