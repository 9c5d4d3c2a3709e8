// What the executable says and how it ends, as scripts and people meet it.

import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { version } from "../package.json";
import { reto3, serve, temporaryFolder } from "./support/reto3.ts";

const COMMANDS = [
  "serve",
  "count",
  "load",
  "bench-insert",
  "store",
  "verify",
  "merge",
  "export",
  "import",
  "health",
].concat(["monitor host", "monitor pipeline", "monitor counts", "setup elastic"]);

test("--version is that of package.json, and the commit where one was built", async () => {
  const { code, stdout, stderr } = await reto3(["--version"]);
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/^\d+\.\d+\.\d+( \([0-9a-f]{12}\))?\n$/);
  expect(stdout.split(/[ \n]/)[0]).toBe(version);
});

describe("--help goes to stdout, with an example, and ends with 0", () => {
  test("of the whole", async () => {
    const { code, stdout, stderr } = await reto3(["--help"]);
    expect([code, stderr]).toEqual([0, ""]);
    for (const command of COMMANDS) expect(stdout).toContain(`reto3 ${command}`);
  });
  test("of a command, in the other word order", async () => {
    expect(await reto3(["help", "count"])).toEqual(await reto3(["count", "--help"]));
  });
  test.each(COMMANDS)("of %s", async (command) => {
    const { code, stdout, stderr } = await reto3([...command.split(" "), "--help"]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toContain("Examples:\n");
    expect(stdout).toContain(`  reto3 ${command}`);
  });
});

describe("wrong usage ends with 2, says why on stderr, and does nothing", () => {
  test.each([
    ["no command", []],
    ["an unknown command", ["prove"]],
    ["a name that every object has", ["constructor"]],
    ["an unknown flag", ["serve", "--stor", "sqlite:x.db"]],
    ["a flag before the command", ["--port", "1", "serve"]],
    ["an argument too many", ["count", "1s"]],
    ["a command of two words without the second", ["monitor"]],
    ["a command of two words with another second", ["monitor", "all"]],
    ["a command of two words with an argument too many", ["monitor", "host", "all"]],
    ["a time that is too short", ["monitor", "host", "--interval", "1ms"]],
    ["a monitor that is none", ["health", "--monitor", "all"]],
    ["a missing value", ["serve", "--port"]],
    ["a port out of range", ["serve", "--port", "65536"]],
    ["a period that is none", ["count", "--period", "5s"]],
    ["a range that is empty", ["count", "--from", "2026-01-02", "--to", "2026-01-01"]],
    ["a rate that is none", ["load", "--rps", "many"]],
    ["arrivals that are none", ["load", "--arrivals", "late"]],
    ["a burst of arrivals without bursts", ["load", "--arrivals", "poisson", "--burst", "10"]],
    ["a seed of arrivals without chance", ["load", "--seed", "1"]],
    ["a batch of nothing", ["bench-insert", "--batch", "0"]],
    ["a store of no known kind", ["serve", "--store", "mysql://x"]],
    ["a Cassandra address without a keyspace", ["serve", "--store", "cassandra://127.0.0.1"]],
    ["following a range with an end", ["count", "--follow", "--to", "2026-01-01", "--from", "2025-01-01"]],
    ["a URL that is none", ["load", "--url", "localhost"]],
    ["a URL with a path", ["load", "--url", "http://127.0.0.1:8080/counts"]],
  ])("%s", async (_, args) => {
    // Where somebody has tried the README, a reto3.db may lie beside the sources.
    using folder = temporaryFolder();
    const { code, stdout, stderr } = await reto3(args, {}, folder.path);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/usage: reto3|reto3 COMMAND --help/);
    if (args.length > 0)
      expect(
        stderr
          .trimEnd()
          .split("\n")
          .findLast((line) => line.startsWith("reto3: ")),
      ).toBeDefined();
    expect(readdirSync(folder.path)).toEqual([]);
  });
});

test("a variable stands in for a flag, and a wrong one is named", async () => {
  const { code, stderr } = await reto3(["serve"], { RETO3_PORT: "http" });
  expect(code).toBe(2);
  expect(stderr).toContain('RETO3_PORT: "http" is not accepted; want a whole number from 0 to 65535');
});

test("a password in an address is never printed", async () => {
  const address = "cassandra://ann:hunter2@127.0.0.1:1/reto3";
  const { stderr } = await reto3(["serve", "--store", address, "--store-wait", "2s"]);
  expect(stderr).toContain("trying again");
  expect(stderr).toContain("cannot connect");
  expect(stderr).not.toContain("hunter2");
  const other = await reto3(["serve", "--store", "postgres://ann:hunter2@127.0.0.1/reto3"]);
  expect(other.stderr).not.toContain("hunter2");
});

