// Gets a Java program's jars from Maven, once per machine, into a cache folder. A folder of that name is always whole: the
// download goes into a folder beside it, which is renamed when Maven is done. Knows nothing of what the jars do.

import { existsSync } from "node:fs";
import { rename } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { startGuarded } from "./cassandra/guarded-process.ts";
import type { Environment } from "./cassandra/java.ts";
import { readLastLines } from "./cassandra/log-tail.ts";
import { makeTempFolder } from "./cassandra/temp-folder.ts";

const downloadTimeoutMs = 600_000;

export interface Jars {
  /** For messages: "Cassandra". */
  readonly name: string;
  /** What its folder is called: "cassandra". */
  readonly folderName: string;
  /** Of the program; part of the folder's name. */
  readonly version: string;
  readonly artifact: { readonly groupId: string; readonly artifactId: string; readonly version: string };
  /** The jar without which nothing was downloaded: "cassandra-all-5.0.9.jar". */
  readonly mainJar: string;
  /** Of the whole download, for the message before it. */
  readonly megabytes: number;
}

export interface DownloadOptions {
  readonly environment?: Environment;
  /** Is told, a line at a time, what is being downloaded. Default: stderr. */
  readonly log?: (line: string) => void;
}

/** Where the jars are or will be: RETO3_CACHE_DIR, else XDG_CACHE_HOME/reto3, else ~/.cache/reto3. */
export function jarsFolder(jars: Jars, environment: Environment = process.env): string {
  const xdg = environment["XDG_CACHE_HOME"];
  const cache = environment["RETO3_CACHE_DIR"] || join(xdg || join(homedir(), ".cache"), "reto3");
  return join(cache, `${jars.folderName}-${jars.version}`);
}

export function hasJars(jars: Jars, environment: Environment = process.env): boolean {
  return existsSync(mainJar(jars, jarsFolder(jars, environment)));
}

export function findMaven(environment: Environment = process.env): string | null {
  return Bun.which("mvn", { PATH: environment["PATH"] ?? "" });
}

/** The folder with the jars; downloads them with Maven when they are not there yet. */
export async function ensureJars(
  jars: Jars,
  { environment = process.env, log = (line) => process.stderr.write(`${line}\n`) }: DownloadOptions = {},
): Promise<string> {
  const title = `${jars.name} ${jars.version}`;
  const folder = jarsFolder(jars, environment);
  const lib = join(folder, "lib");
  if (hasJars(jars, environment)) return lib;
  const maven = findMaven(environment);
  if (maven === null) throw new Error(`cannot download ${title}: no mvn on the PATH; install Maven`);

  log(`downloading ${title} with Maven (once, about ${jars.megabytes} MB) to ${folder}`);
  const temp = await makeTempFolder(`${folder}.download-`);
  try {
    await download(jars, maven, temp.path);
    await putInPlace(jars, temp.path, folder);
  } finally {
    await temp.remove();
  }
  log(`downloaded ${title}`);
  return lib;
}

async function download(jars: Jars, maven: string, folder: string): Promise<void> {
  const logFile = join(folder, "mvn.log");
  const pomFile = join(folder, "pom.xml");
  await Bun.write(pomFile, pomOf(jars));
  // -C: a jar whose checksum is wrong ends the build, where Maven by default only warns.
  const goals = ["-q", "-B", "-C", "-f", pomFile, "dependency:copy-dependencies", "-DincludeScope=runtime"];
  const process = await startGuarded([maven, ...goals, `-DoutputDirectory=${join(folder, "lib")}`], {
    folder,
    logFile,
  });
  const timer = setTimeout(() => process.signal("SIGKILL"), downloadTimeoutMs);
  const code = await process.exited;
  clearTimeout(timer);
  if (code === 0 && existsSync(mainJar(jars, folder))) return;
  throw new Error(
    `cannot download ${jars.name} ${jars.version}: mvn ended with ${code}; ` +
      `check that Maven reaches its repository\n${await readLastLines(logFile)}`,
  );
}

function pomOf({ folderName, artifact: { groupId, artifactId, version } }: Jars): string {
  return `<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId><artifactId>${folderName}-jars</artifactId><version>1</version>
  <dependencies><dependency>
    <groupId>${groupId}</groupId><artifactId>${artifactId}</artifactId><version>${version}</version>
  </dependency></dependencies>
</project>
`;
}

/** Two processes may get here at once. Renaming onto a folder that is not empty fails, so the first one's stays. */
async function putInPlace(jars: Jars, from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (existsSync(mainJar(jars, to))) return;
    throw new Error(`cannot rename ${from} to ${to}: if ${to} holds something else, remove it`, { cause: error });
  }
}

function mainJar(jars: Jars, folder: string): string {
  return join(folder, "lib", jars.mainJar);
}
