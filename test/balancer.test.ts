// HAProxy as it is shipped (ops/haproxy): what it does with events when the servers behind it misbehave or are away. No event that a
// server may have taken is ever sent to another one. The servers that misbehave are sockets of this test's own.
// With real servers, under load: cluster.test.ts.

import { describe, expect, test } from "bun:test";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { hasHaproxy, startBalancer } from "./support/haproxy.ts";
import { serve, temporaryFolder, until } from "./support/reto3.ts";

const READY = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const RUN_MS = 40_000;

if (!hasHaproxy && process.env["CI"] === "true") {
  test("HAProxy is installed", () => expect.unreachable("haproxy is missing; .ci/tools installs it"));
}

/** What a server does with an event that has come whole. */
type Manner = "answers" | "closes" | "closes in the middle of the answer" | "says nothing";

/** A server that says that it is ready, and treats events in its own manner. `took` has the body of each that reached it. */
async function misbehaving(manner: Manner) {
  const took: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let received = "";
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", (chunk) => {
      received += String(chunk);
      const end = received.indexOf("\r\n\r\n");
      if (end < 0) return;
      const length = Number(/content-length: (\d+)/i.exec(received)?.[1] ?? 0);
      if (received.length < end + 4 + length) return;
      const isCheck = received.startsWith("GET /readyz");
      const body = received.slice(end + 4);
      received = "";
      if (!isCheck) took.push(body);
      if (isCheck || manner === "answers") socket.write(READY);
      else if (manner === "closes") socket.destroy();
      else if (manner === "closes in the middle of the answer") socket.end("HTTP/1.1 200 O");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  return {
    took,
    address: `127.0.0.1:${port}`,
    /** From now on connections are refused. */
    [Symbol.dispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function post(url: string, body: string): Promise<Response> {
  return fetch(url, { method: "POST", body, headers: { Connection: "close" } });
}

/** Writes `parts` on one connection, `pauseMs` between them, and resolves with all that comes until it is closed. */
async function raw(url: string, parts: readonly string[], pauseMs = 0): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let received = "";
  socket.on("data", (chunk) => (received += String(chunk)));
  socket.on("error", () => {});
  const closed = new Promise((resolve) => socket.on("close", resolve));
  for (const part of parts) {
    if (socket.closed) break;
    socket.write(part);
    await Bun.sleep(pauseMs);
  }
  await closed;
  return received;
}

const request = (body: string, more = "") =>
  `POST / HTTP/1.1\r\nHost: x\r\n${more}Content-Length: ${body.length}\r\n\r\n${body}`;

describe.skipIf(!hasHaproxy)("an event that a server may have taken goes to no other one", () => {
  test.each(["closes", "closes in the middle of the answer"] as const)(
    "when the server %s: 502",
    async (manner) => {
      using bad = await misbehaving(manner);
      using good = await misbehaving("answers");
      await using balancer = await startBalancer([bad.address, good.address]);
      await balancer.untilUp(2);
      const bodies = Array.from({ length: 40 }, (_, at) => `event-${at}`);
      const statuses: Record<string, number> = {};
      for (const body of bodies) statuses[body] = (await post(balancer.url, body)).status;
      // Each was seen once, by one of them; what the bad one saw is of unknown outcome.
      expect([...bad.took, ...good.took].toSorted()).toEqual(bodies.toSorted());
      expect(bad.took.length).toBeGreaterThan(0);
      expect(good.took.length).toBeGreaterThan(0);
      for (const body of bad.took) expect([body, statuses[body]]).toEqual([body, 502]);
      for (const body of good.took) expect([body, statuses[body]]).toEqual([body, 200]);
    },
    RUN_MS,
  );

  test(
    "when the server closes on a later event of a connection: it is closed without an answer, or 502",
    async () => {
      using bad = await misbehaving("closes");
      using good = await misbehaving("answers");
      await using balancer = await startBalancer([bad.address, good.address]);
      await balancer.untilUp(2);
      const acked: string[] = [];
      for (let connection = 0; connection < 10; connection++) {
        const bodies = Array.from({ length: 5 }, (_, at) => `event-${connection}-${at}`);
        const requests = bodies.map((body, at) => request(body, at === 4 ? "Connection: close\r\n" : ""));
        const answers = await raw(balancer.url, requests, 30);
        const statuses = [...answers.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
        acked.push(...bodies.filter((_, at) => statuses[at] === "200"));
      }
      expect(bad.took.length).toBeGreaterThan(0);
      expect(good.took.toSorted()).toEqual(acked.toSorted());
      const seen = [...bad.took, ...good.took];
      expect(seen).toHaveLength(new Set(seen).size);
    },
    RUN_MS,
  );

  test(
    "when the server says nothing: 504 after ten seconds",
    async () => {
      using silent = await misbehaving("says nothing");
      using good = await misbehaving("answers");
      await using balancer = await startBalancer([silent.address, good.address]);
      await balancer.untilUp(2);
      const bodies = Array.from({ length: 8 }, (_, at) => `event-${at}`);
      const answers = await Promise.all(bodies.map((body) => post(balancer.url, body)));
      expect([...silent.took, ...good.took].toSorted()).toEqual(bodies);
      const unknown = answers.filter((answer) => answer.status === 504);
      expect(unknown).toHaveLength(silent.took.length);
      expect(silent.took.length).toBeGreaterThan(0);
      expect(await unknown[0]?.text()).toContain("may be stored, or may be later");
    },
    RUN_MS,
  );
});

describe.skipIf(!hasHaproxy)("an event that no server has taken", () => {
  test(
    "goes to another server when a connection is refused, before the first check has noticed",
    async () => {
      const gone = await misbehaving("answers");
      using good = await misbehaving("answers");
      await using balancer = await startBalancer([gone.address, good.address]);
      await balancer.untilUp(2);
      gone[Symbol.dispose]();
      const bodies = Array.from({ length: 50 }, (_, at) => `event-${at}`);
      const answers = await Promise.all(bodies.map((body) => post(balancer.url, body)));
      expect(answers.every((answer) => answer.status === 200)).toBe(true);
      expect(good.took.toSorted()).toEqual(bodies.toSorted());
    },
    RUN_MS,
  );

  test(
    "is refused with 503 and Retry-After when no server is up, and the balancer says so of itself",
    async () => {
      const gone = await misbehaving("answers");
      await using balancer = await startBalancer([gone.address]);
      await balancer.untilUp(1);
      expect((await fetch(`${balancer.adminUrl}/readyz`)).status).toBe(200);
      gone[Symbol.dispose]();
      await balancer.untilUp(0);
      const answer = await post(balancer.url, "event");
      expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
      expect(await answer.text()).toBe("no server takes events now; the event was not taken\n");
      expect((await fetch(`${balancer.adminUrl}/readyz`)).status).toBe(503);
      expect(balancer.said()).toContain("is DOWN");
    },
    RUN_MS,
  );

  test(
    "does not reach a server at all while its client sends it slowly: 408",
    async () => {
      using good = await misbehaving("answers");
      await using balancer = await startBalancer([good.address]);
      await balancer.untilUp(1);
      const slowHead = raw(balancer.url, Array.from("POST / HTTP/1.1\r\nX: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"), 200);
      const slowBody = raw(
        balancer.url,
        ["POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\n\r\n", ...Array.from({ length: 39 }, () => "v")],
        200,
      );
      expect(await slowHead).toStartWith("HTTP/1.1 408");
      expect(await slowBody).toStartWith("HTTP/1.1 408");
      expect(good.took).toEqual([]);
    },
    RUN_MS,
  );
});

describe.skipIf(!hasHaproxy)("before a real server", () => {
  test(
    "events that are pipelined are all answered, counts come through, metrics are each server's own",
    async () => {
      using folder = temporaryFolder();
      await using server = await serve(`sqlite:${join(folder.path, "reto3.db")}`);
      await using balancer = await startBalancer([new URL(server.url).host]);
      await balancer.untilUp(1);
      const event = "value=2016-05-28+11:11:11.123456";
      const answers = await raw(balancer.url, [
        request(event) + request(event) + request(event, "Connection: close\r\n"),
      ]);
      expect(answers.split("<h1>POST!</h1>").length - 1).toBe(3);
      await until(async () => {
        const counts = (await (await fetch(`${balancer.url}/counts?period=1s&last=60s`)).json()) as { events: number };
        return counts.events === 3;
      });
      expect((await fetch(`${balancer.url}/metrics`)).status).toBe(404);
      expect((await fetch(`${balancer.url}/readyz`)).status).toBe(200);
      const metrics = await (await fetch(`${balancer.adminUrl}/metrics`)).text();
      expect(metrics).toContain('haproxy_server_status{proxy="reto3",server="reto3-1",state="UP"} 1');
      expect(await (await fetch(balancer.adminUrl)).text()).toContain("Statistics Report");
    },
    RUN_MS,
  );
});
