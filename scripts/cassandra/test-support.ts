// What the tests in this folder share: waiting for a condition, looking at processes, an owner that can be killed.

import { whyNoJava } from "./provide.ts";

/** Resolves when `condition` holds; throws what `condition` was about once the deadline has passed. */
export async function until(what: string, condition: () => boolean, timeoutMs = 10_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await Bun.sleep(20);
  }
}

export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Starts a script in a process of its own and returns with the first line that it printed. */
export async function startOwner(command: readonly string[], environment: Record<string, string> = {}) {
  const owner = Bun.spawn([process.execPath, ...command], {
    env: { ...process.env, ...environment },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    // A group of its own, as a terminal makes: its signals must not reach the test.
    detached: true,
  });
  const stderr = owner.stderr.text();
  const reader = owner.stdout.getReader();
  const decoder = new TextDecoder();
  let text = "";
  while (!text.includes("\n")) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`the owner ended with ${await owner.exited}: ${await stderr}`);
    text += decoder.decode(value, { stream: true });
  }
  return { owner, firstLine: text.split("\n")[0] ?? "", stderr };
}

/** True where tests that start a real Cassandra are to be skipped: nothing to start it with, and nobody insists. */
export const skipCassandra =
  process.env["CI"] !== "true" && process.env["RETO3_REQUIRE_CASSANDRA"] !== "1" && (await whyNoJava()) !== undefined;
