// One run: a flush every 10 ms into the file, beside an expiry or without. Prints one JSON line. Started by main.ts.
//
//   bun bench/expiry/flushes.ts FILE without|beside EVENTS_PER_SECOND SECONDS

import { Database } from "bun:sqlite";
import { systemClock } from "../../src/clock.ts";
import { bucketStartUs, HOUR_US, MINUTE_US } from "../../src/period.ts";
import { openSqlite } from "../../src/store/sqlite/sqlite.ts";
import { FlushSequence } from "../../src/writer/sequence.ts";

/** Durations of a flush in milliseconds. */
export interface Run {
  flushes: number;
  p50: number;
  p99: number;
  p999: number;
  max: number;
  removedPerSec: number;
}

const [file = "", side = "", rate = "", secondsText = ""] = process.argv.slice(2);
const FLUSH_MS = 10;
const WARMUP_SECONDS = 2;
const eventsPerFlush = (Number(rate) * FLUSH_MS) / 1_000;

using looking = new Database(file, { strict: true });
const clock = systemClock();
const store = openSqlite(file, { mode: "serve", retention: { events: side === "beside" ? 3_600 : null } });
const sequence = new FlushSequence({ store, clock, signal: new AbortController().signal });
await flushFor(WARMUP_SECONDS);
const [startedMs, startedRows] = [performance.now(), oldRows()];
const durationsMs = (await flushFor(Number(secondsText))).sort((a, b) => a - b);
const [removed, seconds] = [startedRows - oldRows(), (performance.now() - startedMs) / 1_000];
if (side === "beside" && oldRows() === 0) throw new Error("the old events ran out: give it more --rows");
await sequence.close();
await store.close();

const at = (q: number) => Math.round((durationsMs[Math.ceil(q * durationsMs.length) - 1] ?? 0) * 100) / 100;
const run: Run = {
  flushes: durationsMs.length,
  p50: at(0.5),
  p99: at(0.99),
  p999: at(0.999),
  max: at(1),
  removedPerSec: Math.round(removed / seconds),
};
console.log(JSON.stringify(run));

async function flushFor(limitSeconds: number): Promise<number[]> {
  const durations: number[] = [];
  const endMs = Date.now() + limitSeconds * 1_000;
  for (let dueMs = nextDue(); dueMs < endMs; dueMs = Math.max(dueMs + FLUSH_MS, nextDue() - FLUSH_MS)) {
    if (dueMs > Date.now()) await Bun.sleep(dueMs - Date.now());
    const nowUs = clock.nowUs();
    const createdUs = Array.from({ length: eventsPerFlush }, () => BigInt(nowUs - Math.floor(Math.random() * 50_000)));
    const started = performance.now();
    const result = await sequence.flush({
      minuteUs: bucketStartUs(nowUs, MINUTE_US),
      epoch: clock.epoch,
      createdUs,
      receivedUs: Array<number>(eventsPerFlush).fill(nowUs),
    });
    durations.push(performance.now() - started);
    if (result.outcome !== "stored") throw result.error;
    sequence.claimAhead(clock.nowUs());
  }
  return durations;
}

function nextDue(): number {
  return Math.ceil(Date.now() / FLUSH_MS) * FLUSH_MS;
}

/** Seqs have no gaps, so the old events are counted by a few seeks. */
function oldRows(): number {
  using count = looking.prepare<{ rows: number | null }, [number]>(
    `SELECT sum((SELECT max(seq) FROM events AS e WHERE e.minute = m.minute AND writer = 1)
              - (SELECT min(seq) FROM events AS e WHERE e.minute = m.minute AND writer = 1) + 1) AS rows
     FROM (WITH RECURSIVE minutes(minute) AS (
             SELECT min(minute) FROM events
             UNION ALL SELECT (SELECT min(minute) FROM events WHERE minute > minutes.minute) FROM minutes WHERE minute < ?1)
           SELECT minute FROM minutes WHERE minute < ?1) AS m`,
  );
  return count.get(Date.now() * 1_000 - HOUR_US)?.rows ?? 0;
}
