import { describe, expect, test } from "bun:test";
import { Reto3Error } from "../errors.ts";
import { HOUR_US, MINUTE_US, SECOND_US } from "../period.ts";
import { emptyMemory, memoryStore, type MemoryData } from "../store/memory.ts";
import type { Claim, CountRow, Retention, Store } from "../store/store.ts";
import { FlushSequence } from "../writer/sequence.ts";
import { isAbandoned, settle } from "./settle.ts";
import { emptyStats, passHour } from "./upkeep.ts";
import { emptyVerifyStats, verify, type Difference } from "./verify.ts";

const HOUR = Date.UTC(2026, 10, 23, 5) * 1_000;
const NOW = HOUR + 5 * HOUR_US;

interface Written {
  data: MemoryData;
  store: Store;
  claim: Claim;
  key: string;
}

/** Six events of one writer in one minute, in three buckets of 10 ms and two of a second; sealed or as a dead writer leaves it. */
async function written({
  seal = true,
  retention = {},
}: { seal?: boolean; retention?: Partial<Retention> } = {}): Promise<Written> {
  const data = emptyMemory();
  const memory = memoryStore(data);
  const store = { ...memory, info: { ...memory.info, retention: { ...memory.info.retention, ...retention } } };
  const clock = { nowUs: () => HOUR, epoch: 0 };
  const sequence = new FlushSequence({ store, clock, signal: new AbortController().signal });
  const receivedUs = [0, 1, 2, 10_000, SECOND_US, SECOND_US + 1].map((offset) => HOUR + offset);
  const createdUs = receivedUs.map((at) => BigInt(at - 3_000));
  await sequence.flush({ minuteUs: HOUR, epoch: 0, createdUs, receivedUs });
  const { writer } = sequence;
  if (seal) await sequence.close();
  return { data, store, claim: { minuteUs: HOUR, writer, sealedEvents: seal ? 6 : null }, key: `${HOUR}/${writer}` };
}

/** Sets the events of a stored count, as a hand in the tables or a lost commit log would. */
function tamper({ data, key }: Written, level: "10ms" | "1s" | "1m", bucketUs: number, events: number): void {
  const rows = data.counts[level].get(key);
  const row = rows?.get(bucketUs);
  if (!row) throw new Error("no such row");
  rows?.set(bucketUs, { ...row, events });
}

function withEvents(row: CountRow, events: number): CountRow {
  return { ...row, events };
}

function loseRaw({ data, key }: Written, ...seqs: number[]): void {
  for (const seq of seqs) data.events.get(key)?.delete(seq);
}

async function verified(store: Store, repair = false, nowUs = NOW) {
  const stats = emptyVerifyStats();
  const differences: Difference[] = [];
  const options = {
    fromUs: HOUR,
    toUs: HOUR + HOUR_US,
    clock: { nowUs: () => nowUs, epoch: 0 },
    repair,
    signal: new AbortController().signal,
    onDifference: (difference: Difference) => differences.push(difference),
  };
  await verify(store, await store.claimedHours(), options, stats);
  return { stats, differences, problems: differences.map(({ problem }) => problem) };
}

async function merge(store: Store): Promise<void> {
  const signal = new AbortController().signal;
  await passHour(store, HOUR, { nowUs: NOW, untilUs: NOW, signal, stats: emptyStats() });
}

