// Runs the bare loop and `reto3 bench-insert` in turns and compares their medians. The question: README.md.

import { join } from "node:path";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    store: { type: "string", default: "cassandra://127.0.0.1:9042/reto3?dc=datacenter1" },
    batch: { type: "string", default: "50" },
    pairs: { type: "string", default: "5" },
    seconds: { type: "string", default: "5" },
  },
});
const { store, batch, seconds } = values;
const root = join(import.meta.dir, "../..");
const measuring = ["--batch", batch, "--duration", `${seconds}s`, "--warmup", "1s", "--format", "json"];
const sides = {
  bare: [process.execPath, join(import.meta.dir, "bare-loop.ts"), store, batch, seconds],
  reto3: [join(root, "dist/reto3"), "bench-insert", "--store", store, ...measuring],
};

const rates: Record<keyof typeof sides, number[]> = { bare: [], reto3: [] };
for (let pair = 1; pair <= Number(values.pairs); pair++) {
  for (const side of ["bare", "reto3"] as const) {
    const rate = await rowsPerSec(sides[side]);
    rates[side].push(rate);
    console.error(`pair ${pair}: ${side} ${rate} rows/s`);
  }
}
const ratios = rates.reto3.map((rate, at) => rate / (rates.bare[at] ?? Number.NaN));
console.log(
  JSON.stringify({
    batch: Number(batch),
    bare: { median: median(rates.bare), all: rates.bare },
    reto3: { median: median(rates.reto3), all: rates.reto3 },
    ratioOfMedians: round(median(rates.reto3) / median(rates.bare)),
    ratiosOfPairs: ratios.map(round),
  }),
);

async function rowsPerSec(command: string[]): Promise<number> {
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  if ((await child.exited) !== 0) throw new Error(`${command.join(" ")} failed:\n${stderr}`);
  return (JSON.parse(stdout) as { rowsPerSec: number }).rowsPerSec;
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

function round(ratio: number): number {
  return Math.round(ratio * 1_000) / 1_000;
}
