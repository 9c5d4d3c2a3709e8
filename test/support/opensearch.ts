// A real OpenSearch for tests. The first test file that asks starts it, all others of this process share it, and it ends
// with the process. It stands in for Elasticsearch: templates, data streams, _bulk and searches are the same there.
//
//     const opensearch = hasOpensearch ? await sharedOpensearch() : { url: "" };      at the top of a test file
//     describe.skipIf(!hasOpensearch)("...", ...)
//
// Files run one after another; what a file makes there, it removes before the next one comes, or names as nobody else does.
//
//   RETO3_TEST_OPENSEARCH=http://host:port   use that one; what begins with reto is removed from it
//   CI=true                                  a missing OpenSearch is a failure, not a skip

import { provideOpensearch, whyNoOpensearch } from "../../scripts/opensearch/provide.ts";

const problem = await whyNoOpensearch();
const isRequired = process.env["CI"] === "true";

/** False where there is none and nobody insists: such tests are skipped. */
export const hasOpensearch = problem === undefined || isRequired;

// Each test file may have this module anew; the process has one of these.
const shared = globalThis as { reto3Opensearch?: Promise<{ url: string }>; reto3OpensearchSkipped?: boolean };

if (!hasOpensearch && !shared.reto3OpensearchSkipped) {
  shared.reto3OpensearchSkipped = true;
  console.error(`the OpenSearch tests are skipped: ${problem}`);
}

/** Its address, without a slash at the end. The first call takes some 5 s, or minutes where it must be downloaded first. */
export function sharedOpensearch(): Promise<{ url: string }> {
  return (shared.reto3Opensearch ??= provide());
}

async function provide(): Promise<{ url: string }> {
  const provided = await provideOpensearch();
  if (provided.kind === "missing") throw new Error(`the tests need OpenSearch: ${provided.hint}`);
  return provided.kind === "given" ? { url: provided.url } : { url: provided.opensearch.url };
}

/** Removes all that reto3 makes there, and what was written to it. */
export async function cleanOpensearch(): Promise<void> {
  const { url } = await sharedOpensearch();
  // In this order: a template that something uses cannot be removed.
  const all = [
    "/_data_stream/metrics-reto.*",
    "/reto-count-*?expand_wildcards=all",
    "/_index_template/reto3-*",
    "/_component_template/reto3-*",
  ];
  for (const path of all) {
    const response = await fetch(url + path, { method: "DELETE" });
    if (!response.ok && response.status !== 404) throw new Error(`DELETE ${path}: ${await response.text()}`);
  }
}
