// Finds a Java that Cassandra 5.0, and OpenSearch 2.19 too, runs on. Starts nothing but `java -version`.

import { join } from "node:path";

/** Cassandra 5.0 is built and tested for these and refuses or fails on others. */
const supportedMajors: ReadonlySet<number> = new Set([11, 17]);

export type FoundJava = { readonly path: string } | { readonly path: undefined; readonly problem: string };

export type Environment = Readonly<Record<string, string | undefined>>;

/** JAVA_HOME's java if it fits, else the one on the PATH, else what is wrong with what was found, and for which program. */
export async function findJava(environment: Environment = process.env, program = "Cassandra 5.0"): Promise<FoundJava> {
  const home = environment["JAVA_HOME"];
  const onPath = Bun.which("java", { PATH: environment["PATH"] ?? "" });
  const found: string[] = [];
  for (const path of [home ? join(home, "bin", "java") : null, onPath]) {
    if (path === null) continue;
    const major = await javaMajor(path);
    if (major === undefined) continue;
    if (supportedMajors.has(major)) return { path };
    found.push(`${path} is version ${major}`);
  }
  const problem = found.length > 0 ? `${found.join(", ")}; ${program} needs Java 17 or 11` : "no java was found";
  return { path: undefined, problem };
}

async function javaMajor(path: string): Promise<number | undefined> {
  try {
    const java = Bun.spawn([path, "-version"], { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
    const text = await java.stderr.text();
    return (await java.exited) === 0 ? parseJavaMajor(text) : undefined;
  } catch {
    return undefined;
  }
}

/** 17 of `openjdk version "17.0.15" 2025-04-15`, 8 of `java version "1.8.0_412"`. */
export function parseJavaMajor(versionText: string): number | undefined {
  const match = /version "(?:1\.)?(\d+)/.exec(versionText);
  return match?.[1] === undefined ? undefined : Number(match[1]);
}
