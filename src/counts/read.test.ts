import { describe, expect, test } from "bun:test";
import type { Clock } from "../clock.ts";
import { Reto3Error } from "../errors.ts";
import { bucketStartUs, DAY_US, HOUR_US, MINUTE_US, PERIODS, SECOND_US, type PeriodName } from "../period.ts";
import { emptyMemory, memoryStore } from "../store/memory.ts";
import type { Store } from "../store/store.ts";
import { FlushSequence } from "../writer/sequence.ts";
import { followCounts } from "./follow.ts";
import { FORMATS, formatAnswer } from "./format.ts";
import { readCounts, withZeros, type Bucket, type CountQuestion } from "./read.ts";

const HOUR = Date.UTC(2026, 10, 23, 5) * 1_000;
const clock: Clock = { nowUs: () => HOUR + HOUR_US, epoch: 0 };

async function write(store: Store, offsetsUs: number[], { seal = true, atUs = HOUR } = {}): Promise<string> {
  const sequence = new FlushSequence({ store, clock, signal: new AbortController().signal });
  const { writer } = sequence;
  const receivedUs = offsetsUs.map((offset) => atUs + offset);
  await sequence.flush({
    minuteUs: atUs - (atUs % MINUTE_US),
    epoch: 0,
    createdUs: receivedUs.map((received) => BigInt(received)),
    receivedUs,
  });
  if (seal) await sequence.close();
  return writer;
}

function question(level: PeriodName, given: Partial<CountQuestion> = {}): CountQuestion {
  const fromUs = HOUR;
  return {
    period: PERIODS[level],
    fromUs,
    toUs: HOUR + 5 * MINUTE_US,
    nowUs: HOUR + HOUR_US,
    source: "counts",
    ...given,
  };
}

async function collect(buckets: AsyncIterable<Bucket[]>): Promise<[number, number][]> {
  const found: [number, number][] = [];
  for await (const portion of buckets)
    for (const { bucketUs, events } of portion) found.push([bucketUs - HOUR, events]);
  return found;
}

describe("the watermark", () => {
  const completeOf = async (store: Store, asked: CountQuestion) => {
    const reading = readCounts(store, asked);
    await collect(reading.buckets);
    return reading.summary().completeUs - HOUR;
  };

  test("of a range whose claims are all sealed is its end", async () => {
    const store = memoryStore();
    await write(store, [0, 1]);
    expect(await completeOf(store, question("1s"))).toBe(5 * MINUTE_US);
  });

  test("is the first minute with a claim that is not sealed", async () => {
    const store = memoryStore();
    await write(store, [0]);
    await write(store, [0], { atUs: HOUR + 2 * MINUTE_US });
    await write(store, [0], { atUs: HOUR + 2 * MINUTE_US, seal: false });
    expect(await completeOf(store, question("1s"))).toBe(2 * MINUTE_US);
  });

  test("leaves what may just be on its way: the last six seconds", async () => {
    const nowUs = HOUR + 30 * SECOND_US;
    expect(await completeOf(memoryStore(), question("1s", { nowUs }))).toBe(24 * SECOND_US);
  });

  test("is not final while a server may hold back what it answered 'unknown': ten minutes and a half", async () => {
    const finalOf = async (nowUs: number) => {
      const reading = readCounts(memoryStore(), question("1s", { nowUs }));
      await collect(reading.buckets);
      return reading.summary().finalUs - HOUR;
    };
    expect(await finalOf(HOUR + 11 * MINUTE_US)).toBe(30 * SECOND_US);
    expect(await finalOf(HOUR + HOUR_US)).toBe(5 * MINUTE_US);
  });
});

