import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Reto3Error } from "../errors.ts";
import { MINUTE_US } from "../period.ts";
import { decodeEvents, encodeEvents, eventsAfter } from "./event-batch.ts";
import type { EventRow, Flush } from "./store.ts";

const MINUTE = Date.UTC(2_026, 4, 28, 11, 11) * 1_000;
const FIRST_CREATED_US = -62_135_596_800_000_000n;
const LAST_CREATED_US = 253_402_300_799_999_999n;

function flushOf(events: readonly EventRow[]): Flush {
  return {
    minuteUs: MINUTE,
    writer: "019e0000-0000-7000-8000-000000000001",
    firstSeq: events[0]?.seq ?? 0,
    createdUs: events.map(({ createdUs }) => createdUs),
    receivedUs: events.map(({ receivedUs }) => receivedUs),
    counts: { "10ms": [], "1s": [], "1m": [] },
    writtenAtUs: 1,
  };
}

const offsetUs = fc.integer({ min: 0, max: MINUTE_US - 1 });
/** How much earlier an event was created than it came. */
const nearLagUs = fc.oneof(
  fc.integer({ min: -5_000, max: 5_000 }),
  fc.integer({ min: -3_600_000_000, max: 3_600_000_000 }),
  // Where the short form ends.
  fc.integer({ min: -2, max: 2 }).map((beside) => 2 ** 50 + beside),
  fc.integer({ min: -2, max: 2 }).map((beside) => -(2 ** 50) + beside),
);
const createdOf = (receivedUs: number, isFarAllowed: boolean) => {
  const near = nearLagUs.map((lagUs) => BigInt(receivedUs - lagUs));
  const far = fc.oneof(
    fc.bigInt({ min: FIRST_CREATED_US, max: LAST_CREATED_US }),
    fc.constantFrom(FIRST_CREATED_US, LAST_CREATED_US),
  );
  return isFarAllowed ? fc.oneof({ weight: 9, arbitrary: near }, { weight: 1, arbitrary: far }) : near;
};

/** Events of one minute in the order they came, some several in one microsecond. */
const batches = fc
  .record({
    firstSeq: fc.integer({ min: 0, max: 2 ** 31 - 1_000 }),
    offsets: fc.array(offsetUs, { minLength: 1, maxLength: 300 }),
    isFarAllowed: fc.boolean(),
  })
  .chain(({ firstSeq, offsets, isFarAllowed }) => {
    const receivedUs = offsets.sort((a, b) => a - b).map((offset) => MINUTE + offset);
    return fc.tuple(...receivedUs.map((received) => createdOf(received, isFarAllowed))).map((createdUs) =>
      receivedUs.map((received, at): EventRow => {
        return { seq: firstSeq + at, createdUs: createdUs[at] ?? 0n, receivedUs: received };
      }),
    );
  });

const decoded = (events: readonly EventRow[], bytes: Uint8Array) => decodeEvents(MINUTE, events[0]?.seq ?? 0, bytes);

/** So many events, `gapUs` from each other, created some microseconds to 2 ms earlier. */
function steady(count: number, gapUs: number): EventRow[] {
  return Array.from({ length: count }, (_, at) => {
    const receivedUs = MINUTE + at * gapUs;
    return { seq: at, createdUs: BigInt(receivedUs - ((at * 7_919) % 2_000)), receivedUs };
  });
}

/** What it throws; undefined if it throws nothing. */
function failureOf(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}

const refused = expect.objectContaining({ code: "UNREADABLE", message: expect.stringContaining("cannot be read") });

