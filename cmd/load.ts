// `reto3 load`: sends events at a given rate whatever the server does, then proves that what was acked was counted.

import { openSync } from "node:fs";
import { messageOf, Reto3Error } from "../src/errors.ts";
import { Attack } from "../src/load/attack.ts";
import { checkCounts, takeBaseline, type Access, type CheckResult } from "../src/load/check.ts";
import type { Target } from "../src/load/connection.ts";
import {
  ARRIVALS,
  burstySchedule,
  poissonSchedule,
  steadySchedule,
  type Arrivals,
  type Schedule,
} from "../src/load/pacer.ts";
import type { LatencySummary, LoadRecord, LoadResult } from "../src/load/result.ts";
import { formatDurationMs } from "../src/units.ts";
import { isLoopback, parseServerUrl, wantTlsForCa } from "./server-url.ts";
import { readCa, readTokens } from "./secret-files.ts";
import { defineCommand, duration, oneOf, text, whole, type Values } from "./flags.ts";
import { log, print, progress } from "./output.ts";

const CONNECTIONS_MAX = 10_000;
const BURST_EVENTS = 50;
const BURST_EVENTS_MAX = 100_000;
const SEED_MAX = 2 ** 32 - 1;
const RECORD_BUFFER_BYTES = 1024 * 1024;

const flags = {
  url: text("url", { default: "http://127.0.0.1:8080/", env: "RETO3_URL", description: "where to POST" }),
  "token-file": text("file", {
    env: "RETO3_TOKEN_FILE",
    description: "sends the first token in this file with each event",
  }),
  "read-token-file": text("file", {
    env: "RETO3_READ_TOKEN_FILE",
    description: "asks GET /counts with the first token in this file",
  }),
  ca: text("file", {
    env: "RETO3_CA",
    description: "trusts an https:// server by the certificates in this file (PEM), instead of those that all trust",
  }),
  rps: whole("number", 1, 1_000_000, { default: "5000", description: "events a second, on average" }),
  duration: duration({ default: "10s", description: "how long to send" }),
  arrivals: oneOf(ARRIVALS, {
    default: "steady",
    description: "when events are due: evenly spaced, each by chance, or by chance in bursts",
  }),
  burst: whole("number", 1, BURST_EVENTS_MAX, {
    description: `bursty: events in a burst, on average; default: ${BURST_EVENTS}`,
  }),
  seed: whole("number", 0, SEED_MAX, {
    description: "poisson, bursty: the same due times again; default: by chance, and told",
  }),
  connections: whole("number", 1, CONNECTIONS_MAX, {
    description: "connections at most, opened as they are needed; default: a tenth of --rps or four bursts, 16 to 4000",
  }),
  "requests-per-connection": whole("number", 0, 1_000_000, {
    default: "0",
    description: "close each connection after so many answers; 0: keep them",
  }),
  timeout: duration({ default: "10s", description: "a request without an answer by then is of unknown outcome" }),
  settle: duration({
    default: "90s",
    minMs: 0,
    description: "how long to wait for events of unknown outcome to be counted",
  }),
  record: text("file", { description: "write one JSON line a request to this file" }),
  format: oneOf(["text", "json"], { default: "text", description: "how to print the result" }),
};

export const command = defineCommand({
  name: "load",
  summary: "Sends events at a fixed rate (open loop) and proves that what was acked was counted",
  flags,
  notes: `--rps times --duration events are sent. --arrivals poisson: as clients that know nothing of each other. bursty: bursts come
as such clients do, the events of each at the same moment, of sizes that vary (geometric): the counts have
2 x burst - 1 times the variance of Poisson's. When random arrivals end varies a little.

Latency counts from when an event was due, so a slow server cannot hide what it makes others wait.
The send error is how late events left: for want of this machine's time, or of a free connection.
At the end it asks GET /counts and checks  acked <= counted <= acked + unknown;  nobody else may send
events to that store meanwhile.

Exit status: 0 all was acked and counted, 1 the check failed or nothing was acked,
3 the check holds but some events were not acked. It ends at the first answer 401.

Examples:
  reto3 load --rps 5000 --duration 10s
  reto3 load --rps 20000 --duration 1m --format json > run.json
  reto3 load --arrivals bursty --burst 200 --seed 1
  reto3 load --rps 500 --requests-per-connection 10 --record run.ndjson
  reto3 load --url https://reto3.example:8080/ --ca ca.pem --token-file tokens --read-token-file read-tokens`,
  run: load,
});

