import { afterEach, describe, expect, spyOn, test } from "bun:test";
import { once } from "node:events";
import { connect } from "node:net";
import { systemClock } from "../clock.ts";
import { Reto3Error } from "../errors.ts";
import { emptyMemory, memoryStore } from "../store/memory.ts";
import type { Store } from "../store/store.ts";
import type { Tick } from "../live-messages.ts";
import { FlushSequence } from "../writer/sequence.ts";
import { Writer, type WriterOptions } from "../writer/writer.ts";
import { liveMessages } from "../../test/support/live-stream.ts";
import { startServer, type HttpServer } from "./server.ts";
import { Tokens } from "./tokens.ts";

const EVENT = "value=2016-05-28+11%3A11%3A11.123456";
const STORED = "<html><body><h1>POST!</h1></body></html>";

const PAGE = "<!doctype html><script>1</script>";

const NO_UPKEEP = {
  mergedMinutes: 0,
  settledPartitions: 0,
  undecided: new Set(),
  failures: 0,
  unsealedClaims: 0,
  unsealedSinceUs: null,
};

const started: { server: HttpServer; writer: Writer }[] = [];
afterEach(async () => {
  for (const { server, writer } of started.splice(0)) {
    await server.stop();
    await writer.close(100);
  }
});

function start(store: Store = memoryStore(), options: Partial<WriterOptions> = {}, tokens = {}) {
  const clock = systemClock();
  const writer = new Writer({ store, clock, ...options });
  const errors: unknown[] = [];
  const server = startServer({
    host: "127.0.0.1",
    port: 0,
    store,
    writer,
    clock,
    version: "1.2.3",
    commit: "0123456789ab",
    clockOffsetUs: () => -1_500,
    upkeep: { ...NO_UPKEEP, mergedMinutes: 7 },
    keep: "events",
    page: { html: PAGE },
    tokens,
    onError: (error) => errors.push(error),
  });
  started.push({ server, writer });
  const post = (body: string) => fetch(server.url, { method: "POST", body });
  return { server, writer, post, errors };
}

/** Sends `request` as it is and resolves with all that comes until the server closes. */
function raw(url: string, request: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    let received = "";
    const socket = connect(Number(port), hostname, () => socket.write(request));
    socket.on("data", (chunk) => (received += String(chunk)));
    socket.on("close", () => resolve(received));
    socket.on("error", reject);
  });
}

describe("POST /", () => {
  test("answers 200 with the body that clients expect, once the event is stored", async () => {
    const store = memoryStore();
    let written = 0;
    const watched: Store = {
      ...store,
      write: async (flush) => void (written += (await store.write(flush), flush.receivedUs.length)),
    };
    const { post } = start(watched);
    const response = await post(EVENT);
    expect([response.status, await response.text(), written]).toEqual([200, STORED, 1]);
  });

  test("answers 400 with one line for what is no event, and counts it", async () => {
    const { post, server } = start();
    const response = await post("value=2016-02-30+00:00:00");
    expect(response.status).toBe(400);
    expect(await response.text()).toMatch(
      /^event: value "2016-02-30 00:00:00" is not .*; want one form field: value=YYYY.*\n$/,
    );
    expect(await (await fetch(`${server.url}/metrics`)).text()).toContain(
      'reto3_requests_refused_total{reason="invalid"} 1',
    );
  });

  test("answers 413 for a body that is too large", async () => {
    const { post } = start();
    expect((await post(`value=${"x".repeat(2_000)}`)).status).toBe(413);
    expect((await post(`value=${"x".repeat(100_000)}`)).status).toBe(413);
  });

  test("answers 503 with Retry-After when the queue is full; the event was not taken", async () => {
    const store = memoryStore();
    const gate = Promise.withResolvers<void>();
    const { post, writer } = start(
      { ...store, write: (flush) => gate.promise.then(() => store.write(flush)) },
      { queueEventsMax: 1 },
    );
    const taken = post(EVENT);
    while (writer.queuedEvents === 0) await Bun.sleep(0);
    const refused = await post(EVENT);
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "1"]);
    gate.resolve();
    expect((await taken).status).toBe(200);
    expect(writer.stats.storedEvents).toBe(1);
  });

  test("answers 504 when no durable answer comes in time, and is not ready until one does", async () => {
    const store = memoryStore();
    const gate = Promise.withResolvers<void>();
    const { post, server } = start(
      { ...store, write: (flush) => gate.promise.then(() => store.write(flush)) },
      { ackTimeoutMs: 50 },
    );
    expect((await post(EVENT)).status).toBe(504);
    expect((await fetch(`${server.url}/readyz`)).status).toBe(503);
    gate.resolve();
    while ((await fetch(`${server.url}/readyz`)).status !== 200) await Bun.sleep(1);
    expect((await post(EVENT)).status).toBe(200);
  });

  test("answers 503 when the store refuses for good and nothing was sent, 504 when something may have been", async () => {
    const refusing: Store = { ...memoryStore(), write: () => Promise.reject(new Reto3Error("STORE_REFUSED", "no")) };
    expect((await start(refusing).post(EVENT)).status).toBe(503);
    let tries = 0;
    const lost: Store = {
      ...memoryStore(),
      write: () => Promise.reject(new Reto3Error(tries++ === 0 ? "STORE_UNKNOWN" : "STORE_REFUSED", "no")),
    };
    expect((await start(lost).post(EVENT)).status).toBe(504);
  });
});

