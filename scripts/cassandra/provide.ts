// A Cassandra for whoever needs one: the one that the environment names, else a throw-away one made with what this machine
// has (Java and Maven, else Docker), else a line that says what to install. The one place that knows these ways.

import { findMaven } from "../jars.ts";
import { hasArtifacts } from "./artifacts.ts";
import { type ClusterOptions, type RunningCassandra, startCassandra } from "./cluster.ts";
import { dockerAnswers, startCassandraInDocker } from "./docker.ts";
import { findJava } from "./java.ts";

export type StartedCassandra =
  | { readonly kind: "started"; readonly cluster: RunningCassandra }
  | { readonly kind: "missing"; readonly hint: string };

/** `hosts` as they stand in RETO3_TEST_CASSANDRA: "host" or "host:port". */
export type ProvidedCassandra = { readonly kind: "given"; readonly hosts: readonly string[] } | StartedCassandra;

/** For tests: the cluster of RETO3_TEST_CASSANDRA=host[,host], else a started one. The caller stops what was started. */
export async function provideCassandra(options: ClusterOptions = {}): Promise<ProvidedCassandra> {
  const hosts = (process.env["RETO3_TEST_CASSANDRA"] ?? "").split(",").flatMap((host) => host.trim() || []);
  if (hosts.length > 0) return { kind: "given", hosts };
  return startWithWhatIsThere(options);
}

/** Starts Cassandra with Java, else with Docker. Throws when it could be started here but does not start. */
export async function startWithWhatIsThere(options: ClusterOptions = {}): Promise<StartedCassandra> {
  const problem = await whyNoJava();
  if (problem === undefined) return { kind: "started", cluster: await startCassandra(options) };
  if (await dockerAnswers()) return { kind: "started", cluster: await startCassandraInDocker(options) };
  return {
    kind: "missing",
    hint: `Cassandra needs Java 17 and Maven (apt-get install openjdk-17-jdk-headless maven, or brew install openjdk@17 maven), or a running Docker; ${problem}`,
  };
}

/** undefined when startCassandra has what it needs; otherwise what is missing. */
export async function whyNoJava(): Promise<string | undefined> {
  const java = await findJava();
  if (java.path === undefined) return java.problem;
  // Maven is for the download alone.
  return hasArtifacts() || findMaven() !== null ? undefined : "Java was found, mvn was not";
}
