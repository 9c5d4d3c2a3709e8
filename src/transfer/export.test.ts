import { describe, expect, test } from "bun:test";
import { parquetMetadata, parquetReadObjects, parquetSchema } from "hyparquet";
import type { Clock } from "../clock.ts";
import { HOUR_US, MINUTE_US, SECOND_US } from "../period.ts";
import { emptyMemory, memoryStore } from "../store/memory.ts";
import type { Store } from "../store/store.ts";
import { parseTimestampUs } from "../units.ts";
import { FlushSequence } from "../writer/sequence.ts";
import type { Bucket } from "../counts/read.ts";
import { eventsCsv, timestampFormat } from "./csv.ts";
import { readEvents, type EventPage, type EventsQuestion } from "./events.ts";
import { countsParquet, eventsParquet } from "./parquet.ts";

const HOUR = Date.UTC(2026, 10, 23, 5) * 1_000;
const clock: Clock = { nowUs: () => HOUR + HOUR_US, epoch: 0 };

/** Events that arrive `offsetsUs` after `minuteUs`, created a millisecond before; the writer's id. */
async function write(store: Store, minuteUs: number, offsetsUs: number[], seal = true): Promise<string> {
  const sequence = new FlushSequence({ store, clock, signal: new AbortController().signal });
  const { writer } = sequence;
  const receivedUs = offsetsUs.map((offset) => minuteUs + offset);
  const createdUs = receivedUs.map((us) => BigInt(us - 1_000));
  await sequence.flush({ minuteUs, epoch: 0, createdUs, receivedUs });
  if (seal) await sequence.close();
  return writer;
}

async function readAll(store: Store, given: Partial<EventsQuestion> = {}) {
  const question = { fromUs: HOUR, toUs: HOUR + HOUR_US, nowUs: HOUR + 2 * HOUR_US, ...given };
  const { pages, ...reading } = readEvents(store, question);
  const found = await Array.fromAsync(pages);
  return {
    offsets: found.flatMap(({ rows }) => rows.map(({ receivedUs }) => receivedUs - HOUR)),
    ...reading.summary(),
  };
}

describe("reading raw events", () => {
  test("gives those of every writer that arrived in the range, its end not included", async () => {
    const store = memoryStore();
    await write(store, HOUR, [0, 1, SECOND_US]);
    await write(store, HOUR, [1, SECOND_US + 1]);
    await write(store, HOUR + MINUTE_US, [0]);
    const { offsets, events, partitions, missing } = await readAll(store, { fromUs: HOUR + 1, toUs: HOUR + SECOND_US });
    expect([offsets, events]).toEqual([[1, 1], 2]);
    expect([partitions, missing.partitions]).toEqual([2, 0]);
  });

  test("finds the partition of a range that begins within its minute", async () => {
    const store = memoryStore();
    await write(store, HOUR, [10, 59 * SECOND_US]);
    expect((await readAll(store, { fromUs: HOUR + SECOND_US })).offsets).toEqual([59 * SECOND_US]);
  });

  test("says how many have gone, of partitions in part and as a whole, sealed or open", async () => {
    const data = emptyMemory();
    const store = memoryStore(data);
    const inPart = await write(store, HOUR, [0, 1, 2, 3]);
    const whole = await write(store, HOUR + MINUTE_US, [0, 1, 2]);
    const open = await write(store, HOUR + 2 * MINUTE_US, [0, 1], false);
    await write(store, HOUR + 3 * MINUTE_US, [0]);
    for (const seq of [0, 1]) data.events.get(`${HOUR}/${inPart}`)?.delete(seq);
    data.events.get(`${HOUR + MINUTE_US}/${whole}`)?.clear();
    data.events.get(`${HOUR + 2 * MINUTE_US}/${open}`)?.delete(0);
    const { events, partitions, missing } = await readAll(store);
    expect([events, partitions]).toEqual([4, 4]);
    expect(missing).toEqual({ partitions: 3, eventsExpected: 9, events: 6 });
  });

  test("is complete until the first minute that is not sealed, and never in the last six seconds", async () => {
    const store = memoryStore();
    await write(store, HOUR, [0]);
    await write(store, HOUR + MINUTE_US, [0], false);
    expect((await readAll(store)).completeUs).toBe(HOUR + MINUTE_US);
    expect((await readAll(store, { toUs: HOUR + SECOND_US })).completeUs).toBe(HOUR + SECOND_US);
    expect((await readAll(store, { nowUs: HOUR + 30 * SECOND_US })).completeUs).toBe(HOUR + 24 * SECOND_US);
  });

  test("does not count events as gone that arrive while it reads", async () => {
    const store = memoryStore();
    const sequence = new FlushSequence({ store, clock, signal: new AbortController().signal });
    const flush = (at: number) =>
      sequence.flush({ minuteUs: HOUR, epoch: 0, createdUs: [0n], receivedUs: [HOUR + at] });
    await flush(0);
    const growing: Store = {
      ...store,
      async *events(partition) {
        await flush(1);
        yield* store.events(partition);
      },
    };
    const { events, missing } = await readAll(growing);
    expect([events, missing.partitions]).toEqual([2, 0]);
  });

  test("ends when nobody wants it any more", async () => {
    const store = memoryStore();
    await write(store, HOUR, [0]);
    await write(store, HOUR + MINUTE_US, [0]);
    const stop = new AbortController();
    let pages = 0;
    const question = { fromUs: HOUR, toUs: HOUR + HOUR_US, nowUs: HOUR, signal: stop.signal };
    for await (const _ of readEvents(store, question).pages) {
      pages++;
      stop.abort();
    }
    expect(pages).toBe(1);
  });
});