describe("a batch of raw events", () => {
  test("comes back as it was, whatever clocks the clients have", () => {
    fc.assert(
      fc.property(batches, (events) => {
        expect(decoded(events, encodeEvents(flushOf(events)))).toEqual(events);
      }),
    );
  });

  test("is in the short form up to 35 years off, in the long one beyond, and exact on both sides", () => {
    const cases = [
      { lagUs: 2 ** 50, version: 1 },
      { lagUs: 2 ** 50 + 1, version: 2 },
      { lagUs: -(2 ** 50), version: 1 },
      { lagUs: -(2 ** 50) - 1, version: 2 },
    ];
    for (const { lagUs, version } of cases) {
      // The one beside it has the opposite lag: the greatest difference that there is.
      const events = [lagUs, Math.sign(lagUs) * -(2 ** 50), lagUs].map((lag, at): EventRow => {
        return { seq: at, createdUs: BigInt(MINUTE - lag), receivedUs: MINUTE };
      });
      const bytes = encodeEvents(flushOf(events));
      expect([bytes[0], decoded(events, bytes)]).toEqual([version, events]);
    }
  });

  test("may be a part of a flush", () => {
    const events = steady(500, 100);
    const parts = [
      [0, 200],
      [200, 400],
      [400, 500],
    ].flatMap(([from = 0, to]) => decodeEvents(MINUTE, from, encodeEvents(flushOf(events), from, to)));
    expect(parts).toEqual(events);
  });

  test("is read from the middle of another buffer, as drivers hand it out", () => {
    for (const createdUs of [BigInt(MINUTE), FIRST_CREATED_US]) {
      const events = [{ seq: 7, createdUs, receivedUs: MINUTE + 5 }];
      const bytes = encodeEvents(flushOf(events));
      const around = new Uint8Array(bytes.length + 20).fill(255);
      around.set(bytes, 3);
      expect(decoded(events, around.subarray(3, 3 + bytes.length))).toEqual(events);
    }
  });

  test("that is cut off anywhere is refused", () => {
    fc.assert(
      fc.property(batches, (events) => {
        const bytes = encodeEvents(flushOf(events));
        for (let length = 0; length < bytes.length; length++) {
          expect(failureOf(() => decoded(events, bytes.subarray(0, length)))).toEqual(refused);
        }
      }),
      { numRuns: 30 },
    );
  });

  test("that goes on behind its last event is refused", () => {
    fc.assert(
      fc.property(batches, fc.uint8Array({ minLength: 1, maxLength: 20 }), (events, more) => {
        const bytes = Buffer.concat([encodeEvents(flushOf(events)), more]);
        expect(failureOf(() => decoded(events, bytes))).toEqual(refused);
      }),
    );
  });

  test("of another version is refused, with a hint", () => {
    const events = steady(50, 200);
    const bytes = encodeEvents(flushOf(events));
    for (let version = 0; version < 256; version++) {
      if (version === bytes[0]) continue;
      const failure = failureOf(() => decoded(events, Uint8Array.from([version, ...bytes.subarray(1)])));
      expect(failure).toEqual(refused);
      expect((failure as Reto3Error).hint).toContain("the reto3 that wrote them, or a later one");
    }
  });

  test("that is damaged is refused or says something else", () => {
    fc.assert(
      fc.property(batches, fc.nat(), fc.integer({ min: 1, max: 255 }), (events, place, change) => {
        const bytes = Uint8Array.from(encodeEvents(flushOf(events)));
        const at = place % bytes.length;
        bytes[at] = (bytes[at] ?? 0) ^ change;
        let found: EventRow[];
        try {
          found = decoded(events, bytes);
        } catch (error) {
          expect(error).toEqual(refused);
          return;
        }
        expect(found).not.toEqual(events);
      }),
    );
  });

  test("of any bytes at all is refused or read, never anything else", () => {
    fc.assert(
      fc.property(fc.constantFrom(1, 2), fc.uint8Array({ maxLength: 200 }), (version, rest) => {
        const failure = failureOf(() => decodeEvents(MINUTE, 0, Uint8Array.from([version, ...rest])));
        if (failure !== undefined) expect(failure).toEqual(refused);
      }),
    );
  });

  const sizes = [
    { what: "50 events 200 us apart", count: 50, gapUs: 200, bytesMax: 5 },
    { what: "200 events 200 us apart", count: 200, gapUs: 200, bytesMax: 5 },
    { what: "5,000 events 10 us apart", count: 5_000, gapUs: 10, bytesMax: 4 },
    { what: "10 events a second apart", count: 10, gapUs: 1_000_000, bytesMax: 6 },
  ];
  for (const { what, count, gapUs, bytesMax } of sizes) {
    test(`takes less than ${bytesMax} bytes an event: ${what}`, () => {
      expect(encodeEvents(flushOf(steady(count, gapUs))).length / count).toBeLessThan(bytesMax);
    });
  }
});

describe("of batches that overlap", () => {
  const seqs = (events: EventRow[]) => events.map(({ seq }) => seq);
  const events = steady(5, 10);
  const cases = [
    { after: -1, left: [0, 1, 2, 3, 4], what: "all where nothing was read" },
    { after: 0, left: [1, 2, 3, 4], what: "those behind the last one that was read" },
    { after: 3, left: [4], what: "the last" },
    { after: 4, left: [], what: "none where all were read" },
    { after: 9, left: [], what: "none where later ones were read" },
  ];
  for (const { after, left, what } of cases) {
    test(`these are left: ${what}`, () => {
      expect(seqs(eventsAfter(after, events))).toEqual(left);
    });
  }
});
