// The setup against a real OpenSearch; what that cannot show, such as users, TLS and a Kibana, against small servers that answer
// as the real ones are documented to. Kibana itself does not run here: that it takes the dashboard is not shown by these tests.

import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { chooseFreePort } from "../../scripts/cassandra/ports.ts";
import { cleanOpensearch, hasOpensearch, sharedOpensearch } from "../../test/support/opensearch.ts";
import type { Reto3Error } from "../errors.ts";
import { setupElastic, type SetupOptions } from "./setup.ts";

const opensearch = hasOpensearch ? await sharedOpensearch() : { url: "" };

const DASHBOARD = '{"type":"dashboard","id":"reto3"}\n';

/** Runs the setup; resolves with the lines that it said. */
async function setUp(
  elasticsearch: string,
  options: { kibana?: string; authorization?: string; timeoutMs?: number } & Partial<SetupOptions["templates"]> = {},
): Promise<string[]> {
  const { kibana, authorization = null, timeoutMs = 10_000, ...templates } = options;
  const lines: string[] = [];
  await setupElastic({
    elasticsearch: { name: "Elasticsearch", url: elasticsearch, authorization },
    kibana: kibana === undefined ? null : { name: "Kibana", url: kibana, authorization },
    templates: {
      replicas: 0,
      keepSamples: 604_800,
      keepCounts: { "10ms": 172_800, "1s": null, "1m": null },
      ...templates,
    },
    dashboard: DASHBOARD,
    timeoutMs,
    say: (line) => lines.push(line),
  });
  return lines;
}

/** The error that the setup ends with. */
async function failureOf(run: Promise<unknown>): Promise<Reto3Error> {
  const error: unknown = await run.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ code: "REMOTE" });
  return error as Reto3Error;
}

interface Seen {
  method: string;
  path: string;
  headers: Headers;
  body: string;
}

/** A server on loopback that answers with what `answer` returns: a status and what is its JSON. */
function standIn(answer: (seen: Seen) => [status: number, body: unknown]) {
  const seen: Seen[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      const one = {
        method: request.method,
        path: pathname + search,
        headers: request.headers,
        body: await request.text(),
      };
      seen.push(one);
      const [status, body] = answer(one);
      return Response.json(body, { status });
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, seen, [Symbol.dispose]: () => void server.stop(true) };
}

const ELASTICSEARCH = { version: { number: "9.5.5", build_flavor: "default" }, cluster_uuid: "u" };

/** Elasticsearch with what is in `stored`, by path; it keeps what is put, and adds what the real one is documented to add. */
function elasticsearchStandIn(stored: Map<string, unknown> = new Map()) {
  return standIn(({ method, path, body }) => {
    if (path === "/") return [200, ELASTICSEARCH];
    if (method === "PUT") stored.set(path, JSON.parse(body));
    const found = stored.get(path);
    if (path.startsWith("/_data_stream/")) return [200, found ?? { data_streams: [] }];
    if (found === undefined) return [404, { error: { reason: "not there" }, status: 404 }];
    const name = path.split("/").at(-1) ?? "";
    if (path.startsWith("/_ilm")) return [200, { [name]: { version: 1, modified_date: "2026-11-25", ...found } }];
    const kind = path.startsWith("/_component") ? "component_template" : "index_template";
    return [200, { [`${kind}s`]: [{ name, [kind]: { ...found, created_date: 1 } }] }];
  });
}

/** A Kibana that is available and answers an import with `imported`. */
function kibanaStandIn(imported: unknown, status = 200) {
  return standIn(({ path }) =>
    path === "/api/status" ? [200, { status: { overall: { level: "available" } } }] : [status, imported],
  );
}

