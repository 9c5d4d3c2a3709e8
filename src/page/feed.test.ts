import { expect, test } from "bun:test";
import type { Tick } from "../live-messages.ts";
import { Feed, type Connection } from "./feed.ts";

/** A server that answers as `answer` says, and a feed that is connected to it. */
function setUp(answer: (request: Request, attempt: number) => Response, silenceMaxMs = 60_000, leavesAtOnce = false) {
  let attempts = 0;
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: (request) => answer(request, attempts++) });
  const heard: string[] = [];
  const connections: Connection[] = [];
  let onNews = () => {};
  const feed = new Feed({
    url: server.url.href,
    silenceMaxMs,
    headers: () => ({ Authorization: "Bearer abc" }),
    onSnapshot: ({ nowMs }) => {
      heard.push(`snapshot ${nowMs}`);
      if (leavesAtOnce) feed.leave();
    },
    onTick: ({ nowMs }: Tick) => {
      heard.push(`tick ${nowMs}`);
      onNews();
    },
    onConnection: (connection) => {
      connections.push(connection);
      onNews();
    },
  });
  return {
    feed,
    heard,
    connections,
    kinds: () => connections.map(({ kind }) => kind),
    async until(condition: () => boolean): Promise<void> {
      while (!condition()) await new Promise<void>((resolve) => (onNews = resolve));
    },
    async [Symbol.asyncDispose]() {
      feed.leave();
      await server.stop(true);
    },
  };
}

const SNAPSHOT = 'event: snapshot\ndata: {"nowMs":1}\n\n';
const stream = (text: string, ends = false) => {
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(text));
      if (ends) controller.close();
    },
  });
  return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
};

test("it hands on what the server says, and sends the token along", async () => {
  let authorization: string | null = null;
  await using page = setUp((request) => {
    authorization = request.headers.get("authorization");
    return stream(`${SNAPSHOT}event: tick\ndata: {"nowMs":2}\n\n`);
  });
  page.feed.open();
  await page.until(() => page.heard.length === 2);
  expect(page.heard).toEqual(["snapshot 1", "tick 2"]);
  expect(page.kinds()).toEqual(["connecting", "open"]);
  expect(String(authorization)).toBe("Bearer abc");
});

test("a connection that the server ends is opened again, and of the attempt in between nothing is said", async () => {
  await using page = setUp((_request, attempt) => stream(SNAPSHOT, attempt === 0));
  page.feed.open();
  await page.until(() => page.kinds().length === 4);
  expect(page.kinds()).toEqual(["connecting", "open", "lost", "open"]);
});

test("503 is said in the server's words", async () => {
  await using page = setUp(() => new Response("64 look on already\n", { status: 503 }));
  page.feed.open();
  await page.until(() => page.kinds().includes("turned-away"));
  expect(page.connections.at(-1)).toMatchObject({ kind: "turned-away", reason: "64 look on already" });
});

test("a page in HTML that a proxy answers is not said word by word", async () => {
  const headers = { "Content-Type": "text/html" };
  const statusText = "Service Unavailable";
  await using page = setUp(() => new Response("<h1>503</h1>", { status: 503, statusText, headers }));
  page.feed.open();
  await page.until(() => page.kinds().includes("turned-away"));
  expect(page.connections.at(-1)).toMatchObject({ reason: "the answer was 503 Service Unavailable" });
});

test("401 is not tried again until somebody opens", async () => {
  await using page = setUp((_request, attempt) =>
    attempt === 0 ? new Response("", { status: 401 }) : stream(SNAPSHOT),
  );
  page.feed.open();
  await page.until(() => page.kinds().includes("unauthorized"));
  page.feed.open();
  await page.until(() => page.kinds().includes("open"));
  expect(page.kinds()).toEqual(["connecting", "unauthorized", "connecting", "open"]);
});

test("what came together with the reason to leave is not handed on either", async () => {
  const both = `${SNAPSHOT}event: tick\ndata: {"nowMs":2}\n\n`;
  await using page = setUp(() => stream(both), 60_000, true);
  page.feed.open();
  await page.until(() => page.kinds().includes("away"));
  expect(page.heard).toEqual(["snapshot 1"]);
});

test("what comes after somebody has left is not handed on", async () => {
  await using page = setUp(() => stream(SNAPSHOT));
  page.feed.open();
  page.feed.leave();
  page.feed.open();
  await page.until(() => page.kinds().includes("open"));
  expect(page.kinds()).toEqual(["connecting", "away", "connecting", "open"]);
  expect(page.heard).toEqual(["snapshot 1"]);
});

test("a silent server counts as lost", async () => {
  await using page = setUp(() => stream(SNAPSHOT), 100);
  page.feed.open();
  // Where this machine is slow the first attempt may be lost before it is open.
  await page.until(() => page.kinds().includes("open") && page.kinds().at(-1) === "lost");
  expect(page.kinds().slice(-2)).toEqual(["open", "lost"]);
});
