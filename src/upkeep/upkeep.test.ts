import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { readCounts } from "../counts/read.ts";
import { HOUR_US, MINUTE_US, PERIODS, SECOND_US, type PeriodName } from "../period.ts";
import { memoryStore } from "../store/memory.ts";
import type { Claim, MergedLevel, Store } from "../store/store.ts";
import { FlushSequence } from "../writer/sequence.ts";
import { MERGED_LEVELS, mergeMinute } from "./merge.ts";
import { emptyStats, passHour, Upkeep } from "./upkeep.ts";

const HOUR = Date.UTC(2026, 10, 23, 5) * 1_000;
const NOW = HOUR + 2 * HOUR_US;

/** A writer that stays at its work over several calls. */
function writerOn(store: Store) {
  const clock = { nowUs: () => NOW, epoch: 0 };
  return new FlushSequence({ store, clock, signal: new AbortController().signal });
}

async function flush(writer: FlushSequence, minute: number, offsetsUs: readonly number[]): Promise<void> {
  const minuteUs = HOUR + minute * MINUTE_US;
  const receivedUs = offsetsUs.map((offset) => minuteUs + offset);
  await writer.flush({ minuteUs, epoch: 0, createdUs: receivedUs.map((at) => BigInt(at - 1_000)), receivedUs });
}

async function claimsOf(store: Store, minute: number): Promise<Claim[]> {
  const claims: Claim[] = [];
  const fromUs = HOUR + minute * MINUTE_US;
  for await (const page of store.claims(fromUs, fromUs + MINUTE_US)) claims.push(...page);
  return claims;
}

async function answer(store: Store, level: PeriodName, fromUs = HOUR, toUs = HOUR + HOUR_US): Promise<unknown[]> {
  const question = { period: PERIODS[level], fromUs, toUs, nowUs: NOW, source: "counts" as const };
  const reading = readCounts(store, question);
  const buckets = [];
  for await (const portion of reading.buckets) buckets.push(...portion);
  return [buckets, reading.summary()];
}

/** The same store to a reader that knows of no merging. */
function plain(store: Store): Store {
  return { ...store, async *merged() {} };
}

async function expectAnswersAsPlain(store: Store): Promise<void> {
  for (const level of MERGED_LEVELS) {
    expect(await answer(store, level)).toEqual(await answer(plain(store), level));
    const [fromUs, toUs] = [HOUR + 30 * SECOND_US, HOUR + 90 * SECOND_US + 1];
    expect(await answer(store, level, fromUs, toUs)).toEqual(await answer(plain(store), level, fromUs, toUs));
  }
}