describe("verifying", () => {
  test("finds nothing in what a writer wrote and a pass merged, and says how much it looked at", async () => {
    const { store } = await written();
    await merge(store);
    const { stats, differences } = await verified(store);
    expect(differences).toEqual([]);
    expect(stats).toMatchObject({ minutes: 1, partitions: 1, events: 6, mergedMinutes: 2, differences: 0 });
    expect(stats.leftOut).toEqual({ openPartitions: 0, rawEvents: 0, rawPartitions: 0, countPartitions: 0 });
  });

  test.each([
    ["10ms", { [HOUR]: 2, [HOUR + 10_000]: 2 }, "the 10ms counts say 2 at 05:00:00.000, the raw events 3"],
    ["1s", { [HOUR]: 4, [HOUR + SECOND_US]: 1 }, "the 1s counts say 1 at 05:00:01.000, the raw events 2"],
    ["1m", { [HOUR]: 5 }, "the 1m counts say 5 at 05:00:00.000, the raw events 6"],
  ] as const)(
    "finds a wrong count at %s, and repairs it from raw events that are whole",
    async (level, wrong, problem) => {
      const one = await written();
      for (const [bucketUs, events] of Object.entries(wrong)) tamper(one, level, Number(bucketUs), events);
      expect((await verified(one.store)).problems).toEqual([problem]);
      const repaired = await verified(one.store, true);
      expect(repaired.stats).toMatchObject({ differences: 1, repaired: 1 });
      expect((await verified(one.store)).problems).toEqual([]);
    },
  );

  test("a count in a bucket in which nothing arrived is set to nothing", async () => {
    const one = await written();
    // Two events of the first second are said to have come in the fourth.
    tamper(one, "1s", HOUR, 2);
    const rows = one.data.counts["1s"].get(one.key)!;
    rows.set(HOUR + 3 * SECOND_US, { ...rows.get(HOUR)!, bucketUs: HOUR + 3 * SECOND_US });
    expect((await verified(one.store, true)).stats).toMatchObject({ differences: 1, repaired: 1 });
    expect((await verified(one.store)).problems).toEqual([]);
    const counts = await one.store.counts(one.claim, "1s", HOUR, HOUR + MINUTE_US);
    expect(counts.map(({ events }) => events)).toEqual([4, 2, 0]);
  });

  test("what expires while others are verified is not missing", async () => {
    const one = await written({ retention: { "10ms": 3_600 } });
    let nowUs = HOUR + HOUR_US - 1;
    const slow: Store = {
      ...one.store,
      async counts(partition, level, ...rest) {
        if (level !== "10ms") return one.store.counts(partition, level, ...rest);
        nowUs += 2;
        return (await one.store.counts(partition, level, ...rest)).slice(1);
      },
    };
    loseRaw(one, 0, 1, 2, 3, 4, 5);
    const stats = emptyVerifyStats();
    const problems: string[] = [];
    await verify(
      slow,
      [HOUR],
      {
        fromUs: HOUR,
        toUs: HOUR + HOUR_US,
        clock: { nowUs: () => nowUs, epoch: 0 },
        repair: false,
        signal: new AbortController().signal,
        onDifference: ({ problem }) => problems.push(problem),
      },
      stats,
    );
    expect([problems, stats.leftOut.countPartitions]).toEqual([[], 1]);
  });

  test("a level that is wholly absent is left out: it expired elsewhere, or under an earlier lifetime", async () => {
    const one = await written();
    loseRaw(one, 0, 1, 2, 3, 4, 5);
    one.data.counts["10ms"].delete(one.key);
    expect((await verified(one.store)).stats).toMatchObject({ differences: 0, leftOut: { countPartitions: 1 } });
    one.data.counts["1m"].delete(one.key);
    expect((await verified(one.store)).problems).toEqual(["the 1m counts say 0 at 05:00:00.000, the 1s counts 6"]);
  });

  test("never lowers a count for raw events that are not whole", async () => {
    const one = await written();
    loseRaw(one, 2, 3);
    const { problems, stats } = await verified(one.store, true);
    expect(problems).toEqual(["its counts say 6, but there are 4 raw events from seq 0 to 5"]);
    expect(stats.repaired).toBe(0);
    const tail = await written({ seal: false });
    loseRaw(tail, 5);
    expect((await verified(tail.store, true)).problems).toEqual([
      "its counts say 6, but there are 5 raw events from seq 0 to 4",
    ]);
    expect((await one.store.counts(one.claim, "1m", HOUR, HOUR + MINUTE_US))[0]?.events).toBe(6);
    expect((await tail.store.counts(tail.claim, "1m", HOUR, HOUR + MINUTE_US))[0]?.events).toBe(6);
  });

  test("tells of raw events that cannot be read, goes on, and leaves their minute to a version that can", async () => {
    const one = await written({ seal: false });
    const cannot = "the raw events from 3 on cannot be read: format 9 is unknown";
    const broken: Store = {
      ...one.store,
      async *events(...args) {
        for await (const page of one.store.events(...args)) yield page.slice(0, 3);
        throw new Reto3Error("UNREADABLE", cannot, { hint: "ask another" });
      },
    };
    const before = structuredClone(one.data);
    expect(await verified(broken, true)).toMatchObject({
      problems: [`its counts say 6, but ${cannot}; ask another`],
      stats: { partitions: 1, events: 6, differences: 1, repaired: 0 },
    });
    expect(one.data).toEqual(before);
    // A later version may read them.
    expect(await settle(broken, one.claim, NOW)).toMatchObject({ events: null, recounted: false });
    expect(one.data).toEqual(before);
    // As many as there should be, and yet not all of what is there.
    const more: Store = {
      ...broken,
      async *events(...args) {
        yield* one.store.events(...args);
        throw new Reto3Error("UNREADABLE", cannot);
      },
    };
    expect((await verified(more)).problems).toEqual([`its counts say 6, but ${cannot}`]);
    expect(await settle(more, one.claim, NOW)).toMatchObject({ events: null });
    // Counts that were lost alike at all levels, as Cassandra may lose them with commitlog_sync: periodic.
    one.data.counts["10ms"].get(one.key)?.delete(HOUR + SECOND_US);
    one.data.counts["1s"].get(one.key)?.delete(HOUR + SECOND_US);
    tamper(one, "1m", HOUR, 4);
    expect(await settle(broken, one.claim, NOW)).toMatchObject({ events: null });
    expect(await settle(one.store, one.claim, NOW)).toMatchObject({ events: 6, recounted: true });
  });

  test("says what it leaves out: raw events that have expired, the first of them first, or all", async () => {
    const partly = await written();
    loseRaw(partly, 0, 1);
    expect(await verified(partly.store)).toMatchObject({
      differences: [],
      stats: { leftOut: { rawEvents: 2, rawPartitions: 1 } },
    });
    const all = await written();
    loseRaw(all, 0, 1, 2, 3, 4, 5);
    expect((await verified(all.store)).stats).toMatchObject({ differences: 0, leftOut: { rawEvents: 6 } });
  });

  test("does not take 10 ms counts for wrong whose lifetime has passed, and still compares the others", async () => {
    const one = await written({ retention: { "10ms": 3_600, events: 3_600 } });
    one.data.events.delete(one.key);
    one.data.counts["10ms"].get(one.key)?.delete(HOUR);
    expect((await verified(one.store)).stats).toMatchObject({ differences: 0, leftOut: { countPartitions: 1 } });
    // Within its lifetime the same is a difference.
    expect((await verified(one.store, false, HOUR + 12 * MINUTE_US)).problems).toEqual([
      "the 1s counts say 4 at 05:00:00.000, the 10ms counts 1",
    ]);
    tamper(one, "1m", HOUR, 9);
    expect((await verified(one.store)).problems).toEqual(["the 1m counts say 9 at 05:00:00.000, the 1s counts 6"]);
  });

  test("leaves out a partition that may still be written to, and says so", async () => {
    const { store } = await written({ seal: false });
    const early = await verified(store, false, HOUR + MINUTE_US);
    expect(early.stats).toMatchObject({ partitions: 0, leftOut: { openPartitions: 1 } });
    expect((await verified(store)).stats).toMatchObject({ partitions: 1, differences: 0 });
  });

  test("finds counts that do not add up to what was sealed", async () => {
    const one = await written();
    loseRaw(one, 0, 1, 2, 3, 4, 5);
    await one.store.seal(one.claim, 8, 1);
    expect((await verified(one.store, true)).problems).toEqual(["it was sealed with 8 events, its counts say 6"]);
  });

  test("finds a wrong merged minute at either level and merges it again", async () => {
    const one = await written();
    await merge(one.store);
    const [good] = [...one.data.merged["1s"].values()];
    const rows = good!.rows.map((row) => withEvents(row, 3));
    one.data.merged["1s"].set(HOUR, { ...good!, rows });
    const minute = one.data.merged["1m"].get(HOUR)!;
    one.data.merged["1m"].set(HOUR, { ...minute, rows: minute.rows.map((row) => withEvents(row, 7)) });
    const { problems } = await verified(one.store);
    expect(problems).toEqual([
      "the merged 1s counts are not the sum of their writers'",
      "the merged 1m counts say 7, the seals of their writers 6",
    ]);
    expect((await verified(one.store, true, NOW + 1)).stats).toMatchObject({ differences: 2, repaired: 2 });
    expect((await verified(one.store)).problems).toEqual([]);
  });
});

