// What each path answers. Gets the writer and the store handed in; owns the statuses and the refusal counters.
//
//     POST /         one event      200 only when it is durable
//     GET  /         200, as existing clients check; for a browser the page
//     GET  /counts   the counts of a range, from the store
//     GET  /live     what happens, as a stream (src/live-messages.ts)
//     GET  /healthz  /readyz  /metrics
//
// Where there are tokens, POST / wants one of `tokens.write`, GET /counts, /live and /metrics one of `tokens.read`. The others
// are open: balancers ask them, a browser must begin somewhere, and they tell nothing.

import type { BunRequest } from "bun";
import type { Clock } from "../clock.ts";
import { BODY_BYTES_MAX, COUNTS_REQUESTS_MAX, QUEUE_EVENTS_MAX, VIEWERS_MAX } from "../config.ts";
import { formatAnswer, type Format } from "../counts/format.ts";
import { resolveRange } from "../counts/range.ts";
import { readCounts, type Bucket } from "../counts/read.ts";
import { settlesWithin } from "../deadline.ts";
import { messageOf, Reto3Error } from "../errors.ts";
import { parseEvent } from "../event.ts";
import { Histogram } from "../histogram.ts";
import { LiveFeed } from "../live/feed.ts";
import type { Store, StoreGauges } from "../store/store.ts";
import type { Outcome } from "../writer/batch.ts";
import type { Writer } from "../writer/writer.ts";
import type { Question, Report } from "./channel.ts";
import { samplesIn } from "./exposition.ts";
import { liveStream } from "./live.ts";
import { createPage, wantsPage } from "./page.ts";
import { eventLoopMetrics, processMetrics, type EventLoop } from "./process-metrics.ts";
import { metricsText, REFUSALS, type HttpStats, type Refusal, type UpkeepNumbers } from "./metrics.ts";
import type { Tokens } from "./tokens.ts";

export interface RouteContext {
  writer: Writer;
  store: Store;
  clock: Clock;
  version: string;
  /** Of the source that was built; "" where it is not known. */
  commit: string;
  /** Microseconds; null where the store has no clock of its own. */
  clockOffsetUs: () => number | null;
  upkeep: UpkeepNumbers;
  eventLoop: EventLoop;
  /** Who may send events, and who may read; absent: everybody who reaches the server. */
  tokens?: { write?: Tokens; read?: Tokens };
  /** Whether raw events are stored, beside the counts. */
  keep: "events" | "summary";
  /** What a browser is shown; absent: what every client is. */
  page?: { html: string };
  /** Told of errors that no route expected. */
  onError: (error: unknown) => void;
  /** True from the first SIGTERM on. */
  draining: () => boolean;
  /** What all say that share the port; absent: this process is alone. */
  reportOfAll?: (question: Question) => Promise<Report>;
}

/** What clients of this protocol expect, to the letter. */
const STORED_BODY = "<html><body><h1>POST!</h1></body></html>";
/** Made once: this is most of what the server ever answers. */
const STORED = { status: 200, headers: new Headers({ "Content-Type": "text/html" }) };
const HOME_BODY = "<html><body><h1>reto3</h1></body></html>";
const RETRY_AFTER_SECONDS = "1";

/** So long a server that gave up a flush gets no traffic; then it is tried again, for without traffic no flush would ever show that the store is well. */
const REFUSED_HOLD_MS = 10_000;

/** A store that does not answer a ping by then is not ready. */
const PING_TIMEOUT_MS = 1_000;

type Handler = (request: BunRequest) => Response | Promise<Response>;

