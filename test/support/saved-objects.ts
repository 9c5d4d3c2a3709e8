// What Kibana would refuse, or show as an empty chart without a word, in a file of saved objects. For tests where Kibana cannot run.
// Rules: elastic/kibana, collect_saved_objects.ts (versions, duplicates, references) and what Lens reads of its state.

import { templateRequests } from "../../src/elastic/templates.ts";
import type { Column, FormBasedLayer, LensPanel, Panel, Reference } from "../../src/elastic/lens.ts";

/** The newest versions that every server since 9.1 (and 8.19) takes. */
const VERSIONS: Record<string, string> = { "index-pattern": "8.0.0", dashboard: "10.3.0" };
const CORE_VERSION = "8.8.0";
const COLUMNS = 48;
const ID = /^[a-z0-9-]+$/;
const NUMERIC = new Set(["average", "max", "min", "sum", "last_value"]);

interface SavedObject {
  type: string;
  id: string;
  coreMigrationVersion?: string;
  typeMigrationVersion?: string;
  attributes: Record<string, unknown>;
  references: Reference[];
}

export interface Dashboard {
  panels: Panel[];
  /** By the id of a data view: its pattern of index names. */
  views: Map<string, string>;
}

/** All that is wrong with the text of a file. */
export function problemsOf(ndjson: string): string[] {
  if (!ndjson.endsWith("\n")) return ["the last line does not end"];
  const objects: SavedObject[] = [];
  for (const [at, line] of ndjson.slice(0, -1).split("\n").entries()) {
    try {
      objects.push(JSON.parse(line) as SavedObject);
    } catch {
      return [`line ${at + 1} is no JSON object`];
    }
  }
  const names = objects.map(({ type, id }) => `${type} ${id}`);
  const problems = names.filter((name, at) => names.indexOf(name) !== at).map((name) => `${name}: is there twice`);
  for (const object of objects) {
    const views = new Map(objects.filter(({ type }) => type === "index-pattern").map((one) => [one.id, one]));
    problems.push(...objectProblems(object, views).map((problem) => `${object.type} ${object.id}: ${problem}`));
  }
  return problems;
}

/** The one dashboard of a file that has no problems. */
export function dashboardIn(ndjson: string): Dashboard {
  const objects = ndjson
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as SavedObject);
  const dashboard = objects.find(({ type }) => type === "dashboard");
  const views = objects.filter(({ type }) => type === "index-pattern");
  return {
    panels: JSON.parse(String(dashboard?.attributes["panelsJSON"])) as Panel[],
    views: new Map(views.map(({ id, attributes }) => [id, String(attributes["title"])])),
  };
}

type FieldTypes = ReadonlyMap<string, string>;

/** By the pattern of index names that a template is for: its fields and their types. */
const TEMPLATES = templatedFields();

/** What `reto3 setup elastic` makes, read as Elasticsearch would: an index template's fields are those of its parts. */
function templatedFields(): ReadonlyMap<string, FieldTypes> {
  const never = { "10ms": null, "1s": null, "1m": null };
  const requests = templateRequests({ replicas: 0, keepSamples: null, keepCounts: never });
  const parts = new Map<string, Map<string, string>>();
  const templates = new Map<string, FieldTypes>();
  for (const { kind, name, body } of requests) {
    const { template, index_patterns, composed_of } = body as {
      template?: { mappings?: Mapping };
      index_patterns?: string[];
      composed_of?: string[];
    };
    if (kind === "component template") parts.set(name, fieldsIn(template?.mappings ?? {}));
    const fields = new Map((composed_of ?? []).flatMap((part) => Array.from(parts.get(part) ?? [])));
    for (const pattern of index_patterns ?? []) templates.set(pattern, fields);
  }
  return templates;
}

interface Mapping {
  type?: string;
  properties?: Record<string, Mapping>;
}

function fieldsIn({ properties = {} }: Mapping, prefix = ""): Map<string, string> {
  const fields = new Map<string, string>();
  for (const [name, mapping] of Object.entries(properties)) {
    if (mapping.type !== undefined) fields.set(`${prefix}${name}`, mapping.type);
    for (const [inner, type] of fieldsIn(mapping, `${prefix}${name}.`)) fields.set(inner, type);
  }
  return fields;
}

