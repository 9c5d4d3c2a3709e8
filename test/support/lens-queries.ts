// What Kibana asks Elasticsearch for a Lens panel: one search for each of its layers, and the rows that its answer holds. For tests where
// Kibana cannot run; it takes what our panels use and throws at anything else.
//
// After elastic/kibana: the intervals of data/common/search/aggs/buckets/lib/time_buckets, the operations of Lens' form_based/operations/definitions.
// Differs in one place: a last value is a top_hits here, where Kibana takes top_metrics, which OpenSearch does not have.

import type { Column, FormBasedLayer, LensPanel, MetricColumn, TermsColumn } from "../../src/elastic/lens.ts";

export interface Range {
  fromMs: number;
  toMs: number;
}

/** `columns` in the order of `columnOrder`: buckets from the outside to the inside, then metrics. */
export interface LayerSearch {
  /** A pattern of index names. */
  index: string;
  /** Documents without this field are left out. */
  having: string | undefined;
  range: Range;
  /** Length of a bucket of time; undefined where all is one. */
  intervalMs: number | undefined;
  split: TermsColumn | undefined;
  metrics: [id: string, column: MetricColumn][];
  body: object;
}

/** One bucket that has documents. */
export interface Row {
  atMs: number | undefined;
  series: string | undefined;
  values: Record<string, number | null>;
}

/** `views`: the patterns of index names by the ids of data views. */
export function searchesOf(panel: LensPanel, views: ReadonlyMap<string, string>, range: Range): LayerSearch[] {
  const { state, references } = panel.embeddableConfig.attributes;
  const having = existing(state.query.query);
  return Object.entries(state.datasourceStates.formBased.layers).map(([layerId, layer]) => {
    const reference = references.find(({ name }) => name === `indexpattern-datasource-layer-${layerId}`);
    const index = views.get(reference?.id ?? "");
    if (index === undefined) throw new Error(`panel ${panel.panelIndex}: layer ${layerId} has no data view`);
    return searchOf(layer, { index, having, range });
  });
}

function searchOf(layer: FormBasedLayer, from: Pick<LayerSearch, "index" | "having" | "range">): LayerSearch {
  const known = new Map(Object.entries(layer.columns));
  const columns = layer.columnOrder.map((id): [string, Column] => {
    const column = known.get(id);
    if (column === undefined) throw new Error(`there is no column ${id}`);
    return [id, column];
  });
  const metrics = columns.filter((one): one is [string, MetricColumn] => !one[1].isBucketed);
  const split = columns.map(([, column]) => column).find((column) => column.operationType === "terms");
  const time = columns.map(([, column]) => column).find((column) => column.operationType === "date_histogram");
  const { range, having } = from;
  const intervalMs = time && kibanaIntervalMs(time.params.interval, range.toMs - range.fromMs);
  let aggs: Record<string, object> = Object.fromEntries(
    metrics.map(([id, column]) => [id, metricAggregation(column, range)]),
  );
  if (time) {
    const { fromMs: min, toMs: max } = range;
    const histogram = { field: time.sourceField, fixed_interval: `${intervalMs}ms`, min_doc_count: 0 };
    aggs = { time: { date_histogram: { ...histogram, extended_bounds: { min, max } }, aggs } };
  }
  if (split) aggs = { split: { ...termsAggregation(split), aggs: { ...aggs, order: orderOf(split, layer, range) } } };
  const filter = [within(range), ...(having === undefined ? [] : [{ exists: { field: having } }])];
  return { ...from, intervalMs, split, metrics, body: { size: 0, query: { bool: { filter } }, aggs } };
}

/** The rows with documents, in the order of the answer. */
export function rowsIn(aggregations: Bucket, { intervalMs, split, metrics }: LayerSearch): Row[] {
  const series = split ? bucketsIn(aggregations, "split") : [aggregations];
  return series.flatMap((one) => {
    const times = intervalMs === undefined ? [one] : bucketsIn(one, "time").filter(({ doc_count }) => doc_count !== 0);
    return times.map((time) => ({
      atMs: intervalMs === undefined ? undefined : Number(time.key),
      series: split && [one.key].flat().join(" › "),
      values: Object.fromEntries(metrics.map(([id, column]) => [id, valueIn(time[id] as Bucket, column)])),
    }));
  });
}

const [SECOND_MS, MINUTE_MS, HOUR_MS] = [1_000, 60_000, 3_600_000];

