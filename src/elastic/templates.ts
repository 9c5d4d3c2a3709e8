// What Elasticsearch must know before the first document comes: how long what is kept, how fields are stored, which indices
// that holds for. Pure. Made from the fields of src/monitor/documents.ts; every request is typed by Elasticsearch's own client.
//
//     index template  reto3-count-1s   for reto-count-1s-*
//       composed of   reto3-count-settings, reto3-count-mappings, reto3-count-1s-lifecycle -> policy reto3-count-1s
//     index template  reto3-host       for the data streams metrics-reto.host-*
//       composed of   reto3-sample-settings, reto3-host-mappings, reto3-sample-lifecycle
//
// Lifecycles are in component templates of their own: OpenSearch takes everything else as it is, and refuses these.
// Plain data streams, not time series ones: those refuse documents that come late, as after an outage.

import type { estypes } from "@elastic/elasticsearch";
import { COUNT_INDICES, DATA_STREAMS, DATASETS, type FieldType } from "../monitor/documents.ts";
import { PERIOD_NAMES, type PeriodName } from "../period.ts";
import { formatDurationMs } from "../units.ts";

/** Seconds that something is kept at least; null: for good. */
export type Lifetime = number | null;

export interface TemplateOptions {
  /** How many copies beside the first. */
  replicas: number;
  keepSamples: Lifetime;
  keepCounts: Record<PeriodName, Lifetime>;
}

/** One PUT of setup. `body` is in the form in which the server gives it back, so that both can be compared. */
export interface TemplateRequest {
  kind: "lifecycle policy" | "component template" | "index template";
  name: string;
  path: string;
  body: object;
  /** OpenSearch does not know it. */
  isElasticsearchOnly: boolean;
}

type ComponentTemplate = Omit<estypes.ClusterPutComponentTemplateRequest, "name">;
type IndexTemplate = Omit<estypes.IndicesPutIndexTemplateRequest, "name">;
type LifecyclePolicy = Omit<estypes.IlmPutLifecycleRequest, "name">;

/** Above those that Elasticsearch brings along for metrics-*-*, which have 100 and 200. */
const PRIORITY = 500;
const META = { managed_by: "reto3 setup elastic" };

export const SAMPLE_NAMES = Object.keys(DATA_STREAMS) as (keyof typeof DATA_STREAMS)[];

/** What an index holds at most; it is deleted as a whole, so it stays that much longer than its newest document must. */
const INDEX_SECONDS = { "yyyy.MM.dd": 86_400, "yyyy.MM": 31 * 86_400, yyyy: 366 * 86_400 } as const;

/** All requests, in the order in which they must be made: what is referred to comes first. */
export function templateRequests(
  options: TemplateOptions,
  server: { isOpenSearch: boolean } = { isOpenSearch: false },
): TemplateRequest[] {
  const all = [...policies(options), ...componentTemplates(options), ...indexTemplates(server)];
  return all.filter((request) => !(server.isOpenSearch && request.isElasticsearchOnly));
}

/** Which data streams `name` has: one for each namespace. */
export function dataStreamPattern(name: keyof typeof DATA_STREAMS): string {
  return DATA_STREAMS[name].replace(/-default$/, "-*");
}

/** How long a data stream keeps its documents, as its template and itself are told. */
export function sampleLifecycle({ keepSamples }: TemplateOptions): estypes.IndicesDataStreamLifecycle {
  return keepSamples === null ? {} : { data_retention: elasticDuration(keepSamples) };
}