async function load(values: Values<typeof flags>): Promise<number> {
  const plan = planOf(values);
  const url = parseServerUrl(values.url);
  wantTlsForCa(url, values.ca);
  const ca = values.ca === undefined ? undefined : readCa(values.ca);
  const token = firstToken("--token-file", values["token-file"]);
  const readToken = firstToken("--read-token-file", values["read-token-file"]);
  if ((token ?? readToken) !== undefined && url.protocol === "http:" && !isLoopback(url.hostname))
    log.warn(`the token goes to ${url.host} in clear text; want https:// where the server has it`);
  const access: Access = { ...(readToken !== undefined && { token: readToken }), ...(ca !== undefined && { ca }) };
  const records = values.record === undefined ? undefined : openRecords(values.record);
  const baseline = await takeBaseline(values.url, access);
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  process.once("SIGTERM", () => stop.abort());
  const { schedule, seed } = plan;
  if (seed !== null) log.info(`${values.arrivals} arrivals; the same again: --seed ${seed}`);
  log.info(
    `sending ${schedule.total} events to ${values.url}; nobody else may send to that store until the check is done`,
  );
  const attack = new Attack({
    ...targetOf(url, ca),
    ...(token !== undefined && { token }),
    schedule,
    connectionsMax:
      values.connections ?? Math.min(4_000, Math.max(16, Math.ceil(values.rps / 10), 4 * (plan.burst ?? 0))),
    requestsPerConnection: values["requests-per-connection"],
    timeoutMs: values.timeout,
    signal: stop.signal,
    onRecord: (record) => {
      records?.add(record);
      // No other event would be taken either.
      if (record.status === 401) stop.abort();
    },
  });
  const ticker = setInterval(() => progress(progressLine(attack.result, schedule.total)), 1_000);
  const result = await attack.run();
  clearInterval(ticker);
  progress("");
  await records?.close();
  if (result.machineTooSlow) {
    log.warn(
      `this machine, not the server, was too slow for the rate: events left up to ${result.sendError().p99} ms late (p99); ` +
        "want a lower --rps, or load on a machine or a core of its own",
    );
  }
  const { acked, unknown } = result.outcomes;
  if (unknown > 0) {
    const limit = formatDurationMs(values.settle);
    log.info(
      `${unknown} events are of unknown outcome: waiting up to ${limit} (--settle) for those that are counted yet`,
    );
  }
  const check = await checkCounts(values.url, baseline, { acked, unknown }, values.settle, access);
  await print(values.format === "json" ? jsonReport(plan, result, check) : textReport(result, check));
  if (check.problem !== undefined || acked === 0) return 1;
  return acked === result.finished ? 0 : 3;
}

interface Plan {
  arrivals: Arrivals;
  /** Null where the arrivals have none. */
  burst: number | null;
  seed: number | null;
  schedule: Schedule;
}

/** Throws USAGE for a flag that the arrivals have no use for. */
function planOf(values: Values<typeof flags>): Plan {
  const { arrivals, rps, duration: durationMs } = values;
  if (arrivals !== "bursty" && values.burst !== undefined)
    throw new Reto3Error("USAGE", `--burst: ${arrivals} arrivals have no bursts; want --arrivals bursty with it`);
  if (arrivals === "steady") {
    if (values.seed === undefined)
      return { arrivals, burst: null, seed: null, schedule: steadySchedule(rps, durationMs) };
    throw new Reto3Error(
      "USAGE",
      "--seed: steady arrivals owe nothing to chance; want --arrivals poisson or bursty with it",
    );
  }
  const seed = values.seed ?? crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
  if (arrivals === "poisson") return { arrivals, burst: null, seed, schedule: poissonSchedule(rps, durationMs, seed) };
  const burst = values.burst ?? BURST_EVENTS;
  return { arrivals, burst, seed, schedule: burstySchedule(rps, durationMs, burst, seed) };
}

function targetOf({ protocol, hostname, port }: URL, ca: string | undefined): Target {
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  if (protocol === "http:") return { host, port: Number(port || 80) };
  return { host, port: Number(port || 443), tls: ca === undefined ? {} : { ca } };
}

function firstToken(flag: string, file: string | undefined): string | undefined {
  return file === undefined ? undefined : readTokens(flag, file)[0];
}

function openRecords(file: string): { add: (record: LoadRecord) => void; close: () => Promise<void> } {
  const sink = Bun.file(openForWriting(file)).writer({ highWaterMark: RECORD_BUFFER_BYTES });
  return {
    add: (record) => void sink.write(`${JSON.stringify(record)}\n`),
    close: async () => void (await sink.end()),
  };
}

/** The descriptor of `file`, emptied; before anything is sent, so that a wrong name is noticed in time. */
function openForWriting(file: string): number {
  try {
    return openSync(file, "w");
  } catch (error) {
    throw new Reto3Error("USAGE", `--record: ${messageOf(error)}; want a file that can be written`, { cause: error });
  }
}

function progressLine(result: LoadResult, total: number): string {
  const { acked, refused, unknown } = result.outcomes;
  const { p50, p99 } = result.latencies().fromSchedule;
  return `${result.finished} of ${total}: acked ${acked}, refused ${refused}, unknown ${unknown}, p50 ${p50} ms, p99 ${p99} ms`;
}

function textReport(result: LoadResult, check: CheckResult): string {
  const { refused, unknown, unsent, acked } = result.outcomes;
  const { fromSchedule, fromSend } = result.latencies();
  const row = (name: string, { p50, p99, p999, max }: LatencySummary) =>
    `${name.padEnd(24)} p50 ${p50} ms, p99 ${p99} ms, p99.9 ${p999} ms, max ${max} ms\n`;
  const others = [...result.reasons].filter(([reason]) => reason !== "status 200");
  return [
    row("latency from schedule:", fromSchedule),
    row("latency from send:", fromSend),
    row("send error:", result.sendError()),
    `rate:                    ${Math.round(result.sent / result.seconds)} events/s sent in ${result.seconds.toFixed(1)} s\n`,
    `not acked:               refused ${refused}, unknown ${unknown}, unsent ${unsent}\n`,
    ...others.map(([reason, times]) => `                         ${times} x ${reason}\n`),
    check.problem === undefined ? "" : `CHECK FAILED: ${check.problem}\n`,
    `sent ${result.sent}, acked ${acked}, counted ${check.counted ?? "unknown"}\n`,
  ].join("");
}

function jsonReport({ arrivals, burst, seed }: Plan, result: LoadResult, check: CheckResult): string {
  const { fromSchedule, fromSend } = result.latencies();
  const report = {
    arrivals,
    burst,
    seed,
    sent: result.sent,
    ...result.outcomes,
    counted: check.counted,
    holds: check.problem === undefined,
    problem: check.problem ?? null,
    seconds: result.seconds,
    latencyMs: { fromSchedule, fromSend },
    sendErrorMs: result.sendError(),
    reasons: Object.fromEntries(result.reasons),
  };
  return `${JSON.stringify(report)}\n`;
}
