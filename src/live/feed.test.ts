import { afterEach, beforeEach, expect, jest, test } from "bun:test";
import { systemClock } from "../clock.ts";
import { Reto3Error } from "../errors.ts";
import type { Snapshot, Tick } from "../live-messages.ts";
import { emptyMemory, memoryStore, type MemoryData } from "../store/memory.ts";
import type { Store } from "../store/store.ts";
import { LiveFeed, type Viewer } from "./feed.ts";
import { testWriter } from "./fixtures.ts";

/** Half a second before a full one. */
const START_MS = Date.UTC(2026, 10, 23, 5, 11, 9, 500);

beforeEach(() => jest.useFakeTimers({ now: START_MS }));
afterEach(() => {
  for (const feed of feeds.splice(0)) feed.end();
  jest.useRealTimers();
});

const feeds: LiveFeed[] = [];

/** Lets `ms` pass, with all that follows from it. */
async function pass(ms: number): Promise<void> {
  for (let at = 0; at < ms; at += 10) {
    jest.advanceTimersByTime(10);
    for (let turn = 0; turn < 100; turn++) await Promise.resolve();
  }
}

interface TestViewer extends Viewer {
  messages: Uint8Array[];
  ended: boolean;
  snapshot(): Snapshot;
  /** The last `number` of what it was told. */
  ticks(number: number): Tick[];
}

function viewer(): TestViewer {
  const messages: Uint8Array[] = [];
  const dataOf = (message: Uint8Array | undefined, event: string) => {
    const [, data = ""] = new RegExp(`^event: ${event}\ndata: (.*)\n\n$`).exec(new TextDecoder().decode(message)) ?? [];
    return JSON.parse(data) as unknown;
  };
  return {
    messages,
    ended: false,
    send: (message) => void messages.push(message),
    end() {
      this.ended = true;
    },
    snapshot: () => dataOf(messages[0], "snapshot") as Snapshot,
    ticks: (number) =>
      messages
        .slice(1)
        .slice(-number)
        .map((message) => dataOf(message, "tick") as Tick),
  };
}

interface Setup {
  data?: MemoryData;
  change?: (memory: Store) => Partial<Store>;
  report?: () => Promise<{ problem: string | null; samples: Map<string, number> }>;
}

function start({ data = emptyMemory(), change, report }: Setup = {}) {
  const memory = memoryStore(data);
  let readings = 0;
  const store: Store = {
    ...memory,
    merged(...range) {
      readings++;
      return memory.merged(...range);
    },
    ...change?.(memory),
  };
  let reports = 0;
  const clock = systemClock();
  const feed = new LiveFeed({
    store,
    clock,
    version: "1.2.3",
    commit: "0123456789ab",
    keep: "events",
    report: () => {
      reports++;
      return report?.() ?? Promise.resolve({ problem: null, samples: new Map([["reto3_queue_events", reports]]) });
    },
    onError: (error) => {
      throw error;
    },
  });
  feeds.push(feed);
  const writer = testWriter(memory, clock);
  const nowUs = () => clock.nowUs();
  return { feed, writer, nowUs, readings: () => readings, reports: () => reports };
}

test("a viewer gets a snapshot at once, and then a tick after each full second", async () => {
  const { feed, writer, nowUs } = start();
  await writer.write(nowUs() - 2_000_000, nowUs() - 2_000_000, nowUs() - 1_400_000);
  const one = viewer();
  feed.join(one);
  await pass(100);
  expect(one.messages).toHaveLength(1);
  const { server, store, keep, retention, firstMs, seconds, status, nowMs } = one.snapshot();
  expect([server.version, server.commit, store.location, keep, retention.events]).toEqual([
    "1.2.3",
    "0123456789ab",
    "memory",
    "events",
    null,
  ]);
  expect([firstMs, seconds, nowMs - START_MS < 100]).toEqual([
    START_MS - 9_500,
    [
      [START_MS - 2_500, 2, 2],
      [START_MS - 1_500, 1, 1],
    ],
    true,
  ]);
  expect(status).toMatchObject({ problem: null, storeProblem: null, queueEvents: 1, writers: 1, viewers: 1 });
  await writer.write(nowUs());
  await pass(3_000);
  expect(one.messages).toHaveLength(4);
  const ticks = one.ticks(3);
  // The look takes a millisecond of the timers.
  expect(ticks.map((tick) => tick.nowMs)).toEqual([701, 1_701, 2_701].map((ms) => START_MS + ms));
  expect(ticks.map((tick) => tick.seconds)).toEqual([
    [
      [START_MS - 2_500, 2, 2],
      [START_MS - 1_500, 1, 1],
      [START_MS - 500, 1, 1],
    ],
    [[START_MS + 500, 0, 0]],
    [[START_MS + 1_500, 0, 0]],
  ]);
  expect(ticks.map((tick) => tick.status.queueEvents)).toEqual([2, 3, 4]);
  expect(ticks[0]?.status.lagMs).toMatchObject({ min: 2, max: 2_002 });
});

