// How serve behaves when its store is away, and how it ends then. The store is held up as another process could: by its lock.

import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { countEveryWay, load } from "./support/load.ts";
import { executable, reto3, serve, temporaryFolder, until } from "./support/reto3.ts";

const EVENT = "value=2016-05-28+11:11:11.123456";

/** A server whose store takes nothing until `release` is called. */
async function heldUp(folder: string, args: string[]) {
  const store = `sqlite:${join(folder, "reto3.db")}`;
  const server = await serve(store, args);
  const other = new Database(join(folder, "reto3.db"));
  other.run("BEGIN IMMEDIATE");
  const post = () => fetch(server.url, { method: "POST", body: EVENT });
  const release = () => {
    other.run("ROLLBACK");
    other.close();
  };
  return { store, server, post, release };
}

test("while the store is away events are answered 504, and are counted once when it is back", async () => {
  using folder = temporaryFolder();
  const { store, server, post, release } = await heldUp(folder.path, ["--ack-timeout", "2s"]);
  await using _ = server;
  const answers = await Promise.all([post(), post(), post()]);
  expect(answers.map((answer) => answer.status)).toEqual([504, 504, 504]);
  expect((await fetch(`${server.url}/readyz`)).status).toBe(503);
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  release();
  await until(async () => (await fetch(`${server.url}/readyz`)).status === 200);
  expect((await post()).status).toBe(200);
  expect(await countEveryWay(store)).toBe(4);
  await server.says("the store takes events again");
}, 20_000);

test("SIGTERM while the store is away: the rest is answered 504, its number is said, exit 1", async () => {
  using folder = temporaryFolder();
  const { server, post, release } = await heldUp(folder.path, ["--drain-timeout", "1s"]);
  const answers = [post(), post()];
  await until(async () => (await server.metric("reto3_queue_events")) === 2);
  server.kill("SIGTERM");
  expect((await Promise.all(answers)).map((answer) => answer.status)).toEqual([504, 504]);
  expect(await server.exited).toBe(1);
  expect(server.said()).toContain("not drained within 1s: the outcome of 2 events is unknown");
  release();
}, 20_000);

test("SIGTERM while a client never finishes its request: the store is drained and sealed all the same, exit 0", async () => {
  using folder = temporaryFolder();
  const store = `sqlite:${join(folder.path, "reto3.db")}`;
  // The client gets four fifths of it.
  const server = await serve(store, ["--drain-timeout", "5s"]);
  expect((await fetch(server.url, { method: "POST", body: EVENT })).status).toBe(200);
  const stalled = connect(Number(server.port), "127.0.0.1");
  stalled.on("error", () => {});
  await new Promise((resolve) => stalled.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\n\r\nval", resolve));
  server.kill("SIGTERM");
  expect(await server.exited).toBe(0);
  expect(server.said()).toContain("drained: 1 events stored, none left");
  stalled.destroy();
  const { stdout } = await reto3(["count", "--store", store, "--period", "1m", "--format", "json"]);
  expect(JSON.parse(stdout)).toMatchObject({ events: 1 });
}, 20_000);

test("a server whose store came back is ready again without any traffic", async () => {
  using folder = temporaryFolder();
  const { server, post, release } = await heldUp(folder.path, ["--ack-timeout", "100ms"]);
  await using _ = server;
  expect((await post()).status).toBe(504);
  expect((await fetch(`${server.url}/readyz`)).status).toBe(503);
  release();
  await until(async () => (await fetch(`${server.url}/readyz`)).status === 200);
}, 20_000);

test("a second signal ends it at once", async () => {
  using folder = temporaryFolder();
  const { server, post, release } = await heldUp(folder.path, ["--drain-timeout", "1h"]);
  void post().catch(() => {});
  await until(async () => (await server.metric("reto3_queue_events")) === 1);
  server.kill("SIGTERM");
  await server.says("SIGTERM received, draining");
  server.kill("SIGTERM");
  expect(await server.exited).toBe(1);
  release();
}, 20_000);

test("load writes a record of every request when asked", async () => {
  using folder = temporaryFolder();
  await using server = await serve(`sqlite:${join(folder.path, "reto3.db")}`);
  const file = join(folder.path, "run.ndjson");
  const { acked } = await load(server.url, ["--rps", "200", "--duration", "1s", "--record", file]);
  const records = readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect([acked, records.length]).toEqual([200, 200]);
  for (const record of records) expect(record).toMatchObject({ outcome: "acked", status: 200 });
  const dues = records.map((record) => Number(record["dueUs"])).toSorted((a, b) => a - b);
  expect((dues.at(-1) ?? 0) - (dues[0] ?? 0)).toBeCloseTo(995_000, -2);
}, 20_000);

test("a record file that cannot be written is an error before anything is sent", async () => {
  using folder = temporaryFolder();
  await using server = await serve(`sqlite:${join(folder.path, "reto3.db")}`);
  const args = ["load", "--url", server.url, "--duration", "1s", "--record", join(folder.path, "no", "such", "file")];
  const { code, stderr } = await reto3(args);
  expect([code, await server.metric("reto3_events_accepted_total")]).toEqual([2, 0]);
  expect(stderr).toContain("--record");
}, 20_000);

test("after SIGTERM events are taken for --drain-delay, while health says no", async () => {
  using folder = temporaryFolder();
  const store = `sqlite:${join(folder.path, "reto3.db")}`;
  await using server = await serve(store, ["--drain-delay", "6s"]);
  const health = (...args: string[]) => reto3(["health", "--port", server.port, ...args]);
  expect(await health()).toEqual({ code: 0, stdout: "ready\n", stderr: "" });
  server.kill("SIGTERM");
  await until(async () => (await health()).code === 1);
  expect((await health()).stderr).toContain("not ready: shutting down");
  expect((await health("--live")).stdout).toBe("ok\n");
  const answer = await fetch(server.url, { method: "POST", body: EVENT });
  expect([answer.status, answer.headers.get("connection")]).toEqual([200, "close"]);
  expect(await server.exited).toBe(0);
  expect((await health()).stderr).toContain("no answer: ECONNREFUSED");
  expect(server.said()).toContain("drained: 1 events stored, none left");
}, 20_000);

test("health and load ask their server and not a proxy", async () => {
  using folder = temporaryFolder();
  await using server = await serve(`sqlite:${join(folder.path, "reto3.db")}`);
  const proxies = { HTTP_PROXY: "http://127.0.0.1:9", http_proxy: "http://127.0.0.1:9" };
  expect((await reto3(["health", "--port", server.port], proxies)).stdout).toBe("ready\n");
  expect((await reto3(["load", "--url", server.url, "--rps", "100", "--duration", "1s"], proxies)).code).toBe(0);
}, 20_000);

test("SIGTERM before the store is open ends it at once", async () => {
  // A port that takes connections and never says a word, as a Cassandra that hangs.
  const connected = Promise.withResolvers<void>();
  const socket = { open: () => connected.resolve(), data() {} };
  using silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket });
  const store = `cassandra://127.0.0.1:${silent.port}/reto3?dc=datacenter1`;
  const child = Bun.spawn([executable, "serve", "--store", store, "--port", "0"], { stderr: "pipe" });
  await connected.promise;
  child.kill("SIGTERM");
  expect(await new Response(child.stderr).text()).toContain("SIGTERM received before the store was open");
  expect(await child.exited).toBe(0);
}, 20_000);
