// What the embedded store answers. Every page is one short statement by key, so no snapshot is held between pages (a held
// one lets the write-ahead log grow without end), and after each the event loop has its turn: a long answer must not
// hold up the flushes of this process.

import type { Database } from "bun:sqlite";
import { bucketStartUs, HOUR_US } from "../../period.ts";
import { decodeEvents, eventsAfter } from "../event-batch.ts";
import { decodeMerged } from "../merged-cell.ts";
import type { Claim, ClaimCount, CountLevel, CountRow, EventRow, MergedLevel, Store } from "../store.ts";
import { attempt } from "./errors.ts";
import { hasTable } from "./schema.ts";
import type { Statements } from "./statements.ts";
import { nextTurn } from "./turn.ts";
import { writerIds } from "./writing.ts";

const PAGE_ROWS = 5_000;
const PAGE_BATCHES = 100;

/** A merged minute is up to 15 kB at 1s, some 300 bytes at 1m. */
const MERGED_PAGE_ROWS: Record<MergedLevel, number> = { "1s": 60, "1m": 500 };

/** Counting so many claims takes some 10 ms. A page begins with one hour and grows while it stays below. */
const CLAIMS_COUNTED_AT_ONCE = 100_000;
const HOURS_AT_ONCE_MAX = 24;

type Reading = Pick<
  Store,
  "claims" | "claimCounts" | "claimedHours" | "counts" | "events" | "merged" | "ping" | "clockOffsetUs"
>;

