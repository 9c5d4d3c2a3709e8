import { afterEach, describe, expect, test } from "bun:test";
import type { Socket, TCPSocketListener } from "bun";
import { Attack, type AttackOptions } from "./attack.ts";
import { checkCounts, takeBaseline } from "./check.ts";
import { parseAnswer } from "./connection.ts";
import { EventRequest } from "./event-request.ts";
import { steadySchedule } from "./pacer.ts";
import { LoadResult, outcomeOf, type LoadRecord } from "./result.ts";

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

function serve(fetch: (request: Request) => Response | Promise<Response>) {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, development: false, fetch });
  stops.push(() => void server.stop(true));
  return { host: "127.0.0.1", port: server.port ?? 0, url: `http://127.0.0.1:${server.port}/` };
}

function attackOn(target: { host: string; port: number }, given: Partial<AttackOptions>) {
  return new Attack({
    host: target.host,
    port: target.port,
    schedule: steadySchedule(1_000, 100),
    connectionsMax: 50,
    requestsPerConnection: 0,
    timeoutMs: 10_000,
    signal: new AbortController().signal,
    ...given,
  });
}

describe("an answer is parsed", () => {
  const head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n";
  test.each<[string, string, ReturnType<typeof parseAnswer>]>([
    ["whole", `${head}\r\nhello`, { status: 200, close: false }],
    ["with its head cut", head, undefined],
    ["with its body cut", `${head}\r\nhell`, undefined],
    ["that ends the connection", `${head}connection: close\r\n\r\nhello`, { status: 200, close: true }],
    ["without a body", "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n", { status: 503, close: false }],
  ])("%s", (_, text, answer) => expect(parseAnswer(text)).toEqual(answer));
});

test.each([
  [200, "acked"],
  [400, "refused"],
  [413, "refused"],
  [503, "refused"],
  [504, "unknown"],
  [500, "unknown"],
  [502, "unknown"],
] as const)("status %p is %s", (status, outcome) => expect(outcomeOf(status)).toBe(outcome));

describe("the send error", () => {
  /** 100 events that left `lateMs` late, from a loop that woke up `oversleptMs` late. */
  function resultOf(lateMs: number, oversleptMs: number): LoadResult {
    const result = new LoadResult();
    for (let index = 0; index < 100; index++) {
      const [dueUs, sentUs] = [index * 1_000, (index + lateMs) * 1_000];
      result.add({ dueUs, sentUs, doneUs: sentUs + 1_000, outcome: "acked", status: 200 }, "status 200");
      result.oversleptUs.record(oversleptMs * 1_000);
    }
    return result;
  }

  test("is how late events left, those without an answer too, those that never left not", () => {
    const result = resultOf(25, 0);
    result.add({ dueUs: 0, sentUs: 40_000, doneUs: 50_000, outcome: "unknown", status: null }, "lost");
    result.add({ dueUs: 0, sentUs: null, doneUs: 90_000, outcome: "unsent", status: null }, "no free connection");
    const { p50, max } = result.sendError();
    expect(Math.abs(p50 - 25)).toBeLessThan(0.5);
    expect(max).toBe(40);
  });

  test.each([
    ["is small", 5, 5, false],
    ["is large and so is the delay of the loop", 25, 20, true],
    ["is large because the server held all connections", 25, 0.1, false],
  ])("that %s: whether the machine was too slow", (_, lateMs, oversleptMs, tooSlow) =>
    expect(resultOf(lateMs, oversleptMs).machineTooSlow).toBe(tooSlow),
  );
});

test("a request has the time that it is made for, to the microsecond", () => {
  const request = new EventRequest({ host: "127.0.0.1", port: 8080 }, "token");
  const bodyAt = (us: number) => Buffer.from(request.at(us)).toString("latin1").split("\r\n\r\n")[1];
  const us = Date.UTC(2016, 4, 28, 11, 11, 11) * 1_000 + 123_456;
  expect(bodyAt(us)).toBe("value=2016-05-28+11%3A11%3A11.123456");
  expect(bodyAt(us + 0.6)).toBe("value=2016-05-28+11%3A11%3A11.123457");
  expect(bodyAt(us + 876_543.7)).toBe("value=2016-05-28+11%3A11%3A12.000000");
  expect(bodyAt(us)).toBe("value=2016-05-28+11%3A11%3A11.123456");
});

