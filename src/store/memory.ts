// The reference store: the contract in its plainest form, kept in this process's memory. Nothing survives the process.
// What conformance.ts asks of a store can be read here first.

import { FINAL_AFTER_MS } from "../config.ts";
import { Reto3Error } from "../errors.ts";
import { bucketStartUs, HOUR_US } from "../period.ts";
import type {
  Claim,
  ClaimCount,
  CountLevel,
  CountRow,
  EventRow,
  Flush,
  MergedLevel,
  MergedMinute,
  Partition,
  Store,
} from "./store.ts";

/** Data that several memory stores may share, as processes share a database. */
export interface MemoryData {
  events: Map<string, Map<number, EventRow>>;
  counts: Record<CountLevel, Map<string, Map<number, CountRow & { writtenAtUs: number }>>>;
  claims: Map<string, Claim>;
  merged: Record<MergedLevel, Map<number, MergedMinute & { writtenAtUs: number }>>;
}

export function emptyMemory(): MemoryData {
  return {
    events: new Map(),
    counts: { "10ms": new Map(), "1s": new Map(), "1m": new Map() },
    claims: new Map(),
    merged: { "1s": new Map(), "1m": new Map() },
  };
}

export function memoryStore(data: MemoryData = emptyMemory()): Store {
  return {
    info: {
      location: "memory",
      identity: identityOf(data),
      durability: "kept in this process's memory; nothing survives it",
      synced: false,
      warnings: [],
      schema: "1.2",
      retention: { events: null, "10ms": null, "1s": null, "1m": null, rawBytesMax: null },
      settleAfterMs: FINAL_AFTER_MS,
    },

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

    async *claimCounts(fromUs: number, toUs: number) {
      const byMinute = new Map<number, ClaimCount>();
      for (const { minuteUs, sealedEvents } of data.claims.values()) {
        if (minuteUs < fromUs || minuteUs >= toUs) continue;
        const { claims, sealed } = byMinute.get(minuteUs) ?? { claims: 0, sealed: 0 };
        byMinute.set(minuteUs, { minuteUs, claims: claims + 1, sealed: sealed + (sealedEvents === null ? 0 : 1) });
      }
      yield [...byMinute.values()].sort((a, b) => a.minuteUs - b.minuteUs);
    },

    async claimedHours() {
      const hours = [...data.claims.values()].map(({ minuteUs }) => bucketStartUs(minuteUs, HOUR_US));
      return [...new Set(hours)].sort((a, b) => a - b);
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

    async merge(level: MergedLevel, minute: MergedMinute, writtenAtUs: number) {
      const newer = (data.merged[level].get(minute.minuteUs)?.writtenAtUs ?? 0) > writtenAtUs;
      if (!newer) data.merged[level].set(minute.minuteUs, { ...minute, writtenAtUs });
    },

    async *merged(level: MergedLevel, fromUs: number, toUs: number) {
      const inRange = [...data.merged[level].values()].filter(({ minuteUs }) => minuteUs >= fromUs && minuteUs < toUs);
      yield inRange.sort((a, b) => a.minuteUs - b.minuteUs);
    },

    async sizes(which = "all") {
      const rowsOf = (table: Map<string, Map<number, unknown>>) =>
        [...table.values()].reduce((sum, { size }) => sum + size, 0);
      const raw = [
        { name: "events", rows: rowsOf(data.events), bytes: null },
        { name: "event_batches", rows: 0, bytes: null },
      ];
      if (which === "raw") return raw;
      return [
        ...raw,
        { name: "counts_10ms", rows: rowsOf(data.counts["10ms"]), bytes: null },
        { name: "counts_1s", rows: rowsOf(data.counts["1s"]), bytes: null },
        { name: "counts_1m", rows: rowsOf(data.counts["1m"]), bytes: null },
        { name: "claims", rows: data.claims.size, bytes: null },
        { name: "merged_1s", rows: data.merged["1s"].size, bytes: null },
        { name: "merged_1m", rows: data.merged["1m"].size, bytes: null },
      ];
    },

    async gauges() {
      return { logBytes: null, diskFreeBytes: null };
    },
    async ping() {},
    async clockOffsetUs() {
      return null;
    },
    async close() {},
  };
}

const identities = new WeakMap<MemoryData, string>();

function identityOf(data: MemoryData): string {
  const known = identities.get(data) ?? crypto.randomUUID();
  identities.set(data, known);
  return known;
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
