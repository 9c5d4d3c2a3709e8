import { expect, test } from "bun:test";
import type { Snapshot, Status } from "../live-messages.ts";
import { noticesOf, takenOf, type Situation } from "./notices.ts";

const STATUS: Status = {
  problem: null,
  storeProblem: null,
  workers: 1,
  writers: 1,
  queueEvents: 0,
  queueEventsMax: 100,
  refused: {},
  storeErrors: 0,
  storeRetries: 0,
  storedPerSec: 0,
  ackMs: null,
  lagMs: null,
  clockOffsetMs: null,
  viewers: 1,
};

const WELL: Situation = {
  connection: { kind: "open" },
  asOf: "03:00:00 UTC",
  snapshot: { store: { warnings: [] as string[] } } as unknown as Snapshot,
  status: STATUS,
  skewMs: 30,
  restarted: null,
  refusedLately: { invalid: 0 },
  isPaused: false,
};

test("of a server that is well nothing is said", () => {
  expect(noticesOf(WELL)).toEqual([]);
  expect(takenOf(WELL.connection, STATUS)).toMatchObject({ state: "ready", text: "✓ Yes" });
});

const warned = {
  store: { warnings: ["node 1 is down", "it does not sync"] as readonly string[] },
} as unknown as Snapshot;

test.each<[string, Partial<Situation>, [id: string, level: string, text: RegExp][]]>([
  [
    "a lost connection, and of when the figures are",
    { connection: { kind: "lost", retryAtMs: 0 } },
    [["connection", "problem", /No connection.*as of 03:00:00 UTC/]],
  ],
  [
    "too many viewers",
    { connection: { kind: "turned-away", reason: "64 look on already", retryAtMs: 0 } },
    [["connection", "warning", /shows nothing just now: 64 look on already/]],
  ],
  [
    "a server that turns away because it shuts down",
    { connection: { kind: "turned-away", reason: "shutting down", retryAtMs: 0 } },
    [["connection", "warning", /is draining/]],
  ],
  ["a token", { connection: { kind: "unauthorized" } }, [["connection", "warning", /read token/]]],
  ["the background", { connection: { kind: "away" } }, [["connection", "note", /background/]]],
  [
    "another start",
    { restarted: { at: "02:59", isOther: false } },
    [["restarted", "note", /started again at 02:59.*counts go on/]],
  ],
  ["another server", { restarted: { at: "01:00", isOther: true } }, [["restarted", "note", /^Another server/]]],
  ["draining", { status: { ...STATUS, problem: "shutting down" } }, [["taken", "warning", /draining/]]],
  [
    "a store that does not answer",
    { status: { ...STATUS, problem: "the store does not answer" } },
    [["taken", "problem", /No events are taken: the store does not answer/]],
  ],
  [
    "counts that cannot be read",
    { status: { ...STATUS, storeProblem: "disk I/O error" } },
    [["store", "problem", /could not be read just now: disk I\/O error/]],
  ],
  [
    "refusals while they grow",
    { refusedLately: { queue_full: 3, invalid: 0 } },
    [["refused", "warning", /now: queue full\./]],
  ],
  ["a queue that is nearly full", { status: { ...STATUS, queueEvents: 80 } }, [["queue", "warning", /nearly full/]]],
  [
    "each warning of the store",
    { snapshot: warned },
    [
      ["store-0", "warning", /node 1 is down/],
      ["store-1", "warning", /does not sync/],
    ],
  ],
  ["the store's clock", { status: { ...STATUS, clockOffsetMs: -25 } }, [["clock-offset", "warning", /25 ms behind/]]],
  ["this device's clock", { skewMs: -3_200 }, [["skew", "warning", /clock is 3 s ahead of the server's/]]],
  ["this device's clock, the other way", { skewMs: 65_000 }, [["skew", "warning", /1 min 5 s behind/]]],
  ["a pause", { isPaused: true }, [["paused", "note", /stand still/]]],
])("it is said: %s", (_name, change, wanted) => {
  const notices = noticesOf({ ...WELL, ...change });
  expect(notices.map(({ id, level }) => [id, level])).toEqual(wanted.map(([id, level]) => [id, level]));
  for (const [at, [, , text]] of wanted.entries()) expect(notices[at]?.text).toMatch(text);
});

test("what the server said of itself before the connection was lost is not said again", () => {
  const status = { ...STATUS, problem: "the queue is full", storeProblem: "disk I/O error", queueEvents: 100 };
  const notices = noticesOf({ ...WELL, status, connection: { kind: "lost", retryAtMs: 0 } });
  expect(notices.map(({ id }) => id)).toEqual(["connection"]);
});

test("whether events are taken is not known without a connection", () => {
  expect(takenOf({ kind: "lost", retryAtMs: 0 }, STATUS).state).toBe("unknown");
  expect(takenOf({ kind: "connecting" }, null)).toMatchObject({ state: "unknown", why: "waiting for the server" });
  expect(takenOf({ kind: "turned-away", reason: "shutting down", retryAtMs: 0 }, STATUS).text).toBe("✕ Draining");
  expect(takenOf({ kind: "open" }, { ...STATUS, problem: "the queue is full" })).toEqual({
    state: "problem",
    text: "✕ No",
    why: "the queue is full",
  });
});
