// The binary form of the raw events of one flush: what lies in the one cell of a packed row, the same in every store.
// Pure: bytes in, bytes out.
//
//     version (1 byte)  events (varint)
//     received          each: microseconds since the one before (varint); the first: since the start of the minute
//     created           version 1, each: its (received - created), minus that of the one before (zigzag varint)
//                       version 2, each: microseconds since 1970 (8 bytes, big endian, signed)
//
// Version 2 is for batches in which a client's clock is more than 35 years off. Some 4 bytes an event at 5,000/s.

import { Reto3Error } from "../errors.ts";
import { pushVarint, pushZigzag, readVarint, readZigzag } from "../varint.ts";
import type { EventRow, Flush } from "./store.ts";

const NEAR = 1;
const FAR = 2;

/** A difference of two such is still exact as a zigzag varint. */
const NEAR_MAX_US = 2 ** 50;

/** The events of a flush from the `from`th up to the `to`th, all of them by default; there must be some. Throws STORE_REFUSED for arrivals that do not ascend within the minute. */
export function encodeEvents(flush: Flush, from = 0, to = flush.receivedUs.length): Uint8Array {
  const { minuteUs } = flush;
  const createdUs = flush.createdUs.slice(from, to);
  const receivedUs = flush.receivedUs.slice(from, to);
  const lags: number[] = [];
  let isNear = true;
  for (let at = 0; at < receivedUs.length; at++) {
    // Beyond 2^53 it is rounded, and then too far by far.
    const lagUs = (receivedUs[at] ?? 0) - Number(createdUs[at] ?? 0n);
    if (Math.abs(lagUs) > NEAR_MAX_US) isNear = false;
    lags.push(lagUs);
  }
  const bytes = [isNear ? NEAR : FAR];
  pushVarint(bytes, receivedUs.length);
  let beforeUs = minuteUs;
  for (const us of receivedUs) {
    if (us < beforeUs) throw new Reto3Error("STORE_REFUSED", `raw events: ${us} arrived after ${beforeUs}`);
    pushVarint(bytes, us - beforeUs);
    beforeUs = us;
  }
  if (!isNear) return Buffer.concat([Uint8Array.from(bytes), int64s(createdUs)]);
  let lagBeforeUs = 0;
  for (const lagUs of lags) {
    pushZigzag(bytes, lagUs - lagBeforeUs);
    lagBeforeUs = lagUs;
  }
  return Uint8Array.from(bytes);
}

/** The events of a batch whose first one is `firstSeq`; throws UNREADABLE if `bytes` is not the form above. */
export function decodeEvents(minuteUs: number, firstSeq: number, bytes: Uint8Array): EventRow[] {
  try {
    return decode(minuteUs, firstSeq, bytes);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new Reto3Error("UNREADABLE", `the raw events from ${firstSeq} on cannot be read: ${error.message}`, {
      hint: "use the reto3 that wrote them, or a later one",
      cause: error,
    });
  }
}

/**
 * Those after the event `after`. Batches may overlap: a copy of a partition that is repeated when its first events have
 * expired has other bounds. In the order of their first events, each event is then read once.
 */
export function eventsAfter(after: number, events: EventRow[]): EventRow[] {
  return (events[0]?.seq ?? 0) > after ? events : events.filter(({ seq }) => seq > after);
}

function decode(minuteUs: number, firstSeq: number, bytes: Uint8Array): EventRow[] {
  const [version] = bytes;
  if (version !== NEAR && version !== FAR) throw new RangeError(`format ${version} is unknown`);
  const reader = { bytes, at: 1 };
  const events: EventRow[] = [];
  const count = readVarint(reader);
  let receivedUs = minuteUs;
  for (let at = 0; at < count; at++) {
    receivedUs += readVarint(reader);
    events.push({ seq: firstSeq + at, createdUs: 0n, receivedUs });
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset + reader.at, bytes.length - reader.at);
  let lagUs = 0;
  for (const [at, event] of events.entries()) {
    if (version === FAR) event.createdUs = view.getBigInt64(8 * at);
    else {
      lagUs += readZigzag(reader);
      event.createdUs = BigInt(event.receivedUs - lagUs);
    }
  }
  const end = version === FAR ? reader.at + 8 * count : reader.at;
  if (end !== bytes.length) throw new RangeError(`${bytes.length} bytes where ${end} are wanted`);
  return events;
}

function int64s(values: readonly bigint[]): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(8 * values.length));
  for (const [at, value] of values.entries()) bytes.setBigInt64(8 * at, value);
  return new Uint8Array(bytes.buffer);
}
