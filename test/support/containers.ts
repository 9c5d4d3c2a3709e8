// The container files as data, and the tools that read these and others: Compose, HAProxy, hadolint. What is wanted of the files is in
// containers.test.ts. Variables of the caller and a .env beside the files reach no tool.

import { describe, expect, test } from "bun:test";
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { temporaryFolder } from "./reto3.ts";

export const root = join(import.meta.dir, "../..");

export const read = (name: string) => readFileSync(join(root, name), "utf8");

// --- tools -------------------------------------------------------------------------------------------------------------------

/** Where .ci/tools puts them, and where Debian puts HAProxy, which is not on everybody's PATH. */
export const toolPath = `${join(root, ".tools/bin")}:${process.env["PATH"]}:/usr/sbin`;

const env = {
  PATH: toolPath,
  HOME: process.env["HOME"] ?? "/",
};

/** Each tool: the commands that may be it, how it is asked for its version, and the answer that is wanted. */
const TOOLS = {
  "Compose v2": { commands: ["docker compose", "docker-compose-v2"], ask: "version --short", version: /^v?[2-9]/ },
  "Compose 1.29": { commands: ["docker-compose"], ask: "version --short", version: /^1\.29/ },
  HAProxy: { commands: ["haproxy"], ask: "-v", version: /^HAProxy/ },
  promtool: { commands: ["promtool"], ask: "--version", version: /^promtool, version/ },
  Schemathesis: { commands: ["schemathesis"], ask: "--version", version: /^schemathesis, version/ },
  hadolint: { commands: ["hadolint"], ask: "--version", version: /^Haskell Dockerfile Linter/ },
};

/** Its exit status, and all that it said on stdout and stderr. */
export type Tool = (args: string[], folder?: string, stdin?: Uint8Array) => [code: number, output: string];

/** Cases that need a tool. Without it they are skipped; where CI=true that is a failure. */
export function withTool(name: keyof typeof TOOLS, cases: (tool: Tool) => void): void {
  const { commands, ask, version } = TOOLS[name];
  const command = commands
    .map((text) => text.split(" "))
    .find((words) => version.test(run([...words, ...ask.split(" ")], root)[1]));
  const problem = `${name} is missing; .ci/tools installs it`;
  if (!command && process.env["CI"] === "true") test(`${name} is installed`, () => expect.unreachable(problem));
  if (!command) console.error(`skipped: ${problem}`);
  describe.skipIf(!command)(name, () =>
    cases((args, folder = root, stdin) => run([...(command ?? []), ...args], folder, stdin)),
  );
}

function run([name = "", ...args]: string[], cwd: string, stdin?: Uint8Array): [number, string] {
  const file = Bun.which(name, env);
  if (!file) return [127, ""];
  const { exitCode, stdout, stderr } = Bun.spawnSync([file, ...args], { cwd, env, ...(stdin && { stdin }) });
  return [exitCode, `${stdout.toString()}${stderr.toString()}`];
}

// --- Compose -----------------------------------------------------------------------------------------------------------------

export const COMPOSE_FILES = [
  "docker-compose.yml",
  "compose.cluster.yml",
  "compose.node.yml",
  "compose.monitoring.yml",
  "compose.monitoring.secure.yml",
  "compose.prometheus.yml",
] as const;

/** What compose.node.yml does not do without; as docs/deploy.md has it. */
export const NODE_SETTINGS = `NODE_ADDRESS=10.0.0.11
NODE_RACK=rack1
NODE_SEEDS=10.0.0.11
NODES=10.0.0.11,10.0.0.12,10.0.0.13
`;

/** What compose.monitoring.secure.yml does not do without. */
export const PASSWORDS = `ELASTIC_PASSWORD=one
KIBANA_SYSTEM_PASSWORD=two
LOGSTASH_PASSWORD=three
`;

