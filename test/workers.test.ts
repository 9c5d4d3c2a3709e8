// `serve --workers`: processes that share a port, as they are used: under load, killed, held up and ended, with a real Cassandra.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hasCassandra, testKeyspace, type TestKeyspace } from "./support/cassandra.ts";
import { canMakeCertificates, makeCertificate } from "./support/certificate.ts";
import { countEveryWay, load, startLoad } from "./support/load.ts";
import { executable, reto3, serve, temporaryFolder, until, type Server } from "./support/reto3.ts";

const RUN_MS = 60_000;
const EVENT = "value=2016-05-28+11:11:11.123456";

/** The pids of the workers of the supervisor `pid`, the first to be started first. */
function workersOf(pid: number): number[] {
  const { stdout } = Bun.spawnSync(["pgrep", "-P", String(pid)]);
  return String(stdout).split("\n").filter(Boolean).map(Number);
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const allEnded = (pids: number[]) => until(async () => !pids.some(isRunning));

/** The events that each worker said it had stored, and the sum that the supervisor said. */
function storedBy(said: string): { workers: number[]; all: number } {
  const numbers = (pattern: RegExp) => [...said.matchAll(pattern)].map(([, events]) => Number(events));
  return {
    workers: numbers(/\[worker \d\] drained: (\d+) events stored/g),
    all: numbers(/\[info\] drained: (\d+) events stored/g)[0] ?? Number.NaN,
  };
}

describe.skipIf(!hasCassandra)("two workers on Cassandra", () => {
  let store: TestKeyspace;
  beforeAll(() => void (store = testKeyspace()));
  afterAll(async () => void (await store[Symbol.asyncDispose]()), RUN_MS);
  const start = (...args: string[]): Promise<Server> => serve(store.address, ["--workers", "2", ...args]);

  test(
    "share what many connections send, and speak as one; SIGTERM drains both",
    async () => {
      const server = await start();
      const report = await load(server.url, ["--rps", "1000", "--duration", "2s", "--requests-per-connection", "20"]);
      expect(report).toMatchObject({ code: 0, sent: 2_000, acked: 2_000, counted: 2_000, holds: true });
      const names = ["reto3_workers", "reto3_worker_restarts_total", "reto3_ready", "reto3_events_accepted_total"];
      // Whichever is asked: each question has a connection of its own.
      for (let asked = 0; asked < 8; asked++) {
        const values = await Promise.all(names.map((name) => server.metric(name)));
        expect(values).toEqual([2, 0, 1, 2_000]);
      }
      expect(await server.metric("reto3_queue_events_max")).toBe(200_000);
      expect(await (await fetch(`${server.url}/readyz`)).text()).toBe("ready\n");
      server.kill("SIGTERM");
      expect(await server.exited).toBe(0);
      const { workers, all } = storedBy(server.said());
      expect([workers.length, workers.reduce((sum, events) => sum + events), all]).toEqual([2, 2_000, 2_000]);
      expect(Math.min(...workers)).toBeGreaterThan(0);
      // What holds for all is said, and done, by the first alone.
      expect(server.said().match(/a 2xx means/g)).toHaveLength(1);
      expect(await countEveryWay(store.address)).toBe(2_000);
    },
    RUN_MS,
  );

  test(
    "a worker that is killed under load comes back, loses nothing that was acked, and no counter falls",
    async () => {
      await using server = await start();
      const before = await countEveryWay(store.address);
      const running = startLoad(server.url, ["--rps", "1000", "--timeout", "1s", "--settle", "2s"]);
      const stored = () => server.metric("reto3_events_stored_total");
      await until(async () => (await stored()) >= 1_000);
      const [killed = 0, other = 0] = workersOf(server.pid);
      let seen = await stored();
      process.kill(killed, "SIGKILL");
      // A question to the one that is killed may have no answer; the others are never told less than before.
      await until(async () => {
        const [now, workers, restarts] = await Promise.all([
          stored(),
          server.metric("reto3_workers"),
          server.metric("reto3_worker_restarts_total"),
        ]).catch(() => [seen, 0, 0] as const);
        expect(now).toBeGreaterThanOrEqual(seen);
        seen = now;
        return workers === 2 && restarts === 1;
      });
      const again = seen + 500;
      await until(async () => (await stored()) >= again);
      const report = await running.stop();
      expect(report.holds).toBe(true);
      const counted = (await countEveryWay(store.address)) - before;
      expect(counted).toBeGreaterThanOrEqual(report.acked);
      expect(counted).toBeLessThanOrEqual(report.acked + report.unknown);
      await server.says("worker 1 ended (exit status 137), starting it again in 100ms");
      expect(workersOf(server.pid)).toContain(other);
      server.kill("SIGTERM");
      expect(await server.exited).toBe(0);
    },
    RUN_MS,
  );

  test(
    "when the supervisor is killed they end by themselves, in order, and leave the port",
    async () => {
      const server = await start();
      const workers = workersOf(server.pid);
      expect((await fetch(server.url, { method: "POST", body: EVENT })).status).toBe(200);
      server.kill("SIGKILL");
      await server.exited;
      await allEnded(workers);
      await using alone = await serve(store.address, [], server.port);
      expect((await fetch(alone.url, { method: "POST", body: EVENT })).status).toBe(200);
    },
    RUN_MS,
  );

  test(
    "SIGINT to all of them at once, as from a terminal, is one request to end",
    async () => {
      const args = ["serve", "--store", store.address, "--workers", "2", "--port", "0"];
      // A group of its own, as a terminal gives to what is started there.
      const child = Bun.spawn([executable, ...args], { stderr: "pipe", detached: true });
      try {
        let said = "";
        const reading = (async () => {
          for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) said += chunk;
        })();
        await until(async () => said.includes("listening on"));
        const [, url = ""] = /listening on (\S+) with/.exec(said) ?? [];
        for (let sent = 0; sent < 20; sent++) {
          expect((await fetch(url, { method: "POST", body: EVENT, keepalive: false })).status).toBe(200);
        }
        process.kill(-child.pid, "SIGINT");
        expect(await child.exited).toBe(0);
        await reading;
        expect(storedBy(said).all).toBe(20);
        expect(storedBy(said).workers).toHaveLength(2);
      } finally {
        child.kill("SIGKILL");
      }
    },
    RUN_MS,
  );

  test(
    "a worker that hangs makes all of them not ready, and is killed when the time for a shutdown is over",
    async () => {
      const server = await start("--drain-timeout", "1s");
      const [, hung = 0] = workersOf(server.pid);
      process.kill(hung, "SIGSTOP");
      // Connections that the hung one got wait for nothing.
      const ask = async () => {
        const answer = await fetch(`${server.url}/readyz`, { signal: AbortSignal.timeout(4_000), keepalive: false });
        return `${answer.status} ${await answer.text()}`;
      };
      const asked = await Promise.all(Array.from({ length: 12 }, () => ask().catch(() => "no answer")));
      expect(new Set(asked)).toEqual(new Set(["503 not ready: worker 2 does not answer\n", "no answer"]));
      server.kill("SIGTERM");
      expect(await server.exited).toBe(1);
      expect(server.said()).toContain("not drained within 1s: worker 2 did not end and was killed");
      expect(isRunning(hung)).toBe(false);
    },
    RUN_MS,
  );

  test(
    "a second signal ends all of them at once",
    async () => {
      const server = await start("--drain-timeout", "1h");
      const workers = workersOf(server.pid);
      process.kill(workers[1] ?? 0, "SIGSTOP");
      server.kill("SIGTERM");
      await server.says("SIGTERM received, draining");
      server.kill("SIGTERM");
      expect(await server.exited).toBe(1);
      await allEnded(workers);
    },
    RUN_MS,
  );

  test(
    "nobody else gets at their port: neither one process nor another set",
    async () => {
      await using server = await start();
      for (const count of ["1", "2"]) {
        const args = ["serve", "--store", store.address, "--port", server.port, "--workers", count];
        const { code, stderr } = await reto3(args);
        expect([code, stderr]).toEqual([1, expect.stringContaining("the port is taken")]);
      }
    },
    RUN_MS,
  );

  test.skipIf(!canMakeCertificates)(
    "have the certificate and want the tokens that one would",
    async () => {
      using folder = temporaryFolder();
      const file = join(folder.path, "tokens");
      const token = "0123456789abcdef0123456789abcdef";
      writeFileSync(file, `${token}\n`, { mode: 0o600 });
      const { certFile, keyFile, caFile } = makeCertificate(folder.path, "IP:127.0.0.1");
      await using server = await start("--token-file", file, "--tls-cert", certFile, "--tls-key", keyFile);
      const tls = { ca: readFileSync(caFile, "utf8") };
      const post = (headers: Record<string, string>) =>
        fetch(server.url, { method: "POST", body: EVENT, headers, keepalive: false, tls });
      for (let asked = 0; asked < 10; asked++) {
        expect((await post({})).status).toBe(401);
        expect((await post({ authorization: `Bearer ${token}` })).status).toBe(200);
      }
    },
    RUN_MS,
  );
});

