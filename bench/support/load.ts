// Runs `reto3 load` on the client's core.

import { executable } from "../../test/support/reto3.ts";
import type { LatencySummary } from "../../src/load/result.ts";
import { CLIENT_CORE, finish, pinned } from "./process.ts";

export interface LoadOutput {
  sent: number;
  acked: number;
  refused: number;
  unknown: number;
  unsent: number;
  counted: number | null;
  holds: boolean;
  problem: string | null;
  /** Until the last answer. */
  seconds: number;
  sendErrorMs: LatencySummary;
  latencyMs: { fromSchedule: LatencySummary; fromSend: LatencySummary };
}

/** Runs it to its end. */
export async function loadInto(
  url: string,
  rps: number,
  seconds: number,
  more: string[] = [],
): Promise<{ report: LoadOutput; cpuSeconds: number }> {
  const args = ["load", "--url", url, "--rps", String(rps), "--duration", `${seconds}s`, "--format", "json", ...more];
  // 1 and 3: not all was acked, or counted; the report says so.
  const ended = await finish(pinned(CLIENT_CORE, [executable, ...args]), [0, 1, 3]);
  if (ended.stdout === "") throw new Error("load printed nothing");
  return { report: JSON.parse(ended.stdout) as LoadOutput, cpuSeconds: ended.cpuSeconds };
}
