// Runs oha (github.com/hatoo/oha), a load generator of others, on the client's core: POSTs of one event, and what it saw of them.

import { CLIENT_CORE, finish, pinned } from "./process.ts";

export interface OhaOptions {
  /** The program, or its name on the PATH. */
  oha: string;
  connections: number;
  seconds: number;
  /** Open loop at this rate, latencies from when a request was due; without it closed loop, as fast as it goes. */
  rps?: number;
}

export interface OhaOutput {
  answers: number;
  /** All that was not a 200. */
  failed: number;
  perSec: number;
  p50Ms: number;
  p99Ms: number;
  cpuSeconds: number;
}

interface Report {
  summary: { total: number };
  latencyPercentiles: { p50: number | null; p99: number | null };
  statusCodeDistribution: Record<string, number>;
  errorDistribution: Record<string, number>;
}

export async function runOha(url: string, { oha, connections, seconds, rps }: OhaOptions): Promise<OhaOutput> {
  const time = new Date().toISOString().slice(0, -1).replace("T", "+").replaceAll(":", "%3A");
  const rate = rps === undefined ? [] : ["-q", String(rps), "--latency-correction"];
  const post = ["-m", "POST", "-T", "application/x-www-form-urlencoded", "-d", `value=${time}000`];
  // -w: answers that are under way at the end belong to the server's CPU time, so they are waited for and counted.
  const loop = ["-z", `${seconds}s`, "-w", "-c", String(connections), ...rate];
  // One core, one thread.
  const output = ["--worker-threads", "1", "--no-tui", "--output-format", "json"];
  const { stdout, cpuSeconds } = await finish(pinned(CLIENT_CORE, [oha, ...loop, ...post, ...output, url]));
  const { summary, latencyPercentiles, statusCodeDistribution, errorDistribution } = JSON.parse(stdout) as Report;
  const answers = statusCodeDistribution["200"] ?? 0;
  const others = Object.values({ ...statusCodeDistribution, "200": 0, ...errorDistribution });
  return {
    answers,
    failed: others.reduce((sum, times) => sum + times, 0),
    perSec: answers / summary.total,
    p50Ms: (latencyPercentiles.p50 ?? Number.NaN) * 1_000,
    p99Ms: (latencyPercentiles.p99 ?? Number.NaN) * 1_000,
    cpuSeconds,
  };
}

/** Throws with how to install it. */
export function requireOha(oha: string): void {
  if (Bun.which(oha) !== null) return;
  throw new Error(
    `there is no ${oha}; install it with 'cargo install oha --root FOLDER' and name it with --oha FOLDER/bin/oha`,
  );
}
