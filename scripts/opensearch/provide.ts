// An OpenSearch for whoever needs one: the one that the environment names, else a throw-away one made with Java and Maven,
// else a line that says what to install. The one place that knows these ways.

import { findJava } from "../cassandra/java.ts";
import { ensureJars, findMaven, hasJars } from "../jars.ts";
import { opensearchJars } from "./artifacts.ts";
import { type OpensearchOptions, type RunningOpensearch, startOpensearch } from "./opensearch.ts";

export type ProvidedOpensearch =
  | { readonly kind: "given"; readonly url: string }
  | { readonly kind: "started"; readonly opensearch: RunningOpensearch }
  | { readonly kind: "missing"; readonly hint: string };

/** For tests: that of RETO3_TEST_OPENSEARCH=http://host:port, else a started one. The caller stops what was started. */
export async function provideOpensearch(options: OpensearchOptions = {}): Promise<ProvidedOpensearch> {
  const url = givenUrl();
  if (url !== undefined) return { kind: "given", url };
  const hint = await whyNoOpensearch();
  return hint === undefined
    ? { kind: "started", opensearch: await startOpensearch(options) }
    : { kind: "missing", hint };
}

/** undefined when there is one, or one can be started; otherwise what to install. */
export async function whyNoOpensearch(): Promise<string | undefined> {
  if (givenUrl() !== undefined) return undefined;
  const java = await findJava(process.env, "OpenSearch 2.19");
  const problem =
    java.path === undefined
      ? java.problem
      : // Maven is for the download alone.
        hasJars(opensearchJars) || findMaven() !== null
        ? undefined
        : "Java was found, mvn was not";
  return (
    problem &&
    `OpenSearch needs Java 17 and Maven (apt-get install openjdk-17-jdk-headless maven, or brew install openjdk@17 maven); ${problem}`
  );
}

/** So that no test has to wait for it. What fails here is told, and again by the tests that need it. */
export async function downloadOpensearch(log: (line: string) => void): Promise<void> {
  if (givenUrl() !== undefined || (await whyNoOpensearch()) !== undefined) return;
  try {
    await ensureJars(opensearchJars, { log });
  } catch (error) {
    log(error instanceof Error ? error.message : String(error));
  }
}

function givenUrl(): string | undefined {
  return process.env["RETO3_TEST_OPENSEARCH"]?.replace(/\/+$/, "") || undefined;
}
