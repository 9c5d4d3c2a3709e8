// Which way to a Cassandra is taken, and the way through Docker. Docker is played by a script that keeps a "container" as
// a process that answers CQL's first question: it shows what is asked of Docker and when, not that Docker does it.

import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test } from "bun:test";
import { provideCassandra } from "./provide.ts";
import { makeTempFolder } from "./temp-folder.ts";
import { isRunning, startOwner, until } from "./test-support.ts";

const folder = await makeTempFolder(join(tmpdir(), "reto3-provide-test-"));
afterAll(() => folder.remove());

/** A machine that has little more than a shell. */
const environment = {
  PATH: join(folder.path, "bin"),
  JAVA_HOME: "",
  RETO3_CACHE_DIR: join(folder.path, "cache"),
  TMPDIR: join(folder.path, "tmp"),
};
const calls = join(folder.path, "calls");
const containers = join(folder.path, "containers");

beforeEach(() => {
  for (const path of [environment.PATH, environment.TMPDIR, containers]) mkdirSync(path, { recursive: true });
  writeFileSync(calls, "");
  for (const program of ["sh", "rm", "mkdir", "sleep"]) {
    const link = join(environment.PATH, program);
    if (!existsSync(link)) symlinkSync(Bun.which(program) ?? "", link);
  }
});

const cqlServer = `Bun.listen({ hostname: "127.0.0.1", port: Number(process.argv.at(-1)), socket: {
  data(socket) { socket.write(new Uint8Array([0x84, 0, 0, 0, 6, 0, 0, 0, 0])); },
} });`;

function installDocker(): void {
  const path = join(environment.PATH, "docker");
  writeFileSync(join(folder.path, "cql.ts"), cqlServer);
  const script = `#!/bin/sh
echo "$*" >>'${calls}'
case "$1" in
  image) exit 1;;
  run)
    for argument; do
      case "$argument" in
        --name=*) name=\${argument#*=};;
        --publish=*) port=\${argument#*=127.0.0.1:}; port=\${port%:9042};;
      esac
    done
    '${process.execPath}' '${join(folder.path, "cql.ts")}' "$port" &
    echo $! >'${containers}'/"$name"
    wait;;
  rm)
    read pid <'${containers}'/"$4" && kill -9 "$pid" && rm '${containers}'/"$4";;
esac
`;
  writeFileSync(path, script, { mode: 0o755 });
}

function containerPid(): number {
  const [name = ""] = readdirSync(containers);
  return Number(readFileSync(join(containers, name), "utf8"));
}

function startCommand(...args: string[]) {
  return startOwner([join(import.meta.dir, "main.ts"), "--port", "0", ...args], environment);
}

test("the hosts that the environment names are taken as they are", async () => {
  const before = process.env["RETO3_TEST_CASSANDRA"];
  process.env["RETO3_TEST_CASSANDRA"] = "10.0.0.1, 10.0.0.2:9142,";
  try {
    expect(await provideCassandra()).toEqual({ kind: "given", hosts: ["10.0.0.1", "10.0.0.2:9142"] });
  } finally {
    if (before === undefined) delete process.env["RETO3_TEST_CASSANDRA"];
    else process.env["RETO3_TEST_CASSANDRA"] = before;
  }
});

test("without Java and Docker it says in one line what to install, and ends with 1", async () => {
  await expect(startCommand()).rejects.toThrow(
    /ended with 1: .*\ncannot start Cassandra: .*Java 17 and Maven .* or a running Docker; no java was found\n$/,
  );
});

test("with Docker alone one node runs in a container, on loopback and with a synced commit log", async () => {
  installDocker();
  const { owner, firstLine } = await startCommand("--heap", "300M");
  const contactPoint = /^ready: cassandra:\/\/(127\.0\.0\.1:\d+)\/reto3\?dc=datacenter1$/.exec(firstLine)?.[1];
  const pid = containerPid();
  expect(isRunning(pid)).toBe(true);
  const asked = readFileSync(calls, "utf8").split("\n");
  expect(asked.slice(0, 3)).toEqual(["info", "image inspect cassandra:5.0", "pull -q cassandra:5.0"]);
  expect(asked[3]).toStartWith("run --rm --name=reto3-cassandra-");
  expect(asked[3]).toContain(`--publish=${contactPoint}:9042 --env=MAX_HEAP_SIZE=300M`);
  expect(asked[3]).toContain(
    "-Dcassandra.settings.commitlog_sync=batch -Dcassandra.settings.commitlog_sync_period=0ms",
  );

  process.kill(-owner.pid, "SIGINT");
  expect(await owner.exited).toBe(0);
  expect(isRunning(pid)).toBe(false);
  expect(readdirSync(environment.TMPDIR)).toEqual([]);
});

test("the container is removed when its owner is killed", async () => {
  installDocker();
  const { owner } = await startCommand();
  const pid = containerPid();
  expect(isRunning(pid)).toBe(true);
  owner.kill("SIGKILL");
  await until("the container is gone", () => !isRunning(pid));
  await until("its folder is gone", () => readdirSync(environment.TMPDIR).length === 0);
});

test("three nodes through Docker are refused", async () => {
  installDocker();
  await expect(startCommand("--nodes", "3")).rejects.toThrow("cannot start 3 nodes with Docker, only one");
});