function policies({ keepCounts }: TemplateOptions): TemplateRequest[] {
  return PERIOD_NAMES.map((period) => {
    const kept = keepCounts[period];
    const indexSeconds = INDEX_SECONDS[COUNT_INDICES[period].datePattern];
    // Counted from when the index was made. A policy that deletes nothing stays one, so that a change of it reaches the
    // indices that are there already.
    const phases: estypes.IlmPhases =
      kept === null
        ? { hot: { min_age: "0ms", actions: {} } }
        : {
            delete: {
              min_age: elasticDuration(kept + indexSeconds),
              actions: { delete: { delete_searchable_snapshot: true } },
            },
          };
    const body: LifecyclePolicy = { policy: { phases, _meta: META } };
    const name = `reto3-count-${period}`;
    return { kind: "lifecycle policy", name, path: `/_ilm/policy/${name}`, body, isElasticsearchOnly: true };
  });
}

function componentTemplates(options: TemplateOptions): TemplateRequest[] {
  const replicas = { number_of_replicas: String(options.replicas) };
  return [
    component("reto3-sample-settings", { settings: { index: replicas } }),
    component("reto3-count-settings", { settings: { index: { ...replicas, codec: "best_compression" } } }),
    ...SAMPLE_NAMES.map((name) => component(`reto3-${name}-mappings`, { mappings: mappingsOf(DATASETS[name]) })),
    component("reto3-count-mappings", { mappings: mappingsOf(DATASETS.counts) }),
    component("reto3-sample-lifecycle", { lifecycle: sampleLifecycle(options) }, true),
    ...PERIOD_NAMES.map((period) =>
      component(
        `reto3-count-${period}-lifecycle`,
        { settings: { index: { lifecycle: { name: `reto3-count-${period}` } } } },
        true,
      ),
    ),
  ];
}

function component(name: string, template: ComponentTemplate["template"], isElasticsearchOnly = false) {
  const body: ComponentTemplate = { template, _meta: META };
  const path = `/_component_template/${name}`;
  return { kind: "component template" as const, name, path, body, isElasticsearchOnly };
}

function indexTemplates({ isOpenSearch }: { isOpenSearch: boolean }): TemplateRequest[] {
  const template = (name: string, { composed_of = [], ...rest }: IndexTemplate): TemplateRequest => {
    const known = composed_of.filter((part) => !(isOpenSearch && part.endsWith("-lifecycle")));
    const body: IndexTemplate = { ...rest, composed_of: known, priority: PRIORITY, _meta: META };
    return { kind: "index template", name, path: `/_index_template/${name}`, body, isElasticsearchOnly: false };
  };
  return [
    ...SAMPLE_NAMES.map((name) =>
      template(`reto3-${name}`, {
        index_patterns: [dataStreamPattern(name)],
        data_stream: {},
        composed_of: ["reto3-sample-settings", `reto3-${name}-mappings`, "reto3-sample-lifecycle"],
      }),
    ),
    ...PERIOD_NAMES.map((period) =>
      template(`reto3-count-${period}`, {
        index_patterns: [`${COUNT_INDICES[period].prefix}*`],
        composed_of: ["reto3-count-settings", "reto3-count-mappings", `reto3-count-${period}-lifecycle`],
      }),
    ),
  ];
}

/** Fields that are not named here are kept in the document and cannot be searched: a stray one never makes a mapping. */
function mappingsOf(fields: Record<string, FieldType>): estypes.MappingTypeMapping {
  const root: ObjectMapping = { properties: {} };
  for (const [name, type] of Object.entries(fields)) {
    const path = name.split(".");
    const last = path.pop() ?? name;
    let at = root;
    for (const step of path) at = objectIn(at, step);
    at.properties[last] = { type };
  }
  return { dynamic: false, ...root };
}

interface ObjectMapping {
  properties: Record<string, { type: FieldType } | ObjectMapping>;
}

function objectIn({ properties }: ObjectMapping, name: string): ObjectMapping {
  const there = properties[name];
  if (there && "properties" in there) return there;
  const made: ObjectMapping = { properties: {} };
  properties[name] = made;
  return made;
}

/** `7d`, `90d`, `90m`: its units are those of ours. */
function elasticDuration(seconds: number): string {
  return formatDurationMs(seconds * 1_000);
}