/** Kibana's round intervals, the longest first, each with the length from which on the one before it is rounder. Longer than 12 h: not needed here. */
const ROUND_MS = [
  { fromMs: 24 * HOUR_MS, ms: 12 * HOUR_MS },
  { fromMs: 6 * HOUR_MS, ms: 3 * HOUR_MS },
  { fromMs: 2 * HOUR_MS, ms: HOUR_MS },
  { fromMs: 45 * MINUTE_MS, ms: 30 * MINUTE_MS },
  { fromMs: 20 * MINUTE_MS, ms: 10 * MINUTE_MS },
  { fromMs: 9 * MINUTE_MS, ms: 5 * MINUTE_MS },
  { fromMs: 3 * MINUTE_MS, ms: MINUTE_MS },
  { fromMs: 45 * SECOND_MS, ms: 30 * SECOND_MS },
  { fromMs: 15 * SECOND_MS, ms: 10 * SECOND_MS },
  { fromMs: 7.5 * SECOND_MS, ms: 5 * SECOND_MS },
  { fromMs: 5 * SECOND_MS, ms: SECOND_MS },
  { fromMs: 500, ms: 100 },
];

/** "auto": about a 50th of the range (histogram:barTarget). Others grow where there would be more than 1,000 (histogram:maxBars). */
export function kibanaIntervalMs(interval: string, rangeMs: number): number {
  const bar = (bars: number) => Math.max(1, Math.floor(rangeMs / bars));
  if (interval === "auto") {
    const at = ROUND_MS.findIndex(({ fromMs }) => fromMs <= rangeMs / 50);
    return ROUND_MS[at - 1]?.ms ?? bar(50);
  }
  const [, count, unit = ""] = /^(\d+)(ms|s|m)$/.exec(interval) ?? [];
  const unitMs = { ms: 1, s: SECOND_MS, m: MINUTE_MS }[unit];
  if (unitMs === undefined) throw new Error(`want an interval like 10ms, 1s or 1m, not ${JSON.stringify(interval)}`);
  const shortestMs = ROUND_MS.find(({ ms }) => ms <= rangeMs / 1_000)?.ms ?? bar(1_000);
  return Math.max(Number(count) * unitMs, shortestMs);
}

/** Milliseconds of "1m" and "30s". */
export function durationMs(text: string): number {
  return Number.parseInt(text, 10) * (text.endsWith("m") ? MINUTE_MS : SECOND_MS);
}

/** The field of "field: *"; undefined where nothing is asked. */
export function existing(query: string): string | undefined {
  if (query === "") return undefined;
  const [, field] = /^([\w.@]+): \*$/.exec(query) ?? [];
  if (field === undefined) throw new Error(`want "field: *", not ${JSON.stringify(query)}`);
  return field;
}

function metricAggregation(column: MetricColumn, range: Range): object {
  const { operationType, sourceField: field, filter, reducedTimeRange } = column;
  const names = { average: "avg", max: "max", min: "min", sum: "sum" } as const;
  const plain =
    operationType === "last_value"
      ? { top_hits: { size: 1, sort: [{ [column.params.sortField ?? ""]: "desc" }], _source: [field] } }
      : { [names[operationType]]: { field } };
  const filters = [];
  if (filter) filters.push({ exists: { field: existing(filter.query) } });
  if (reducedTimeRange !== undefined)
    filters.push(within({ fromMs: range.toMs - durationMs(reducedTimeRange), toMs: range.toMs }));
  return filters.length === 0 ? plain : { filter: { bool: { filter: filters } }, aggs: { filtered: plain } };
}

function termsAggregation({ sourceField, params }: TermsColumn): object {
  const { size, orderDirection, secondaryFields = [] } = params;
  const more = { size, order: { order: orderDirection } };
  if (secondaryFields.length === 0) return { terms: { field: sourceField, ...more } };
  return { multi_terms: { terms: [sourceField, ...secondaryFields].map((field) => ({ field })), ...more } };
}

function orderOf({ params }: TermsColumn, { columns }: FormBasedLayer, range: Range): object {
  const by = columns[params.orderBy.columnId];
  if (!by || by.isBucketed) throw new Error(`${params.orderBy.columnId} is no metric to order by`);
  return metricAggregation(by, range);
}

function within({ fromMs, toMs }: Range): object {
  return { range: { "@timestamp": { gte: fromMs, lte: toMs, format: "epoch_millis" } } };
}

/** As much of an answer as is read. */
export interface Bucket {
  key?: number | string | string[];
  doc_count?: number;
  value?: number | null;
  filtered?: Bucket;
  buckets?: Bucket[];
  hits?: { hits: { _source: Record<string, unknown> }[] };
  [aggregation: string]: unknown;
}

function bucketsIn(bucket: Bucket, name: string): Bucket[] {
  const buckets = (bucket[name] as Bucket | undefined)?.buckets;
  if (!buckets) throw new Error(`the answer has no ${name}`);
  return buckets;
}

function valueIn(answer: Bucket, { operationType, sourceField }: MetricColumn): number | null {
  const { hits, value = null } = answer.filtered ?? answer;
  if (operationType !== "last_value") return value;
  let at: unknown = hits?.hits[0]?._source ?? null;
  for (const step of at === null ? [] : sourceField.split(".")) at = (at as Record<string, unknown>)[step];
  return at as number | null;
}