export function reading(db: Database, statements: Statements): Reading {
  const counts = { "10ms": countsOf("10ms"), "1s": countsOf("1s"), "1m": countsOf("1m") };
  // As text, because a number would round what lies beyond 2^53.
  const events = statements.get<{ seq: number; created: string; receivedUs: number }, [number, number, number]>(
    `SELECT seq, CAST(created_us AS TEXT) AS created, received_us AS receivedUs FROM events
     WHERE minute = ? AND writer = ? AND seq > ? ORDER BY seq LIMIT ${PAGE_ROWS}`,
  );
  const claims = statements.get<Claim & { id: number }, [number, number, number, number, number]>(
    `SELECT minute AS minuteUs, claims.writer AS id, uuid AS writer, sealed_events AS sealedEvents
     FROM claims JOIN writers ON writers.id = claims.writer
     WHERE (hour, minute, claims.writer) > (?, ?, ?) AND hour <= ? AND minute < ?
     ORDER BY hour, minute, claims.writer LIMIT ${PAGE_ROWS}`,
  );
  const claimedHour = statements.get<{ hour: number | null }, [number]>(
    "SELECT min(hour) AS hour FROM claims WHERE hour >= ?",
  );
  const claimCounts = statements.get<ClaimCount, [number, number, number, number]>(
    `SELECT minute AS minuteUs, count(*) AS claims, count(sealed_events) AS sealed FROM claims
     WHERE hour >= ? AND hour < ? AND minute >= ? AND minute < ? GROUP BY hour, minute ORDER BY hour, minute`,
  );
  const writerId = writerIds(statements);
  const nextClaimedHour = (fromUs: number) => attempt(() => claimedHour.get(fromUs))?.hour ?? null;

  function countsOf(level: CountLevel) {
    const lagHist = level === "10ms" ? "NULL" : "lag_hist";
    return statements.get<CountRow, [number, number, number, number]>(
      `SELECT bucket_us AS bucketUs, events, lag_sum_us AS lagSumUs, lag_min_us AS lagMinUs, lag_max_us AS lagMaxUs,
              ${lagHist} AS lagHist FROM counts_${level}
       WHERE minute = ? AND writer = ? AND bucket_us >= ? AND bucket_us < ? ORDER BY bucket_us`,
    );
  }

  async function* batchesOf(minuteUs: number, id: number): AsyncGenerator<EventRow[]> {
    // A reader of a file of an older version adds no tables to it.
    if (!attempt(() => hasTable(db, "event_batches"))) return;
    const batches = statements.get<{ seq: number; cell: Uint8Array }, [number, number, number]>(
      `SELECT seq, cell FROM event_batches WHERE minute = ? AND writer = ? AND seq > ? ORDER BY seq LIMIT ${PAGE_BATCHES}`,
    );
    let after = -1;
    let lastSeq = -1;
    for (;;) {
      const seen = after;
      const page = attempt(() => batches.all(minuteUs, id, seen));
      for (const { seq, cell } of page) {
        const fresh = eventsAfter(lastSeq, decodeEvents(minuteUs, seq, cell));
        if (fresh.length > 0) yield fresh;
        lastSeq = fresh.at(-1)?.seq ?? lastSeq;
        after = seq;
      }
      if (page.length < PAGE_BATCHES) return;
      await nextTurn();
    }
  }

  return {
    async *claims(fromUs, toUs) {
      let after = { hourUs: bucketStartUs(fromUs, HOUR_US), minuteUs: fromUs, id: -1 };
      for (;;) {
        const page = attempt(() => claims.all(after.hourUs, after.minuteUs, after.id, toUs, toUs));
        yield page.map(({ minuteUs, writer, sealedEvents }) => ({ minuteUs, writer, sealedEvents }));
        const last = page.at(-1);
        if (!last || page.length < PAGE_ROWS) return;
        after = { hourUs: bucketStartUs(last.minuteUs, HOUR_US), minuteUs: last.minuteUs, id: last.id };
        await nextTurn();
      }
    },

    async *claimCounts(fromUs, toUs) {
      let hours = 1;
      let hourUs = nextClaimedHour(bucketStartUs(fromUs, HOUR_US));
      while (hourUs !== null && hourUs < toUs) {
        const [start, end] = [hourUs, hourUs + hours * HOUR_US];
        const page = attempt(() => claimCounts.all(start, end, fromUs, toUs));
        yield page;
        const counted = page.reduce((sum, minute) => sum + minute.claims, 0);
        hours = counted > CLAIMS_COUNTED_AT_ONCE / 2 ? Math.ceil(hours / 2) : Math.min(HOURS_AT_ONCE_MAX, hours * 2);
        hourUs = nextClaimedHour(end);
        await nextTurn();
      }
    },

    async claimedHours() {
      const hours: number[] = [];
      let hourUs = nextClaimedHour(Number.MIN_SAFE_INTEGER);
      while (hourUs !== null) {
        hours.push(hourUs);
        if (hours.length % PAGE_ROWS === 0) await nextTurn();
        hourUs = nextClaimedHour(hourUs + 1);
      }
      return hours;
    },

    async counts({ minuteUs, writer }, level, fromUs, toUs) {
      return attempt(() => counts[level].all(minuteUs, writerId(writer) ?? -1, fromUs, toUs));
    },

    async *events({ minuteUs, writer }) {
      const id = attempt(() => writerId(writer)) ?? -1;
      let packed = false;
      for await (const page of batchesOf(minuteUs, id)) {
        packed = true;
        yield page;
      }
      // A writer writes in one layout. Of a copy that was repeated in the other one, what is in rows alone counts as expired.
      if (packed) return;
      let after = -1;
      for (;;) {
        const seen = after;
        const page = attempt(() => events.all(minuteUs, id, seen));
        if (page.length === 0) return;
        yield page.map(({ seq, created, receivedUs }): EventRow => ({ seq, createdUs: BigInt(created), receivedUs }));
        after = page.at(-1)?.seq ?? after;
        await nextTurn();
      }
    },

    async *merged(level, fromUs, toUs) {
      // A reader of a file of 0.1.0 adds no tables to it.
      if (!attempt(() => hasTable(db, `merged_${level}`))) return;
      const rowsMax = MERGED_PAGE_ROWS[level];
      const query = statements.get<{ minute: number; cell: Uint8Array }, [number, number]>(
        `SELECT minute, cell FROM merged_${level} WHERE minute >= ? AND minute < ? ORDER BY minute LIMIT ${rowsMax}`,
      );
      let from = fromUs;
      for (;;) {
        const start = from;
        const page = attempt(() => query.all(start, toUs));
        yield page.flatMap(({ minute, cell }) => decodeMerged(minute, cell) ?? []);
        const last = page.at(-1);
        if (!last || page.length < rowsMax) return;
        from = last.minute + 1;
        await nextTurn();
      }
    },

    async ping() {
      attempt(() => writerId(""));
    },
    async clockOffsetUs() {
      return null;
    },
  };
}