describe("reading", () => {
  test("merges writers bucket by bucket, lags too", async () => {
    const store = memoryStore();
    await write(store, [0, 1, SECOND_US]);
    await write(store, [2, 2 * SECOND_US]);
    const reading = readCounts(store, question("1s"));
    expect(await collect(reading.buckets)).toEqual([
      [0, 3],
      [SECOND_US, 1],
      [2 * SECOND_US, 1],
    ]);
    expect(reading.summary().events).toBe(5);
  });

  test("keeps the order of minutes although later ones are read side by side", async () => {
    const store = memoryStore();
    for (let minute = 0; minute < 5; minute++) await write(store, [0], { atUs: HOUR + minute * MINUTE_US });
    let calls = 0;
    const slowFirst: Store = {
      ...store,
      async counts(...args) {
        // The earlier it is asked, the later it answers.
        for (let turns = 50 - 10 * calls++; turns > 0; turns--) await Promise.resolve();
        return store.counts(...args);
      },
    };
    const buckets = await collect(readCounts(slowFirst, question("1m")).buckets);
    expect(buckets.map(([at]) => at / MINUTE_US)).toEqual([0, 1, 2, 3, 4]);
  });

  test("counts raw events again only while all are there, and says so instead of a wrong count", async () => {
    const data = emptyMemory();
    const store = memoryStore(data);
    await write(store, [0, 1, 2]);
    const open = await write(store, [0, 1, 2], { seal: false, atUs: HOUR + MINUTE_US });
    expect((await collect(readCounts(store, question("1m", { source: "events" })).buckets)).length).toBe(2);
    // What a lifetime does: raw rows go, totals stay. Here of the partition that is not sealed.
    data.events.get(`${HOUR + MINUTE_US}/${open}`)?.delete(1);
    const failure = await collect(readCounts(store, question("1m", { source: "events" })).buckets).catch(
      (e: unknown) => e,
    );
    expect((failure as Reto3Error).code).toBe("EXPIRED");
    expect((failure as Reto3Error).message).toContain("the raw events of writer");
    expect((await collect(readCounts(store, question("1m")).buckets)).length).toBe(2);
  });

  test("does not take expired 10 ms counts for zeros: it says so, for a part of a minute too", async () => {
    const data = emptyMemory();
    const store = memoryStore(data);
    const writer = await write(store, [0, 1, 50_000_000]);
    data.counts["10ms"].get(`${HOUR}/${writer}`)?.delete(HOUR);
    const late = question("10ms", { fromUs: HOUR + 40_000_000 });
    for (const asked of [question("10ms"), late]) {
      const failure = await collect(readCounts(store, asked).buckets).catch((error: unknown) => error);
      expect((failure as Reto3Error).code).toBe("EXPIRED");
      expect((failure as Reto3Error).message).toContain("account for 1 of its 3 events");
    }
    expect(await collect(readCounts(store, question("1s")).buckets)).toEqual([
      [0, 2],
      [50_000_000, 1],
    ]);
  });

  test("does not take expired counts of an open partition for zeros either", async () => {
    const memory = memoryStore();
    const store: Store = {
      ...memory,
      info: { ...memory.info, retention: { ...memory.info.retention, "10ms": 60, "1m": 3_600 } },
    };
    await write(store, [0, 1], { seal: false });
    for (const level of ["10ms", "1m"] as const) {
      const failure = await collect(readCounts(store, question(level)).buckets).catch((error: unknown) => error);
      expect(failure).toMatchObject({
        code: "EXPIRED",
        message: expect.stringContaining(`the ${level} counts of writer`),
      });
    }
    const recount = await collect(readCounts(store, question("1s", { source: "events" })).buckets).catch(
      (e: unknown) => e,
    );
    expect(recount).toMatchObject({ code: "EXPIRED" });
    expect(await collect(readCounts(store, question("1s")).buckets)).toEqual([[0, 2]]);
  });

  test("says that counts are missing where no lifetime explains it", async () => {
    const data = emptyMemory();
    const store = memoryStore(data);
    const writer = await write(store, [0, 1]);
    data.counts["1s"].delete(`${HOUR}/${writer}`);
    const failure = await collect(readCounts(store, question("1s")).buckets).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      message: expect.stringContaining("account for 0 of its 2 events; the others are missing"),
      hint: expect.stringContaining("'reto3 verify'"),
    });
  });

  test("an open partition that is written to between two readings is no error", async () => {
    const store = memoryStore();
    await write(store, [0], { seal: false });
    const growing: Store = {
      ...store,
      async counts(...args) {
        const rows = await store.counts(...args);
        await write(store, [SECOND_US], { seal: false });
        return rows;
      },
    };
    expect((await collect(readCounts(growing, question("1s")).buckets))[0]).toEqual([0, 1]);
  });

  test("asks for no more than 96 partitions at once", async () => {
    const store = memoryStore();
    for (let minute = 0; minute < 60; minute++) {
      for (let writer = 0; writer < 3; writer++) await write(store, [0], { atUs: HOUR + minute * MINUTE_US });
    }
    let running = 0;
    let most = 0;
    const watched: Store = {
      ...store,
      async counts(...args) {
        most = Math.max(most, ++running);
        await Bun.sleep(0);
        running--;
        return store.counts(...args);
      },
    };
    const asked = question("1m", { toUs: HOUR + HOUR_US });
    expect((await collect(readCounts(watched, asked).buckets)).length).toBe(60);
    expect(most).toBe(96);
  });

  test.each(["10ms", "1s", "1m"] as const)(
    "of all years that there are asks for %s only where somebody was counted, and a clock that was wrong finds its events",
    async (level) => {
      const memory = memoryStore();
      const times = ["0031-05-07T01:00:00Z", "2026-11-23T05:00:00Z", "2026-12-23T05:00:00Z", "9998-01-01T00:00:00Z"];
      const atUs = times.map((time) => Date.parse(time) * 1_000);
      for (const one of atUs) await write(memory, [0, 1], { atUs: one });
      let askedUs = 0;
      const counted = (method: "claims" | "claimCounts") => ({
        [method]: (fromUs: number, toUs: number) => {
          askedUs += toUs - fromUs;
          return memory[method](fromUs, toUs);
        },
      });
      const store: Store = { ...memory, ...counted("claims"), ...counted("claimCounts") };
      const [fromUs, toUs] = [Date.parse("0001-01-01") * 1_000, Date.parse("9999-12-31") * 1_000];
      const found = await collect(readCounts(store, question(level, { fromUs, toUs })).buckets);
      expect(found).toEqual(atUs.map((one) => [bucketStartUs(one, PERIODS[level].us) - HOUR, 2]));
      // Days that it was asked for: those between the two that lie near each other, and one for each of the others.
      expect(askedUs / DAY_US).toBeLessThan(40);
    },
  );

  test("ends when nobody wants the answer any more", async () => {
    const stop = new AbortController();
    let pages = 0;
    const endless: Store = {
      ...memoryStore(),
      async *claims() {
        for (;;) {
          if (++pages === 3) stop.abort();
          yield [];
        }
      },
    };
    expect(await collect(readCounts(endless, question("1s", { signal: stop.signal })).buckets)).toEqual([]);
    expect(pages).toBe(3);
  });

  test("throws what the store throws", async () => {
    const store = memoryStore();
    await write(store, [0]);
    const failing: Store = { ...store, counts: () => Promise.reject(new Reto3Error("STORE_UNAVAILABLE", "away")) };
    await expect(collect(readCounts(failing, question("1s")).buckets)).rejects.toThrow("away");
  });
});