test("counting a store that is not there is an error with a hint, and makes none", async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, "none.db");
  const { code, stdout, stderr } = await reto3(["count", "--store", `sqlite:${file}`]);
  expect([code, stdout, existsSync(file)]).toEqual([1, "", false]);
  expect(stderr).toContain("hint: start 'reto3 serve");
});

test("load without a server is an error with a hint", async () => {
  const { code, stderr } = await reto3(["load", "--url", "http://127.0.0.1:1/", "--duration", "1s"]);
  expect(code).toBe(1);
  expect(stderr).toContain("hint: is 'reto3 serve' running there?");
});

test("serve where it cannot listen is an error that names the cause", async () => {
  using folder = temporaryFolder();
  const other = ["--store", `sqlite:${join(folder.path, "b.db")}`];
  await using first = await serve(`sqlite:${join(folder.path, "a.db")}`);
  const taken = await reto3(["serve", ...other, "--port", first.port]);
  expect(taken.code).toBe(1);
  expect(taken.stderr).toContain(`cannot listen on 127.0.0.1 port ${first.port}: the port is taken\n  hint: stop what`);
  const nowhere = await reto3(["serve", ...other, "--port", "0", "--host", "192.0.2.1"]);
  expect(nowhere.code).toBe(1);
  expect(nowhere.stderr).toContain("EADDRNOTAVAIL\n  hint: want an address of this machine");
});

test("bench-insert says what it measured when it is interrupted, and erases its store", async () => {
  using folder = temporaryFolder();
  const executable = join(import.meta.dir, "../dist/reto3");
  const args = [
    "bench-insert",
    "--store",
    `sqlite:${join(folder.path, "a.db")}`,
    "--duration",
    "1m",
    "--warmup",
    "1ms",
  ];
  const child = Bun.spawn([executable, ...args, "--format", "json"], { stdout: "pipe", stderr: "ignore" });
  while (readdirSync(folder.path).length < 3) await Bun.sleep(5);
  await Bun.sleep(200);
  child.kill("SIGINT");
  expect(JSON.parse(await new Response(child.stdout).text())).toMatchObject({ batch: 50, writers: 1 });
  expect([await child.exited, readdirSync(folder.path)]).toEqual([0, []]);
});

test("serve says its address, its store and what a 2xx means there", async () => {
  using folder = temporaryFolder();
  const store = `sqlite:${join(folder.path, "a.db")}`;
  await using server = await serve(store);
  await server.says(`listening on http://127.0.0.1:${server.port}\n`);
  await server.says(`store: ${store}\n`);
  await server.says("a 2xx means: the event is on this machine's disk");
});

test("output that cannot be written is a failure that says so", async () => {
  using folder = temporaryFolder();
  const store = `sqlite:${join(folder.path, "a.db")}`;
  await using server = await serve(store);
  await fetch(server.url, { method: "POST", body: "value=2026-01-01+00:00:00" });
  const executable = join(import.meta.dir, "../dist/reto3");
  const child = Bun.spawn(["sh", "-c", `'${executable}' count --store '${store}' > /dev/full`], { stderr: "pipe" });
  expect(await child.exited).toBe(1);
  const said = await new Response(child.stderr).text();
  expect(said).toContain("cannot write the output");
  // Once, and without the places in the program where it was noticed.
  expect([said.split("cannot write").length, said.includes("    at ")]).toEqual([2, false]);
});

test("an ack timeout that readers do not reckon with is refused", async () => {
  const { code, stderr } = await reto3(["serve", "--ack-timeout", "6s"]);
  expect([code, stderr]).toEqual([2, expect.stringContaining("at most 5s")]);
});

test("output that nobody reads any more ends a command quietly", async () => {
  using folder = temporaryFolder();
  const store = `sqlite:${join(folder.path, "a.db")}`;
  await using server = await serve(store);
  await fetch(server.url, { method: "POST", body: "value=2026-01-01+00:00:00" });
  const executable = join(import.meta.dir, "../dist/reto3");
  const shell = `'${executable}' count --store '${store}' --period 10ms --last 24h --zeros | head -n 1`;
  const child = Bun.spawn(["sh", "-c", shell], { stdout: "pipe", stderr: "pipe" });
  expect((await new Response(child.stdout).text()).split("\n").length).toBe(2);
  expect(await new Response(child.stderr).text()).not.toContain("EPIPE");
  expect(await child.exited).toBe(0);
});
