// Gets Cassandra's jars, once per machine, into a cache folder. A folder of that name is always whole: the download goes
// into a folder beside it, which is renamed when Maven is done. Knows nothing of nodes.

import { existsSync } from "node:fs";
import { rename } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { startGuarded } from "./guarded-process.ts";
import type { Environment } from "./java.ts";
import { readLastLines } from "./log-tail.ts";
import { makeTempFolder } from "./temp-folder.ts";

export const cassandraVersion = "5.0.9";

const downloadTimeoutMs = 600_000;

const pom = `<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId><artifactId>cassandra-jars</artifactId><version>1</version>
  <dependencies><dependency>
    <groupId>org.apache.cassandra</groupId><artifactId>cassandra-all</artifactId><version>${cassandraVersion}</version>
  </dependency></dependencies>
</project>
`;

export interface ArtifactOptions {
  readonly environment?: Environment;
  /** Is told, a line at a time, what is being downloaded. Default: stderr. */
  readonly log?: (line: string) => void;
}

/** Where the jars are or will be: RETO3_CACHE_DIR, else XDG_CACHE_HOME/reto3, else ~/.cache/reto3. */
export function artifactsFolder(environment: Environment = process.env): string {
  const xdg = environment["XDG_CACHE_HOME"];
  const cache = environment["RETO3_CACHE_DIR"] || join(xdg || join(homedir(), ".cache"), "reto3");
  return join(cache, `cassandra-${cassandraVersion}`);
}

export function hasArtifacts(environment: Environment = process.env): boolean {
  return existsSync(mainJar(artifactsFolder(environment)));
}

export function findMaven(environment: Environment = process.env): string | null {
  return Bun.which("mvn", { PATH: environment["PATH"] ?? "" });
}

/** The folder with Cassandra's jars; downloads them with Maven (about 70 MB) when they are not there yet. */
export async function ensureArtifacts({
  environment = process.env,
  log = (line) => process.stderr.write(`${line}\n`),
}: ArtifactOptions = {}): Promise<string> {
  const folder = artifactsFolder(environment);
  const lib = join(folder, "lib");
  if (hasArtifacts(environment)) return lib;
  const maven = findMaven(environment);
  if (maven === null)
    throw new Error(`cannot download Cassandra ${cassandraVersion}: no mvn on the PATH; install Maven`);

  log(`downloading Cassandra ${cassandraVersion} with Maven (once, about 70 MB) to ${folder}`);
  const temp = await makeTempFolder(`${folder}.download-`);
  try {
    await download(maven, temp.path);
    await putInPlace(temp.path, folder);
  } finally {
    await temp.remove();
  }
  log(`downloaded Cassandra ${cassandraVersion}`);
  return lib;
}

async function download(maven: string, folder: string): Promise<void> {
  const logFile = join(folder, "mvn.log");
  const pomFile = join(folder, "pom.xml");
  await Bun.write(pomFile, pom);
  // -C: a jar whose checksum is wrong ends the build, where Maven by default only warns.
  const goals = ["-q", "-B", "-C", "-f", pomFile, "dependency:copy-dependencies", "-DincludeScope=runtime"];
  const process = await startGuarded([maven, ...goals, `-DoutputDirectory=${join(folder, "lib")}`], {
    folder,
    logFile,
  });
  const timer = setTimeout(() => process.signal("SIGKILL"), downloadTimeoutMs);
  const code = await process.exited;
  clearTimeout(timer);
  if (code === 0 && existsSync(mainJar(folder))) return;
  throw new Error(
    `cannot download Cassandra ${cassandraVersion}: mvn ended with ${code}; ` +
      `check that Maven reaches its repository\n${await readLastLines(logFile)}`,
  );
}

/** Two processes may get here at once. Renaming onto a folder that is not empty fails, so the first one's stays. */
async function putInPlace(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (existsSync(mainJar(to))) return;
    throw new Error(`cannot rename ${from} to ${to}: if ${to} holds something else, remove it`, { cause: error });
  }
}

function mainJar(folder: string): string {
  return join(folder, "lib", `cassandra-all-${cassandraVersion}.jar`);
}
