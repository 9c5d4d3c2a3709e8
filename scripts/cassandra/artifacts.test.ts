// Java and Maven as this machine may have them, played by small scripts: nothing is downloaded here.

import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, test } from "bun:test";
import { artifactsFolder, cassandraVersion, ensureArtifacts, hasArtifacts } from "./artifacts.ts";
import { findJava, parseJavaMajor } from "./java.ts";
import { makeTempFolder } from "./temp-folder.ts";

const folder = await makeTempFolder(join(tmpdir(), "reto3-artifacts-test-"));
afterAll(() => folder.remove());

let count = 0;
function newFolder(): string {
  const path = join(folder.path, String(count++));
  mkdirSync(path);
  return path;
}

/** A folder with one program in it, which is a script. */
function folderWith(program: string, script: string): string {
  const path = newFolder();
  mkdirSync(dirname(join(path, program)), { recursive: true });
  writeFileSync(join(path, program), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return path;
}

const versionScript = (version: string) => `echo 'openjdk version "${version}" 2025-04-15' >&2`;
const javaOf = (version: string) => folderWith("java", versionScript(version));
const javaHomeOf = (version: string) => folderWith("bin/java", versionScript(version));

/** Does what is asked of mvn: puts the jar into the folder of -DoutputDirectory. */
const goodMaven = `
for argument; do case "$argument" in -DoutputDirectory=*) lib=\${argument#*=};; esac; done
mkdir "$lib" && echo jar >"$lib/cassandra-all-${cassandraVersion}.jar"`;

test.each([
  ['openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment', 17],
  ['openjdk version "11.0.2" 2019-01-15', 11],
  ['java version "1.8.0_412"', 8],
  ['openjdk version "21" 2023-09-19', 21],
  ["No Java runtime present, requesting install.", undefined],
])("the version in %j is %p", (text, major) => {
  expect(parseJavaMajor(text)).toBe(major);
});

test("the java of JAVA_HOME is preferred to the one on the PATH", async () => {
  const home = javaHomeOf("17.0.1");
  expect(await findJava({ PATH: javaOf("17.0.2"), JAVA_HOME: home })).toEqual({ path: join(home, "bin", "java") });
});

test("a JAVA_HOME that is too new, or wrong, does not hide a java on the PATH that fits", async () => {
  const path = javaOf("11.0.2");
  for (const home of [javaHomeOf("21.0.1"), "/nowhere"]) {
    expect(await findJava({ PATH: path, JAVA_HOME: home })).toEqual({ path: join(path, "java") });
  }
});

test("a java that Cassandra does not run on is named, with what is wanted", async () => {
  const path = javaOf("21.0.1");
  expect(await findJava({ PATH: path })).toEqual({
    path: undefined,
    problem: `${join(path, "java")} is version 21; Cassandra 5.0 needs Java 17 or 11`,
  });
});

test("no java at all is said", async () => {
  expect(await findJava({ PATH: newFolder() })).toEqual({ path: undefined, problem: "no java was found" });
});

test.each([
  ["RETO3_CACHE_DIR first", { RETO3_CACHE_DIR: "/a", XDG_CACHE_HOME: "/b" }, `/a/cassandra-${cassandraVersion}`],
  ["then XDG_CACHE_HOME", { XDG_CACHE_HOME: "/b" }, `/b/reto3/cassandra-${cassandraVersion}`],
])("the cache is where the environment says: %s", (_, environment, wanted) => {
  expect(artifactsFolder(environment)).toBe(wanted);
});

test("a download is made once, is told of, and leaves nothing but the finished folder", async () => {
  const environment = { PATH: folderWith("mvn", goodMaven), RETO3_CACHE_DIR: newFolder() };
  const lines: string[] = [];
  const lib = await ensureArtifacts({ environment, log: (line) => lines.push(line) });
  expect(existsSync(join(lib, `cassandra-all-${cassandraVersion}.jar`))).toBe(true);
  expect(readdirSync(environment.RETO3_CACHE_DIR)).toEqual([`cassandra-${cassandraVersion}`]);
  expect(lines).toHaveLength(2);
  expect(await ensureArtifacts({ environment: { ...environment, PATH: "" }, log: (line) => lines.push(line) })).toBe(
    lib,
  );
  expect(lines).toHaveLength(2);
});

test("four downloads at once end with one folder, and all of them get it", async () => {
  const environment = { PATH: folderWith("mvn", goodMaven), RETO3_CACHE_DIR: newFolder() };
  const all = await Promise.all([1, 2, 3, 4].map(() => ensureArtifacts({ environment, log: () => {} })));
  expect(new Set(all)).toEqual(new Set([join(artifactsFolder(environment), "lib")]));
  expect(readdirSync(environment.RETO3_CACHE_DIR)).toEqual([`cassandra-${cassandraVersion}`]);
});

test.each([
  ["Maven fails", `${goodMaven}\necho no route to host\nexit 1`],
  ["Maven ends well but without the jar", `echo no route to host`],
])("%s: the error has its output, and no half folder stays", async (_, script) => {
  const environment = { PATH: folderWith("mvn", script), RETO3_CACHE_DIR: newFolder() };
  await expect(ensureArtifacts({ environment, log: () => {} })).rejects.toThrow("  no route to host");
  await ensureArtifacts({ environment, log: () => {} }).catch(() => {});
  expect(hasArtifacts(environment)).toBe(false);
  expect(readdirSync(environment.RETO3_CACHE_DIR)).toEqual([]);
});

test("without Maven and without the jars the error says what to install", async () => {
  const environment = { PATH: newFolder(), RETO3_CACHE_DIR: newFolder() };
  await expect(ensureArtifacts({ environment, log: () => {} })).rejects.toThrow("install Maven");
});
