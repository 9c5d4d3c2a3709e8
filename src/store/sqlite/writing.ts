// What the embedded store takes: each call is one transaction, durable when it returns. Runs in the writing thread.

import type { Database, SQLQueryBindings } from "bun:sqlite";
import { bucketStartUs, HOUR_US } from "../../period.ts";
import { encodeMerged } from "../merged-cell.ts";
import type { CountRow, Flush, MergedLevel, MergedMinute, Partition } from "../store.ts";
import { attempt } from "./errors.ts";
import type { Statements } from "./statements.ts";

/** The number that a writer has in this file; undefined if it never wrote here. */
export function writerIds(statements: Statements): (uuid: string) => number | undefined {
  const byUuid = statements.get<{ id: number }, [string]>("SELECT id FROM writers WHERE uuid = ?");
  return (uuid) => byUuid.get(uuid)?.id;
}

/** Of two merges of a minute the later stands; the same again replaces itself. */
const MERGE: Record<MergedLevel, string> = { "1s": mergeInto("merged_1s"), "1m": mergeInto("merged_1m") };

function mergeInto(table: string): string {
  return `INSERT INTO ${table} VALUES (?, ?, ?) ON CONFLICT (minute) DO UPDATE
    SET written_at_us = excluded.written_at_us, cell = excluded.cell
    WHERE excluded.written_at_us >= ${table}.written_at_us`;
}

/** A flush whose raw events are packed already, as they go from one thread to another. */
export interface PackedFlush extends Pick<Flush, "minuteUs" | "writer" | "counts"> {
  batches: readonly { seq: number; events: number; cell: Uint8Array }[];
}

/** The calls that change the store. Each throws what `attempt` throws. */
export interface Writing {
  write(flush: Flush): void;
  writePacked(flush: PackedFlush): void;
  claim(partition: Partition): void;
  seal(partition: Partition, events: number): void;
  merge(level: MergedLevel, minute: MergedMinute, writtenAtUs: number): void;
}

export function writing(db: Database, statements: Statements): Writing {
  const insert = {
    batch: statements.get("INSERT OR REPLACE INTO event_batches VALUES (?, ?, ?, ?, ?)"),
    event: statements.get("INSERT OR REPLACE INTO events VALUES (?, ?, ?, ?, ?)"),
    "10ms": statements.get("INSERT OR REPLACE INTO counts_10ms VALUES (?, ?, ?, ?, ?, ?, ?)"),
    "1s": statements.get("INSERT OR REPLACE INTO counts_1s VALUES (?, ?, ?, ?, ?, ?, ?, ?)"),
    "1m": statements.get("INSERT OR REPLACE INTO counts_1m VALUES (?, ?, ?, ?, ?, ?, ?, ?)"),
    claim: statements.get("INSERT INTO claims VALUES (?, ?, ?, NULL) ON CONFLICT DO NOTHING"),
    seal: statements.get("INSERT OR REPLACE INTO claims VALUES (?, ?, ?, ?)"),
    writer: statements.get("INSERT INTO writers (uuid) VALUES (?) ON CONFLICT DO NOTHING"),
  };
  const writerId = writerIds(statements);
  const ensureWriterId = (uuid: string) => {
    const known = writerId(uuid);
    if (known !== undefined) return known;
    insert.writer.run(uuid);
    return writerId(uuid) ?? 0;
  };

  const write = db.transaction((flush: Flush) => {
    const writer = ensureWriterId(flush.writer);
    flush.receivedUs.forEach((receivedUs, at) => {
      insert.event.run(flush.minuteUs, writer, flush.firstSeq + at, flush.createdUs[at] ?? 0n, receivedUs);
    });
    writeCounts(flush, writer);
  });
  const writePacked = db.transaction((flush: PackedFlush) => {
    const writer = ensureWriterId(flush.writer);
    for (const { seq, events, cell } of flush.batches) insert.batch.run(flush.minuteUs, writer, seq, events, cell);
    writeCounts(flush, writer);
  });
  const writeCounts = ({ minuteUs, counts }: Pick<Flush, "minuteUs" | "counts">, writer: number) => {
    for (const level of ["10ms", "1s", "1m"] as const) {
      for (const row of counts[level]) insert[level].run(...countValues(minuteUs, writer, row));
    }
  };
  const claim = db.transaction(({ minuteUs, writer }: Partition) => {
    insert.claim.run(bucketStartUs(minuteUs, HOUR_US), minuteUs, ensureWriterId(writer));
  });
  const seal = db.transaction(({ minuteUs, writer }: Partition, events: number) => {
    insert.seal.run(bucketStartUs(minuteUs, HOUR_US), minuteUs, ensureWriterId(writer), events);
  });

  return {
    write: (flush) => attempt(() => write.immediate(flush)),
    writePacked: (flush) => attempt(() => writePacked.immediate(flush)),
    claim: (partition) => attempt(() => claim.immediate(partition)),
    seal: (partition, events) => attempt(() => seal.immediate(partition, events)),
    merge(level, minute, writtenAtUs) {
      attempt(() => statements.get(MERGE[level]).run(minute.minuteUs, writtenAtUs, encodeMerged(minute)));
    },
  };
}

function countValues(minuteUs: number, writer: number, row: CountRow): SQLQueryBindings[] {
  const values = [minuteUs, writer, row.bucketUs, row.events, row.lagSumUs, row.lagMinUs, row.lagMaxUs];
  return row.lagHist ? [...values, row.lagHist] : values;
}
