// A real Cassandra: what a node promises, the ways in which the command ends, and that nothing stays behind.
// Each start takes some 5 s, so the first tests share one node.

import { existsSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Client, types } from "cassandra-driver";
import { type RunningCassandra, startCassandra } from "./cluster.ts";
import { answersCql } from "./cql-probe.ts";
import { makeTempFolder } from "./temp-folder.ts";
import { isRunning, skipCassandra, startOwner, until } from "./test-support.ts";

const startTimeoutMs = 120_000;
const consistency = types.consistencies.all;

function connectTo(contactPoints: readonly string[]): Client {
  const port = Number(contactPoints[0]?.split(":")[1]);
  return new Client({
    contactPoints: [...contactPoints],
    protocolOptions: { port },
    localDataCenter: "datacenter1",
  });
}

describe.skipIf(skipCassandra)("one node", () => {
  let cluster: RunningCassandra;
  beforeAll(async () => {
    cluster = await startCassandra();
  }, startTimeoutMs);
  afterAll(() => cluster.stop());

  const theNode = () => {
    const node = cluster.nodes[0];
    if (node === undefined) throw new Error("the cluster has no node");
    return node;
  };

  async function ask(statement: string): Promise<types.Row[]> {
    const client = connectTo(cluster.contactPoints);
    try {
      return (await client.execute(statement)).rows;
    } finally {
      await client.shutdown();
    }
  }

  test("what it acknowledges is synced first, and it stops on a broken disk", async () => {
    const wanted = {
      commitlog_sync: "batch",
      commitlog_segment_size: "32MiB",
      disk_failure_policy: "stop",
      commit_failure_policy: "stop",
      storage_compatibility_mode: "NONE",
      hinted_handoff_enabled: "true",
      auto_snapshot: "false",
    };
    const names = Object.keys(wanted).map((name) => `'${name}'`);
    const rows = await ask(`SELECT name, value FROM system_views.settings WHERE name IN (${names.join(", ")})`);
    expect(Object.fromEntries(rows.map((row) => [row["name"], row["value"]]))).toEqual(wanted);
  });

  test("a stopped node is up but silent, and goes on when it is continued", async () => {
    const { host, nativePort } = theNode();
    await theNode().kill("SIGSTOP");
    try {
      // Java's threads stop one by one: the first question may still be answered.
      while (await answersCql(host, nativePort, 200));
      expect(theNode().pid).toBeNumber();
    } finally {
      await theNode().kill("SIGCONT");
    }
    expect(await answersCql(host, nativePort, 10_000)).toBe(true);
  });

  test(
    "what was acknowledged is there again after kill -9 and a new start",
    async () => {
      await ask("CREATE KEYSPACE kept WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}");
      await ask("CREATE TABLE kept.t (id int PRIMARY KEY, word text)");
      await ask("INSERT INTO kept.t (id, word) VALUES (1, 'here')");
      const { pid } = theNode();
      await theNode().kill("SIGKILL");
      expect(theNode().pid).toBeUndefined();
      await expect(theNode().kill("SIGTERM")).rejects.toThrow("it is down");
      await theNode().start();
      expect(theNode().pid).not.toBe(pid);
      expect(await ask("SELECT word FROM kept.t")).toMatchObject([{ word: "here" }]);
    },
    startTimeoutMs,
  );

  test("a second node on the same port is refused at once, and says what to do", async () => {
    const { nativePort } = theNode();
    await expect(startCassandra({ nativePort })).rejects.toThrow(
      `cannot listen at 127.0.0.1:${nativePort}: the port is taken; stop what listens there or choose another port`,
    );
  });

  test("a stop ends java and removes the data; a second stop is harmless", async () => {
    const { pid = 0, logFile } = theNode();
    const folder = dirname(dirname(logFile));
    expect(isRunning(pid)).toBe(true);
    expect(existsSync(folder)).toBe(true);
    await cluster.stop();
    expect(isRunning(pid)).toBe(false);
    expect(existsSync(folder)).toBe(false);
    await cluster.stop();
  });
});

test.skipIf(skipCassandra)(
  "a java that does not start is an error with the end of its log; nothing stays",
  async () => {
    const temp = await makeTempFolder(join(tmpdir(), "reto3-start-test-"));
    const before = process.env["TMPDIR"];
    process.env["TMPDIR"] = temp.path;
    try {
      // Less than the smallest heap that java takes.
      await expect(startCassandra({ heapMb: 1 })).rejects.toThrow(
        /cannot start Cassandra at 127\.0\.0\.1:\d+: it ended with exit code 1.*\n {2}.*heap/s,
      );
      expect(readdirSync(temp.path)).toEqual([]);
    } finally {
      if (before === undefined) delete process.env["TMPDIR"];
      else process.env["TMPDIR"] = before;
      await temp.remove();
    }
  },
);

describe.skipIf(skipCassandra)("npm run cassandra", () => {
  async function startCommand(...args: string[]) {
    const { owner, firstLine, stderr } = await startOwner([join(import.meta.dir, "main.ts"), "--port", "0", ...args]);
    const hosts = firstLine.split("/")[2]?.split(",") ?? [];
    return { owner, firstLine, hosts, stderr };
  }
  const javaPids = (stderr: string) => Array.from(stderr.matchAll(/java pid (\d+)/g), ([, pid]) => Number(pid));
  const dataFolder = (stderr: string) => dirname(dirname(/log (\S+)/.exec(stderr)?.[1] ?? ""));

  test(
    "Ctrl-C stops the node, removes the data and ends with 0",
    async () => {
      const { owner, firstLine, stderr } = await startCommand();
      expect(firstLine).toMatch(/^ready: cassandra:\/\/127\.0\.0\.1:\d+\/reto3\?dc=datacenter1$/);
      process.kill(-owner.pid, "SIGINT");
      expect(await owner.exited).toBe(0);
      expect(javaPids(await stderr).map(isRunning)).toEqual([false]);
      expect(existsSync(dataFolder(await stderr))).toBe(false);
    },
    startTimeoutMs,
  );

  test(
    "two nodes are one ring when it says ready; when it is killed -9 both javas die and the data goes",
    async () => {
      const { owner, hosts, stderr } = await startCommand("--nodes", "2");
      expect(hosts).toHaveLength(2);
      const client = connectTo(hosts);
      await client.execute(
        "CREATE KEYSPACE two WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 2}",
      );
      await client.execute("CREATE TABLE two.t (id int PRIMARY KEY)");
      await client.execute("INSERT INTO two.t (id) VALUES (1)", [], { consistency });
      await client.shutdown();

      owner.kill("SIGKILL");
      const printed = await stderr;
      const pids = javaPids(printed);
      expect(pids).toHaveLength(2);
      await until("both javas are gone", () => !pids.some(isRunning));
      await until("the data is gone", () => !existsSync(dataFolder(printed)));
    },
    startTimeoutMs,
  );
});
