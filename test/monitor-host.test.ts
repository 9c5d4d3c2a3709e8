// `reto3 monitor host` as it runs for days: what it writes, what it does when it cannot, how it ends.

import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DATASETS } from "../src/monitor/documents.ts";
import { executable, reto3, temporaryFolder, until } from "./support/reto3.ts";

type Line = Record<string, string | number>;

test("each interval has a line of the machine and one of each disk, with known fields and an id of its own", async () => {
  using folder = temporaryFolder();
  await using monitor = start(folder.path, ["--interval", "100ms", "--host-name", "a"]);
  await until(async () => machinesIn(linesIn(folder.path)).length >= 3);
  expect(await monitor.end()).toBe(0);

  const lines = linesIn(folder.path);
  for (const line of lines) {
    expect(Object.entries(line).filter(([name, value]) => !isKnown(name, value))).toEqual([]);
    expect(line).toMatchObject({ "event.dataset": "reto.host", "host.name": "a", "reto.monitor.failures": 0 });
  }
  expect(new Set(lines.map((line) => line["event.id"])).size).toBe(lines.length);
  const [machine] = machinesIn(lines);
  expect(machine?.["event.id"]).toBe(`a-${Date.parse(String(machine?.["@timestamp"]))}`);
  expect(machine).toHaveProperty(["system.cpu.total.norm.pct"]);
  const disk = lines.find((line) => line["system.filesystem.mount_point"] === "/");
  expect(disk?.["event.id"]).toBe(`a-${Date.parse(String(disk?.["@timestamp"]))}-fs-/`);
  expect(monitor.said()).toContain("stopped");
});

test("a log that cannot be written is told of and counted, and it goes on when it can", async () => {
  using folder = temporaryFolder();
  const parent = join(folder.path, "parent");
  writeFileSync(parent, "a file where a folder should be");
  await using monitor = start(join(parent, "logs"), ["--interval", "100ms"]);
  await until(async () => monitor.said().includes("failed 2 times in a row"));
  expect(monitor.said()).toContain(`cannot write the log ${parent}/logs/host-*.ndjson: `);

  rmSync(parent);
  mkdirSync(parent);
  await until(async () => existsSync(join(parent, "logs")) && machinesIn(linesIn(join(parent, "logs"))).length >= 2);
  expect(await monitor.end()).toBe(0);
  expect(monitor.said()).toMatch(/goes on after \d+ failures/);
  for (const line of linesIn(join(parent, "logs"))) expect(line["reto.monitor.failures"]).toBeGreaterThanOrEqual(2);
});

test("a part of the host that cannot be read is counted and told of, while the rest is written", async () => {
  using folder = temporaryFolder();
  const proc = join(folder.path, "hostfs/proc");
  mkdirSync(proc, { recursive: true });
  for (const file of ["stat", "loadavg"]) writeFileSync(join(proc, file), readFileSync(join("/proc", file)));
  const logs = join(folder.path, "logs");
  await using monitor = start(logs, ["--interval", "100ms", "--host-root", join(folder.path, "hostfs")]);
  await until(async () => linesIn(logs).some((line) => Number(line["reto.monitor.failures"]) >= 2));
  expect(await monitor.end()).toBe(0);
  expect(machinesIn(linesIn(logs))[0]).toHaveProperty(["system.load.1"]);
  expect(monitor.said()).toContain(`memory: there is no ${proc}/meminfo`);
  expect(monitor.said()).toContain("failed rounds: ");
});

describe("wrong usage ends with 2 and writes nothing", () => {
  test.each([
    ["a host root without /proc", ["--host-root", "/dev"], ["holds no /proc of a Linux host", "rslave"]],
    ["an interval that is too short", ["--interval", "99ms"], ["--interval", "at least 100ms"]],
  ])("%s", async (_, args, said) => {
    using folder = temporaryFolder();
    const { code, stderr } = await reto3(["monitor", "host", ...args], {}, folder.path);
    expect(code).toBe(2);
    for (const words of said) expect(stderr).toContain(words);
    expect(readdirSync(folder.path)).toEqual([]);
  });
});

test("--help tells what the figures mean, and how to run it in a container", async () => {
  const { code, stdout } = await reto3(["monitor", "host", "--help"]);
  expect(code).toBe(0);
  for (const words of [
    "Examples:\n  reto3 monitor host",
    "--host-root /hostfs",
    "Docker Desktop",
    "[RETO3_HOST_ROOT]",
  ]) {
    expect(stdout).toContain(words);
  }
});

/** A monitor that writes into `logs`, until `end`. */
function start(logs: string, args: string[]) {
  const child = Bun.spawn([executable, "monitor", "host", "--log-dir", logs, ...args], {
    stdout: "ignore",
    stderr: "pipe",
    stdin: "ignore",
  });
  let said = "";
  const reading = (async () => {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) said += text;
  })();
  return {
    said: () => said,
    /** Resolves to its exit status, when all that it said has been read. */
    async end(): Promise<number> {
      child.kill("SIGTERM");
      await reading;
      return child.exited;
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

/** All whole lines written so far, with their fields by full name. */
function linesIn(folder: string): Line[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort()
    .flatMap((file) => readFileSync(join(folder, file), "utf8").split("\n").slice(0, -1))
    .map((line) => flat(JSON.parse(line) as object));
}

function flat(value: object, prefix = ""): Line {
  const parts = Object.entries(value).map(([name, below]: [string, unknown]) =>
    typeof below === "object" && below !== null ? flat(below, `${prefix}${name}.`) : { [prefix + name]: below },
  );
  return Object.assign({}, ...parts) as Line;
}

function machinesIn(lines: Line[]): Line[] {
  return lines.filter((line) => "system.memory.total" in line || "system.load.1" in line);
}

/** Whether a field is one that the templates have, and its value of that type. */
function isKnown(name: string, value: string | number): boolean {
  const type = (DATASETS.host as Record<string, string>)[name];
  if (type === "long") return Number.isSafeInteger(value) && Number(value) >= 0;
  if (type === "double") return typeof value === "number";
  if (type === "date") return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(String(value));
  return type === "keyword" && typeof value === "string";
}
