// `bench-insert --keep events` and `--keep summary` in turns: what raw events cost. The question: README.md.
//
//   bun bench/keep/main.ts --store STORE --pairs 5 --seconds 5

import { join } from "node:path";
import { parseArgs } from "node:util";
import { median } from "../support/rounds.ts";

const { values } = parseArgs({
  options: {
    store: { type: "string", default: "sqlite:/tmp/reto3-keep.db" },
    pairs: { type: "string", default: "5" },
    seconds: { type: "string", default: "5" },
  },
});
const KEEPS = ["events", "summary"] as const;
const BATCHES = [50, 500, 5_000];

interface Report {
  rowsPerSec: number;
  cpuUsPerRow: number;
  flushMs: { p50: number; p99: number };
}

console.log(
  "| batch | keep | events/s, median (all) | flush p50 / p99 ms | client CPU an event |\n| --- | --- | --- | --- | --- |",
);
for (const batch of BATCHES) {
  const reports: Record<(typeof KEEPS)[number], Report[]> = { events: [], summary: [] };
  for (let pair = 0; pair < Number(values.pairs); pair++) {
    for (const keep of KEEPS) reports[keep].push(await measure(batch, keep));
  }
  for (const keep of KEEPS) {
    const of = (pick: (report: Report) => number) => reports[keep].map(pick);
    const rates = of(({ rowsPerSec }) => rowsPerSec);
    const flush = `${median(of(({ flushMs }) => flushMs.p50))} / ${median(of(({ flushMs }) => flushMs.p99))}`;
    const cpu = median(of(({ cpuUsPerRow }) => cpuUsPerRow));
    console.log(`| ${batch} | ${keep} | ${median(rates)} (${rates.join(", ")}) | ${flush} | ${cpu} us |`);
  }
}

async function measure(batch: number, keep: string): Promise<Report> {
  const executable = join(import.meta.dir, "../../dist/reto3");
  const args = ["--store", values.store, "--batch", String(batch), "--keep", keep, "--duration", `${values.seconds}s`];
  const child = Bun.spawn([executable, "bench-insert", ...args, "--format", "json"], {
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  if ((await child.exited) !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Report;
}