test("a store that cannot be used ends all of them with its error, as it would one", async () => {
  const nobody = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const store = `cassandra://127.0.0.1:${nobody.port}/reto3?dc=datacenter1`;
  nobody.stop(true);
  const args = ["serve", "--store", store, "--port", "0", "--store-wait", "1ms"];
  const [one, several] = [await reto3(args), await reto3([...args, "--workers", "3"])];
  expect([several.code, one.code]).toEqual([1, 1]);
  const [error = ""] = one.stderr.split("\n");
  expect(several.stderr.split("\n")[0]).toBe(error.replace("reto3:", "reto3 worker 1:"));
  expect(several.stderr).not.toContain("worker 2");
}, 20_000);

test.each([["--workers", "2"], [], ["--workers", "4", "--raw-ttl", "1s"]])(
  "a store with one writer at a time is refused before anything is made (%p)",
  async (...args) => {
    using folder = temporaryFolder();
    const file = join(folder.path, "reto3.db");
    const variables: Record<string, string> = args.length === 0 ? { RETO3_WORKERS: "3" } : {};
    const { code, stderr } = await reto3(["serve", "--store", `sqlite:${file}`, "--port", "0", ...args], variables);
    expect([code, existsSync(file)]).toEqual([2, false]);
    expect(stderr).toContain("want --workers 1, or a Cassandra");
  },
);
