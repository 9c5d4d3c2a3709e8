// Asks for 30 days of minutes and a day of seconds, by `reto3 count` and by GET /counts, in turns. The question: README.md.
//
//   bun bench/ranges/main.ts STORE --to 2026-11-01 --rounds 7

import { join } from "node:path";
import { parseArgs } from "node:util";
import { median } from "../support/rounds.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { to: { type: "string", default: "2026-11-01" }, rounds: { type: "string", default: "7" } },
});
const [store = ""] = positionals;
const executable = join(import.meta.dir, "../../dist/reto3");

interface Measured {
  firstMs: number;
  totalMs: number;
  bytes: number;
}

const server = Bun.spawn([executable, "serve", "--store", store, "--port", "0"], { stdout: "ignore", stderr: "pipe" });
const url = await listening(server.stderr);
const questions = {
  "nothing (start and open)": { period: "1m", last: "1m", to: "2020-01-01" },
  "1m, 30 days": { period: "1m", last: "30d", to: values.to },
  "1s, 24 hours": { period: "1s", last: "24h", to: values.to },
};
const results = new Map<string, Measured[]>();
try {
  for (let round = 0; round <= Number(values.rounds); round++) {
    for (const [name, { period, last, to }] of Object.entries(questions)) {
      const byCommand = await measure(() => count(["--period", period, "--last", last, "--to", to]));
      const byHttp = await measure(async () => {
        const query = new URLSearchParams({ period, last, to });
        return (await fetch(`${url}/counts?${query.toString()}`, { headers: { Accept: "text/plain" } })).body;
      });
      // The first round warms up what a long-running server has warm.
      if (round === 0) continue;
      for (const [way, measured] of Object.entries({ count: byCommand, "GET /counts": byHttp })) {
        results.set(`${name} | ${way}`, [...(results.get(`${name} | ${way}`) ?? []), measured]);
      }
    }
  }
} finally {
  server.kill("SIGTERM");
  await server.exited;
}
console.log(
  "| range | by | first byte, median ms (all) | whole answer, median ms | bytes |\n| --- | --- | --- | --- | --- |",
);
for (const [name, all] of results) {
  const firsts = all.map(({ firstMs }) => Math.round(firstMs));
  const total = median(all.map(({ totalMs }) => totalMs));
  console.log(
    `| ${name} | ${Math.round(median(firsts))} (${firsts.join(", ")}) | ${Math.round(total)} | ${all[0]?.bytes ?? 0} |`,
  );
}

async function measure(ask: () => Promise<ReadableStream<Uint8Array> | null>): Promise<Measured> {
  const started = performance.now();
  const stream = await ask();
  let firstMs = Number.NaN;
  let bytes = 0;
  for await (const chunk of stream ?? []) {
    if (bytes === 0) firstMs = performance.now() - started;
    bytes += chunk.length;
  }
  const totalMs = performance.now() - started;
  return { firstMs: bytes === 0 ? totalMs : firstMs, totalMs, bytes };
}

async function count(args: string[]): Promise<ReadableStream<Uint8Array>> {
  const child = Bun.spawn([executable, "count", "--store", store, ...args], { stdout: "pipe", stderr: "ignore" });
  return child.stdout;
}

async function listening(stderr: ReadableStream<Uint8Array>): Promise<string> {
  const reader = stderr.getReader();
  let said = "";
  for (;;) {
    const { value, done } = await reader.read();
    said += new TextDecoder().decode(value);
    const found = /listening on (http:\S+)\n/.exec(said)?.[1];
    if (found !== undefined) {
      void drainReader(reader);
      return found;
    }
    if (done) throw new Error(`serve ended:\n${said}`);
  }
}

async function drainReader(reader: { read(): Promise<{ done: boolean }> }): Promise<void> {
  while (!(await reader.read()).done);
}