test("a client that goes away in the middle of its body leaves no event and no error behind", async () => {
  const { server, writer, errors } = start();
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname, () => {
    socket.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${EVENT.length}\r\n\r\nvalue=2016`, () =>
      socket.destroy(),
    );
  });
  const invalid = async () => (await (await fetch(`${server.url}/metrics`)).text()).includes('{reason="invalid"} 1');
  while (!(await invalid())) await Bun.sleep(1);
  expect([writer.stats.acceptedEvents, errors]).toEqual([0, []]);
});

describe("readiness", () => {
  test("fails while the store does not answer, also without traffic", async () => {
    let away = true;
    const memory = memoryStore();
    const store: Store = {
      ...memory,
      ping: async () => {
        if (away) throw new Reto3Error("STORE_UNAVAILABLE", "away");
      },
    };
    const { url } = start(store).server;
    expect((await fetch(`${url}/readyz`)).status).toBe(503);
    away = false;
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
  });

  test("fails after a flush that the store refused for good, until one is stored", async () => {
    let refuses = true;
    const memory = memoryStore();
    const store: Store = {
      ...memory,
      write: async (flush) => {
        if (refuses) throw new Reto3Error("STORE_REFUSED", "no such table");
        await memory.write(flush);
      },
    };
    const { server, post } = start(store);
    expect((await post(EVENT)).status).toBe(503);
    expect(await (await fetch(`${server.url}/readyz`)).text()).toBe("not ready: the store refused events\n");
    refuses = false;
    expect((await post(EVENT)).status).toBe(200);
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
  });

  test("comes back some seconds after the last refusal: behind a balancer there are no events that would show it", async () => {
    const refusing = () => Promise.reject(new Reto3Error("STORE_REFUSED", "no such table"));
    const { server, post } = start({ ...memoryStore(), write: refusing });
    const now = performance.now.bind(performance);
    let laterMs = 0;
    using _ = spyOn(performance, "now").mockImplementation(() => now() + laterMs);
    for (const seconds of [9, 11]) {
      expect((await post(EVENT)).status).toBe(503);
      laterMs += seconds * 1_000;
      expect((await fetch(`${server.url}/readyz`)).status).toBe(seconds < 10 ? 503 : 200);
    }
  });
});

describe("other requests", () => {
  test("GET / answers 200, as existing clients check; a browser is shown the page", async () => {
    const { url } = start().server;
    const get = async (headers: Record<string, string>, method = "GET") => {
      const answer = await fetch(url, { method, headers });
      return [answer.status, answer.headers.get("content-type"), answer.headers.get("vary"), await answer.text()];
    };
    const browser = { accept: "text/html,application/xhtml+xml,*/*;q=0.8" };
    const home = "<html><body><h1>reto3</h1></body></html>";
    expect(await get({ accept: "*/*" })).toEqual([200, "text/html", "Accept", home]);
    expect(await get(browser)).toEqual([200, "text/html; charset=utf-8", "Accept", PAGE]);
    expect(await get(browser, "HEAD")).toEqual([200, "text/html; charset=utf-8", "Accept", ""]);
  });

  test.each([
    ["PUT", "/", 405, "GET, HEAD, POST"],
    ["DELETE", "/counts", 405, "GET, HEAD"],
    ["POST", "/healthz", 405, "GET, HEAD"],
    ["POST", "/live", 405, "GET, HEAD"],
    ["GET", "/nothing", 404, null],
    ["POST", "/nothing", 404, null],
  ])("%s %s answers %p", async (method, path, status, allow) => {
    const response = await fetch(start().server.url + path, { method });
    expect([response.status, response.headers.get("allow")]).toEqual([status, allow]);
  });

  test("/healthz and /readyz answer 200 while all is well", async () => {
    const { url } = start().server;
    expect([(await fetch(`${url}/healthz`)).status, (await fetch(`${url}/readyz`)).status]).toEqual([200, 200]);
  });

  test("a request of HTTP/1.0 without Host is answered", async () => {
    const { url } = start().server;
    const request = `POST / HTTP/1.0\r\nContent-Length: ${EVENT.length}\r\n\r\n${EVENT}`;
    expect(await raw(url, request)).toContain(STORED);
  });

  test("a head in a hundred pieces is put together", async () => {
    const { url } = start().server;
    const { hostname, port } = new URL(url);
    const request = `POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${EVENT.length}\r\n\r\n${EVENT}`;
    const answer = await new Promise<string>((resolve) => {
      let received = "";
      const socket = connect(Number(port), hostname);
      socket.setNoDelay(true);
      socket.on("data", (chunk) => (received += String(chunk)));
      socket.on("close", () => resolve(received));
      const writeSlowly = async () => {
        for (const character of request) {
          socket.write(character);
          await Bun.sleep(0);
        }
      };
      socket.on("connect", () => void writeSlowly());
    });
    expect(answer).toContain(STORED);
  });

  test("an occupied port is an error with a hint", () => {
    const { url } = start().server;
    const store = memoryStore();
    const clock = systemClock();
    const writer = new Writer({ store, clock });
    const options = {
      store,
      clock,
      writer,
      version: "",
      commit: "",
      clockOffsetUs: () => null,
      upkeep: NO_UPKEEP,
      keep: "events" as const,
      onError: () => {},
    };
    expect(() => startServer({ ...options, host: "127.0.0.1", port: Number(new URL(url).port) })).toThrow(
      "cannot listen",
    );
  });
});

describe("without the token that is wanted", () => {
  const TOKEN = "0123456789abcdef";
  const withTokens = () => start(memoryStore(), {}, { write: new Tokens([TOKEN]), read: new Tokens([TOKEN]) });

  test("an event is answered 401 before any of its body has come", async () => {
    const { server, writer } = withTokens();
    const { hostname, port } = new URL(server.url);
    const head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\n\r\n";
    const socket = connect(Number(port), hostname, () => socket.write(head));
    const [answer] = (await once(socket, "data")) as [Buffer];
    socket.destroy();
    expect(String(answer)).toStartWith("HTTP/1.1 401 Unauthorized\r\n");
    expect(String(answer)).toMatch(/\r\nWWW-Authenticate: Bearer\r\n/i);
    expect(String(answer)).toEndWith(
      '\r\n\r\nunauthorized; want "Authorization: Bearer TOKEN" with a token of the server\'s --token-file\n',
    );
    expect(writer.stats.acceptedEvents).toBe(0);
  });

  test("what is in its body is not taken for the next request", async () => {
    const { server, writer } = withTokens();
    const next = `POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKEN}\r\nConnection: close\r\nContent-Length: `;
    const hidden = `${next}${EVENT.length}\r\n\r\n${EVENT}`;
    const first = `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${hidden.length}\r\n\r\n`;
    const { hostname, port } = new URL(server.url);
    let received = "";
    const socket = connect(Number(port), hostname, () => socket.write(first));
    const closed = once(socket, "close");
    socket.on("data", (chunk) => {
      received += String(chunk);
      // Its body comes when it has been answered; then the next one.
      if (received.split("HTTP/1.1 ").length === 2) socket.write(hidden + next + "0\r\n\r\n");
    });
    await closed;
    expect(received.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 401", "HTTP/1.1 400"]);
    expect(writer.stats.acceptedEvents).toBe(0);
  });

  test("the header may come twice, and then it is none", async () => {
    const { server } = withTokens();
    const twice = `Authorization: Bearer ${TOKEN}\r\n`.repeat(2);
    const head = `POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${twice}Content-Length: ${EVENT.length}\r\n\r\n`;
    expect(await raw(server.url, head + EVENT)).toStartWith("HTTP/1.1 401 ");
  });

  test("GET /counts does not look at its query, and takes no place of those who may ask", async () => {
    const { server } = withTokens();
    const answers = await Promise.all(Array.from({ length: 20 }, () => fetch(`${server.url}/counts?nonsense=1`)));
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([401]));
  });
});

describe("GET /counts", () => {
  /** `store` whose claims come when `gate` is opened; `asked` has a row for each question. */
  function gated(store: Store) {
    const gate = Promise.withResolvers<void>();
    const asked: unknown[] = [];
    const slow: Store = {
      ...store,
      async *claims(...range) {
        asked.push(range);
        await gate.promise;
        yield* store.claims(...range);
      },
    };
    return { slow, asked, gate };
  }

  /** `minutes` full of 10 ms buckets, which is more than a socket holds. */
  async function fillWith(store: Store, minutes: number): Promise<void> {
    for (let minute = 0; minute < minutes; minute++) {
      const minuteUs = Date.UTC(2026, 0, 1) * 1_000 + minute * 60_000_000;
      const receivedUs = Array.from({ length: 6_000 }, (_, at) => minuteUs + at * 10_000);
      const clock = { nowUs: () => minuteUs, epoch: 0 };
      const sequence = new FlushSequence({ store, clock, signal: new AbortController().signal });
      await sequence.flush({ minuteUs, epoch: 0, createdUs: receivedUs.map(BigInt), receivedUs });
      await sequence.close();
    }
  }

  async function serverWithEvents(times: number) {
    const { post, server } = start();
    await Promise.all(Array.from({ length: times }, () => post(EVENT)));
    return server.url;
  }

  test("answers JSON with the counts, the server's time and whether they are final", async () => {
    const url = await serverWithEvents(20);
    const response = await fetch(`${url}/counts?period=1m&last=2m`);
    expect(response.headers.get("content-type")).toBe("application/json");
    const answer = (await response.json()) as Record<string, unknown>;
    expect(answer).toMatchObject({ period: "1m", events: 20, sealed: false });
    expect(Math.abs(Date.parse(String(answer["now"])) - Date.now())).toBeLessThan(60_000);
  });

  test("answers text lines or CSV to whom accepts them", async () => {
    const url = await serverWithEvents(3);
    const ask = async (accept: string) => (await fetch(`${url}/counts?last=1m`, { headers: { accept } })).text();
    const sum = (text: string) =>
      text
        .trim()
        .split("\n")
        .reduce((total, line) => total + Number(line.split(",")[1]), 0);
    expect(await ask("text/plain")).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.000, \d+\n/);
    expect(sum(await ask("text/plain"))).toBe(3);
    expect(await ask("text/csv")).toStartWith("bucket,events,lag_min_us");
  });

  test("prefers JSON for whom takes anything", async () => {
    const url = await serverWithEvents(1);
    const headers = { accept: "application/json, text/plain, */*" };
    const response = await fetch(`${url}/counts`, { headers });
    expect(response.headers.get("content-type")).toBe("application/json");
  });

  test("answers 410 where the counts have expired", async () => {
    const data = emptyMemory();
    const { server, post, writer } = start(memoryStore(data));
    await post(EVENT);
    await writer.close(1_000);
    data.counts["10ms"].clear();
    const response = await fetch(`${server.url}/counts?period=10ms&last=2m`);
    expect([response.status, await response.text()]).toEqual([
      410,
      expect.stringContaining("have expired under an earlier lifetime"),
    ]);
    expect((await fetch(`${server.url}/counts?period=1s&last=2m`)).status).toBe(200);
  });

  test("answers so many at once, and 503 to others until one of them ends or goes away", async () => {
    const memory = memoryStore();
    const { slow, asked, gate } = gated(memory);
    const { url } = start(slow).server;
    const running = Array.from({ length: 16 }, () => fetch(`${url}/counts`));
    while (asked.length < 16) await Bun.sleep(1);
    const refused = await fetch(`${url}/counts`);
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(await (await fetch(`${url}/metrics`)).text()).toContain("reto3_counts_refused_total 1\n");
    gate.resolve();
    for (const response of await Promise.all(running)) expect((await response.text()).length).toBeGreaterThan(10);
    expect((await fetch(`${url}/counts`)).status).toBe(200);
  });

  test("clients that go away before or in the middle of their answer hold up nobody", async () => {
    const memory = memoryStore();
    await fillWith(memory, 20);
    const { slow, asked, gate } = gated(memory);
    const { url } = start(slow).server;
    const day = "period=10ms&from=2026-01-01&to=2026-01-02";
    for (let round = 0; round < 3; round++) {
      const gone = new AbortController();
      const answers = Array.from({ length: 16 }, () =>
        fetch(`${url}/counts?${day}`, { signal: gone.signal }).catch(() => {}),
      );
      // First before the head has come, then in the middle of the body.
      if (round === 0) while (asked.length < 16) await Bun.sleep(1);
      else await Promise.all(answers);
      gone.abort();
      await Promise.all(answers);
      gate.resolve();
      while ((await fetch(`${url}/counts?last=1s`)).status !== 200) await Bun.sleep(5);
    }
    const whole = await Promise.all(Array.from({ length: 16 }, () => fetch(`${url}/counts?last=1s`)));
    expect(whole.map((response) => response.status)).toEqual(Array(16).fill(200));
  }, 60_000);

  test.each(["period=5s", "last=abc", "from=x", "limit=3", "last=1s&last=2s", "from=2027-01-01&to=2026-01-01"])(
    "answers 400 to %s",
    async (query) => {
      const response = await fetch(`${start().server.url}/counts?${query}`);
      expect([response.status, (await response.text()).length > 20]).toEqual([400, true]);
    },
  );

  test("answers 503 when the store cannot be read", async () => {
    const store: Store = {
      ...memoryStore(),
      // oxlint-disable-next-line require-yield
      async *claims() {
        throw new Reto3Error("STORE_UNAVAILABLE", "no host is up");
      },
    };
    const response = await fetch(`${start(store).server.url}/counts`);
    expect([response.status, await response.text()]).toEqual([503, "no host is up\n"]);
  });
});

describe("GET /metrics", () => {
  test("has every counter from the start, and histograms whose buckets add up", async () => {
    const { post, server } = start();
    await Promise.all(Array.from({ length: 7 }, () => post(EVENT)));
    const text = await (await fetch(`${server.url}/metrics`)).text();
    const value = (name: string) =>
      Number(
        text
          .split("\n")
          .find((line) => line.startsWith(`${name} `))
          ?.split(" ")
          .at(-1),
      );
    expect(value("reto3_events_accepted_total")).toBe(7);
    expect(value("reto3_events_stored_total")).toBe(7);
    expect(value("reto3_ack_latency_seconds_count")).toBe(7);
    expect(value('reto3_ack_latency_seconds_bucket{le="+Inf"}')).toBe(7);
    expect(value("reto3_flush_events_sum")).toBe(7);
    expect(value("reto3_store_clock_offset_seconds")).toBe(-0.0015);
    // Created years ago: clamped at an hour, and above the last bound.
    expect([value('reto3_lag_seconds_bucket{le="3500"}'), value("reto3_lag_seconds_count")]).toEqual([0, 7]);
    expect(value("reto3_store_synced")).toBe(0);
    expect(value("process_open_fds")).toBeGreaterThan(0);
    expect(value("process_start_time_seconds")).toBeLessThan(Date.now() / 1_000);
    for (const kind of ["unavailable", "unknown", "refused"])
      expect(value(`reto3_store_errors_total{kind="${kind}"}`)).toBe(0);
    // The store has neither.
    for (const absent of ["reto3_store_log_bytes", "reto3_store_disk_free_bytes"]) expect(value(absent)).toBeNaN();
    expect(text).toContain('reto3_build_info{version="1.2.3",commit="0123456789ab"');
    expect(value("reto3_reads_unauthorized_total")).toBe(0);
    expect(value("reto3_live_viewers")).toBe(0);
    for (const reason of ["too_many", "too_slow"])
      expect(value(`reto3_live_refused_total{reason="${reason}"}`)).toBe(0);
    for (const reason of [
      "unauthorized",
      "invalid",
      "too_large",
      "method",
      "queue_full",
      "draining",
      "timeout",
      "store_refused",
    ]) {
      expect(value(`reto3_requests_refused_total{reason="${reason}"}`)).toBe(0);
    }
  });
});

test("GET /metrics answers though the store tells nothing in time, and says so by leaving it out", async () => {
  const { server } = start({ ...memoryStore(), gauges: () => new Promise(() => {}) });
  const text = await (await fetch(`${server.url}/metrics`)).text();
  expect(text).toContain("# TYPE reto3_store_log_bytes gauge\n# HELP");
});

describe("GET /live", () => {
  const eventsIn = ({ seconds }: Tick) => seconds.reduce((sum, [, events]) => sum + events, 0);

  test("says what has been, and then each second what is new, until the client goes", async () => {
    const { server, post, errors } = start();
    await Promise.all(Array.from({ length: 7 }, () => post(EVENT)));
    const gone = new AbortController();
    const answer = await fetch(`${server.url}/live`, { signal: gone.signal });
    expect(answer.headers.get("content-type")).toBe("text/event-stream");
    const messages = liveMessages(answer);
    const { event, data } = (await messages.next()).value!;
    expect([event, data.status.workers, data.status.viewers, data.status.clockOffsetMs]).toEqual([
      "snapshot",
      1,
      1,
      -1.5,
    ]);
    let events = eventsIn(data);
    for (let expected = 7; events < expected;) {
      const { value } = await messages.next();
      expect(value!.event).toBe("tick");
      events += eventsIn(value!.data);
    }
    expect(events).toBe(7);
    const viewers = async () =>
      /^reto3_live_viewers (\d)$/m.exec(await (await fetch(`${server.url}/metrics`)).text())?.[1];
    expect(await viewers()).toBe("1");
    gone.abort();
    while ((await viewers()) !== "0") await Bun.sleep(1);
    expect(errors).toEqual([]);
  }, 10_000);

  test("wants the token that reading wants, in the header; the page itself wants none", async () => {
    const tokens = { read: new Tokens(["0123456789abcdef"]) };
    const { url } = start(memoryStore(), {}, tokens).server;
    expect((await fetch(`${url}/live`)).status).toBe(401);
    expect((await fetch(`${url}/live?token=0123456789abcdef`)).status).toBe(401);
    expect((await fetch(url, { headers: { accept: "text/html" } })).status).toBe(200);
    const answer = await fetch(`${url}/live`, { headers: { authorization: "Bearer 0123456789abcdef" } });
    expect((await liveMessages(answer).next()).value!.event).toBe("snapshot");
  });

  test("ends when the server drains, which does not wait for it; who comes then is sent away", async () => {
    const { server } = start();
    const answer = await fetch(`${server.url}/live`);
    const messages = liveMessages(answer);
    expect((await messages.next()).value!.event).toBe("snapshot");
    const drained = server.drain(250);
    const late = await fetch(`${server.url}/live`);
    expect([late.status, late.headers.get("retry-after"), late.headers.get("connection")]).toEqual([503, "1", "close"]);
    while (!(await messages.next()).done);
    await drained;
  });
});

describe("draining", () => {
  test("answers what was taken, tells kept-alive clients to go, then takes no connection", async () => {
    const store = memoryStore();
    const gate = Promise.withResolvers<void>();
    const { server, post, writer } = start({ ...store, write: (flush) => gate.promise.then(() => store.write(flush)) });
    const taken = post(EVENT);
    while (writer.queuedEvents === 0) await Bun.sleep(0);
    const drained = server.drain(250);
    const told = await fetch(`${server.url}/readyz`);
    expect([told.status, told.headers.get("connection")]).toEqual([503, "close"]);
    gate.resolve();
    expect((await taken).status).toBe(200);
    await drained;
    await expect(fetch(server.url)).rejects.toThrow();
  });
});
