// Prepares Elasticsearch and Kibana for the monitors' logs, and says what it did: everything for Elasticsearch first, as a
// document that comes before its template would be stored as the server guesses. May be repeated: it changes what differs.

import { Reto3Error } from "../errors.ts";
import { importObjects, waitForKibana } from "./kibana.ts";
import { type Answer, askFor, reasonIn, type Server, type Waiting, waitFor } from "./server.ts";
import {
  dataStreamPattern,
  SAMPLE_NAMES,
  sampleLifecycle,
  templateRequests,
  type TemplateOptions,
  type TemplateRequest,
} from "./templates.ts";

export interface SetupOptions {
  elasticsearch: Server;
  /** Null: it is left out. */
  kibana: Server | null;
  templates: TemplateOptions;
  /** Saved objects for Kibana, one a line. */
  dashboard: string;
  /** How long to wait for both servers together. */
  timeoutMs: number;
  say: (line: string) => void;
}

export async function setupElastic(options: SetupOptions): Promise<void> {
  const { elasticsearch, kibana, templates, dashboard, timeoutMs, say } = options;
  const waiting: Waiting = { deadlineMs: performance.now() + timeoutMs, timeoutMs, say };
  const { isOpenSearch, version } = await waitForElasticsearch(elasticsearch, waiting);
  say(`${isOpenSearch ? "OpenSearch" : "Elasticsearch"} ${version} at ${elasticsearch.url}`);
  if (isOpenSearch) {
    say(
      "this is OpenSearch: the lifecycles, which only Elasticsearch knows, are left out; nothing is deleted by itself",
    );
  }
  for (const request of templateRequests(templates, { isOpenSearch })) {
    say(`${request.kind} ${request.name}: ${await putWhereDifferent(elasticsearch, request)}`);
  }
  if (!isOpenSearch) await adjustDataStreams(elasticsearch, templates, say);
  if (kibana === null) return;
  await waitForKibana(kibana, waiting);
  const objects = await importObjects(kibana, dashboard);
  say(`Kibana at ${kibana.url}: ${objects} objects imported, the dashboard among them`);
}

interface Found {
  isOpenSearch: boolean;
  version: string;
}

function waitForElasticsearch(server: Server, waiting: Waiting): Promise<Found> {
  return waitFor(server, "/", (answer) => foundIn(server, answer), waiting);
}

function foundIn(server: Server, { status, body }: Answer): Found | string {
  const { version, cluster_uuid } = (typeof body === "object" ? (body ?? {}) : {}) as {
    version?: { number?: string; distribution?: string };
    cluster_uuid?: string;
  };
  if (status !== 200 || typeof version?.number !== "string") {
    throw new Reto3Error("REMOTE", `what answers at ${server.url} is not Elasticsearch: ${status}, ${reasonIn(body)}`, {
      hint: "name Elasticsearch with --elasticsearch",
    });
  }
  // A node answers before it has a cluster.
  if (cluster_uuid === "_na_") return "its cluster has no master yet";
  return { isOpenSearch: version.distribution === "opensearch", version: version.number };
}

async function putWhereDifferent(server: Server, request: TemplateRequest): Promise<"made" | "changed" | "already so"> {
  const there = storedIn(await askFor(server, "GET", request.path, { others: [404] }), request);
  if (there !== undefined && covers(there, request.body)) return "already so";
  await askFor(server, "PUT", request.path, { body: request.body });
  return there === undefined ? "made" : "changed";
}

/** What is stored under the name of `request`, in the form in which it was put. */
function storedIn({ status, body }: Answer, { kind, name }: TemplateRequest): unknown {
  if (status === 404) return undefined;
  const all = body as {
    component_templates?: { component_template: unknown }[];
    index_templates?: { index_template: unknown }[];
  } & Record<string, unknown>;
  if (kind === "lifecycle policy") return all[name];
  return kind === "component template"
    ? all.component_templates?.[0]?.component_template
    : all.index_templates?.[0]?.index_template;
}

/** What may have nothing that is not wanted; elsewhere servers add of their own: dates, versions, defaults. */
const WHOLE = new Set(["mappings", "settings", "phases"]);

/** Whether `there` has all of `wanted`, and in mappings, settings and phases nothing else. */
function covers(there: unknown, wanted: unknown, isWhole = false): boolean {
  if (typeof wanted !== "object" || wanted === null) return String(there) === String(wanted);
  if (typeof there !== "object" || there === null) return false;
  if (Array.isArray(wanted)) return JSON.stringify(there) === JSON.stringify(wanted);
  const found = there as Record<string, unknown>;
  const entries = Object.entries(wanted);
  if (isWhole && Object.keys(found).length !== entries.length) return false;
  return entries.every(([key, value]) => {
    // For good is to have no retention, not to have any.
    const isKeptSo = key !== "lifecycle" || retentionIn(found[key]) === retentionIn(value);
    return isKeptSo && covers(found[key], value, isWhole || WHOLE.has(key));
  });
}

function retentionIn(lifecycle: unknown): unknown {
  return typeof lifecycle === "object" && lifecycle !== null && "data_retention" in lifecycle
    ? lifecycle.data_retention
    : undefined;
}

/** A template's lifecycle reaches only data streams that are made later: those that are there are told themselves. */
async function adjustDataStreams(server: Server, templates: TemplateOptions, say: (line: string) => void) {
  const wanted = sampleLifecycle(templates);
  for (const name of SAMPLE_NAMES) {
    const { body } = await askFor(server, "GET", `/_data_stream/${dataStreamPattern(name)}`, { others: [404] });
    const streams = (body as { data_streams?: { name: string; lifecycle?: { data_retention?: string } }[] })
      .data_streams;
    for (const stream of streams ?? []) {
      const isSo = stream.lifecycle !== undefined && stream.lifecycle.data_retention === wanted.data_retention;
      if (!isSo) await askFor(server, "PUT", `/_data_stream/${stream.name}/_lifecycle`, { body: wanted });
      say(`data stream ${stream.name}, its lifecycle: ${isSo ? "already so" : "changed"}`);
    }
  }
}