describe.skipIf(!hasOpensearch)("on a real OpenSearch", () => {
  beforeEach(cleanOpensearch);
  afterAll(cleanOpensearch);

  test("the first run makes all, the second changes nothing, a third only what was asked otherwise", async () => {
    const first = await setUp(opensearch.url);
    expect(first.slice(0, 2)).toEqual([
      expect.stringMatching(/^OpenSearch 2\.\d+\.\d+ at http:/),
      "this is OpenSearch: the lifecycles, which only Elasticsearch knows, are left out; nothing is deleted by itself",
    ]);
    expect(first.slice(2)).toEqual([
      "component template reto3-sample-settings: made",
      "component template reto3-count-settings: made",
      "component template reto3-host-mappings: made",
      "component template reto3-pipeline-mappings: made",
      "component template reto3-count-mappings: made",
      "index template reto3-host: made",
      "index template reto3-pipeline: made",
      "index template reto3-count-10ms: made",
      "index template reto3-count-1s: made",
      "index template reto3-count-1m: made",
    ]);
    const second = await setUp(opensearch.url);
    expect(second.slice(2)).toEqual(first.slice(2).map((line) => line.replace("made", "already so")));
    const third = await setUp(opensearch.url, { replicas: 1 });
    expect(third.filter((line) => line.endsWith("changed"))).toEqual([
      "component template reto3-sample-settings: changed",
      "component template reto3-count-settings: changed",
    ]);
  });

  test("a field that somebody has added to a template is taken out again", async () => {
    await setUp(opensearch.url);
    const path = `${opensearch.url}/_component_template/reto3-count-mappings`;
    const { component_templates } = (await (await fetch(path)).json()) as {
      component_templates: { component_template: { template: { mappings: { properties: Record<string, object> } } } }[];
    };
    const stored = component_templates[0]?.component_template;
    stored!.template.mappings.properties["stray"] = { type: "keyword" };
    const headers = { "content-type": "application/json" };
    await fetch(path, { method: "PUT", headers, body: JSON.stringify(stored) });
    const lines = await setUp(opensearch.url);
    expect(lines.filter((line) => !line.endsWith("already so")).slice(2)).toEqual([
      "component template reto3-count-mappings: changed",
    ]);
    expect(await (await fetch(path)).text()).not.toContain("stray");
  });

  test("a template that the server refuses is named, with the server's reasons", async () => {
    // Twice the same pattern with the same priority is refused.
    const headers = { "content-type": "application/json" };
    const path = `${opensearch.url}/_index_template/reto3-other`;
    const body = JSON.stringify({ index_patterns: ["reto-count-1s-*"], priority: 500 });
    expect((await fetch(path, { method: "PUT", headers, body })).status).toBe(200);
    const error = await failureOf(setUp(opensearch.url));
    expect(error.message).toStartWith(
      "Elasticsearch refuses PUT /_index_template/reto3-count-1s with 400: index template [reto3-count-1s] has index patterns [reto-count-1s-*]",
    );
    expect(error.message).toContain("[reto3-other]");
  });
});

