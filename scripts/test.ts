// `npm test`: sees to a real Cassandra, runs the tests, and ends with the line `N passed, N failed[, N skipped]`,
// which is taken from the runner's own report. Arguments go to `bun test`: npm test -- src/writer
//
//   RETO3_TEST_CASSANDRA=host[:port][,host]   use that one
//   RETO3_REQUIRE_CASSANDRA=1 or CI=true      a missing Cassandra is a failure, not a skip

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { provideCassandra } from "./cassandra/provide.ts";
import { downloadOpensearch } from "./opensearch/provide.ts";

/** For a test that says nothing else. Of use where something hangs: a machine that is slow must not fail. */
const TEST_MS = 30_000;

const folder = mkdtempSync(join(tmpdir(), "reto3-report-"));
try {
  process.exitCode = await main(process.argv.slice(2));
} finally {
  rmSync(folder, { recursive: true });
}

async function main(args: string[]): Promise<number> {
  const required = process.env["CI"] === "true" || process.env["RETO3_REQUIRE_CASSANDRA"] === "1";
  // All of the tests: what some of them would have to wait for in the middle of one.
  if (args.length === 0) await downloadOpensearch((line) => console.error(`opensearch: ${line}`));
  const provided = await provideCassandra({ log: (line) => console.error(`cassandra: ${line}`) });
  if (provided.kind === "missing") {
    console.error(`${required ? "the tests need Cassandra" : "the Cassandra tests are skipped"}: ${provided.hint}`);
    if (required) return 1;
  }
  try {
    const hosts =
      provided.kind === "given" ? provided.hosts : provided.kind === "started" ? provided.cluster.contactPoints : [];
    return await runTests(args, { RETO3_TEST_CASSANDRA: hosts.join(",") });
  } finally {
    if (provided.kind === "started") await provided.cluster.stop();
  }
}

async function runTests(args: string[], env: Record<string, string>): Promise<number> {
  const report = join(folder, "junit.xml");
  const reporting = ["--reporter=junit", `--reporter-outfile=${report}`];
  const run = Bun.spawn([process.execPath, "test", `--timeout=${TEST_MS}`, ...reporting, ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "inherit", "inherit"],
  });
  // Whoever ends this run ends the tests with it, and then Cassandra is stopped in order.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => run.kill(signal));
  const code = await run.exited;
  if (run.signalCode) return 1;
  const { passed, failed, skipped } = countsOf(readFileSync(report, "utf8"));
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
  return code === 0 && failed > 0 ? 1 : code;
}

/** The totals that the root element of a JUnit report names. */
function countsOf(xml: string): { passed: number; failed: number; skipped: number } {
  const root = /<testsuites[^>]*>/.exec(xml)?.[0] ?? "";
  const total = (name: string) => Number(new RegExp(` ${name}="(\\d+)"`).exec(root)?.[1] ?? Number.NaN);
  const failed = total("failures");
  const skipped = total("skipped");
  return { passed: total("tests") - failed - skipped, failed, skipped };
}
