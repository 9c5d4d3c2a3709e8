// Runs `reto3 report`: its figures, its words, its charts.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Report } from "../../src/report/model.ts";
import { executable, temporaryFolder } from "../../test/support/reto3.ts";
import { finish } from "./process.ts";

/** What docs/analysis.md shows. */
export const analysisFolder = join(import.meta.dir, "../../docs/analysis");

export async function reportOn(args: readonly string[]): Promise<Report> {
  const { stdout } = await finish([executable, "report", ...args, "--format", "json"]);
  return JSON.parse(stdout) as Report;
}

export async function reportText(args: readonly string[]): Promise<string> {
  const { stdout } = await finish([executable, "report", ...args]);
  return stdout;
}

/** Into a folder `name` of what docs/analysis.md shows: those of `charts`. */
export async function keepCharts(name: string, args: readonly string[], charts: readonly string[]): Promise<void> {
  using all = temporaryFolder();
  await finish([executable, "report", ...args, "--charts", all.path, "--force"]);
  const folder = join(analysisFolder, name);
  mkdirSync(folder, { recursive: true });
  for (const chart of charts) {
    const file = join(all.path, `${chart}.svg`);
    if (!existsSync(file)) continue;
    // Runs are named by their records: without the folder, which is another one each time.
    const text = readFileSync(file, "utf8").replaceAll(/[^\s>]*\/(?=[\w-]+\.ndjson)/g, "");
    writeFileSync(join(folder, `${chart}.svg`), text);
  }
}