describe("on Elasticsearch, which is played by a small server here", () => {
  test("lifecycles come as well, and a second run finds them as they were", async () => {
    using elasticsearch = elasticsearchStandIn();
    const first = await setUp(elasticsearch.url);
    expect(first[0]).toBe(`Elasticsearch 9.5.5 at ${elasticsearch.url}`);
    expect(first.filter((line) => line.includes("lifecycle"))).toEqual([
      "lifecycle policy reto3-count-10ms: made",
      "lifecycle policy reto3-count-1s: made",
      "lifecycle policy reto3-count-1m: made",
      "component template reto3-sample-lifecycle: made",
      "component template reto3-count-10ms-lifecycle: made",
      "component template reto3-count-1s-lifecycle: made",
      "component template reto3-count-1m-lifecycle: made",
    ]);
    const second = await setUp(elasticsearch.url);
    expect(second.slice(1).every((line) => line.endsWith(": already so"))).toBe(true);
    const third = await setUp(elasticsearch.url, { keepCounts: { "10ms": 172_800, "1s": 86_400, "1m": null } });
    expect(third.filter((line) => line.endsWith("changed"))).toEqual(["lifecycle policy reto3-count-1s: changed"]);
  });

  test("a data stream that is there already is told how long it keeps its documents", async () => {
    const stream = (name: string, retention: string) => ({
      data_streams: [{ name, lifecycle: { enabled: true, data_retention: retention } }],
    });
    const stored = new Map<string, unknown>([
      ["/_data_stream/metrics-reto.host-*", stream("metrics-reto.host-default", "7d")],
      ["/_data_stream/metrics-reto.pipeline-*", stream("metrics-reto.pipeline-default", "30d")],
    ]);
    using elasticsearch = elasticsearchStandIn(stored);
    expect((await setUp(elasticsearch.url)).slice(-2)).toEqual([
      "data stream metrics-reto.host-default, its lifecycle: already so",
      "data stream metrics-reto.pipeline-default, its lifecycle: changed",
    ]);
    expect(stored.get("/_data_stream/metrics-reto.pipeline-default/_lifecycle")).toEqual({ data_retention: "7d" });
  });

  test("all that is for Elasticsearch comes before anything for Kibana", async () => {
    const order: string[] = [];
    using elasticsearch = standIn(({ method, path }) => {
      if (method === "PUT") order.push("put");
      return path === "/" ? [200, ELASTICSEARCH] : method === "PUT" ? [200, {}] : [404, {}];
    });
    using kibana = standIn(({ path }) => {
      order.push(path);
      return [200, { status: { overall: { level: "available" } }, success: true, successCount: 1 }];
    });
    await setUp(elasticsearch.url, { kibana: kibana.url });
    expect([...new Set(order)]).toEqual(["put", "/api/status", "/api/saved_objects/_import?overwrite=true"]);
  });

  test("a node without a cluster, or a server that is overloaded, is waited for and told of", async () => {
    const answers: [number, unknown][] = [
      [503, { error: { reason: "starting" } }],
      [200, { ...ELASTICSEARCH, cluster_uuid: "_na_" }],
    ];
    using elasticsearch = standIn(({ path, method }) =>
      path === "/" ? (answers.shift() ?? [200, ELASTICSEARCH]) : method === "PUT" ? [200, {}] : [404, {}],
    );
    const lines = await setUp(elasticsearch.url);
    expect(lines.slice(0, 2)).toEqual([
      `waiting for Elasticsearch at ${elasticsearch.url}: it answers 503: starting`,
      `Elasticsearch 9.5.5 at ${elasticsearch.url}`,
    ]);
    expect(elasticsearch.seen.filter(({ path }) => path === "/")).toHaveLength(3);
  });
});

test("the reasons of a refusal come with their causes", async () => {
  const error = {
    reason: "template is invalid",
    caused_by: { reason: "template is invalid", caused_by: { reason: "no handler for type [strange]" } },
  };
  using elasticsearch = standIn(({ path, method }) =>
    path === "/" ? [200, ELASTICSEARCH] : method === "PUT" ? [400, { error, status: 400 }] : [404, {}],
  );
  expect((await failureOf(setUp(elasticsearch.url))).message).toBe(
    "Elasticsearch refuses PUT /_ilm/policy/reto3-count-10ms with 400: template is invalid: no handler for type [strange]",
  );
});