function objectProblems(object: SavedObject, views: Map<string, SavedObject>): string[] {
  const problems: string[] = [];
  const { type, id, attributes } = object;
  const version = VERSIONS[type];
  if (version === undefined) return [`its type is not one of ${Object.keys(VERSIONS).join(", ")}`];
  if (!ID.test(id)) problems.push("its id wants a-z, 0-9 and - alone");
  if (object.coreMigrationVersion !== CORE_VERSION) problems.push(`coreMigrationVersion wants to be ${CORE_VERSION}`);
  if (object.typeMigrationVersion !== version) problems.push(`typeMigrationVersion wants to be ${version}`);
  if (type === "index-pattern") {
    return [...problems, ...viewProblems(attributes)];
  }
  return [...problems, ...dashboardProblems(object, views)];
}

function viewProblems({ title, timeFieldName, fieldFormatMap }: Record<string, unknown>): string[] {
  const fields = TEMPLATES.get(String(title));
  if (fields === undefined)
    return [`no template is for ${String(title)}; want one of ${[...TEMPLATES.keys()].join(", ")}`];
  const problems = fields.get(String(timeFieldName)) === "date" ? [] : ["timeFieldName wants to be @timestamp"];
  try {
    const formatted = Object.keys(JSON.parse(String(fieldFormatMap)) as object);
    const unknown = formatted.filter((field) => !fields.has(field));
    return [...problems, ...unknown.map((field) => `fieldFormatMap: its template has no field ${field}`)];
  } catch {
    return [...problems, "fieldFormatMap is no JSON"];
  }
}

function dashboardProblems({ attributes, references }: SavedObject, views: Map<string, SavedObject>): string[] {
  const texts = { ...attributes, ...(attributes["kibanaSavedObjectMeta"] as object) } as Record<string, unknown>;
  for (const name of ["panelsJSON", "optionsJSON", "searchSourceJSON"]) {
    try {
      JSON.parse(String(texts[name]));
    } catch {
      return [`${name} is no JSON`];
    }
  }
  const panels = JSON.parse(String(attributes["panelsJSON"])) as Panel[];
  const problems = gridProblems(panels);
  const wanted: string[] = [];
  for (const panel of panels) {
    if (panel.type !== "lens") continue;
    const own = panel.embeddableConfig.attributes.references;
    for (const { id, name } of own) {
      if (!views.has(id)) problems.push(`panel ${panel.panelIndex}: there is no data view ${id}`);
      wanted.push(`${panel.panelIndex}:${name} ${id}`);
    }
    problems.push(...lensProblems(panel, views).map((problem) => `panel ${panel.panelIndex}: ${problem}`));
  }
  const there = references.map(({ name, id }) => `${name} ${id}`);
  problems.push(...wanted.filter((one) => !there.includes(one)).map((one) => `the reference ${one} is missing`));
  problems.push(...there.filter((one) => !wanted.includes(one)).map((one) => `no panel has the reference ${one}`));
  return problems;
}

function gridProblems(panels: readonly Panel[]): string[] {
  const problems: string[] = [];
  const taken = new Map<string, string>();
  const ids = panels.map(({ panelIndex }) => panelIndex);
  for (const { panelIndex, gridData } of panels) {
    const { x, y, w, h, i } = gridData;
    if (ids.filter((id) => id === panelIndex).length > 1)
      problems.push(`panel ${panelIndex}: its id is another's, too`);
    if (!ID.test(panelIndex)) problems.push(`panel ${panelIndex}: its id wants a-z, 0-9 and - alone`);
    if (i !== panelIndex) problems.push(`panel ${panelIndex}: gridData.i wants to be its id`);
    if (x < 0 || y < 0 || w < 1 || h < 1 || x + w > COLUMNS)
      problems.push(`panel ${panelIndex}: is not within ${COLUMNS} columns`);
    for (let cell = 0; cell < w * h; cell++) {
      const name = `${x + (cell % w)},${y + Math.floor(cell / w)}`;
      const other = taken.get(name);
      if (other !== undefined && other !== panelIndex) {
        problems.push(`panel ${panelIndex}: lies on ${other}`);
        break;
      }
      taken.set(name, panelIndex);
    }
  }
  return problems;
}

