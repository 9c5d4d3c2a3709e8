// Waits for a program that was just started to answer CQL, and says why when it does not.
// Knows nothing of what the program is.

import { answersCql, type ProbeTls } from "./cql-probe.ts";
import type { GuardedProcess } from "./guarded-process.ts";
import { readLastLines } from "./log-tail.ts";

const probeEveryMs = 100;
const probeTimeoutMs = 2_000;

export interface Starting {
  readonly process: GuardedProcess;
  readonly host: string;
  readonly port: number;
  /** How to ask it where it does not answer plain text. */
  readonly tls?: ProbeTls | undefined;
  readonly timeoutMs: number;
  /** The end of it goes into the error. */
  readonly logFile: string;
}

/** Resolves when CQL is answered at `host:port`; throws, with the process gone, when it ends or the time is over. */
export async function waitForCql({ process, host, port, tls, timeoutMs, logFile }: Starting): Promise<void> {
  const problem = await whyNotReady();
  if (problem === undefined) return;
  await process.end(0);
  const log = await readLastLines(logFile);
  throw new Error(`cannot start Cassandra at ${host}:${port}: ${problem}. The end of its log:\n${log}`);

  async function whyNotReady(): Promise<string | undefined> {
    const deadline = performance.now() + timeoutMs;
    const ended = process.exited.then((code) => `it ended with exit code ${code}`);
    while (performance.now() < deadline) {
      if (await answersCql(host, port, probeTimeoutMs)) return undefined;
      if (tls && (await answersCql(host, port, probeTimeoutMs, tls))) return undefined;
      const end = await Promise.race([ended, Bun.sleep(probeEveryMs)]);
      if (end !== undefined) return end;
    }
    return `it did not answer within ${timeoutMs} ms`;
  }
}