describe("the dashboard for Kibana, which is played by a small server here", () => {
  test("is sent as a file with the header that Kibana wants, and who asks", async () => {
    using elasticsearch = elasticsearchStandIn();
    using kibana = kibanaStandIn({ success: true, successCount: 4 });
    const lines = await setUp(elasticsearch.url, { kibana: kibana.url, authorization: "ApiKey secret" });
    expect(lines.at(-1)).toBe(`Kibana at ${kibana.url}: 4 objects imported, the dashboard among them`);
    const sent = kibana.seen.at(-1);
    expect([sent?.method, sent?.path]).toEqual(["POST", "/api/saved_objects/_import?overwrite=true"]);
    expect(sent?.headers.get("kbn-xsrf")).toBe("reto3");
    expect(sent?.headers.get("authorization")).toBe("ApiKey secret");
    const headers = { "content-type": sent?.headers.get("content-type") ?? "" };
    expect(headers["content-type"]).toStartWith("multipart/form-data; boundary=");
    const form = await new Response(sent?.body ?? "", { headers }).formData();
    expect([...form.keys()]).toEqual(["file"]);
    const file = form.get("file") as File;
    expect(file.name).toBe("reto3.ndjson");
    expect(await file.text()).toBe(DASHBOARD);
  });

  test("an import that failed in part, which Kibana answers with 200, is an error that names the objects", async () => {
    using elasticsearch = elasticsearchStandIn();
    using kibana = kibanaStandIn({
      success: false,
      successCount: 1,
      errors: [
        {
          type: "dashboard",
          id: "reto3",
          error: { type: "missing_references", references: [{ type: "index-pattern", id: "reto-host" }] },
        },
      ],
    });
    const error = await failureOf(setUp(elasticsearch.url, { kibana: kibana.url }));
    expect(error.message).toBe(
      'Kibana did not import the dashboard: dashboard "reto3": missing_references, [{"type":"index-pattern","id":"reto-host"}]',
    );
  });

  test("success without true, or a refusal, is an error as well", async () => {
    using elasticsearch = elasticsearchStandIn();
    using odd = kibanaStandIn({ successCount: 1 });
    expect((await failureOf(setUp(elasticsearch.url, { kibana: odd.url }))).message).toContain("did not import");
    using refusing = kibanaStandIn({ statusCode: 500, message: "An internal server error occurred." }, 500);
    expect((await failureOf(setUp(elasticsearch.url, { kibana: refusing.url }))).message).toBe(
      "Kibana refuses POST /api/saved_objects/_import?overwrite=true with 500: An internal server error occurred.",
    );
  });

  test("a Kibana that never becomes available is told of, with what it said last", async () => {
    using elasticsearch = elasticsearchStandIn();
    using kibana = standIn(() => [200, { status: { overall: { level: "degraded" } } }]);
    const error = await failureOf(setUp(elasticsearch.url, { kibana: kibana.url, timeoutMs: 1 }));
    expect(error.message).toBe(`Kibana at ${kibana.url} is not ready after 1ms: it is degraded`);
    expect(error.hint).toContain("--kibana none");
  });

  test("something else that answers there is told of at once", async () => {
    using elasticsearch = elasticsearchStandIn();
    const error = await failureOf(setUp(elasticsearch.url, { kibana: elasticsearch.url }));
    expect(error.message).toBe(`what answers at ${elasticsearch.url} is not Kibana: 404, not there`);
  });
});

describe("servers that cannot be asked", () => {
  test("nobody listens: the error says so when the time is over, and how to name another", async () => {
    const url = `http://127.0.0.1:${chooseFreePort(["127.0.0.1"], new Set())}`;
    const error = await failureOf(setUp(url, { timeoutMs: 1 }));
    expect(error.message).toBe(`Elasticsearch at ${url} is not ready after 1ms: ECONNREFUSED`);
    expect(error.hint).toBe("is it running there? name it with --elasticsearch, or give it longer with --timeout");
  });

  test.each([401, 403])("%i is told of at once, with who may ask; a password is nowhere in it", async (status) => {
    using elasticsearch = standIn(() => [status, { error: { reason: "unable to authenticate" }, status }]);
    const error = await failureOf(setUp(elasticsearch.url, { authorization: "Basic c2VjcmV0" }));
    expect(error.message).toBe(
      `Elasticsearch at ${elasticsearch.url} refuses GET / with this user or key: ${status}, unable to authenticate`,
    );
    expect(error.hint).toContain("RETO3_ELASTIC_PASSWORD");
    expect(Bun.inspect(error)).not.toContain("c2VjcmV0");
    expect(elasticsearch.seen[0]?.headers.get("authorization")).toBe("Basic c2VjcmV0");
  });

  test("https to a server without TLS, and http to one that hangs up, are told apart from one that is down", async () => {
    using plain = elasticsearchStandIn();
    const error = await failureOf(setUp(plain.url.replace("http:", "https:"), { timeoutMs: 60_000 }));
    expect(error.message).toEndWith("it does not speak TLS there");
    expect(error.hint).toContain("want http://");

    const hangsUp = Bun.listen({ port: 0, hostname: "127.0.0.1", socket: { data: (socket) => void socket.end() } });
    try {
      const other = await failureOf(setUp(`http://127.0.0.1:${hangsUp.port}`, { timeoutMs: 1 }));
      expect(other.message).toEndWith("it hangs up without an answer; does it want https://?");
    } finally {
      hangsUp.stop(true);
    }
  });

  test("a server that is not Elasticsearch is told of at once", async () => {
    using other = standIn(() => [200, { hello: "world" }]);
    expect((await failureOf(setUp(other.url))).message).toBe(
      `what answers at ${other.url} is not Elasticsearch: 200, "{\\"hello\\":\\"world\\"}"`,
    );
  });
});