describe("settling", () => {
  const signal = new AbortController().signal;
  const settleAll = async (store: Store, nowUs = NOW) => {
    const stats = emptyStats();
    await passHour(store, HOUR, { nowUs, untilUs: nowUs, signal, stats });
    const claims = [];
    for await (const page of store.claims(HOUR, HOUR + HOUR_US)) claims.push(...page);
    return { sealed: claims.map(({ sealedEvents }) => sealedEvents), undecided: stats.undecided.size };
  };

  test("seals what a dead writer left, with what is there", async () => {
    const { store } = await written({ seal: false });
    expect(await settleAll(store)).toEqual({ sealed: [6], undecided: 0 });
  });

  test("leaves a claim alone until its writer can do no more", async () => {
    const { store, claim } = await written({ seal: false });
    const lastUs = HOUR + MINUTE_US + store.info.settleAfterMs * 1_000 - 1;
    expect(isAbandoned(claim, store, lastUs)).toBe(false);
    expect(await settleAll(store, lastUs)).toEqual({ sealed: [null], undecided: 0 });
    expect(await settleAll(store, lastUs + 1)).toEqual({ sealed: [6], undecided: 0 });
  });

  test("makes the counts what raw events say that are whole, before it seals", async () => {
    const one = await written({ seal: false });
    for (const level of ["1s", "1m"] as const) {
      for (const bucketUs of one.data.counts[level].get(one.key)?.keys() ?? []) tamper(one, level, bucketUs, 1);
    }
    const order: string[] = [];
    const watched: Store = {
      ...one.store,
      write: (flush) => (order.push("write"), one.store.write(flush)),
      seal: (...args) => (order.push("seal"), one.store.seal(...args)),
    };
    expect(await settle(watched, one.claim, NOW)).toMatchObject({ events: 6, recounted: true });
    expect(order).toEqual(["write", "seal"]);
    expect((await verified(one.store)).problems).toEqual([]);
    const [row] = await one.store.counts(one.claim, "1m", HOUR, HOUR + MINUTE_US);
    // When it was flushed is not kept: the lag is that to the end of the event's 10 ms.
    expect(row).toMatchObject({ events: 6, lagMinUs: 12_998, lagMaxUs: 13_000 });
  });

  test("lets counts decide that agree where raw events were lost, which verify goes on to tell", async () => {
    const one = await written({ seal: false });
    loseRaw(one, 2, 3);
    const before = structuredClone(one.data.counts);
    expect(await settleAll(one.store)).toEqual({ sealed: [6], undecided: 0 });
    expect(one.data.counts).toEqual(before);
    expect((await verified(one.store, true)).stats).toMatchObject({ differences: 1, repaired: 0 });
  });

  test("leaves open what nobody can decide, and does not try it again and again", async () => {
    const one = await written({ seal: false });
    loseRaw(one, 3);
    tamper(one, "1m", HOUR, 9);
    let reads = 0;
    const watched: Store = { ...one.store, counts: (...args) => (reads++, one.store.counts(...args)) };
    const stats = emptyStats();
    const pass = () => passHour(watched, HOUR, { nowUs: NOW, untilUs: NOW, signal, stats });
    expect([(await pass()).done, stats.undecided.size]).toEqual([false, 1]);
    const before = reads;
    await pass();
    expect(reads).toBe(before);
    expect((await settleAll(one.store)).sealed).toEqual([null]);
  });

  test("of a claim that never got a flush seals it with none", async () => {
    const store = memoryStore();
    await store.claim({ minuteUs: HOUR, writer: Bun.randomUUIDv7() }, 1);
    expect(await settleAll(store)).toEqual({ sealed: [0], undecided: 0 });
  });

  test("done twice at once, and killed before the seal, comes to the same", async () => {
    const one = await written({ seal: false });
    tamper(one, "1m", HOUR, 2);
    const dying: Store = { ...one.store, seal: () => Promise.reject(new Error("the process died")) };
    await settle(dying, one.claim, NOW).catch(() => {});
    await Promise.all([settle(one.store, one.claim, NOW), settle(one.store, one.claim, NOW + 1)]);
    expect(await settleAll(one.store)).toEqual({ sealed: [6], undecided: 0 });
    expect((await verified(one.store)).problems).toEqual([]);
  });
});