test("latencies are percentiles of milliseconds, from the schedule and from the send", () => {
  const result = new LoadResult();
  for (let ms = 1; ms <= 100; ms++) {
    result.add(
      { dueUs: 0, sentUs: 500_000, doneUs: 500_000 + ms * 1_000, outcome: "acked", status: 200 },
      "status 200",
    );
  }
  const { fromSend, fromSchedule } = result.latencies();
  expect(Math.abs(fromSend.p50 - 50)).toBeLessThan(1);
  expect([fromSend.max, fromSchedule.max]).toEqual([100, 600]);
});

describe("an attack", () => {
  test("sends valid events of this moment, each once, and counts the answers", async () => {
    const bodies: string[] = [];
    const target = serve(async (request) => {
      bodies.push(await request.text());
      return new Response("ok", { status: bodies.length % 10 === 0 ? 503 : 200 });
    });
    const { outcomes } = await attackOn(target, {}).run();
    expect(outcomes).toEqual({ acked: 90, refused: 10, unknown: 0, unsent: 0 });
    expect(bodies.length).toBe(100);
    for (const body of bodies) expect(body).toMatch(/^value=\d{4}-\d\d-\d\d\+\d\d%3A\d\d%3A\d\d\.\d{6}$/);
  });

  test("does not wait for a slow server: what is late counts from when it was due", async () => {
    let answered = 0;
    const gate = Promise.withResolvers<void>();
    let opens: Timer | undefined;
    const target = serve(async () => {
      opens ??= setTimeout(() => gate.resolve(), 300);
      await gate.promise;
      answered++;
      return new Response("ok");
    });
    const result = await attackOn(target, { connectionsMax: 5 }).run();
    expect([result.outcomes.acked, answered]).toEqual([100, 100]);
    // Nearly all of them waited for one of five connections, which shows only from the schedule.
    const { fromSchedule, fromSend } = result.latencies();
    expect(fromSchedule.p50).toBeGreaterThan(150);
    expect(fromSend.p50).toBeLessThan(fromSchedule.p50);
  });

  test.each([
    ["the connections that the rate needs", 50, 20],
    ["no more connections than it may", 3, 3],
  ])("has %s before the first event is due", async (_, connectionsMax, wanted) => {
    let opened = 0;
    let openedAtFirst = 0;
    const answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    const server: TCPSocketListener = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open: () => void opened++,
        data(socket: Socket) {
          openedAtFirst ||= opened;
          socket.write(answer);
        },
      },
    });
    stops.push(() => server.stop(true));
    const { outcomes } = await attackOn({ host: "127.0.0.1", port: server.port }, { connectionsMax }).run();
    expect([openedAtFirst, outcomes.acked]).toEqual([wanted, 100]);
  });

  test("that its own machine holds up says how late events left", async () => {
    const target = serve(() => new Response("ok"));
    const stallMs = 60;
    let stalled = false;
    const records: LoadRecord[] = [];
    const result = await attackOn(target, {
      onRecord: (record) => {
        records.push(record);
        if (stalled) return;
        stalled = true;
        Bun.sleepSync(stallMs);
      },
    }).run();
    const errorsMs = records.map(({ dueUs, sentUs }) => ((sentUs ?? 0) - dueUs) / 1_000);
    const { max, p99 } = result.sendError();
    expect(max).toBeCloseTo(Math.max(...errorsMs), 1);
    expect(max).toBeGreaterThan(stallMs / 2);
    expect(p99).toBeGreaterThan(stallMs / 2);
  });

  test("opens a new connection for every so many requests if told to", async () => {
    const ports = new Set<number>();
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      development: false,
      fetch: (request, own) => {
        ports.add(own.requestIP(request)?.port ?? 0);
        return new Response("ok");
      },
    });
    stops.push(() => void server.stop(true));
    const target = { host: "127.0.0.1", port: server.port ?? 0 };
    await attackOn(target, { requestsPerConnection: 10, schedule: steadySchedule(200, 500) }).run();
    expect(ports.size).toBeGreaterThanOrEqual(10);
  });

  test("takes a connection that breaks without an answer for an unknown outcome", async () => {
    const server: TCPSocketListener = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { data: (socket: Socket) => void socket.end() },
    });
    stops.push(() => server.stop(true));
    const { outcomes } = await attackOn({ host: "127.0.0.1", port: server.port }, {}).run();
    expect(outcomes).toEqual({ acked: 0, refused: 0, unknown: 100, unsent: 0 });
  });

  test("takes a request without an answer in time for an unknown outcome", async () => {
    const target = serve(() => new Promise<Response>(() => {}));
    const { outcomes } = await attackOn(target, { timeoutMs: 1_000, connectionsMax: 100 }).run();
    expect(outcomes.unknown).toBe(100);
  });

  test("says unsent where nobody listens", async () => {
    const target = serve(() => new Response());
    stops.splice(0).forEach((stop) => stop());
    const { outcomes } = await attackOn(target, { timeoutMs: 50 }).run();
    expect(outcomes).toEqual({ acked: 0, refused: 0, unknown: 0, unsent: 100 });
  });

  test("ends early when it is told to, and still has every answer of what it sent", async () => {
    const target = serve(() => new Response("ok"));
    const stop = new AbortController();
    let records = 0;
    const { outcomes } = await attackOn(target, {
      schedule: steadySchedule(500, 60_000),
      signal: stop.signal,
      onRecord: () => {
        if (++records === 20) stop.abort();
      },
    }).run();
    expect(outcomes.acked).toBeGreaterThanOrEqual(20);
    expect(outcomes.acked).toBeLessThan(5_000);
    expect(outcomes.unknown).toBe(0);
  });

  test("records every request with its times", async () => {
    const target = serve(() => new Response("ok"));
    const records: number[] = [];
    await attackOn(target, {
      onRecord: ({ dueUs, sentUs, doneUs }) => {
        expect(dueUs <= (sentUs ?? 0) && (sentUs ?? 0) <= doneUs).toBe(true);
        records.push(dueUs);
      },
    }).run();
    expect(records.length).toBe(100);
  });
});

