// A stream through a store with little room for raw events: what is sent, and what it takes on the disk meanwhile.
// Used by disk.test.ts for some minutes and by bench/disk for longer.

import { Database } from "bun:sqlite";
import { readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect } from "bun:test";
import type { RunningCassandra } from "../../scripts/cassandra/cluster.ts";
import { addressOf, testKeyspace } from "./cassandra.ts";
import { load, type LoadReport } from "./load.ts";
import { reto3, serve } from "./reto3.ts";

const SAMPLE_MS = 1_000;

/** Bytes on the disk, `seconds` after the start. */
export interface DiskSample {
  seconds: number;
  raw: number;
  /** All other tables, and pages or files that are free again. */
  rest: number;
  /** The write-ahead log or commit log; its size is the database's own affair. */
  log: number;
}

/** A store whose raw events have room for a part of the stream only. */
export interface SmallStore extends AsyncDisposable {
  readonly address: string;
  readonly serveFlags: readonly string[];
  /** What the raw events may take, in words. */
  readonly budget: string;
  /** Once serve has made the tables. */
  prepare(): Promise<void>;
  used(): Promise<Omit<DiskSample, "seconds">>;
}

/** An SQLite file with a limit in bytes. */
export function smallSqlite(file: string, rawMaxBytes: number): SmallStore {
  return {
    address: `sqlite:${file}`,
    serveFlags: ["--raw-max-bytes", `${rawMaxBytes}B`],
    budget: `--raw-max-bytes ${rawMaxBytes}B`,
    prepare: async () => {},
    async used() {
      // The pages that a table has lost stay in the file and are used again.
      using db = new Database(file, { readonly: true });
      db.run("PRAGMA busy_timeout = 5000");
      const pages = db.query<{ bytes: number | null }, []>(
        "SELECT sum(pgsize) AS bytes FROM dbstat WHERE name IN ('events', 'event_batches') AND aggregate = TRUE",
      );
      const raw = pages.get()?.bytes ?? 0;
      return { raw, rest: sizeOf(file) - raw, log: sizeOf(`${file}-wal`) };
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

/**
 * A Cassandra keyspace whose raw events live for `ttlSeconds`. On a node of its own, whose files can be looked at, and with
 * what a test cannot wait for made shorter: the grace period (three hours), the window, and how long data stays in memory.
 */
export function smallCassandra(cluster: RunningCassandra, ttlSeconds: number): SmallStore {
  const [node] = cluster.nodes;
  if (!node) throw new Error("no node was started");
  const { keyspace, client, ...rest } = testKeyspace(cluster.contactPoints);
  const data = join(dirname(node.logFile), "data", keyspace);
  return {
    address: addressOf(cluster.contactPoints, keyspace),
    serveFlags: ["--raw-ttl", `${ttlSeconds}s`],
    budget: `--raw-ttl ${ttlSeconds}s`,
    async prepare() {
      for (const table of ["events", "event_batches"]) {
        await client.execute(
          `ALTER TABLE ${keyspace}.${table} WITH gc_grace_seconds = 0 AND memtable_flush_period_in_ms = 5000 AND compaction = {
             'class': 'TimeWindowCompactionStrategy', 'compaction_window_unit': 'MINUTES', 'compaction_window_size': 1,
             'expired_sstable_check_frequency_seconds': 5}`,
          [],
          { readTimeout: 30_000 },
        );
      }
      for (const table of ["counts_10ms", "counts_1s", "counts_1m", "claims"]) {
        const alter = `ALTER TABLE ${keyspace}.${table} WITH memtable_flush_period_in_ms = 5000`;
        await client.execute(alter, [], { readTimeout: 30_000 });
      }
    },
    async used() {
      const tables = readdirSync(data);
      const bytes = (wanted: (table: string) => boolean) =>
        tables.filter(wanted).reduce((sum, table) => sum + filesIn(join(data, table)), 0);
      const isRaw = (table: string) => /^event(s|_batches)-/.test(table);
      const log = filesIn(join(dirname(node.logFile), "commitlog"));
      return { raw: bytes(isRaw), rest: bytes((table) => !isRaw(table)), log };
    },
    [Symbol.asyncDispose]: () => rest[Symbol.asyncDispose](),
  };
}

export interface StreamReport {
  load: LoadReport;
  samples: DiskSample[];
  /** Sums of `count` at each period over the whole stream, read from the store when all had been sent. */
  counted: Record<string, number>;
  /** Exit status and words of `count --source events` over the whole stream. */
  recount: { code: number; stdout: string; stderr: string };
}

export async function streamThrough(
  store: SmallStore,
  { rps, seconds }: { rps: number; seconds: number },
  onSample?: (sample: DiskSample) => void,
): Promise<StreamReport> {
  await using server = await serve(store.address, [...store.serveFlags]);
  await store.prepare();
  const samples: DiskSample[] = [];
  const started = performance.now();
  const sampler = setInterval(() => void sample(), SAMPLE_MS);
  const sample = async () => {
    const at = Math.round((performance.now() - started) / 1_000);
    const one = { seconds: at, ...(await store.used()) };
    samples.push(one);
    onSample?.(one);
  };
  const report = await load(server.url, ["--rps", String(rps), "--duration", `${seconds}s`]);
  clearInterval(sampler);
  const range = ["--store", store.address, "--last", "2h"];
  const counted: Record<string, number> = {};
  for (const period of ["10ms", "1s", "1m"]) {
    const { code, stdout, stderr } = await reto3(["count", "--period", period, ...range]);
    expect([code, stderr.includes("events;")]).toEqual([0, true]);
    counted[period] = stdout
      .trimEnd()
      .split("\n")
      .reduce((sum, line) => sum + Number(line.split(", ")[1]), 0);
  }
  return { load: report, samples, counted, recount: await reto3(["count", "--source", "events", ...range]) };
}

/** Of the bytes that the raw events took in each third of the run: the most, and the mean. Means of what only grows are as 1 : 3 : 5. */
export function thirdsOf(samples: readonly DiskSample[]): { peaks: number[]; means: number[] } {
  const lastSecond = samples.at(-1)?.seconds ?? 0;
  const thirds = [0, 1, 2].map((third) =>
    samples.filter((one) => Math.min(2, Math.floor((one.seconds / lastSecond) * 3)) === third).map(({ raw }) => raw),
  );
  return {
    peaks: thirds.map((bytes) => Math.max(0, ...bytes)),
    means: thirds.map((bytes) => bytes.reduce((sum, one) => sum + one, 0) / bytes.length),
  };
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

export function filesIn(folder: string): number {
  let bytes = 0;
  // Compactions remove files while they are looked at.
  for (const name of readdirSync(folder, { recursive: true })) {
    const found = statSync(join(folder, String(name)), { throwIfNoEntry: false });
    if (found?.isFile()) bytes += found.size;
  }
  return bytes;
}
