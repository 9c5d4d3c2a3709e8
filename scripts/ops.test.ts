// The generated files of ops/ are what the source makes now.

import { join } from "node:path";
import { expect, test } from "bun:test";
import { generatedFiles } from "./ops.ts";

test("the files in ops/ that are made from the source are up to date: npm run ops", async () => {
  const stale: string[] = [];
  for (const { path, text } of await generatedFiles()) {
    const file = Bun.file(join(import.meta.dir, "..", path));
    if (!(await file.exists()) || (await file.text()) !== text) stale.push(path);
    for (const one of path.endsWith(".ndjson") ? text.trimEnd().split("\n") : [text]) JSON.parse(one);
    expect(text).toEndWith("}\n");
  }
  expect(stale).toEqual([]);
});
