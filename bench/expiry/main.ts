// Runs flushes beside and without an expiry, in turns, and compares their medians. The question: README.md.

import { Database } from "bun:sqlite";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { bucketStartUs, DAY_US, MINUTE_US } from "../../src/period.ts";
import { openSqlite } from "../../src/store/sqlite/sqlite.ts";
import type { Run } from "./flushes.ts";
import { median } from "../support/rounds.ts";

const { values } = parseArgs({
  options: {
    rates: { type: "string", default: "5000,20000" },
    pairs: { type: "string", default: "5" },
    seconds: { type: "string", default: "15" },
    rows: { type: "string", default: "4000000" },
    folder: { type: "string", default: tmpdir() },
  },
});

/** Old events of one minute. */
const MINUTE_ROWS = 300_000;

const folder = mkdtempSync(join(values.folder, "reto3-bench-expiry-"));
try {
  const filled = join(folder, "filled.db");
  await fill(filled, Number(values.rows));
  for (const rate of values.rates.split(",")) await compare(filled, rate);
} finally {
  rmSync(folder, { recursive: true });
}

async function compare(filled: string, rate: string): Promise<void> {
  const runs: Record<"without" | "beside", Run[]> = { without: [], beside: [] };
  for (let pair = 1; pair <= Number(values.pairs); pair++) {
    // Who goes first changes: what the one leaves behind in the disk's queue must not always meet the other.
    for (const side of pair % 2 === 1 ? (["without", "beside"] as const) : (["beside", "without"] as const)) {
      const run = await flushes(filled, side, rate);
      runs[side].push(run);
      console.error(`${rate}/s, pair ${pair}, ${side}: ${JSON.stringify(run)}`);
    }
  }
  for (const side of ["without", "beside"] as const) {
    const medians = Object.fromEntries(
      (["p50", "p99", "p999", "max", "removedPerSec"] as const).map((key) => [
        key,
        median(runs[side].map((run) => run[key])),
      ]),
    );
    console.log(
      JSON.stringify({
        eventsPerSec: Number(rate),
        side,
        medians,
        maxOfAll: Math.max(...runs[side].map(({ max }) => max)),
      }),
    );
  }
}

async function flushes(filled: string, side: "without" | "beside", rate: string): Promise<Run> {
  const file = join(folder, "run.db");
  copyFileSync(filled, file);
  await exited(Bun.spawn(["sync", "-f", file]));
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "flushes.ts"), file, side, rate, values.seconds], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const [stdout] = await Promise.all([new Response(child.stdout).text(), exited(child)]);
  for (const suffix of ["", "-wal", "-shm"]) rmSync(file + suffix, { force: true });
  return JSON.parse(stdout) as Run;
}

async function exited(child: { exited: Promise<number> }): Promise<void> {
  if ((await child.exited) !== 0) throw new Error("a run failed");
}

/** Raw events of one writer, a day old. */
async function fill(file: string, rows: number): Promise<void> {
  await openSqlite(file, { mode: "serve", retention: { events: null } }).close();
  using db = new Database(file, { strict: true });
  db.run("PRAGMA synchronous = OFF");
  db.run("INSERT INTO writers (uuid) VALUES (?)", [Bun.randomUUIDv7()]);
  const startUs = bucketStartUs(Date.now() * 1_000 - DAY_US, MINUTE_US);
  using insert = db.prepare(
    `WITH RECURSIVE n(seq) AS (SELECT 0 UNION ALL SELECT seq + 1 FROM n WHERE seq + 1 < ?2)
     INSERT INTO events SELECT ?1, 1, seq, ?1 + seq * 200 - abs(random() % 50000), ?1 + seq * 200 FROM n`,
  );
  for (let filled = 0; filled < rows; filled += MINUTE_ROWS) {
    insert.run(startUs - (filled / MINUTE_ROWS) * MINUTE_US, Math.min(MINUTE_ROWS, rows - filled));
  }
}
