// The reference store: the contract in its plainest form, kept in this process's memory. Nothing survives the process.
// What conformance.ts asks of a store can be read here first.

import { Reto3Error } from "../errors.ts";
import type { Claim, CountLevel, CountRow, EventRow, Flush, Partition, Store } from "./store.ts";

/** Data that several memory stores may share, as processes share a database. */
export interface MemoryData {
  events: Map<string, Map<number, EventRow>>;
  counts: Record<CountLevel, Map<string, Map<number, CountRow & { writtenAtUs: number }>>>;
  claims: Map<string, Claim>;
}

export function emptyMemory(): MemoryData {
  return { events: new Map(), counts: { "10ms": new Map(), "1s": new Map(), "1m": new Map() }, claims: new Map() };
}

export function memoryStore(data: MemoryData = emptyMemory()): Store {
  return {
    info: { location: "memory", durability: "kept in this process's memory; nothing survives it", warnings: [] },

    async write(flush: Flush) {
      check(flush);
      const key = keyOf(flush);
      const rows = entry(data.events, key);
      flush.receivedUs.forEach((receivedUs, at) => {
        const seq = flush.firstSeq + at;
        rows.set(seq, { seq, createdUs: flush.createdUs[at] ?? 0n, receivedUs });
      });
      for (const level of ["10ms", "1s", "1m"] as const) {
        const buckets = entry(data.counts[level], key);
        for (const row of flush.counts[level]) {
          // An attempt that arrives late must not undo a newer flush: the later write timestamp stands.
          const newer = (buckets.get(row.bucketUs)?.writtenAtUs ?? 0) > flush.writtenAtUs;
          if (!newer) buckets.set(row.bucketUs, { ...row, writtenAtUs: flush.writtenAtUs });
        }
      }
    },

    async claim(partition: Partition) {
      const key = keyOf(partition);
      if (data.claims.has(key)) return;
      data.claims.set(key, { minuteUs: partition.minuteUs, writer: partition.writer, sealedEvents: null });
    },

    async seal(partition: Partition, events: number) {
      data.claims.set(keyOf(partition), {
        minuteUs: partition.minuteUs,
        writer: partition.writer,
        sealedEvents: events,
      });
    },

    async *claims(fromUs: number, toUs: number) {
      const inRange = [...data.claims.values()].filter((claim) => claim.minuteUs >= fromUs && claim.minuteUs < toUs);
      inRange.sort((a, b) => a.minuteUs - b.minuteUs || (a.writer < b.writer ? -1 : 1));
      yield structuredClone(inRange);
    },

    async counts(partition: Partition, level: CountLevel, fromUs: number, toUs: number) {
      const rows = [...entry(data.counts[level], keyOf(partition)).values()];
      return rows
        .filter((row) => row.bucketUs >= fromUs && row.bucketUs < toUs)
        .sort((a, b) => a.bucketUs - b.bucketUs);
    },

    async *events(partition: Partition) {
      const rows = [...entry(data.events, keyOf(partition)).values()].sort((a, b) => a.seq - b.seq);
      if (rows.length > 0) yield rows;
    },

    async ping() {},
    async clockOffsetUs() {
      return null;
    },
    async close() {},
  };
}

/** All or nothing: what a database's schema would refuse is refused before anything is kept. */
function check(flush: Flush): void {
  if ([...flush.counts["1s"], ...flush.counts["1m"]].every((row) => row.lagHist)) return;
  throw new Reto3Error("STORE_REFUSED", "memory: a count has no lag histogram");
}

function keyOf({ minuteUs, writer }: Partition): string {
  return `${minuteUs}/${writer}`;
}

function entry<V>(map: Map<string, Map<number, V>>, key: string): Map<number, V> {
  let inner = map.get(key);
  if (!inner) map.set(key, (inner = new Map<number, V>()));
  return inner;
}
