// What users will meet: servers and databases killed, stopped, full, slow, cut off; and that nothing acknowledged is lost, nothing is
// counted twice, and all levels agree. `npm run faults` is the long form; its table is in docs/faults.md.
//
//     RETO3_FAULTS=long          as often and as long as the table says
//     RETO3_FAULTS_SEED=number   the moments of a run that failed; it says its seed at the start

import { afterAll, beforeAll, describe, expect, spyOn, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { closeSync, openSync, rmSync, statSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { startCassandra, type RunningCassandra } from "../scripts/cassandra/cluster.ts";
import { startWithWhatIsThere, whyNoJava } from "../scripts/cassandra/provide.ts";
import { systemClock } from "../src/clock.ts";
import { openStore } from "../src/store/open.ts";
import { Writer } from "../src/writer/writer.ts";
import { note, tableText } from "./faults/table.ts";
import { judge, readRecords, type Told } from "./faults/oracle.ts";
import { startProxy } from "./faults/proxy.ts";
import { isLong, seeded, underLoad } from "./faults/under-load.ts";
import { addressOf, hasCassandra, testKeyspace } from "./support/cassandra.ts";
import { load, startLoad } from "./support/load.ts";
import { reto3, serve, temporaryFolder, until } from "./support/reto3.ts";
import { testStores } from "./support/stores.ts";

/** A test may take so long; it waits for conditions, not for times. */
const RUN_MS = isLong ? 900_000 : 600_000;
const START_MS = 600_000;

const RSS_BYTES_MAX = 400 * 1024 * 1024;

/** Of one server to one node. */
const CONNECTIONS_MAX = 10;

const seed = Number(process.env["RETO3_FAULTS_SEED"] ?? Date.now() % 1e9);
const random = seeded(seed);
const between = (least: number, most: number) => least + random() * (most - least);
const seconds = (ms: number) => `${ms / 1_000} s`;

const mayMount = tryToMount();
console.error(`faults: ${isLong ? "long" : "short"} form, RETO3_FAULTS_SEED=${seed}`);
afterAll(() => console.error(`\n${tableText()}\n`));

for (const { name, available, open } of testStores) {
  describe.skipIf(!available)(`a server on ${name}`, () => {
    const kills = isLong ? 50 : 5;
    test(
      `is killed with -9 ${kills} times, at any moment`,
      async () => {
        const { address, dispose } = open();
        {
          await using run = await underLoad(address, { rps: 500 });
          for (let kill = 0; kill < kills; kill++) {
            await run.storedMore(1);
            await Bun.sleep(between(0, 700));
            await run.restart("SIGKILL");
          }
          await run.storedMore(100);
          note(`kill -9 of the server, ${kills} times`, name, await run.verdict());
        }
        await dispose();
      },
      RUN_MS,
    );

    test.each(isLong ? [1_000, 10_000, 30_000] : [3_000])(
      "is held up (SIGSTOP) for %d ms",
      async (ms) => {
        const { address, dispose } = open();
        {
          await using run = await underLoad(address, { rps: 500 });
          await run.storedMore(300);
          run.server.pause();
          await Bun.sleep(ms);
          run.server.resume();
          await run.storedMore(300);
          note(`the server held up (SIGSTOP) for ${seconds(ms)}`, name, await run.verdict());
        }
        await dispose();
      },
      RUN_MS,
    );
  });
}

describe("an SQLite file", () => {
  test(
    "has two servers that write to it",
    async () => {
      using folder = temporaryFolder();
      const store = `sqlite:${join(folder.path, "reto3.db")}`;
      const records = ["a", "b"].map((name) => join(folder.path, `${name}.ndjson`));
      await using first = await serve(store);
      await using second = await serve(store);
      const loads = [first, second].map(({ url }, at) =>
        startLoad(url, ["--rps", "500", "--settle", "2s", "--record", records[at] ?? ""]),
      );
      await until(async () => (await second.metric("reto3_events_stored_total")) > (isLong ? 10_000 : 1_500));
      await Promise.all(loads.map((one) => one.stop()));
      for (const server of [first, second]) {
        server.kill("SIGTERM");
        expect(await server.exited).toBe(0);
      }
      note("two servers on one file", "sqlite", await judge(readRecords(records), store));
    },
    RUN_MS,
  );

  test(
    "is written to while the machine's clock is set back and forth",
    async () => {
      using folder = temporaryFolder();
      const address = `sqlite:${join(folder.path, "reto3.db")}`;
      const store = await openStore(address, { mode: "serve" });
      const now = Date.now.bind(Date);
      let offMs = 0;
      using _ = spyOn(Date, "now").mockImplementation(() => now() + offMs);
      const writer = new Writer({ store, clock: systemClock() });
      const told: Told[] = [];
      const started = now() * 1_000;
      const steps = isLong ? 60 : 12;
      for (let step = 0; step < steps; step++) {
        // Never into the future, where count would not look.
        offMs = -between(0, [300, 3_000, 90_000][step % 3] ?? 0);
        for (let turn = 0; turn < 5; turn++) {
          for (let event = 0; event < 20; event++) {
            const createdUs = started + told.length;
            const one: Told = { createdUs, doneUs: 0, outcome: "unknown" };
            told.push(one);
            void writer.add(BigInt(createdUs)).then((outcome) => {
              one.outcome = outcome === "stored" ? "acked" : outcome;
              one.doneUs = now() * 1_000;
            });
          }
          await Bun.sleep(between(1, 40));
        }
      }
      expect((await writer.close(10_000)).drained).toBe(true);
      await store.close();
      const figures = await judge(told, address);
      expect(figures.acked).toBe(told.length);
      note(`the clock set back and forth ${steps} times, by up to 90 s`, "sqlite", figures);
    },
    RUN_MS,
  );

  test.skipIf(!mayMount)(
    "is on a disk that is full for a while: nobody is told that an event is stored, and all are when there is room",
    async () => {
      using disk = smallDisk(24);
      const ballast = join(disk.folder, "ballast");
      await using run = await underLoad(`sqlite:${join(disk.folder, "reto3.db")}`, { rps: 1_000 });
      await run.storedMore(500);
      fill(ballast);
      await until(async () => (await run.server.metric('reto3_requests_refused_total{reason="timeout"}')) > 50);
      expect((await fetch(`${run.server.url}/readyz`)).status).toBe(503);
      rmSync(ballast);
      await run.storedMore(1_000);
      const figures = await run.verdict();
      expect(figures.unknown).toBeGreaterThan(50);
      note("the disk full for a while", "sqlite", figures);
    },
    RUN_MS,
  );

  test(
    "that is damaged in its middle is never counted wrong: it is an error that says so",
    async () => {
      using folder = temporaryFolder();
      const file = join(folder.path, "reto3.db");
      const store = `sqlite:${file}`;
      {
        await using server = await serve(store);
        expect((await load(server.url, ["--rps", "1000", "--duration", "3s"])).holds).toBe(true);
        server.kill("SIGTERM");
        expect(await server.exited).toBe(0);
      }
      const counted = async () => {
        const { code, stdout, stderr } = await reto3(["count", "--store", store, "--period", "10ms", "--last", "1h"]);
        const sum = stdout.split("\n").reduce((all, line) => all + Number(line.split(", ")[1] ?? 0), 0);
        return { code, sum, stderr };
      };
      expect(await counted()).toMatchObject({ code: 0, sum: 3_000 });
      const pages = Math.floor(statSync(file).size / 4_096);
      const outcomes: number[] = [];
      for (let page = 1; page < pages; page++) {
        const copy = join(folder.path, "damaged.db");
        await Bun.write(copy, Bun.file(file));
        const descriptor = openSync(copy, "r+");
        writeSync(descriptor, Buffer.alloc(4_096, 0x5a), 0, 4_096, page * 4_096);
        closeSync(descriptor);
        const args = ["count", "--store", `sqlite:${copy}`, "--period", "10ms", "--last", "1h"];
        const { code, stdout, stderr } = await reto3(args);
        const sum = stdout.split("\n").reduce((all, line) => all + Number(line.split(", ")[1] ?? 0), 0);
        // The page may be one that this question does not read.
        if (code === 0) expect([page, sum]).toEqual([page, 3_000]);
        else expect(stderr).toMatch(/malformed|not a database|corrupt|another program|differ|expired|missing/i);
        outcomes.push(code);
        for (const end of ["", "-wal", "-shm"]) rmSync(`${copy}${end}`, { force: true });
      }
      expect(outcomes.filter((code) => code !== 0).length).toBeGreaterThan(0);
    },
    RUN_MS,
  );
});

describe.skipIf(!hasCassandra)("between a server and Cassandra", () => {
  /** A keyspace, and its address through a network of the test's own. */
  async function throughProxy() {
    const keyspace = testKeyspace();
    const [, host = "", port = ""] = /\/\/([^:/,]+):(\d+)/.exec(keyspace.address) ?? [];
    const proxy = await startProxy({ host, port: Number(port) });
    return {
      direct: keyspace.address,
      address: addressOf([`127.0.0.1:${proxy.port}`], keyspace.keyspace),
      proxy,
      async [Symbol.asyncDispose]() {
        await proxy[Symbol.asyncDispose]();
        await keyspace[Symbol.asyncDispose]();
      },
    };
  }

  const cuts = isLong ? 50 : 12;
  test(
    `the connections break in the middle of a frame, ${cuts} times`,
    async () => {
      await using network = await throughProxy();
      await using run = await underLoad(network.address, { rps: 500, judgedAt: network.direct });
      for (let cut = 0; cut < cuts; cut++) {
        await run.storedMore(1);
        await Bun.sleep(between(0, 300));
        network.proxy.cut();
      }
      await run.storedMore(300);
      // One for requests, one more that was just replaced: not one more for every cut.
      expect(network.proxy.connections).toBeLessThan(CONNECTIONS_MAX);
      expect(await run.server.metric("process_resident_memory_bytes")).toBeLessThan(RSS_BYTES_MAX);
      note(`connections cut in the middle of a frame, ${cuts} times`, "cassandra", await run.verdict());
    },
    RUN_MS,
  );

  test(
    "answers come later than the server waits for them, and then in time again",
    async () => {
      await using network = await throughProxy();
      await using run = await underLoad(network.address, { rps: 500, judgedAt: network.direct });
      await run.storedMore(300);
      const retries = () => run.server.metric("reto3_store_retries_total");
      const before = await retries();
      network.proxy.delayMs = 3_500;
      await until(async () => (await retries()) >= before + (isLong ? 5 : 2));
      network.proxy.delayMs = 0;
      await run.storedMore(2_000);
      note("every answer of the store 3.5 s late, for a while", "cassandra", await run.verdict());
    },
    RUN_MS,
  );

  test(
    "a load of three times what the store takes is refused in part, memory stays bounded, and then all is as before",
    async () => {
      await using network = await throughProxy();
      await using run = await underLoad(network.address, {
        rps: 9_000,
        judgedAt: network.direct,
        loadArgs: ["--connections", "8000"],
        // A connection that waits sends nothing: only who is answered soon can fill the queue.
        serveArgs: ["--ack-timeout", "500ms"],
      });
      const refused = () => run.server.metric('reto3_requests_refused_total{reason="queue_full"}');
      await run.storedMore(1_000);
      // A flush has 5,000 events at most, and the next one waits for it: some 3,000 events a second.
      network.proxy.delayMs = 1_700;
      await until(async () => (await refused()) > 0);
      if (isLong) await Bun.sleep(60_000);
      await until(async () => (await refused()) > 5_000);
      // Between two flushes there is room for a moment.
      await until(async () => {
        const another = await fetch(run.server.url, { method: "POST", body: "value=2016-05-28 11:11:11.123456" });
        return another.status === 503 && another.headers.get("retry-after") === "1";
      });
      expect(await run.server.metric("process_resident_memory_bytes")).toBeLessThan(RSS_BYTES_MAX);
      network.proxy.delayMs = 0;
      await until(async () => (await run.server.metric("reto3_queue_events")) < 5_000);
      await run.storedMore(10_000);
      note("three times what the store takes", "cassandra", await run.verdict());
    },
    RUN_MS,
  );
});

const problem = await whyNoJava();

describe.skipIf(problem !== undefined)("a Cassandra node", () => {
  let cluster: RunningCassandra | undefined;
  beforeAll(async () => {
    const provided = await startWithWhatIsThere();
    if (provided.kind === "started") ({ cluster } = provided);
  }, START_MS);
  afterAll(() => cluster?.stop(), START_MS);

  const node = () => {
    const [first] = cluster?.nodes ?? [];
    if (!cluster || !first) throw new Error("no node was started");
    return { node: first, address: (keyspace: string) => addressOf(cluster?.contactPoints ?? [], keyspace) };
  };

  test.each(isLong ? [1_000, 10_000, 30_000] : [3_000])(
    "is held up (SIGSTOP) for %d ms",
    async (ms) => {
      const { node: held, address } = node();
      await using run = await underLoad(address(`reto3_held_${ms}`), { rps: 500 });
      await run.storedMore(500);
      await held.kill("SIGSTOP");
      await Bun.sleep(ms);
      await held.kill("SIGCONT");
      await run.storedMore(500);
      note(`Cassandra held up (SIGSTOP) for ${seconds(ms)}`, "cassandra", await run.verdict());
    },
    RUN_MS,
  );

  const kills = isLong ? 5 : 1;
  test(
    `is killed with -9 under load, ${kills} times; the server recovers by itself`,
    async () => {
      const { node: killed, address } = node();
      await using run = await underLoad(address("reto3_killed"), { rps: 1_000 });
      for (let kill = 0; kill < kills; kill++) {
        await run.storedMore(1_000);
        await Bun.sleep(between(0, 500));
        await killed.kill("SIGKILL");
        await until(async () => (await fetch(`${run.server.url}/readyz`)).status === 503);
        await killed.start();
        await until(async () => (await fetch(`${run.server.url}/readyz`)).status === 200);
      }
      await run.storedMore(1_000);
      expect(await run.server.metric("process_resident_memory_bytes")).toBeLessThan(RSS_BYTES_MAX);
      note(`kill -9 of Cassandra, ${kills} ${kills === 1 ? "time" : "times"}`, "cassandra", await run.verdict());
    },
    RUN_MS,
  );

  test(
    "is not there when the server starts: it waits, says so, and takes events when it is",
    async () => {
      const { node: late, address } = node();
      await late.kill("SIGKILL");
      const starting = underLoad(address("reto3_late"), { rps: 500 });
      await late.start();
      await using run = await starting;
      expect(run.server.said()).toMatch(/cannot connect: .*; trying again in 500ms, for /);
      await run.storedMore(500);
      note("Cassandra absent when the server starts", "cassandra", await run.verdict());
    },
    RUN_MS,
  );

  test.skipIf(!mayMount || !isLong)(
    "has a full disk: nobody is told that an event is stored; with room, and started again, it goes on",
    async () => {
      using disk = smallDisk(400);
      const { TMPDIR } = process.env;
      process.env["TMPDIR"] = disk.folder;
      const full = await startCassandra().finally(() => {
        if (TMPDIR === undefined) delete process.env["TMPDIR"];
        else process.env["TMPDIR"] = TMPDIR;
      });
      try {
        const [own] = full.nodes;
        await using run = await underLoad(addressOf(full.contactPoints, "reto3_full"), { rps: 1_000 });
        await run.storedMore(1_000);
        const ballast = join(disk.folder, "ballast");
        fill(ballast);
        await until(async () => (await run.server.metric('reto3_requests_refused_total{reason="timeout"}')) > 50);
        rmSync(ballast);
        // It has stopped taking part, as commit_failure_policy says, or has ended by itself.
        await own?.kill("SIGKILL").catch(() => {});
        await own?.start();
        await run.storedMore(1_000);
        note("Cassandra's disk full, then room and a new start", "cassandra", await run.verdict());
      } finally {
        await full.stop();
      }
    },
    RUN_MS,
  );

  test(
    "that does not come is an error after --store-wait",
    async () => {
      const address = "cassandra://127.0.0.1:1/reto3?dc=datacenter1";
      const { code, stderr } = await reto3(["serve", "--store", address, "--store-wait", "3s", "--port", "0"]);
      expect(code).toBe(1);
      expect(stderr).toContain("trying again in 500ms, for ");
      expect(stderr).toContain("check that Cassandra listens on 127.0.0.1 port 1");
    },
    RUN_MS,
  );
});

describe.skipIf(problem !== undefined)("three nodes, three copies", () => {
  let cluster: RunningCassandra | undefined;
  beforeAll(async () => void (cluster = await startCassandra({ nodes: 3 })), START_MS);
  afterAll(() => cluster?.stop(), START_MS);

  const started = () => {
    if (!cluster) throw new Error("no cluster was started");
    const [first, second, third] = cluster.nodes;
    if (!first || !second || !third) throw new Error("no three nodes were started");
    const { contactPoints } = cluster;
    const waitUntilWhole = () => cluster?.waitUntilWhole();
    return {
      first,
      second,
      third,
      waitUntilWhole,
      address: (name: string) => `${addressOf(contactPoints, name)}&rf=3`,
    };
  };

  test(
    "one is killed, and started again: nothing is refused",
    async () => {
      const { second, waitUntilWhole, address } = started();
      await using run = await underLoad(address("reto3_one"), { rps: 300 });
      await run.storedMore(500);
      await second.kill("SIGKILL");
      await run.storedMore(1_500);
      await second.start();
      await waitUntilWhole();
      await run.storedMore(500);
      const figures = await run.verdict();
      expect(figures.refused).toBe(0);
      note("one of three nodes killed, and started again", "cassandra", figures);
    },
    RUN_MS,
  );

  test(
    "two are killed: nobody is told that an event is stored, until one of them is back",
    async () => {
      const { second, third, waitUntilWhole, address } = started();
      await using run = await underLoad(address("reto3_two"), { rps: 300 });
      await run.storedMore(500);
      await Promise.all([second.kill("SIGKILL"), third.kill("SIGKILL")]);
      await until(async () => (await run.server.metric('reto3_requests_refused_total{reason="timeout"}')) > 20);
      const before = await run.server.metric("reto3_events_stored_total");
      expect((await fetch(`${run.server.url}/readyz`)).status).toBe(503);
      await Bun.sleep(isLong ? 30_000 : 2_000);
      expect(await run.server.metric("reto3_events_stored_total")).toBe(before);
      await second.start();
      await run.storedMore(1_000);
      await third.start();
      await waitUntilWhole();
      await run.storedMore(500);
      note("two of three nodes killed, and started again", "cassandra", await run.verdict());
    },
    RUN_MS,
  );

  test.skipIf(!isLong)(
    "each is restarted in turn: not one request fails",
    async () => {
      const { first, second, third, waitUntilWhole, address } = started();
      await using run = await underLoad(address("reto3_rolling"), { rps: 300 });
      for (const one of [first, second, third]) {
        await run.storedMore(500);
        await one.restart();
        await waitUntilWhole();
      }
      await run.storedMore(500);
      const figures = await run.verdict();
      expect([figures.refused, figures.unknown]).toEqual([0, 0]);
      note("a rolling restart of the three nodes", "cassandra", figures);
    },
    RUN_MS,
  );

  // The last one: the node does not come back.
  test.skipIf(!isLong)(
    "one is killed for good",
    async () => {
      const { third, address } = started();
      await using run = await underLoad(address("reto3_for_good"), { rps: 300 });
      await run.storedMore(500);
      await third.kill("SIGKILL");
      await run.storedMore(6_000);
      note("one of three nodes killed for good", "cassandra", await run.verdict());
    },
    RUN_MS,
  );
});

/** So many MB that can be full. */
function smallDisk(megabytes: number): Disposable & { readonly folder: string } {
  const { path: folder, [Symbol.dispose]: remove } = temporaryFolder();
  const { status, stderr } = mount(folder, megabytes);
  if (status !== 0) throw new Error(`cannot mount ${folder}: ${stderr}`);
  return {
    folder,
    [Symbol.dispose]() {
      spawnSync("umount", [folder]);
      remove();
    },
  };
}

function mount(folder: string, megabytes: number) {
  return spawnSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", folder], { encoding: "utf8" });
}

/** Whether this user may; says so where not. */
function tryToMount(): boolean {
  using folder = temporaryFolder();
  const { status, stderr, error } = mount(folder.path, 1);
  if (status === 0) spawnSync("umount", [folder.path]);
  else console.error(`skipped: full disks, for which a file system must be mounted: ${stderr ?? error?.message}`);
  return status === 0;
}

/** Writes until there is no room. */
function fill(file: string): void {
  try {
    for (let size = 0; ; size++) writeFileSync(file, Buffer.alloc(64 * 1024), { flag: "a" });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
  }
}
