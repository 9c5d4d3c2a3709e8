import type { BunRequest } from "bun";
import { expect, test } from "bun:test";
import { once } from "node:events";
import { connect } from "node:net";
import { VIEWER_BACKLOG_BYTES_MAX, VIEWERS_MAX } from "../config.ts";
import { Histogram } from "../histogram.ts";
import type { LiveFeed, Viewer } from "../live/feed.ts";
import { liveStream } from "./live.ts";
import type { HttpStats } from "./metrics.ts";

const MESSAGE = new TextEncoder().encode(`data: ${"x".repeat(64 * 1024)}\n\n`);

/** A feed that says what the test wants, and a server of it. */
function setup() {
  const viewers = new Set<Viewer>();
  const feed = {
    get viewers() {
      return viewers.size;
    },
    join: (viewer: Viewer) => void viewers.add(viewer),
    leave: (viewer: Viewer) => void viewers.delete(viewer),
  } as unknown as LiveFeed;
  const http = { liveRefused: { too_many: 0, too_slow: 0 }, ackLatencyUs: new Histogram() } as unknown as HttpStats;
  const handle = (request: Request) =>
    liveStream(feed, http, request as BunRequest) ?? new Response("too many", { status: 503 });
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: handle });
  const send = (message: Uint8Array) => {
    for (const viewer of viewers) viewer.send(message);
  };
  return {
    server,
    viewers,
    http: http.liveRefused,
    send,
    url: server.url.href,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

const text = (words: string) => new TextEncoder().encode(words);

/** Waits for what comes by itself. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await Bun.sleep(1);
}

test("what is said comes at once and in order, and ends where the feed does", async () => {
  await using live = setup();
  const asked = fetch(live.url);
  await until(() => live.viewers.size === 1);
  live.send(text("one\n\n"));
  const answer = await asked;
  expect([answer.headers.get("content-type"), answer.headers.get("cache-control")]).toEqual([
    "text/event-stream",
    "no-store",
  ]);
  const reader = answer.body!.getReader();
  const next = async () => new TextDecoder().decode((await reader.read()).value);
  expect(await next()).toBe("one\n\n");
  live.send(text("two\n\n"));
  expect(await next()).toBe("two\n\n");
  live.send(text("three\n\n"));
  for (const viewer of live.viewers) viewer.end();
  expect([await next(), (await reader.read()).done]).toEqual(["three\n\n", true]);
});

test("a viewer that goes away is no viewer any more, whether or not it was told anything", async () => {
  await using live = setup();
  for (const words of ["", "one\n\n"]) {
    const gone = new AbortController();
    const asked = fetch(live.url, { signal: gone.signal }).then((answer) => answer.text());
    await until(() => live.viewers.size === 1);
    if (words !== "") live.send(text(words));
    gone.abort();
    await expect(asked).rejects.toThrow();
    await until(() => live.viewers.size === 0);
  }
  expect(live.http).toEqual({ too_many: 0, too_slow: 0 });
});

test("a viewer that does not read is cut when so much waits for it, and others go on", async () => {
  await using live = setup();
  const slow = connect(Number(live.server.port), "127.0.0.1");
  slow.pause();
  await once(slow, "connect");
  slow.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const asked = fetch(live.url);
  await until(() => live.viewers.size === 2);
  live.send(MESSAGE);
  const reader = (await asked).body!.getReader();
  let read = 0;
  // Until the system's buffers are full, too.
  for (let sent = 2 * MESSAGE.length; live.http.too_slow === 0; sent += MESSAGE.length) {
    live.send(MESSAGE);
    while (read < sent) read += (await reader.read()).value?.length ?? 0;
  }
  expect([live.viewers.size, live.http]).toEqual([1, { too_many: 0, too_slow: 1 }]);
  slow.destroy();
});

test("nothing is kept for a viewer beyond the limit", () => {
  const viewers: Viewer[] = [];
  const left: Viewer[] = [];
  const feed = { viewers: 0, join: (one: Viewer) => viewers.push(one), leave: (one: Viewer) => left.push(one) };
  const http = { liveRefused: { too_many: 0, too_slow: 0 } } as unknown as HttpStats;
  liveStream(feed as unknown as LiveFeed, http, new Request("http://x/") as BunRequest);
  const [viewer] = viewers;
  for (let sent = MESSAGE.length; sent <= VIEWER_BACKLOG_BYTES_MAX; sent += MESSAGE.length) viewer?.send(MESSAGE);
  expect([left.length, http.liveRefused.too_slow]).toEqual([0, 0]);
  viewer?.send(MESSAGE);
  viewer?.send(MESSAGE);
  expect([left, http.liveRefused.too_slow]).toEqual([[viewer!], 1]);
});

test("so many look on at once, and others are refused until one has gone", async () => {
  await using live = setup();
  const gone = new AbortController();
  const first = fetch(live.url, { signal: gone.signal }).catch(() => {});
  await until(() => live.viewers.size === 1);
  const others = Array.from({ length: VIEWERS_MAX - 1 }, () => fetch(live.url));
  await until(() => live.viewers.size === VIEWERS_MAX);
  live.send(text("one\n\n"));
  expect((await fetch(live.url)).status).toBe(503);
  expect(live.http.too_many).toBe(1);
  gone.abort();
  await first;
  await until(() => live.viewers.size === VIEWERS_MAX - 1);
  const taken = fetch(live.url);
  await until(() => live.viewers.size === VIEWERS_MAX);
  for (const viewer of live.viewers) viewer.end();
  expect((await taken).status).toBe(200);
  for (const other of await Promise.all(others)) expect(await other.text()).toBe("one\n\n");
});

test("HEAD is told what it would get, and is no viewer", async () => {
  await using live = setup();
  const answer = await fetch(live.url, { method: "HEAD" });
  expect([answer.status, answer.headers.get("content-type"), live.viewers.size]).toEqual([200, "text/event-stream", 0]);
});