/** A folder with the compose files and this .env, and nothing else. */
export function composeFolder(dotEnv: string) {
  const folder = temporaryFolder();
  for (const file of COMPOSE_FILES) copyFileSync(join(root, file), join(folder.path, file));
  if (dotEnv !== "") writeFileSync(join(folder.path, ".env"), dotEnv);
  return folder;
}

/** A service as `config --format json` shows it; what these tests look at. */
export interface Service {
  image: string;
  command: string[] | null;
  environment?: Record<string, string>;
  ports?: { host_ip?: string; published: string }[];
  networks?: Record<string, { ipv4_address?: string } | null>;
  restart?: string;
  logging?: { driver: string; options: Record<string, string> };
  mem_limit?: string;
  security_opt?: string[];
  read_only?: boolean;
  cap_drop?: string[];
  stop_grace_period?: string;
}

/** All services of these files, whatever their profile. */
export function servicesOf(compose: Tool, files: readonly string[]): Record<string, Service> {
  using folder = composeFolder(NODE_SETTINGS + PASSWORDS);
  const [code, output] = compose(
    [...files.flatMap((file) => ["-f", file]), "--profile", "*", "config", "--format", "json"],
    folder.path,
  );
  if (code !== 0) throw new Error(output);
  return (JSON.parse(output) as { services: Record<string, Service> }).services;
}

/** What a file says at its top level. */
export const topLevelOf = (file: string) => Bun.YAML.parse(read(file)) as Record<string, unknown>;

/** The variables of a file, each with all of its defaults; comments do not count. */
export function variablesOf(file: string): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  const text = JSON.stringify(topLevelOf(file));
  for (const [, name = "", value = ""] of text.matchAll(/(?<!\$)\$\{?(\w+)(?::?-([^}]*))?/g))
    found.set(name, (found.get(name) ?? new Set()).add(value));
  return found;
}

export interface Setting {
  name: string;
  /** Its default with docker-compose.yml alone, and with both files. */
  one: string;
  cluster: string;
}

/** `#NAME=value` of .env.example. `(cluster: a, b)` in the comment above says what the next ones are in the cluster. */
export function settingsOf(example: string): Setting[] {
  const settings: Setting[] = [];
  let inCluster: string[] = [];
  for (const line of example.split("\n")) {
    const [, name, value = ""] = /^#(\w+)=(.*)$/.exec(line) ?? [];
    if (name === undefined) inCluster = /\(cluster: (.*?)(?: a node)?\)/.exec(line)?.[1]?.split(", ") ?? [];
    else settings.push({ name, one: value, cluster: inCluster.shift() ?? value });
  }
  return settings;
}

// --- Docker ------------------------------------------------------------------------------------------------------------------

/** The instructions of a Dockerfile's last stage, a continued line as one. */
export function lastStageOf(dockerfile: string): string[] {
  const instructions = dockerfile
    .replaceAll(/^#.*\n/gm, "")
    .replaceAll(/\\\n\s*/g, "")
    .split("\n");
  return instructions.slice(instructions.findLastIndex((line) => line.startsWith("FROM ")));
}

/** All files here, but for these folders and files of the first level. */
export function filesOf(but: readonly string[]): string[] {
  return readdirSync(root, { withFileTypes: true }).flatMap((entry) => {
    if (but.includes(entry.name)) return [];
    if (!entry.isDirectory()) return entry.name;
    const below = readdirSync(join(root, entry.name), { recursive: true, withFileTypes: true });
    return below.flatMap((file) => (file.isFile() ? relative(root, join(file.parentPath, file.name)) : []));
  });
}

/** Whether a file is part of what an image is built from: the last line of .dockerignore that fits it, or a folder above, decides. */
export function isInContext(path: string, dockerignore: string): boolean {
  const steps = path.split("/");
  const paths = steps.map((_, at) => steps.slice(0, at + 1).join("/"));
  const lines = dockerignore.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const last = lines.findLast((line) => {
    const glob = new Bun.Glob(line.replace(/^!/, ""));
    return paths.some((one) => glob.match(one));
  });
  return last === undefined || last.startsWith("!");
}
