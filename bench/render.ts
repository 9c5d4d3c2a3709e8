// Puts each result of bench/results into the page that is about it, between its markers; what stands around them stays.
//
//     <!-- bench:NAME -->  generated  <!-- /bench:NAME -->

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { markdownOf } from "./support/markdown.ts";
import { resultsFolder, type Result } from "./support/result.ts";

/** By the name of the result; all others are in benchmarks.md. */
const PAGES: Record<string, string> = { analysis: "analysis.md" };

export async function render(): Promise<void> {
  for (const file of readdirSync(resultsFolder).filter((one) => one.endsWith(".json"))) {
    const result = (await Bun.file(join(resultsFolder, file)).json()) as Result;
    const page = join(import.meta.dir, "../docs", PAGES[result.name] ?? "benchmarks.md");
    await Bun.write(page, withResult(await Bun.file(page).text(), result));
  }
}

/** `text` with the result in the place of what stood between its markers. Throws where it has none. */
export function withResult(text: string, result: Result): string {
  const [start, end] = [`<!-- bench:${result.name} -->`, `<!-- /bench:${result.name} -->`];
  const [before, rest] = splitOnce(text, start);
  const [, after] = splitOnce(rest, end);
  return `${before}${start}\n${markdownOf(result)}\n${end}${after}`;
}

function splitOnce(text: string, marker: string): [string, string] {
  const at = text.indexOf(marker);
  if (at < 0) throw new Error(`its page has no ${marker}; put it where the result belongs`);
  return [text.slice(0, at), text.slice(at + marker.length)];
}