describe("the check", () => {
  /** A server that answers GET /counts with `events` as they are at that moment. */
  function countsServer(state: { events: number; complete: boolean }) {
    const asked: URL[] = [];
    const target = serve((request) => {
      asked.push(new URL(request.url));
      const completeUntil = new Date(Date.now() + (state.complete ? 60_000 : -60_000)).toISOString();
      return Response.json({ now: new Date().toISOString(), events: state.events, completeUntil });
    });
    return { ...target, asked };
  }

  test("holds when all that was acked is counted, whatever was there before", async () => {
    const state = { events: 7, complete: false };
    const { url, asked } = countsServer(state);
    const baseline = await takeBaseline(url);
    state.events = 107;
    expect(await checkCounts(url, baseline, { acked: 100, unknown: 0 }, 1_000)).toEqual({
      counted: 100,
      problem: undefined,
    });
    const last = asked.at(-1)?.searchParams;
    expect(Date.parse(last?.get("from") ?? "")).toBeLessThan(Date.now());
    expect(Date.parse(last?.get("to") ?? "")).toBeGreaterThan(Date.now());
  });

  test("fails when one is missing, once that is final", async () => {
    const state = { events: 0, complete: true };
    const { url } = countsServer(state);
    const baseline = await takeBaseline(url);
    state.events = 99;
    expect(await checkCounts(url, baseline, { acked: 100, unknown: 5 }, 1_000)).toEqual({
      counted: 99,
      problem: "1 acked events are NOT counted",
    });
  });

  test("fails at once when more is counted than was sent", async () => {
    const state = { events: 0, complete: false };
    const { url } = countsServer(state);
    const baseline = await takeBaseline(url);
    state.events = 106;
    const { problem } = await checkCounts(url, baseline, { acked: 100, unknown: 5 }, 60_000);
    expect(problem).toStartWith("1 events more are counted than this run sent");
  });

  test("waits for events of unknown outcome until nothing can come any more", async () => {
    const state = { events: 0, complete: false };
    const { url, asked } = countsServer(state);
    const baseline = await takeBaseline(url);
    state.events = 101;
    const checked = checkCounts(url, baseline, { acked: 100, unknown: 5 }, 60_000);
    const before = asked.length;
    while (asked.length < before + 3) await Bun.sleep(1);
    state.events = 103;
    state.complete = true;
    expect(await checked).toEqual({ counted: 103, problem: undefined });
  });

  test("of a server that has gone says so when the time to settle is over", async () => {
    const { url } = countsServer({ events: 0, complete: false });
    const baseline = await takeBaseline(url);
    stops.splice(0).forEach((stop) => stop());
    const { counted, problem } = await checkCounts(url, baseline, { acked: 1, unknown: 0 }, 100);
    expect([counted, problem]).toEqual([null, expect.stringContaining("it could not be made: cannot read the counts")]);
  });

  test("says what to do when nobody answers", async () => {
    const { url } = serve(() => new Response());
    stops.splice(0).forEach((stop) => stop());
    await expect(takeBaseline(url)).rejects.toThrow("cannot read the counts");
  });
});
