// Cassandra's jars, of which the cache folder holds one copy per machine. Knows nothing of nodes.

import { type DownloadOptions, ensureJars, hasJars, type Jars, jarsFolder } from "../jars.ts";
import type { Environment } from "./java.ts";

export const cassandraVersion = "5.0.9";

const jars: Jars = {
  name: "Cassandra",
  folderName: "cassandra",
  version: cassandraVersion,
  artifact: { groupId: "org.apache.cassandra", artifactId: "cassandra-all", version: cassandraVersion },
  mainJar: `cassandra-all-${cassandraVersion}.jar`,
  megabytes: 70,
};

/** Where the jars are or will be: RETO3_CACHE_DIR, else XDG_CACHE_HOME/reto3, else ~/.cache/reto3. */
export function artifactsFolder(environment: Environment = process.env): string {
  return jarsFolder(jars, environment);
}

export function hasArtifacts(environment: Environment = process.env): boolean {
  return hasJars(jars, environment);
}

/** The folder with Cassandra's jars; downloads them with Maven when they are not there yet. */
export function ensureArtifacts(options: DownloadOptions = {}): Promise<string> {
  return ensureJars(jars, options);
}
