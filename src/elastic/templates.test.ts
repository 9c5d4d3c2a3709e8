// The templates in a real OpenSearch: what documents become under them. Elasticsearch's own parts (lifecycles) cannot run
// here; their shapes are checked by the types of its client.

import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { cleanOpensearch, hasOpensearch, sharedOpensearch } from "../../test/support/opensearch.ts";
import { COUNT_INDICES, DATA_STREAMS, DATASETS, type DatasetName, ndjsonLine } from "../monitor/documents.ts";
import { setupElastic } from "./setup.ts";
import { templateRequests, type TemplateOptions } from "./templates.ts";

const opensearch = hasOpensearch ? await sharedOpensearch() : { url: "" };

const templates: TemplateOptions = {
  replicas: 0,
  keepSamples: 604_800,
  keepCounts: { "10ms": 172_800, "1s": 7_776_000, "1m": null },
};

const NOON_US = Date.UTC(2026, 10, 25, 12) * 1_000;

interface BulkAnswer {
  errors: boolean;
  items: Record<string, { status: number; _index: string; error?: { reason: string } }>[];
}

async function ask<T>(method: string, path: string, body?: object | string): Promise<T> {
  const isText = typeof body === "string";
  const response = await fetch(opensearch.url + path, {
    method,
    headers: { "content-type": isText ? "application/x-ndjson" : "application/json" },
    ...(body !== undefined && { body: isText ? body : JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

/** As Logstash sends it: a line of the monitor's log below what is to become of it. */
function bulk(items: { action: "create" | "index"; target: string; line: string }[]): Promise<BulkAnswer> {
  const text = items.map(({ action, target, line }) => {
    const { event } = JSON.parse(line) as { event: { id: string } };
    return `${JSON.stringify({ [action]: { _index: target, _id: event.id } })}\n${line}`;
  });
  return ask("POST", "/_bulk?refresh=true", text.join(""));
}

function countLine(bucketUs: number, count: number, period: keyof typeof COUNT_INDICES = "10ms"): string {
  const head = { timestampUs: bucketUs, id: `${period}-${bucketUs / 1_000}`, hostName: "a", failures: 0 };
  return ndjsonLine("counts", head, { "reto.granularity": period, "reto.count": count, "reto.lag.avg_ms": 1.5 });
}

/** {"a.b": "long"} of what a server says that a mapping is. */
function fieldsOf(mapping: { properties?: Record<string, object> }, prefix = ""): Record<string, string> {
  const all = Object.entries(mapping.properties ?? {}).map(([name, field]) =>
    "type" in field ? { [prefix + name]: String(field.type) } : fieldsOf(field, `${prefix}${name}.`),
  );
  return Object.assign({}, ...all) as Record<string, string>;
}

describe.skipIf(!hasOpensearch)("documents under the templates, in a real OpenSearch", () => {
  beforeEach(async () => {
    await cleanOpensearch();
    await setupElastic({
      elasticsearch: { name: "Elasticsearch", url: opensearch.url, authorization: null },
      kibana: null,
      templates,
      dashboard: "",
      timeoutMs: 30_000,
      say: () => {},
    });
  });
  afterAll(cleanOpensearch);

  const samples = (["host", "pipeline"] as const).map((name) => ({ name, target: DATA_STREAMS[name] as string }));
  const counts = Object.values(COUNT_INDICES).map(({ prefix }) => ({
    name: "counts" as const,
    target: `${prefix}2026`,
  }));
  const targets: { name: DatasetName; target: string }[] = [...samples, ...counts];

  test.each(targets)(
    "$target: each field has just its type, and one that is not ours gets none",
    async ({ name, target }) => {
      // Every field of the dataset, with a value that a server would guess to be of another type, and one more.
      const values = Object.fromEntries(
        Object.entries(DATASETS[name]).map(([field, type]) => [field, type === "keyword" ? "2026-11-25" : 7]),
      );
      const head = { timestampUs: NOON_US, id: "one", hostName: "2026-11-25", failures: 0 };
      const { "@timestamp": _, "event.id": _id, ...fields } = values;
      const line = ndjsonLine(name, head, { ...fields, "reto.stray": 1, stray: "x" } as object);
      const answer = await bulk([{ action: name === "counts" ? "index" : "create", target, line }]);
      expect(answer.items[0]).toMatchObject({ [name === "counts" ? "index" : "create"]: { status: 201 } });

      const found = Object.values(
        await ask<Record<string, { mappings: { dynamic: string; properties: Record<string, object> } }>>(
          "GET",
          `/${target}/_mapping`,
        ),
      );
      expect(found).toHaveLength(1);
      expect(fieldsOf(found[0]?.mappings ?? {})).toEqual(DATASETS[name]);
      expect(found[0]?.mappings.dynamic).toBe("false");
      // It is kept all the same.
      const hits = await ask<{ hits: { hits: { _source: object }[] } }>("GET", `/${target}/_search`);
      expect(hits.hits.hits[0]?._source).toMatchObject({ stray: "x", reto: { stray: 1 } });
      expect(await ask("GET", `/${target}/_count?q=stray:x`)).toMatchObject({ count: 0 });
    },
  );

  test.each(samples)("$target becomes a data stream, and takes the same sample once", async ({ name, target }) => {
    const line = ndjsonLine(name, { timestampUs: NOON_US, id: "a-1", hostName: "a", failures: 0 }, {});
    const item = { action: "create" as const, target, line };
    expect((await bulk([item])).items[0]?.["create"]?.status).toBe(201);
    expect((await bulk([item])).items[0]?.["create"]?.status).toBe(409);
    expect(await ask("GET", `/_data_stream/${target}`)).toMatchObject({
      data_streams: [{ template: `reto3-${name}` }],
    });
    expect(await ask("GET", `/${target}/_count`)).toMatchObject({ count: 1 });
  });

  test("they come before the ones for metrics-*-* that Elasticsearch brings along", async () => {
    await ask("PUT", "/_index_template/reto3-as-built-in", {
      index_patterns: ["metrics-*-*"],
      data_stream: {},
      priority: 200,
    });
    const line = ndjsonLine("pipeline", { timestampUs: NOON_US, id: "a-1", hostName: "a", failures: 0 }, {});
    await bulk([{ action: "create", target: "metrics-reto.pipeline-other", line }]);
    expect(await ask("GET", "/_data_stream/metrics-reto.*")).toMatchObject({
      data_streams: [{ name: "metrics-reto.pipeline-other", template: "reto3-pipeline" }],
    });
  });

  test("a bucket that is sent again with another count takes the place of what was there", async () => {
    const target = `${COUNT_INDICES["10ms"].prefix}2026.11.25`;
    await bulk([{ action: "index", target, line: countLine(NOON_US, 40) }]);
    await bulk([{ action: "index", target, line: countLine(NOON_US, 52) }]);
    const { hits } = await ask<{ hits: { hits: { _source: { reto: { count: number } } }[] } }>(
      "GET",
      `/${target}/_search`,
    );
    expect(hits.hits.map((hit) => hit._source.reto.count)).toEqual([52]);
  });

  test("a histogram of 10 ms over the counts has the sum of each bucket, also where others are empty", async () => {
    const target = `${COUNT_INDICES["10ms"].prefix}2026.11.25`;
    const sent = [
      [0, 3],
      [10, 5],
      [40, 1],
      [990, 7],
    ] as const;
    const items = sent.map(([ms, count]) => ({
      action: "index" as const,
      target,
      line: countLine(NOON_US + ms * 1_000, count),
    }));
    expect((await bulk(items)).errors).toBe(false);
    const answer = await ask<{
      aggregations: { times: { buckets: { key: number; sum: { value: number } }[] }; peak: { value: number } };
    }>("POST", `/${COUNT_INDICES["10ms"].prefix}*/_search`, {
      size: 0,
      aggs: {
        times: {
          date_histogram: { field: "@timestamp", fixed_interval: "10ms", min_doc_count: 0 },
          aggs: { sum: { sum: { field: "reto.count" } } },
        },
        peak: { max: { field: "reto.count" } },
      },
    });
    const { times, peak } = answer.aggregations;
    expect(times.buckets).toHaveLength(100);
    const full = times.buckets.filter((bucket) => bucket.sum.value > 0);
    expect(full.map((bucket) => [bucket.key - NOON_US / 1_000, bucket.sum.value])).toEqual(
      sent.map(([...pair]) => pair),
    );
    expect(peak.value).toBe(7);
  });

  test("means, percentiles and the last value of LAG and TPS are those of the samples", async () => {
    const lags = Array.from({ length: 100 }, (_, index) => index + 1);
    await bulk(
      lags.map((lag) => ({
        action: "create" as const,
        target: DATA_STREAMS.pipeline,
        line: ndjsonLine(
          "pipeline",
          { timestampUs: NOON_US + lag * 1_000_000, id: `pipeline-${lag}`, hostName: "a", failures: 0 },
          { "reto.tps": 5_000.5, "reto.events": 5_000, "reto.seconds": 1, "reto.lag.p99_ms": lag + 0.25 },
        ),
      })),
    );
    const answer = await ask<{
      aggregations: {
        avg: { value: number };
        percentiles: { values: Record<string, number> };
        tps: { value: number };
        last: { hits: { hits: { _source: { reto: { lag: object } } }[] } };
      };
    }>("POST", `/${DATA_STREAMS.pipeline}/_search`, {
      size: 0,
      query: { term: { "event.dataset": "reto.pipeline" } },
      aggs: {
        avg: { avg: { field: "reto.lag.p99_ms" } },
        percentiles: { percentiles: { field: "reto.lag.p99_ms", percents: [50] } },
        tps: { avg: { field: "reto.tps" } },
        last: { top_hits: { size: 1, sort: [{ "@timestamp": "desc" }] } },
      },
    });
    const { avg, percentiles, tps, last } = answer.aggregations;
    expect(avg.value).toBe(50.75);
    expect(percentiles.values["50.0"]).toBeCloseTo(50.75, 0);
    expect(tps.value).toBe(5_000.5);
    expect(last.hits.hits[0]?._source.reto.lag).toEqual({ p99_ms: 100.25 });
  });

  test("indices are made without copies, and counts with the stronger compression", async () => {
    const target = `${COUNT_INDICES["1s"].prefix}2026.11`;
    await bulk([{ action: "index", target, line: countLine(NOON_US, 1, "1s") }]);
    const settings = await ask<Record<string, { settings: { index: object } }>>("GET", `/${target}/_settings`);
    expect(settings[target]?.settings.index).toMatchObject({ number_of_replicas: "0", codec: "best_compression" });
  });
});

describe("what only Elasticsearch knows", () => {
  const bodyOf = (name: string, options: Partial<TemplateOptions> = {}, isOpenSearch = false) =>
    templateRequests({ ...templates, ...options }, { isOpenSearch }).find((request) => request.name === name)?.body;

  test("counts are deleted once all of their index are as old as was asked", () => {
    expect(bodyOf("reto3-count-10ms")).toMatchObject({ policy: { phases: { delete: { min_age: "3d" } } } });
    expect(bodyOf("reto3-count-1s")).toMatchObject({ policy: { phases: { delete: { min_age: "121d" } } } });
    const keepCounts = { ...templates.keepCounts, "1m": 5_400 };
    expect(bodyOf("reto3-count-1m", { keepCounts })).toMatchObject({
      policy: { phases: { delete: { min_age: "527130m" } } },
    });
  });

  test("what is kept for good has a policy that deletes nothing, and a data stream no retention", () => {
    expect(Object.keys((bodyOf("reto3-count-1m") as { policy: { phases: object } }).policy.phases)).toEqual(["hot"]);
    expect(bodyOf("reto3-sample-lifecycle")).toMatchObject({ template: { lifecycle: { data_retention: "7d" } } });
    expect(bodyOf("reto3-sample-lifecycle", { keepSamples: null })).toMatchObject({ template: { lifecycle: {} } });
  });

  test("every template that is referred to is put before, and OpenSearch is asked for nothing that it does not know", () => {
    for (const isOpenSearch of [false, true]) {
      const seen = new Set<string>();
      for (const { kind, name, body } of templateRequests(templates, { isOpenSearch })) {
        const { composed_of = [] } = body as { composed_of?: string[] };
        for (const part of composed_of) expect(seen).toContain(part);
        if (kind === "component template") seen.add(name);
        if (isOpenSearch) expect(JSON.stringify(body)).not.toContain("lifecycle");
      }
      expect(seen.size).toBe(isOpenSearch ? 5 : 9);
    }
  });
});