describe("CSV of raw events", () => {
  test.each([
    "0001-01-01 00:00:00.000000",
    "1969-12-31 23:59:59.999999",
    "1970-01-01 00:00:00.000000",
    "2026-11-23 05:11:11.123456",
    "9999-12-31 23:59:59.999999",
  ])("%s keeps its microseconds", (timestamp) => {
    expect(timestampFormat()(parseTimestampUs(timestamp) ?? 0n)).toBe(`${timestamp.replace(" ", "T")}Z`);
  });

  test("a time after another second is not given the other's text", () => {
    const format = timestampFormat();
    expect([0n, 1_000_000n, 1n, -1n].map((us) => format(us).slice(17))).toEqual([
      "00.000000Z",
      "01.000000Z",
      "00.000001Z",
      "59.999999Z",
    ]);
  });

  test("has a header, and one line an event", async () => {
    const store = memoryStore();
    const writer = await write(store, HOUR, [SECOND_US + 5]);
    const { pages } = readEvents(store, { fromUs: HOUR, toUs: HOUR + HOUR_US, nowUs: HOUR });
    expect((await Array.fromAsync(eventsCsv(pages))).join("")).toBe(
      "received,created,minute,writer,seq\n" +
        `2026-11-23T05:00:01.000005Z,2026-11-23T05:00:00.999005Z,2026-11-23T05:00:00.000000Z,${writer},0\n`,
    );
  });
});

/** The file that the portions make; they are copied, because each is good for a moment only. */
async function fileOf(portions: AsyncIterable<Uint8Array>): Promise<ArrayBuffer> {
  const copies: Uint8Array[] = [];
  for await (const portion of portions) copies.push(portion.slice());
  return new Blob(copies).arrayBuffer();
}

const asIs = {
  timestampFromMicroseconds: (us: bigint) => us,
};

describe("Parquet", () => {
  async function* pagesOf(events: number, pageRows: number): AsyncGenerator<EventPage> {
    for (let first = 0; first < events; first += pageRows) {
      const length = Math.min(pageRows, events - first);
      const rows = Array.from({ length }, (_, at) => {
        const seq = first + at;
        return { seq, createdUs: BigInt(seq) * 7n - 62_135_596_800_000_000n, receivedUs: HOUR + seq };
      });
      yield { minuteUs: HOUR, writer: "019aaf8e-0000-7000-8000-000000000001", rows };
    }
  }

  test("of events has their values and types, whatever the pages and the row groups", async () => {
    // As many portions as row groups, and the footer: nothing is held back.
    expect((await Array.fromAsync(eventsParquet(pagesOf(250, 30), 100))).length).toBe(4);
    const file = await fileOf(eventsParquet(pagesOf(250, 30), 100));
    const metadata = parquetMetadata(file);
    expect(metadata.row_groups.map(({ num_rows }) => Number(num_rows))).toEqual([100, 100, 50]);
    const types = parquetSchema(metadata).children.map(({ element }) => [
      element.name,
      element.type,
      element.logical_type ?? element.converted_type,
    ]);
    const timestamp = { type: "TIMESTAMP", isAdjustedToUTC: true, unit: "MICROS" };
    expect(types as unknown).toEqual([
      ["received", "INT64", timestamp],
      ["created", "INT64", timestamp],
      ["minute", "INT64", timestamp],
      ["writer", "BYTE_ARRAY", "UTF8"],
      ["seq", "INT32", undefined],
    ]);
    const rows = await parquetReadObjects({ file, parsers: asIs });
    expect(rows.length).toBe(250);
    expect(rows[249]).toEqual({
      received: BigInt(HOUR + 249),
      created: 249n * 7n - 62_135_596_800_000_000n,
      minute: BigInt(HOUR),
      writer: "019aaf8e-0000-7000-8000-000000000001",
      seq: 249,
    });
    expect(rows.map(({ seq }) => seq)).toEqual(Array.from({ length: 250 }, (_, seq) => seq));
  });

  test("of counts has negative lags, and none where none is known", async () => {
    async function* buckets(): AsyncGenerator<Bucket[]> {
      yield [{ bucketUs: HOUR, events: 3, lag: { sumUs: -4, minUs: -3, maxUs: 0 } }];
      yield [{ bucketUs: HOUR + SECOND_US, events: 2, lag: null }];
    }
    const rows = await parquetReadObjects({ file: await fileOf(countsParquet(buckets())), parsers: asIs });
    expect(rows).toEqual([
      { bucket: BigInt(HOUR), events: 3n, lag_min_us: -3n, lag_avg_us: -1n, lag_max_us: 0n },
      { bucket: BigInt(HOUR + SECOND_US), events: 2n, lag_min_us: null, lag_avg_us: null, lag_max_us: null },
    ]);
  });

  test("of nothing is a file without rows", async () => {
    const file = await fileOf(eventsParquet(pagesOf(0, 1)));
    expect(await parquetReadObjects({ file })).toEqual([]);
    expect(parquetSchema(parquetMetadata(file)).children.length).toBe(5);
  });

  test("holds creation times of all years beside each other", async () => {
    const createdUs = ["0001-01-01 00:00:00", "9999-12-31 23:59:59.999999", "0001-01-01 00:00:00.000001"].map(
      (text) => parseTimestampUs(text) ?? 0n,
    );
    async function* pages(): AsyncGenerator<EventPage> {
      yield {
        minuteUs: HOUR,
        writer: "w",
        rows: createdUs.map((us, seq) => ({ seq, createdUs: us, receivedUs: HOUR })),
      };
    }
    const rows = await parquetReadObjects({ file: await fileOf(eventsParquet(pages())), parsers: asIs });
    expect(rows.map(({ created }) => created as bigint)).toEqual(createdUs);
  });
});
