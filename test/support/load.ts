// `reto3 load` and the three counting commands, for tests: what they printed, as numbers.

import { expect } from "bun:test";
import { executable, reto3 } from "./reto3.ts";

export interface LoadReport {
  code: number;
  sent: number;
  acked: number;
  refused: number;
  unknown: number;
  unsent: number;
  counted: number | null;
  holds: boolean;
  /** How often each status or reason was seen. */
  reasons: Record<string, number>;
}

export async function load(url: string, args: string[]): Promise<LoadReport> {
  const { code, stdout, stderr } = await reto3(["load", "--url", url, "--format", "json", ...args]);
  if (stdout === "") throw new Error(`load printed nothing, exit status ${code}:\n${stderr}`);
  return { code, ...(JSON.parse(stdout) as Omit<LoadReport, "code">) };
}

/** A load that goes on until it is stopped: for what takes its time, and must happen under load. */
export function startLoad(url: string, args: string[]): { stop(): Promise<LoadReport> } {
  const command = [executable, "load", "--url", url, "--format", "json", "--duration", "20m", ...args];
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "pipe" });
  return {
    async stop() {
      child.kill("SIGTERM");
      const [stdout, stderr] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
      ]);
      const code = await child.exited;
      if (stdout === "") throw new Error(`load printed nothing, exit status ${code}:\n${stderr}`);
      return { code, ...(JSON.parse(stdout) as Omit<LoadReport, "code">) };
    },
  };
}

/** The sum of each of the three counts, from the totals and from the raw events; all six are the same number. */
export async function countEveryWay(store: string): Promise<number> {
  const sums: Record<string, number> = {};
  for (const period of ["10ms", "1s", "1m"]) {
    for (const source of ["counts", "events"]) {
      const args = ["--period", period, "--source", source, "--last", "30m"];
      const { code, stdout, stderr } = await reto3(["count", "--store", store, ...args]);
      if (code !== 0) throw new Error(`count failed:\n${stderr}`);
      const lines = stdout.split("\n").filter((line) => line !== "");
      for (const line of lines) expect(line).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}, \d+$/);
      sums[`${period} ${source}`] = lines.reduce((sum, line) => sum + Number(line.split(", ")[1]), 0);
    }
  }
  expect(new Set(Object.values(sums)).size, JSON.stringify(sums)).toBe(1);
  return Object.values(sums)[0] ?? Number.NaN;
}
