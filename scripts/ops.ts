// `npm run ops`: writes the files of ops/ that are made from the source: Grafana's dashboard, and what `reto3 setup elastic --print`
// prints with its defaults, for those who set up Elasticsearch and Kibana by other means. A test holds them against the source.

import { join } from "node:path";
import { grafanaDashboard } from "./grafana.ts";

const commandFile = join(import.meta.dir, "..", "cmd", "reto3.ts");

/** By path from the root of the project. */
const printedAs = {
  "ops/elasticsearch/requests.ndjson": "requests",
  "ops/kibana/reto3.ndjson": "dashboard",
} as const;

/** The text of each generated file, by path from the root of the project. */
export async function generatedFiles(): Promise<{ path: string; text: string }[]> {
  const files = [{ path: "ops/grafana/dashboards/reto3.json", text: grafanaDashboard() }];
  for (const [path, what] of Object.entries(printedAs)) files.push({ path, text: await printed(what) });
  return files;
}

async function printed(what: string): Promise<string> {
  const run = Bun.spawn([process.execPath, commandFile, "setup", "elastic", "--print", what], {
    env: { PATH: process.env["PATH"] ?? "" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const text = await run.stdout.text();
  if ((await run.exited) !== 0) throw new Error(`reto3 setup elastic --print ${what} ended with ${run.exitCode}`);
  return text;
}

if (import.meta.main) {
  for (const { path, text } of await generatedFiles()) {
    await Bun.write(join(import.meta.dir, "..", path), text);
    console.log(path);
  }
}