/** `report`: what this process says of itself. `feed`: what it says to who looks on; to be ended before the server is. */
export function createRoutes(context: RouteContext): {
  routes: Record<string, Handler>;
  report: (question: Question) => Promise<Report>;
  feed: LiveFeed;
} {
  const http: HttpStats = {
    refused: Object.fromEntries(REFUSALS.map((reason) => [reason, 0])) as Record<Refusal, number>,
    countsRefused: 0,
    readsUnauthorized: 0,
    liveRefused: { too_many: 0, too_slow: 0 },
    ackLatencyUs: new Histogram(),
  };
  let countsRunning = 0;
  const getOnly = (handler: Handler): Handler => {
    return (request) => (isGet(request) ? handler(request) : methodNotAllowed("GET, HEAD"));
  };
  const readersOnly = (handler: Handler): Handler => {
    return getOnly((request) => {
      if (mayAsk(context.tokens?.read, request)) return handler(request);
      http.readsUnauthorized++;
      return unauthorized(context, "--read-token-file");
    });
  };
  const report = (question: Question) => reportOf(context, http, feed.viewers, question);
  const { reportOfAll = report } = context;
  const feed = new LiveFeed({
    ...context,
    report: async () => {
      const { problem, metrics } = await reportOfAll("metrics");
      return { problem, samples: samplesIn(metrics) };
    },
  });
  const page = context.page && createPage(context.page.html);
  const routes: Record<string, Handler> = {
    "/": (request) => {
      if (request.method === "POST") {
        // Before its body: who may not send has nothing of it read.
        if (mayAsk(context.tokens?.write, request)) return postEvent(context, http, request);
        http.refused.unauthorized++;
        return unauthorized(context, "--token-file");
      }
      if (isGet(request)) {
        if (page && wantsPage(request)) return page(request, headersOf(context));
        return answer(context, 200, HOME_BODY, "text/html", page && { Vary: "Accept" });
      }
      http.refused.method++;
      return methodNotAllowed("GET, HEAD, POST");
    },
    "/counts": readersOnly((request) => {
      if (countsRunning >= COUNTS_REQUESTS_MAX) {
        http.countsRefused++;
        const text = `${COUNTS_REQUESTS_MAX} such questions are being answered already; try again later\n`;
        return answer(context, 503, text, "text/plain", { "Retry-After": RETRY_AFTER_SECONDS });
      }
      countsRunning++;
      return getCounts(context, request, () => countsRunning--);
    }),
    "/live": readersOnly((request) => {
      const stream = context.draining() ? undefined : liveStream(feed, http, request);
      const text = context.draining() ? "shutting down" : `${VIEWERS_MAX} look on already; try again later`;
      return stream ?? answer(context, 503, `${text}\n`, "text/plain", { "Retry-After": RETRY_AFTER_SECONDS });
    }),
    "/healthz": getOnly(() => answer(context, 200, "ok\n")),
    "/readyz": getOnly(async () => {
      const { problem } = await reportOfAll("readyz");
      return problem === null ? answer(context, 200, "ready\n") : answer(context, 503, `not ready: ${problem}\n`);
    }),
    "/metrics": readersOnly(async () => {
      const { problem, metrics } = await reportOfAll("metrics");
      if (metrics === "") return answer(context, 503, `no metrics: ${problem}\n`);
      return answer(context, 200, metrics, "text/plain; version=0.0.4");
    }),
  };
  return { routes, report, feed };
}

async function reportOf(context: RouteContext, http: HttpStats, viewers: number, question: Question): Promise<Report> {
  if (question === "readyz") return { problem: (await notReady(context)) ?? null, metrics: "" };
  const { version, commit, store, writer } = context;
  const [problem, gauges] = await Promise.all([notReady(context), gaugesIn(store)]);
  const source = {
    version,
    commit,
    store: store.info,
    gauges,
    writer,
    http,
    viewers,
    ready: problem === undefined,
    queueEventsMax: QUEUE_EVENTS_MAX,
  };
  const text = metricsText({ ...source, clockOffsetUs: context.clockOffsetUs(), upkeep: context.upkeep });
  return { problem: problem ?? null, metrics: text + processMetrics() + eventLoopMetrics(context.eventLoop) };
}

export function notFound(): Response {
  return new Response("not found; there are /, /counts, /live, /healthz, /readyz and /metrics\n", { status: 404 });
}

async function postEvent(context: RouteContext, http: HttpStats, request: BunRequest): Promise<Response> {
  const refuse = (reason: Refusal, status: number, text: string, headers?: Record<string, string>) => {
    http.refused[reason]++;
    return answer(context, status, `${text}\n`, "text/plain", headers);
  };
  let body: string;
  try {
    body = await request.text();
  } catch {
    // The client went away in the middle of it.
    return refuse("invalid", 400, "the body did not come whole");
  }
  const startedMs = performance.now();
  if (body.length > BODY_BYTES_MAX) {
    return refuse("too_large", 413, `the body has more than ${BODY_BYTES_MAX} bytes; want one event, 90 bytes at most`);
  }
  let outcome: Outcome;
  try {
    outcome = await context.writer.add(parseEvent(body));
  } catch (error) {
    const code = error instanceof Reto3Error ? error.code : undefined;
    if (code === "EVENT_INVALID") return refuse("invalid", 400, messageOf(error));
    const later = { "Retry-After": RETRY_AFTER_SECONDS };
    if (code === "QUEUE_FULL") return refuse("queue_full", 503, messageOf(error), later);
    if (code === "DRAINING") return refuse("draining", 503, messageOf(error), later);
    throw error;
  }
  if (outcome === "unknown") {
    return refuse("timeout", 504, "no durable answer in time; the event may be stored, or may be later");
  }
  if (outcome === "refused") {
    return refuse("store_refused", 503, "the store refused; the event was not stored", {
      "Retry-After": RETRY_AFTER_SECONDS,
    });
  }
  http.ackLatencyUs.record((performance.now() - startedMs) * 1_000);
  return context.draining() ? answer(context, 200, STORED_BODY, "text/html") : new Response(STORED_BODY, STORED);
}