test("all viewers get the very same bytes, of one look at the store", async () => {
  const alone = start();
  alone.feed.join(viewer());
  const { feed, readings, reports } = start();
  const viewers = Array.from({ length: 100 }, viewer);
  for (const one of viewers) feed.join(one);
  await pass(3_000);
  const [first] = viewers;
  expect(first?.messages).toHaveLength(4);
  for (const { messages } of viewers) {
    expect(messages.every((message, at) => message === first?.messages[at])).toBe(true);
  }
  expect([readings(), reports()]).toEqual([alone.readings(), 4]);
  expect(first?.ticks(1)[0]?.status.viewers).toBe(100);
});

test("who comes later gets all that is known, and then the ticks", async () => {
  const { feed, writer, nowUs } = start();
  const [one, other] = [viewer(), viewer()];
  feed.join(one);
  await pass(1_000);
  await writer.write(nowUs());
  await pass(2_000);
  feed.join(other);
  expect(other.snapshot().seconds.map(([, events]) => events)).toEqual([1, 0]);
  await pass(1_000);
  expect(other.messages[1]).toBe(one.messages.at(-1));
});

test("the store is left alone some seconds after the last viewer has gone, and looked at again for the next", async () => {
  const { feed, readings } = start();
  const [one, other] = [viewer(), viewer()];
  feed.join(one);
  await pass(1_000);
  feed.leave(one);
  await pass(20_000);
  const left = readings();
  expect(left).toBeLessThan(20);
  await pass(60_000);
  expect([readings(), one.messages.length]).toEqual([left, 2]);
  feed.join(other);
  await pass(100);
  expect(other.snapshot().seconds).toHaveLength(1);
  await pass(1_000);
  expect(other.messages).toHaveLength(2);
});

test("while the store cannot be read, ticks say why and have what was read before; then they catch up", async () => {
  let away = false;
  const change = (memory: Store): Partial<Store> => ({
    claims(...range) {
      if (away) throw new Reto3Error("STORE_UNAVAILABLE", "no host is up");
      return memory.claims(...range);
    },
  });
  const { feed, writer, nowUs } = start({ change });
  await writer.write(nowUs() - 1_000_000);
  const one = viewer();
  feed.join(one);
  await pass(1_000);
  away = true;
  await writer.write(nowUs());
  await pass(3_000);
  const ticks = one.ticks(3);
  expect(ticks.map(({ status }) => status.storeProblem)).toEqual(Array(3).fill("no host is up"));
  expect(ticks.map(({ status }) => status.queueEvents)).toEqual([3, 4, 5]);
  expect(ticks.map(({ status }) => status.lagMs !== null)).toEqual([true, true, true]);
  away = false;
  await pass(1_000);
  const [tick] = one.ticks(1);
  expect(tick?.status.storeProblem).toBeNull();
  expect(tick?.seconds.map(([, events]) => events)).toEqual([1, 0]);
});

test("a store that does not answer has one question, and ticks go on without it", async () => {
  let questions = 0;
  let release = () => {};
  let hangs = false;
  const change = (memory: Store): Partial<Store> => ({
    async *merged(...range) {
      questions++;
      if (hangs) await new Promise<void>((resolve) => (release = resolve));
      yield* memory.merged(...range);
    },
  });
  const { feed } = start({ change });
  const one = viewer();
  feed.join(one);
  await pass(1_000);
  hangs = true;
  questions = 0;
  await pass(5_000);
  expect([questions, one.messages.length]).toEqual([1, 6]);
  // The one whose time to wait is not over has not been sent. One that is late is not told of, two in a row are.
  const late = "there was no answer in time";
  expect(one.ticks(5).map((tick) => tick.status.storeProblem)).toEqual([null, null, late, late, late]);
  hangs = false;
  release();
  await pass(2_000);
  expect(one.ticks(1)[0]?.status.storeProblem).toBeNull();
  feed.leave(one);
  await pass(12_000);
  hangs = true;
  const next = viewer();
  feed.join(next);
  await pass(2_100);
  // What was known a while ago is nobody's news.
  expect(next.snapshot().status.storeProblem).toBe(late);
});

