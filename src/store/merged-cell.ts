// The binary form of a merged minute: what lies in the one cell that a merge writes, the same in every store.
// Pure: bytes in, bytes out.
//
//     version (1 byte)  writers (varint)  16 bytes each
//     rows (varint)     each: bucket - minute in us, events (varint), lag min, lag max (zigzag varint),
//                             lag sum (8 bytes, IEEE 754, big endian), length of the histogram (varint), the histogram
//
// A cell is whole in itself, so that a smaller merge written over a larger one is still right for the writers it names.

import { pushVarint, pushZigzag, readVarint, readZigzag, type ByteReader } from "../varint.ts";
import type { CountRow, MergedMinute } from "./store.ts";

const FORMAT_VERSION = 1;
const UUID_BYTES = 16;

export function encodeMerged({ minuteUs, writers, rows }: MergedMinute): Uint8Array {
  const bytes = [FORMAT_VERSION];
  pushVarint(bytes, writers.length);
  for (const writer of writers) bytes.push(...Buffer.from(writer.replaceAll("-", ""), "hex"));
  pushVarint(bytes, rows.length);
  const sum = new DataView(new ArrayBuffer(8));
  for (const row of rows) {
    pushVarint(bytes, row.bucketUs - minuteUs);
    pushVarint(bytes, row.events);
    pushZigzag(bytes, row.lagMinUs);
    pushZigzag(bytes, row.lagMaxUs);
    sum.setFloat64(0, row.lagSumUs);
    for (let at = 0; at < 8; at++) bytes.push(sum.getUint8(at));
    const lagHist = row.lagHist ?? new Uint8Array();
    pushVarint(bytes, lagHist.length);
    bytes.push(...lagHist);
  }
  return Uint8Array.from(bytes);
}

/**
 * Null if `bytes` is not the form above, as when a later version wrote it: a minute without a cell is read from its
 * writers' own partitions. Histograms are views of `bytes`.
 */
export function decodeMerged(minuteUs: number, bytes: Uint8Array): MergedMinute | null {
  if (bytes[0] !== FORMAT_VERSION) return null;
  try {
    return decode(minuteUs, bytes);
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

function decode(minuteUs: number, bytes: Uint8Array): MergedMinute {
  const reader = { bytes, at: 1 };
  const writerCount = readVarint(reader);
  const names = take(reader, writerCount * UUID_BYTES);
  const rows = Array.from({ length: readVarint(reader) }, () => readRow(reader, minuteUs));
  return {
    minuteUs,
    writerCount,
    // Readers of long ranges mostly need their number alone.
    get writers() {
      return Array.from({ length: writerCount }, (_, at) =>
        uuidText(names.subarray(at * UUID_BYTES, (at + 1) * UUID_BYTES)),
      );
    },
    rows,
  };
}

function readRow(reader: ByteReader, minuteUs: number): CountRow {
  const bucketUs = minuteUs + readVarint(reader);
  const events = readVarint(reader);
  const lagMinUs = readZigzag(reader);
  const lagMaxUs = readZigzag(reader);
  const sum = take(reader, 8);
  const lagSumUs = new DataView(sum.buffer, sum.byteOffset, 8).getFloat64(0);
  const lagHist = take(reader, readVarint(reader));
  return { bucketUs, events, lagSumUs, lagMinUs, lagMaxUs, lagHist };
}

function take(reader: ByteReader, length: number): Uint8Array {
  const end = reader.at + length;
  if (end > reader.bytes.length) throw new RangeError("merged minute: it is cut short");
  const taken = reader.bytes.subarray(reader.at, end);
  reader.at = end;
  return taken;
}

function uuidText(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