describe("zeros", () => {
  test("stand wherever a bucket had no event, from the start to the end of the range", async () => {
    const store = memoryStore();
    await write(store, [SECOND_US, 3 * SECOND_US]);
    const asked = question("1s", { toUs: HOUR + 5 * SECOND_US });
    const filled = await collect(withZeros(readCounts(store, asked).buckets, asked));
    expect(filled.map(([, events]) => events)).toEqual([0, 1, 0, 1, 0]);
    expect(filled.map(([at]) => at / SECOND_US)).toEqual([0, 1, 2, 3, 4]);
  });

  test("come in portions: an empty day of 10 ms is never in memory at once", async () => {
    const asked = question("10ms", { toUs: HOUR + 20 * MINUTE_US });
    let total = 0;
    for await (const portion of withZeros(readCounts(memoryStore(), asked).buckets, asked)) {
      expect(portion.length).toBeLessThanOrEqual(6_000);
      total += portion.length;
    }
    expect(total).toBe(20 * 6_000);
  });

  test("begin with the first bucket that starts in the range", async () => {
    const asked = question("1s", { fromUs: HOUR + 1, toUs: HOUR + 2 * SECOND_US });
    expect(await collect(withZeros(readCounts(memoryStore(), asked).buckets, asked))).toEqual([[SECOND_US, 0]]);
  });
});

describe("formats", () => {
  async function formatted(format: (typeof FORMATS)[number]): Promise<string> {
    const store = memoryStore();
    await write(store, [0, 1, 11_120_000]);
    const asked = question("1s");
    const reading = readCounts(store, asked);
    let all = "";
    for await (const portion of formatAnswer(format, asked, reading.buckets, reading)) all += portion;
    return all;
  }

  test("text is the line of the original task", async () => {
    expect(await formatted("text")).toBe("2026-11-23 05:00:00.000, 2\n2026-11-23 05:00:11.000, 1\n");
  });

  test("CSV has a header and lags", async () => {
    const lag = HOUR_US;
    const [header, first] = (await formatted("csv")).split("\n");
    expect(header).toBe("bucket,events,lag_min_us,lag_avg_us,lag_max_us");
    expect(first).toBe(`2026-11-23T05:00:00.000Z,2,${lag - 1},${lag},${lag}`);
  });

  test("JSON is one document with the sum and whether it is final", async () => {
    const answer = JSON.parse(await formatted("json"));
    expect(answer).toMatchObject({ period: "1s", events: 3, sealed: true, completeUntil: "2026-11-23T05:05:00.000Z" });
    expect(answer.buckets.map((bucket: { events: number }) => bucket.events)).toEqual([2, 1]);
  });

  test("JSON of an empty range is a whole document too", async () => {
    const asked = question("1s");
    const reading = readCounts(memoryStore(), asked);
    let all = "";
    for await (const portion of formatAnswer("json", asked, reading.buckets, reading)) all += portion;
    expect(JSON.parse(all)).toMatchObject({ buckets: [], events: 0 });
  });
});

test("following shows each bucket once it has closed, and again when it grew", async () => {
  const store = memoryStore();
  await write(store, [0, SECOND_US]);
  let nowUs = HOUR + 2 * SECOND_US;
  const stop = new AbortController();
  const moving: Clock = { nowUs: () => (nowUs += SECOND_US / 2), epoch: 0 };
  const shown: [number, number][] = [];
  const range = { period: PERIODS["1s"], fromUs: HOUR };
  for await (const buckets of followCounts(store, range, { zeros: false, clock: moving, signal: stop.signal })) {
    for (const { bucketUs, events } of buckets) shown.push([(bucketUs - HOUR) / SECOND_US, events]);
    if (shown.length === 2) await write(store, [1, 2], { atUs: HOUR + SECOND_US });
    if (shown.length === 3) stop.abort();
  }
  expect(shown).toEqual([
    [0, 1],
    [1, 1],
    [1, 3],
  ]);
});
