// Runs the executable as users do, and tells what it said. Ends what it started.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startGuarded } from "../../scripts/cassandra/guarded-process.ts";

export const executable = join(import.meta.dir, "../../dist/reto3");

export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a command to its end, in `folder` or where the tests run. RETO3_* variables of the caller do not reach it. */
export async function reto3(args: string[], env: Record<string, string> = {}, folder?: string): Promise<Ended> {
  const child = Bun.spawn([executable, ...args], {
    env: cleanEnv(env),
    ...(folder !== undefined && { cwd: folder }),
    stdout: "pipe",
    stderr: "pipe",
    stdin: "ignore",
  });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, stdout, stderr };
}

export interface Server extends AsyncDisposable {
  readonly pid: number;
  readonly url: string;
  readonly port: string;
  /** All that it has said so far. At the start that may be its first line alone: `says` waits for the rest. */
  said(): string;
  /** Resolves when it has said `text`; throws with its words if it ends before. */
  says(text: string): Promise<void>;
  kill(signal: "SIGTERM" | "SIGKILL"): void;
  /** Holds it up, and lets it go on. */
  pause(): void;
  resume(): void;
  /** Resolves with its exit status; 128 + n after signal n. */
  readonly exited: Promise<number>;
  /** The value of one sample of GET /metrics. */
  metric(name: string): Promise<number>;
}

/** Starts `reto3 serve` on a free port (or `port`) and resolves when it listens; throws with its words if it ends before. It ends with this process. */
export function serve(store: string, args: string[] = [], port = "0"): Promise<Server> {
  return startListening([executable, "serve", "--store", store, "--port", port, ...args]);
}

/** The same for any command that says where it listens as `reto3 serve` does. */
export async function startListening(server: readonly string[]): Promise<Server> {
  const folder = temporaryFolder();
  const logFile = join(folder.path, "serve.log");
  writeFileSync(logFile, "");
  const command = ["env", ...withoutVariables(), ...server];
  const child = await startGuarded(command, { folder: process.cwd(), logFile });
  let lastWords: string | undefined;
  const said = () => lastWords ?? readFileSync(logFile, "utf8");
  const exited = child.exited.finally(() => {
    lastWords = said();
    folder[Symbol.dispose]();
  });
  let url: string | undefined;
  while ((url = /listening on (https?:\S+)(?: with \d+ workers)?\n/.exec(said())?.[1]) === undefined) {
    if (lastWords !== undefined) throw new Error(`serve ended before it listened:\n${said()}`);
    await Bun.sleep(5);
  }
  return {
    pid: child.pid,
    url,
    port: new URL(url).port,
    said,
    async says(text) {
      while (!said().includes(text)) {
        if (lastWords !== undefined) throw new Error(`it ended without saying "${text}":\n${lastWords}`);
        await Bun.sleep(5);
      }
    },
    kill: (signal) => void child.signal(signal),
    pause: () => void child.signal("SIGSTOP"),
    resume: () => void child.signal("SIGCONT"),
    exited,
    async metric(name) {
      const text = await (await fetch(`${url}/metrics`)).text();
      const line = text.split("\n").find((one) => one.startsWith(`${name} `));
      if (!line) throw new Error(`no metric ${name}`);
      return Number(line.slice(name.length));
    },
    async [Symbol.asyncDispose]() {
      child.signal("SIGKILL");
      await exited;
    },
  };
}

/** A folder that is gone at the end. */
export function temporaryFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "reto3-test-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** Asks until `condition` holds. Its own deadline is that of the test. */
export async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await Bun.sleep(10);
}

function cleanEnv(env: Record<string, string>): Record<string, string | undefined> {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("RETO3_"));
  return { ...Object.fromEntries(inherited), ...env };
}

/** The same for `env`. */
function withoutVariables(): string[] {
  return Object.keys(process.env).flatMap((name) => (name.startsWith("RETO3_") ? ["-u", name] : []));
}