describe("merging", () => {
  // What may happen to two minutes, in any order: a writer flushes or leaves, a merge looks, a merge that looked writes.
  const operation = fc.oneof(
    fc.record({ do: fc.constant("flush" as const), writer: fc.nat(4), minute: fc.nat(1), at: fc.nat(59) }),
    fc.record({ do: fc.constant("leave" as const), writer: fc.nat(4) }),
    fc.record({ do: fc.constant("look" as const), minute: fc.nat(1) }),
    fc.record({ do: fc.constant("write" as const), level: fc.constantFrom<MergedLevel>("1s", "1m"), look: fc.nat(3) }),
  );

  test("changes no answer, whoever writes, merges late, merges less or stops in between", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 40 }), async (operations) => {
        const store = memoryStore();
        const writers: (FlushSequence | undefined)[] = [];
        const minuteOf: number[] = [];
        const leave = async (at: number) => {
          await writers[at]?.close();
          writers[at] = undefined;
          minuteOf[at] = 0;
        };
        const looks: Claim[][] = [];
        let merges = 0;
        for (const one of operations) {
          if (one.do === "flush") {
            // Times of one writer only ascend: who is wanted in an earlier minute is somebody new there.
            if ((minuteOf[one.writer] ?? 0) > one.minute) await leave(one.writer);
            minuteOf[one.writer] = one.minute;
            const writer = (writers[one.writer] ??= writerOn(store));
            await flush(writer, one.minute, [one.at * SECOND_US, one.at * SECOND_US + 7]);
          } else if (one.do === "leave") {
            await leave(one.writer);
          } else if (one.do === "look") {
            looks.push(await claimsOf(store, one.minute));
          } else {
            // The later it is written, the later its timestamp: an old look replaces a newer, larger merge.
            const claims = looks.at(-1 - one.look) ?? [];
            const sealed = claims.length > 0 && claims.every(({ sealedEvents }) => sealedEvents !== null);
            if (sealed) expect(await mergeMinute(store, one.level, claims, NOW + merges++)).toBe(true);
          }
          await expectAnswersAsPlain(store);
        }
      }),
      { numRuns: 200 },
    );
  });

  const left = (waitingMinutes: number, done: boolean, unsealedUs: number[] = []) => ({
    waitingMinutes,
    unsealedUs,
    done,
  });

  test("leaves out a minute with an open claim, and one that is not over", async () => {
    const store = memoryStore();
    const open = writerOn(store);
    await flush(open, 0, [0]);
    const closed = writerOn(store);
    await flush(closed, 0, [1]);
    await closed.close();
    const later = writerOn(store);
    await flush(later, 1, [0]);
    await later.close();
    const pass = { nowUs: HOUR + 3 * MINUTE_US, signal: new AbortController().signal };
    const stats = emptyStats();
    expect(await passHour(store, HOUR, { ...pass, untilUs: HOUR + 90 * SECOND_US, stats })).toEqual(
      left(2, false, [HOUR]),
    );
    expect(stats.mergedMinutes).toBe(0);
    expect(await passHour(store, HOUR, { ...pass, untilUs: HOUR + 3 * MINUTE_US, stats })).toEqual(
      left(1, false, [HOUR]),
    );
    expect(stats.mergedMinutes).toBe(1);
    await open.close();
    expect(await passHour(store, HOUR, { ...pass, untilUs: HOUR + HOUR_US, stats })).toEqual(left(0, true));
    expect(stats.mergedMinutes).toBe(2);
  });

  test("does a minute again when a claim has come late, and nothing where all is done", async () => {
    const store = memoryStore();
    const first = writerOn(store);
    await flush(first, 0, [0]);
    await first.close();
    const stats = emptyStats();
    const options = { nowUs: NOW, untilUs: NOW, signal: new AbortController().signal, stats };
    await passHour(store, HOUR, options);
    const writes: string[] = [];
    const watched: Store = {
      ...store,
      merge: (level, ...rest) => {
        writes.push(level);
        return store.merge(level, ...rest);
      },
    };
    await passHour(watched, HOUR, options);
    expect(writes).toEqual([]);
    const late = writerOn(store);
    await flush(late, 0, [5]);
    await late.close();
    await expectAnswersAsPlain(store);
    await passHour(watched, HOUR, { ...options, nowUs: NOW + 1 });
    expect(writes).toEqual(["1s", "1m"]);
    await expectAnswersAsPlain(store);
  });

  test("writes nothing of a minute whose rows have expired in part", async () => {
    const store = memoryStore();
    const writer = writerOn(store);
    await flush(writer, 0, [0, SECOND_US]);
    await writer.close();
    const gone: Store = { ...store, counts: async (...args) => (await store.counts(...args)).slice(1) };
    expect(await mergeMinute(gone, "1s", await claimsOf(store, 0), NOW)).toBe(false);
    await expectAnswersAsPlain(store);
  });

  test("merged minutes answer without a look at any writer's partition", async () => {
    const store = memoryStore();
    for (let minute = 0; minute < 3; minute++) {
      for (let writer = 0; writer < 4; writer++) {
        const sequence = writerOn(store);
        await flush(sequence, minute, [writer]);
        await sequence.close();
      }
    }
    const before = await answer(store, "1m");
    const options = { nowUs: NOW, untilUs: NOW, signal: new AbortController().signal, stats: emptyStats() };
    await passHour(store, HOUR, options);
    const refused = () => Promise.reject(new Error("read plainly"));
    const mergedOnly: Store = { ...store, counts: refused, claims: () => Promise.reject(new Error()) as never };
    expect(await answer(mergedOnly, "1m")).toEqual(before);
  });
});