function lensProblems(panel: LensPanel, views: Map<string, SavedObject>): string[] {
  const { state, references, visualizationType } = panel.embeddableConfig.attributes;
  const { layers } = state.datasourceStates.formBased;
  const problems: string[] = [];
  const shown = "layers" in state.visualization ? state.visualization.layers : [state.visualization];
  if (visualizationType === "lnsXY" && !("legend" in state.visualization)) problems.push("the chart has no legend");
  if (shown.length === 0) problems.push("nothing is shown");
  for (const { layerId } of shown) if (layers[layerId] === undefined) problems.push(`there is no layer ${layerId}`);
  const names = new Set(Object.keys(layers).map((layerId) => `indexpattern-datasource-layer-${layerId}`));
  for (const { name } of references) if (!names.has(name)) problems.push(`no layer has the reference ${name}`);
  for (const [layerId, layer] of Object.entries(layers)) {
    const view = references.find(({ name }) => name === `indexpattern-datasource-layer-${layerId}`);
    if (view === undefined) problems.push(`layer ${layerId} has no data view`);
    const fields = TEMPLATES.get(String(views.get(view?.id ?? "")?.attributes["title"])) ?? new Map<string, string>();
    const chart = shown.find((one) => one.layerId === layerId);
    if (chart === undefined) problems.push(`layer ${layerId} is not shown`);
    const accessors = chart ? accessorsOf(chart) : [];
    const missing = accessors.filter((id) => !Object.hasOwn(layer.columns, id));
    problems.push(...missing.map((id) => `layer ${layerId}: there is no column ${id}`));
    problems.push(...layerProblems(layer, fields, visualizationType).map((problem) => `layer ${layerId}: ${problem}`));
  }
  return problems;
}

function accessorsOf(chart: object): string[] {
  const { xAccessor, splitAccessor, metricAccessor, accessors } = chart as Record<string, string | undefined> & {
    accessors?: string[];
  };
  return [xAccessor, splitAccessor, metricAccessor, ...(accessors ?? [])].filter((id) => id !== undefined);
}

function layerProblems({ columnOrder, columns }: FormBasedLayer, fields: FieldTypes, kind: string): string[] {
  const problems: string[] = [];
  if (columnOrder.toSorted().join() !== Object.keys(columns).toSorted().join())
    problems.push("columnOrder wants all columns, once");
  const ordered = columnOrder.flatMap((id) => columns[id] ?? []);
  const firstNumber = ordered.findIndex(({ isBucketed }) => !isBucketed);
  if (ordered.some(({ isBucketed }, at) => isBucketed && at > firstNumber && firstNumber >= 0))
    problems.push("columnOrder wants buckets first");
  const times = ordered.filter(({ operationType }) => operationType === "date_histogram").length;
  if (times !== (kind === "lnsXY" ? 1 : 0)) problems.push("a chart wants one date_histogram, a number none");
  for (const [id, column] of Object.entries(columns)) {
    if (column) problems.push(...columnProblems(column, fields, columns).map((problem) => `column ${id}: ${problem}`));
  }
  return problems;
}

function columnProblems(column: Column, fields: FieldTypes, columns: FormBasedLayer["columns"]): string[] {
  const { operationType, sourceField, scale, params } = column;
  const problems: string[] = [];
  if ((scale as string | undefined) === undefined) problems.push("scale is missing");
  const wanted: Record<string, string[]> = { date_histogram: ["date"], terms: ["keyword"] };
  const types = wanted[operationType] ?? (NUMERIC.has(operationType) ? ["long", "double"] : []);
  if (types.length === 0) problems.push(`there is no operation ${operationType}`);
  const also = "secondaryFields" in params ? (params.secondaryFields ?? []) : [];
  for (const field of [sourceField, ...also]) {
    const type = fields.get(field);
    if (type === undefined) problems.push(`its data view has no field ${field}`);
    else if (!types.includes(type))
      problems.push(`${operationType} wants a ${types.join(" or ")}; ${field} is a ${type}`);
  }
  if ("orderBy" in params && columns[params.orderBy.columnId] === undefined)
    problems.push(`is ordered by a column that is not there: ${params.orderBy.columnId}`);
  if (operationType === "last_value" && !("sortField" in params && params.sortField === "@timestamp"))
    problems.push("last_value wants sortField @timestamp");
  return problems;
}
