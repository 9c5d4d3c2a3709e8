import { afterAll, afterEach, expect, spyOn, test } from "bun:test";
import type { Snapshot, Tick } from "../live-messages.ts";
import { Told } from "./told.ts";

const START = Date.UTC(2026, 10, 26, 3);
let deviceMs = START;
const now = spyOn(Date, "now").mockImplementation(() => deviceMs);
afterEach(() => {
  deviceMs = START;
  now.mockClear();
});
afterAll(() => now.mockRestore());

function tick(nowMs: number, change: Partial<Tick> & { refused?: Record<string, number> } = {}): Tick {
  const { refused = {}, ...rest } = change;
  return {
    nowMs,
    seconds: [],
    buckets: { startMs: nowMs, events: [] },
    status: { refused } as Tick["status"],
    ...rest,
  };
}

function snapshot(nowMs: number, startId: string, startedMs: number): Snapshot {
  const server = { startId, startedMs, version: "1", commit: "" };
  const raw = { sinceMs: null, events: 0, bytes: 0 };
  return { ...tick(nowMs), server, raw, firstMs: null } as unknown as Snapshot;
}

test("the first snapshot is no restart, nor is the same server again", () => {
  const told = new Told();
  told.takeSnapshot(snapshot(START, "a", START - 1_000));
  told.takeSnapshot(snapshot(START + 9_000, "a", START - 1_000));
  expect(told.restart).toBeNull();
});

test("a restart is told for five minutes", () => {
  const told = new Told();
  told.takeSnapshot(snapshot(START, "a", START - 1_000));
  told.takeSnapshot(snapshot(START + 9_000, "b", START + 5_000));
  expect(told.restart).toMatchObject({ atMs: START + 5_000, isOther: false });
  deviceMs += 300_000;
  expect(told.restart).toBeNull();
});

test("a server that ran before the last message is another one", () => {
  const told = new Told();
  told.takeSnapshot(snapshot(START, "a", START - 1_000));
  told.takeSnapshot(snapshot(START + 9_000, "b", START - 60_000));
  expect(told.restart?.isOther).toBe(true);
});

test("the clocks are compared by the message that was the least late", () => {
  const told = new Told();
  expect(told.skewMs).toBe(0);
  for (const lateMs of [40, 3, 900]) {
    deviceMs = START + lateMs;
    told.takeTick(tick(START - 5_000));
  }
  expect(told.skewMs).toBe(-5_003);
  expect(told.nowMs).toBe(deviceMs - 5_003);
});

test("refusals of the last ten seconds are counted by reason, and not those of another start", () => {
  const told = new Told();
  told.takeSnapshot(snapshot(START, "a", START));
  for (let second = 1; second <= 20; second++) {
    told.takeTick(tick(START + second * 1_000, { refused: { invalid: second, queue_full: 7 } }));
  }
  expect(told.refusedLately).toEqual({ invalid: 10, queue_full: 0 });
  told.takeSnapshot(snapshot(START + 30_000, "b", START + 29_000));
  told.takeTick(tick(START + 31_000, { refused: { invalid: 100 } }));
  told.takeTick(tick(START + 32_000, { refused: { invalid: 104 } }));
  expect(told.refusedLately).toEqual({ invalid: 104 });
});

test("a store of which it is not known yet whether it has events is not called empty", () => {
  const told = new Told();
  const { firstMs: _, ...unknown } = snapshot(START, "a", START);
  told.takeSnapshot(unknown);
  told.takeTick(tick(START + 1_000, { seconds: [[START, 4, 1]] }));
  expect(told.firstMs).toBeUndefined();
  told.takeTick(tick(START + 2_000, { firstMs: START - 3_600_000 }));
  told.takeTick(tick(START + 3_000));
  expect(told.firstMs).toBe(START - 3_600_000);
});

test("refusals while the connection was away are not of the last ten seconds", () => {
  const told = new Told();
  told.takeSnapshot(snapshot(START, "a", START));
  told.takeTick(tick(START + 1_000, { refused: { invalid: 1 } }));
  const later = START + 3_600_000;
  told.takeSnapshot({ ...snapshot(later, "a", START), ...tick(later, { refused: { invalid: 5_000 } }) });
  told.takeTick(tick(later + 1_000, { refused: { invalid: 5_002 } }));
  expect(told.refusedLately).toEqual({ invalid: 2 });
});

test("the first events of an empty store are noticed, and raw data stays what it was until it is told again", () => {
  const told = new Told();
  told.takeSnapshot(snapshot(START, "a", START));
  expect(told.firstMs).toBeNull();
  told.takeTick(tick(START + 1_000, { seconds: [[START, 0, 0]], raw: { sinceMs: START, events: 5, bytes: 90 } }));
  told.takeTick(tick(START + 3_000, { seconds: [[START + 1_000, 4, 1]] }));
  expect(told.firstMs).toBe(START + 1_000);
  expect(told.raw.events).toBe(5);
});
