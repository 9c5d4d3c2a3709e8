// The real Prometheus and promtool, as .ci/tools fetches them. Ends with the test.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { startGuarded } from "../../scripts/cassandra/guarded-process.ts";
import { readLastLines } from "../../scripts/cassandra/log-tail.ts";
import { chooseFreePort } from "../../scripts/cassandra/ports.ts";
import { toolPath } from "./containers.ts";
import { temporaryFolder, until } from "./reto3.ts";

const taken = new Set<number>();

export interface Answer {
  labels: Record<string, string>;
  value: number;
}

export interface Series {
  labels: Record<string, string>;
  /** Seconds since 1970, and the value then. */
  values: (readonly [number, number])[];
}

export interface RunningPrometheus extends AsyncDisposable {
  /** What a question says now; throws with Prometheus' words for one that it does not understand. */
  query(expr: string): Promise<Answer[]>;
  /** The same over a time, a value each `stepS`. */
  range(expr: string, fromS: number, toS: number, stepS: number): Promise<Series[]>;
}

/** Scrapes `targets` (host:port, by job) so often. Resolves when it answers. */
export async function startPrometheus(
  targets: Record<string, string[]>,
  interval = "200ms",
): Promise<RunningPrometheus> {
  const folder = temporaryFolder();
  const port = chooseFreePort(["127.0.0.1"], taken);
  const jobs = Object.entries(targets).map(([job_name, addresses]) => ({
    job_name,
    static_configs: [{ targets: addresses }],
  }));
  const config = { global: { scrape_interval: interval, scrape_timeout: interval }, scrape_configs: jobs };
  const configFile = join(folder.path, "prometheus.yml");
  // JSON is YAML.
  writeFileSync(configFile, JSON.stringify(config));
  const logFile = join(folder.path, "prometheus.log");
  const command = [
    Bun.which("prometheus", { PATH: toolPath }) ?? "prometheus",
    `--config.file=${configFile}`,
    `--storage.tsdb.path=${join(folder.path, "data")}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ];
  const child = await startGuarded(command, { folder: folder.path, logFile });
  let ended = false;
  void child.exited.then(() => (ended = true));
  const url = `http://127.0.0.1:${port}`;
  await until(async () => {
    if (ended) throw new Error(`prometheus ended:\n${await readLastLines(logFile)}`);
    return fetch(`${url}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  });
  async function ask<T>(question: string, expr: string): Promise<T[]> {
    const answer = await fetch(`${url}/api/v1/${question}&query=${encodeURIComponent(expr)}`);
    const { error, data } = (await answer.json()) as { error?: string; data?: { result: T[] } };
    if (!data) throw new Error(`${error}: ${expr}`);
    return data.result;
  }
  return {
    async query(expr) {
      const found = await ask<{ metric: Record<string, string>; value: [number, string] }>("query?", expr);
      return found.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
    },
    async range(expr, fromS, toS, stepS) {
      const question = `query_range?start=${fromS}&end=${toS}&step=${stepS}`;
      const found = await ask<{ metric: Record<string, string>; values: [number, string][] }>(question, expr);
      return found.map(({ metric, values }) => ({
        labels: metric,
        values: values.map(([time, value]) => [time, Number(value)] as const),
      }));
    },
    async [Symbol.asyncDispose]() {
      await child.end(5_000);
      folder[Symbol.dispose]();
    },
  };
}
