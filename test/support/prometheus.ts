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

export interface RunningPrometheus extends AsyncDisposable {
  /** What a question says now; throws with Prometheus' words for one that it does not understand. */
  query(expr: string): Promise<Answer[]>;
}

/** Scrapes `targets` (host:port, by job) every 200 ms. Resolves when it answers. */
export async function startPrometheus(targets: Record<string, string[]>): Promise<RunningPrometheus> {
  const folder = temporaryFolder();
  const port = chooseFreePort(["127.0.0.1"], taken);
  const jobs = Object.entries(targets).map(([job_name, addresses]) => ({
    job_name,
    static_configs: [{ targets: addresses }],
  }));
  const config = { global: { scrape_interval: "200ms", scrape_timeout: "200ms" }, scrape_configs: jobs };
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
  return {
    async query(expr) {
      const answer = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(expr)}`);
      const { error, data } = (await answer.json()) as {
        error?: string;
        data?: { result: { metric: Record<string, string>; value: [number, string] }[] };
      };
      if (!data) throw new Error(`${error}: ${expr}`);
      return data.result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
    },
    async [Symbol.asyncDispose]() {
      await child.end(5_000);
      folder[Symbol.dispose]();
    },
  };
}
