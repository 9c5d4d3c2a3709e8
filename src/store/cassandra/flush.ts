// A flush as the statements of one unlogged batch. All of them carry the same partition key in one keyspace, so Cassandra
// makes ONE mutation of them: one commit log append, all or nothing, exempt from the batch size limits.
// Pure: text and bytes. Shared values are encoded once; the driver passes a Buffer through as it is.

import type { ArrayOrObject } from "cassandra-driver";
import { encodeEvents } from "../event-batch.ts";
import type { CountLevel, CountRow, Flush, RawLayout } from "../store.ts";

interface BoundStatement {
  query: string;
  params: ArrayOrObject;
}

export function flushStatements(keyspace: string, rawLayout: RawLayout): (flush: Flush) => BoundStatement[] {
  const insertBatch = `INSERT INTO ${keyspace}.event_batches (minute, writer, seq, cell) VALUES (?, ?, ?, ?)`;
  const insertEvent = `INSERT INTO ${keyspace}.events (minute, writer, seq, created_us, received_us) VALUES (?, ?, ?, ?, ?)`;
  const insertCount: Record<CountLevel, string> = {
    "10ms": insertCountInto(`${keyspace}.counts_10ms`, false),
    "1s": insertCountInto(`${keyspace}.counts_1s`, true),
    "1m": insertCountInto(`${keyspace}.counts_1m`, true),
  };
  return (flush) => {
    const minute = int64(BigInt(flush.minuteUs));
    const writer = uuidBytes(flush.writer);
    const statements: BoundStatement[] = [];
    if (rawLayout === "packed" && flush.receivedUs.length > 0) {
      const cell = Buffer.from(encodeEvents(flush));
      statements.push({ query: insertBatch, params: [minute, writer, flush.firstSeq, cell] });
    } else {
      flush.receivedUs.forEach((receivedUs, at) => {
        const times = [int64(flush.createdUs[at] ?? 0n), int64(BigInt(receivedUs))];
        statements.push({ query: insertEvent, params: [minute, writer, flush.firstSeq + at, ...times] });
      });
    }
    for (const level of ["10ms", "1s", "1m"] as const) {
      for (const row of flush.counts[level]) {
        statements.push({ query: insertCount[level], params: [minute, writer, ...countValues(row)] });
      }
    }
    return statements;
  };
}

function insertCountInto(table: string, withLagHist: boolean): string {
  const lagHist = withLagHist ? [", lag_hist", ", ?"] : ["", ""];
  return `INSERT INTO ${table} (minute, writer, bucket_us, events, lag_sum_us, lag_min_us, lag_max_us${lagHist[0]})
 VALUES (?, ?, ?, ?, ?, ?, ?${lagHist[1]})`;
}

function countValues(row: CountRow): unknown[] {
  const values = [row.bucketUs, row.events, row.lagSumUs, row.lagMinUs, row.lagMaxUs];
  return row.lagHist ? [...values, Buffer.from(row.lagHist)] : values;
}

function int64(value: bigint): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigInt64BE(value);
  return bytes;
}

/** The 16 bytes of a UUID in text form. */
export function uuidBytes(text: string): Buffer {
  return Buffer.from(text.replaceAll("-", ""), "hex");
}