async function getCounts(context: RouteContext, request: BunRequest, onEnd: () => void): Promise<Response> {
  const { store, clock } = context;
  try {
    const nowUs = clock.nowUs();
    const range = resolveRange(queryOf(request), nowUs, (key) => `parameter ${key}`);
    const question = { ...range, nowUs, source: "counts" as const, signal: request.signal };
    const reading = readCounts(store, question);
    // The first portion before the head: an error of the store still gets a status of its own.
    const buckets = await startReading(reading.buckets);
    const format = acceptedFormat(request);
    const types = { json: "application/json", text: "text/plain; charset=utf-8", csv: "text/csv; charset=utf-8" };
    const stream = textStream(formatAnswer(format, question, buckets, reading), onEnd);
    return new Response(stream, { headers: { ...headersOf(context), "Content-Type": types[format] } });
  } catch (error) {
    onEnd();
    const code = error instanceof Reto3Error ? error.code : undefined;
    const status = code === "USAGE" ? 400 : code === "EXPIRED" ? 410 : 503;
    return answer(context, status, `${messageOf(error)}\n`);
  }
}

/** The parameters of the query; throws USAGE for one that is unknown or given twice. */
function queryOf(request: BunRequest): Record<"period" | "from" | "to" | "last", string | undefined> {
  const { url } = request;
  const at = url.indexOf("?");
  const query: Record<string, string | undefined> = {};
  for (const [name, value] of new URLSearchParams(at < 0 ? "" : url.slice(at + 1))) {
    if (!["period", "from", "to", "last"].includes(name) || query[name] !== undefined) {
      throw new Reto3Error("USAGE", `parameter ${name}: unknown or given twice; want period, from, to, last`);
    }
    query[name] = value;
  }
  return { period: query["period"], from: query["from"], to: query["to"], last: query["last"] };
}

function acceptedFormat(request: BunRequest): Format {
  const accept = request.headers.get("accept") ?? "";
  if (accept.includes("application/json")) return "json";
  if (accept.includes("text/csv")) return "csv";
  return accept.includes("text/plain") ? "text" : "json";
}

/** Reads up to the first portion, so that what goes wrong at the start is thrown here. */
async function startReading(buckets: AsyncIterable<Bucket[]>): Promise<AsyncIterable<Bucket[]>> {
  const iterator = buckets[Symbol.asyncIterator]();
  const first = await iterator.next();
  return (async function* () {
    for (let next = first; !next.done; next = await iterator.next()) yield next.value;
  })();
}

/** `onEnd` is called once, whether the stream ends, fails or is cancelled. */
function textStream(portions: AsyncGenerator<string>, onEnd: () => void): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const untilEnd = (async function* () {
    try {
      yield* portions;
    } finally {
      onEnd();
    }
  })();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await untilEnd.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
    async cancel() {
      await untilEnd.return(undefined);
    },
  });
}

async function notReady({ draining, writer, store }: RouteContext): Promise<string | undefined> {
  if (draining()) return "shutting down";
  if (writer.queuedEvents >= QUEUE_EVENTS_MAX) return "the queue is full";
  if (writer.health === "refused" && writer.givenUpAgoMs < REFUSED_HOLD_MS) return "the store refused events";
  if (writer.health === "unknown" && writer.queuedEvents > 0) return "the store does not take events in time";
  // Nothing is on its way that could tell: without this, a server that gets no traffic would never be ready again.
  const answers = writer.queuedEvents > 0 || (await pings(store));
  return answers ? undefined : "the store does not answer";
}

/** A store that does not say in time says nothing. */
async function gaugesIn(store: Store): Promise<StoreGauges> {
  const nothing = { logBytes: null, diskFreeBytes: null };
  try {
    const gauges = store.gauges();
    return (await settlesWithin(gauges, PING_TIMEOUT_MS)) ? await gauges : nothing;
  } catch {
    return nothing;
  }
}

async function pings(store: Store): Promise<boolean> {
  try {
    return await settlesWithin(store.ping(), PING_TIMEOUT_MS);
  } catch {
    return false;
  }
}

function isGet(request: BunRequest): boolean {
  return request.method === "GET" || request.method === "HEAD";
}

function mayAsk(tokens: Tokens | undefined, request: BunRequest): boolean {
  return tokens === undefined || tokens.accepts(request.headers.get("authorization"));
}

/** `flag`: of serve, where its tokens come from. */
function unauthorized(context: RouteContext, flag: string): Response {
  const text = `unauthorized; want "Authorization: Bearer TOKEN" with a token of the server's ${flag}\n`;
  return answer(context, 401, text, "text/plain", { "WWW-Authenticate": "Bearer" });
}

function methodNotAllowed(allow: string): Response {
  return new Response(`method not allowed; want ${allow}\n`, { status: 405, headers: { Allow: allow } });
}

function answer(
  context: RouteContext,
  status: number,
  body: string,
  type = "text/plain",
  headers?: Record<string, string>,
): Response {
  return new Response(body, { status, headers: { "Content-Type": type, ...headersOf(context), ...headers } });
}

/** A kept-alive connection is told to go while the server shuts down. */
function headersOf(context: RouteContext): Record<string, string> {
  return context.draining() ? { Connection: "close" } : {};
}