describe("upkeep beside a server", () => {
  const clock = { nowUs: () => NOW, epoch: 0 };

  async function twoMinutes(): Promise<Store> {
    const store = memoryStore();
    for (const minute of [0, 1]) {
      const sequence = writerOn(store);
      await flush(sequence, minute, [0]);
      await sequence.close();
    }
    return store;
  }

  const merged = async (store: Store) => {
    let minutes = 0;
    for await (const page of store.merged("1m", HOUR, HOUR + HOUR_US)) minutes += page.length;
    return minutes;
  };

  test("merges what is closed, and later what closes later", async () => {
    const store = await twoMinutes();
    const upkeep = new Upkeep({ store, clock, intervalMs: 1, onFailure: () => {} });
    await until(async () => (await merged(store)) === 2);
    const sequence = writerOn(store);
    await flush(sequence, 60 + 5, [0]);
    await sequence.close();
    // The hour of now is looked at in each round.
    const later = new Upkeep({
      store,
      clock: { nowUs: () => NOW + HOUR_US, epoch: 0 },
      intervalMs: 1,
      onFailure: () => {},
    });
    await until(async () => later.stats.mergedMinutes === 1);
    await Promise.all([upkeep.stop(), later.stop()]);
    expect([upkeep.stats.mergedMinutes, upkeep.stats.failures]).toEqual([2, 0]);
  });

  test("tells how many claims of minutes that are over are open, until they are sealed", async () => {
    const store = await twoMinutes();
    const sequences = [writerOn(store), writerOn(store)];
    for (const sequence of sequences) await flush(sequence, 50, [0]);
    const now = { nowUs: () => HOUR + HOUR_US, epoch: 0 };
    const upkeep = new Upkeep({ store, clock: now, intervalMs: 1, onFailure: () => {} });
    expect(upkeep.stats.unsealedSinceUs).toBeNull();
    await until(async () => upkeep.stats.unsealedClaims === 2);
    expect(upkeep.stats.unsealedSinceUs).toBe(HOUR + 50 * MINUTE_US);
    for (const sequence of sequences) await sequence.close();
    await until(async () => upkeep.stats.unsealedClaims === 0);
    expect(upkeep.stats.unsealedSinceUs).toBeNull();
    await upkeep.stop();
  });

  test("goes on after a round that failed, and tells of it", async () => {
    const store = await twoMinutes();
    const errors: unknown[] = [];
    let calls = 0;
    const flaky: Store = {
      ...store,
      claimedHours: () => (calls++ === 0 ? Promise.reject(new Error("away")) : store.claimedHours()),
    };
    const upkeep = new Upkeep({ store: flaky, clock, intervalMs: 1, onFailure: (error) => errors.push(error) });
    await until(async () => (await merged(store)) === 2);
    await upkeep.stop();
    expect([errors.length, upkeep.stats.failures]).toEqual([1, 1]);
  });

  test("does nothing by a clock that is not the store's", async () => {
    const store = await twoMinutes();
    const errors: unknown[] = [];
    const elsewhere: Store = { ...store, clockOffsetUs: async () => -3 * HOUR_US };
    const upkeep = new Upkeep({ store: elsewhere, clock, intervalMs: 1, onFailure: (error) => errors.push(error) });
    await until(async () => errors.length > 1);
    await upkeep.stop();
    expect(String(errors[0])).toContain("this machine's clock differs from the store's by -10800 s");
    expect(await merged(store)).toBe(0);
  });

  test("a partition that cannot be settled holds up no other minute", async () => {
    const store = await twoMinutes();
    await store.claim({ minuteUs: HOUR + 2 * MINUTE_US, writer: Bun.randomUUIDv7() }, 1);
    const oneDown: Store = {
      ...store,
      async *events(partition, options) {
        if (options?.all) throw new Error("a replica is down");
        yield* store.events(partition);
      },
    };
    const unsettled: Claim[] = [];
    const stats = emptyStats();
    const signal = new AbortController().signal;
    const onUnsettled = (claim: Claim) => unsettled.push(claim);
    const pass = { nowUs: NOW, untilUs: NOW, signal, stats, onUnsettled };
    expect(await passHour(oneDown, HOUR, pass)).toEqual({
      waitingMinutes: 1,
      unsealedUs: [expect.any(Number)],
      done: false,
    });
    expect([stats.mergedMinutes, stats.failures, unsettled.length]).toEqual([2, 1, 1]);
    expect(await passHour(store, HOUR, pass)).toEqual({ waitingMinutes: 0, unsealedUs: [], done: true });
  });
});

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await Bun.sleep(1);
}
