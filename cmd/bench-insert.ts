// `reto3 bench-insert`: how many events a second a store takes from this one thread, over the flush path of serve, no HTTP.

import { systemClock } from "../src/clock.ts";
import { FLUSH_EVENTS_MAX } from "../src/config.ts";
import { messageOf, Reto3Error } from "../src/errors.ts";
import { Histogram } from "../src/histogram.ts";
import { bucketStartUs, MINUTE_US } from "../src/period.ts";
import type { Store } from "../src/store/store.ts";
import { FlushSequence, type Keep } from "../src/writer/sequence.ts";
import { defineCommand, duration, oneOf, toggle, whole, type Values } from "./flags.ts";
import { log, print, progress } from "./output.ts";
import { openStoreAt, rawLayoutFlag, storeFlag } from "./store-flag.ts";

/** A flush that is not known by then ends the measurement. */
const FLUSH_AGE_MAX_MS = 30_000;

const TURN_MAX_MS = 100;

const flags = {
  store: storeFlag,
  batch: whole("events", 1, FLUSH_EVENTS_MAX, { default: "50", description: "events per flush" }),
  duration: duration({ default: "10s", description: "how long to measure" }),
  rows: whole("number", 1, 1_000_000_000, { description: "end after so many events instead" }),
  writers: whole("number", 1, 64, {
    default: "1",
    description: "writers side by side in this thread, each with one flush in flight",
  }),
  warmup: duration({ default: "1s", minMs: 0, description: "writes before the measurement that do not count" }),
  keep: oneOf(["events", "summary"], {
    default: "events",
    description: "events: raw events and counts; summary: counts alone",
  }),
  "raw-layout": rawLayoutFlag,
  "in-place": toggle("write into the named store itself: its counts will include the measurement for good"),
  format: oneOf(["text", "json"], { default: "text", description: "how to print the result" }),
};

export const command = defineCommand({
  name: "bench-insert",
  summary: "Measures how many events a second the store takes from one thread, without HTTP",
  flags,
  notes: `Writes into a store of its own beside the named one (FILE.scratch-ID, KEYSPACE_scratch_ID), erased at the end.

Examples:
  reto3 bench-insert --batch 50
  reto3 bench-insert --batch 500 --writers 4 --store 'cassandra://127.0.0.1:9042/reto3?dc=datacenter1'`,
  run: benchInsert,
});

/** Durations in microseconds. */
class Measurement {
  rows = 0;
  flushes = 0;
  maxUs = 0;
  readonly flushUs = new Histogram();
  readonly #startedMs = performance.now();
  readonly #cpu = process.cpuUsage();

  add(rows: number, flushUs: number): void {
    this.rows += rows;
    this.flushes++;
    this.flushUs.record(flushUs);
    this.maxUs = Math.max(this.maxUs, flushUs);
  }

  get seconds(): number {
    return (performance.now() - this.#startedMs) / 1_000;
  }

  get report() {
    const { seconds, rows, flushes } = this;
    const { user, system } = process.cpuUsage(this.#cpu);
    const ms = (us: number) => Math.round(Math.min(us, this.maxUs) / 10) / 100;
    const at = (q: number) => ms(this.flushUs.quantile(q));
    return {
      rows,
      flushes,
      seconds,
      rowsPerSec: Math.round(rows / seconds),
      flushMs: { p50: at(0.5), p99: at(0.99), max: ms(this.maxUs) },
      cpuUsPerRow: Math.round(((user + system) / rows) * 100) / 100,
    };
  }
}

async function benchInsert(values: Values<typeof flags>): Promise<number> {
  // Interrupted, it says what it has measured so far, and erases what it made.
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort());
  const store = await openStoreAt(values.store, {
    mode: values["in-place"] ? "serve" : "scratch",
    rawLayout: values["raw-layout"],
    log: (line) => log.warn(line),
  });
  try {
    log.info(`store: ${store.info.location}; a flush that returns is ${store.info.durability}`);
    await run(store, values, { seconds: values.warmup / 1_000 }, stop.signal);
    const limit = values.rows === undefined ? { seconds: values.duration / 1_000 } : { rows: values.rows };
    const { report } = await run(store, values, limit, stop.signal);
    const { batch, writers, keep, "raw-layout": rawLayout } = values;
    await print(
      values.format === "json"
        ? `${JSON.stringify({ batch, writers, keep, rawLayout, ...report })}\n`
        : textReport(values, report),
    );
    return 0;
  } finally {
    await store.close();
  }
}

async function run(
  store: Store,
  { batch, writers, keep }: Values<typeof flags>,
  limit: { seconds?: number; rows?: number },
  signal: AbortSignal,
): Promise<Measurement> {
  const measurement = new Measurement();
  const over = () =>
    signal.aborted ||
    measurement.rows >= (limit.rows ?? Number.POSITIVE_INFINITY) ||
    measurement.seconds >= (limit.seconds ?? Number.POSITIVE_INFINITY);
  const ticker = setInterval(() => progress(`${measurement.rows} rows, ${measurement.report.rowsPerSec}/s`), 1_000);
  try {
    await Promise.all(Array.from({ length: writers }, () => writeUntil(over, store, batch, keep, measurement)));
  } finally {
    clearInterval(ticker);
    progress("");
  }
  return measurement;
}

async function writeUntil(
  over: () => boolean,
  store: Store,
  batch: number,
  keep: Keep,
  measurement: Measurement,
): Promise<void> {
  const clock = systemClock();
  const signal = new AbortController().signal;
  const sequence = new FlushSequence({ store, clock, signal, keep, flushAgeMaxMs: FLUSH_AGE_MAX_MS });
  let turnMs = performance.now();
  while (!over()) {
    // A store that answers in the same turn of the event loop would leave none for signals and the progress line.
    if (performance.now() - turnMs > TURN_MAX_MS) {
      await new Promise((resolve) => setImmediate(resolve));
      turnMs = performance.now();
    }
    const startedMs = performance.now();
    const nowUs = clock.nowUs();
    const result = await sequence.flush({
      minuteUs: bucketStartUs(nowUs, MINUTE_US),
      epoch: clock.epoch,
      createdUs: Array<bigint>(batch).fill(BigInt(nowUs)),
      receivedUs: Array<number>(batch).fill(nowUs),
    });
    if (result.outcome !== "stored") {
      throw new Reto3Error(
        "STORE_UNAVAILABLE",
        `a flush was not stored (${result.outcome}): ${messageOf(result.error)}`,
      );
    }
    measurement.add(batch, (performance.now() - startedMs) * 1_000);
    sequence.claimAhead(clock.nowUs());
  }
  await sequence.close();
}

function textReport({ batch, writers }: Values<typeof flags>, report: Measurement["report"]): string {
  const { rows, seconds, rowsPerSec, flushMs, cpuUsPerRow } = report;
  return [
    `${rows} rows in ${seconds.toFixed(2)} s, batch ${batch}, ${writers} writer${writers === 1 ? "" : "s"}\n`,
    `rows/s:          ${rowsPerSec}\n`,
    `flush:           p50 ${flushMs.p50} ms, p99 ${flushMs.p99} ms, max ${flushMs.max} ms\n`,
    `client CPU/row:  ${cpuUsPerRow} us\n`,
  ].join("");
}