test("a viewer of a store that does not answer is told so after two seconds", async () => {
  const { feed } = start({ change: () => ({ claims: () => ({ [Symbol.asyncIterator]: never }) }) });
  const one = viewer();
  feed.join(one);
  await pass(1_900);
  expect(one.messages).toHaveLength(0);
  await pass(200);
  expect(one.snapshot()).toMatchObject({ seconds: [], firstMs: null, buckets: { events: [] } });
  expect(one.snapshot().status.storeProblem).toBe("there was no answer in time");
});

const never = () => ({ next: () => new Promise<IteratorResult<never>>(() => {}) });

test("what the processes say is told, and a silence leaves what they said before", async () => {
  const answers: { problem: string | null; samples: Map<string, number> }[] = [
    { problem: null, samples: new Map([["reto3_workers", 3]]) },
    { problem: "worker 2: the queue is full", samples: new Map([["reto3_workers", 2]]) },
    { problem: "the supervisor does not answer", samples: new Map() },
  ];
  const { feed } = start({ report: () => Promise.resolve(answers.shift() ?? { problem: null, samples: new Map() }) });
  const one = viewer();
  feed.join(one);
  await pass(3_000);
  const told = [one.snapshot(), ...one.ticks(3)].map(({ status }) => [status.problem, status.workers]);
  expect(told).toEqual([
    [null, 3],
    ["worker 2: the queue is full", 2],
    ["the supervisor does not answer", 2],
    [null, 2],
  ]);
});

test("what is kept is looked up once a minute, and told when it has been", async () => {
  let lookups = 0;
  const change = (memory: Store): Partial<Store> => ({
    sizes: (which) => {
      lookups++;
      return memory.sizes(which);
    },
  });
  const { feed, writer, nowUs } = start({ change });
  await writer.write(nowUs());
  const one = viewer();
  feed.join(one);
  await pass(100);
  expect(one.snapshot().raw).toEqual({ sinceMs: START_MS - 9_500, events: 1, bytes: null });
  await pass(58_000);
  expect(lookups).toBe(1);
  await writer.write(nowUs());
  await pass(4_000);
  expect(lookups).toBe(2);
  expect(one.ticks(4).flatMap(({ raw }) => raw ?? [])).toMatchObject([{ events: 2 }]);
});

test("the first minute of a store that was empty is known with its first second", async () => {
  const { feed, writer, nowUs } = start();
  const [one, other] = [viewer(), viewer()];
  feed.join(one);
  await pass(100);
  expect([one.snapshot().firstMs, one.snapshot().raw.sinceMs]).toEqual([null, null]);
  await writer.write(nowUs());
  await pass(2_000);
  feed.join(other);
  expect([other.snapshot().firstMs, other.snapshot().raw.sinceMs]).toEqual([START_MS - 9_500, START_MS - 9_500]);
});

test("the first minute of a store that takes its time is told when it is known", async () => {
  const change = (memory: Store): Partial<Store> => ({
    async claimedHours() {
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      return memory.claimedHours();
    },
  });
  const { feed, writer, nowUs } = start({ change });
  await writer.write(nowUs() - 8_000_000);
  const one = viewer();
  feed.join(one);
  await pass(8_000);
  expect([one.snapshot(), ...one.ticks(8)].map(({ firstMs }) => firstMs).filter((ms) => ms !== undefined)).toEqual([
    START_MS - 9_500,
  ]);
});

test("at the end all viewers are told, and nobody is taken any more", async () => {
  const { feed, readings } = start();
  const [one, waiting, late] = [viewer(), viewer(), viewer()];
  feed.join(one);
  await pass(1_000);
  feed.join(waiting);
  feed.end();
  feed.join(late);
  expect([one.ended, waiting.ended, late.ended, feed.viewers]).toEqual([true, true, true, 0]);
  const before = readings();
  await pass(20_000);
  expect(readings()).toBe(before);
});
