// Puts each result of bench/results into docs/benchmarks.md, between its markers; what stands around them stays.
//
//     <!-- bench:NAME -->  generated  <!-- /bench:NAME -->

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { markdownOf } from "./support/markdown.ts";
import { resultsFolder, type Result } from "./support/result.ts";

const page = join(import.meta.dir, "../docs/benchmarks.md");

export async function render(): Promise<void> {
  let text = await Bun.file(page).text();
  for (const file of readdirSync(resultsFolder).filter((one) => one.endsWith(".json"))) {
    text = withResult(text, (await Bun.file(join(resultsFolder, file)).json()) as Result);
  }
  await Bun.write(page, text);
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
  if (at < 0) throw new Error(`docs/benchmarks.md: no ${marker}; put it where the result belongs`);
  return [text.slice(0, at), text.slice(at + marker.length)];
}
