// The rows of a Lens layer, computed from the documents one by one: what an answer of Elasticsearch is held against.

import type { MetricColumn } from "../../src/elastic/lens.ts";
import { durationMs, existing, type LayerSearch, type Range, type Row } from "./lens-queries.ts";

export interface Document {
  index: string;
  atMs: number;
  /** By full names: {"host.name": "a"}. */
  fields: Readonly<Record<string, string | number>>;
}

export function rowsByHand(search: LayerSearch, documents: readonly Document[]): Row[] {
  const { index, having, range, intervalMs, split, metrics } = search;
  const prefix = index.replace(/\*$/, "");
  const found = documents.filter(
    (one) => one.index.startsWith(prefix) && isWithin(one, range) && (having === undefined || having in one.fields),
  );
  const series = split ? [...grouped(found, (one) => seriesOf(one, search))] : [["", found] as const];
  const by = metrics.find(([id]) => id === split?.params.orderBy.columnId)?.[1];
  const order = (some: readonly Document[]) => (by && valueOf(by, some, range)) ?? 0;
  const shown = series.toSorted(([, a], [, b]) => order(b) - order(a)).slice(0, split?.params.size);
  return shown.flatMap(([name, some]) => {
    const times = grouped(some, ({ atMs }) =>
      intervalMs === undefined ? 0 : Math.floor(atMs / intervalMs) * intervalMs,
    );
    return [...times]
      .sort(([a], [b]) => a - b)
      .map(([atMs, bucket]) => ({
        atMs: intervalMs === undefined ? undefined : atMs,
        series: split && name,
        values: Object.fromEntries(metrics.map(([id, column]) => [id, valueOf(column, bucket, range)])),
      }));
  });
}

function seriesOf({ fields }: Document, { split }: LayerSearch): string {
  if (!split) return "";
  return [split.sourceField, ...(split.params.secondaryFields ?? [])].map((field) => fields[field]).join(" › ");
}

function valueOf(column: MetricColumn, documents: readonly Document[], range: Range): number | null {
  const { operationType, sourceField, filter, reducedTimeRange } = column;
  const needed = filter && existing(filter.query);
  const fromMs = reducedTimeRange === undefined ? range.fromMs : range.toMs - durationMs(reducedTimeRange);
  const some = documents.filter(
    (one) => isWithin(one, { ...range, fromMs }) && (needed === undefined || needed in one.fields),
  );
  const last = some.toSorted((a, b) => a.atMs - b.atMs).at(-1);
  if (operationType === "last_value") return (last?.fields[sourceField] as number | undefined) ?? null;
  const values = some.flatMap(({ fields }) => fields[sourceField] ?? []) as number[];
  const sum = values.reduce((a, b) => a + b, 0);
  if (operationType === "sum") return sum;
  if (values.length === 0) return null;
  return { average: sum / values.length, max: Math.max(...values), min: Math.min(...values) }[operationType];
}

function isWithin({ atMs }: Document, { fromMs, toMs }: Range): boolean {
  return atMs >= fromMs && atMs <= toMs;
}

function grouped<K>(documents: readonly Document[], keyOf: (one: Document) => K): Map<K, Document[]> {
  return Map.groupBy(documents, keyOf);
}
