// Starts a program that cannot outlive this process: a shell on a tether starts it and kills it when the owner is gone.
// Knows nothing of which program that is; its output goes to a file, as a pipe would stall it when nobody reads.

import { ignoreSignals, startTether } from "./tether.ts";

/** What a test does to a node. SIGINT is missing: a program started by `sh` in the background ignores it. */
export type ProcessSignal = "SIGTERM" | "SIGKILL" | "SIGSTOP" | "SIGCONT";

export interface GuardedProcess {
  /** Of the program itself, not of the shell. */
  readonly pid: number;
  /** Resolves with the exit code, 128 + n after signal n. */
  readonly exited: Promise<number>;
  /** Sends a signal to the program; false when it is not running any more. */
  signal(signal: ProcessSignal): boolean;
  /** Ends the program: SIGTERM, and SIGKILL once `graceMs` have passed. Resolves when it is gone. */
  end(graceMs: number): Promise<void>;
}

/**
 * The first subshell gives the program back its SIGTERM and then becomes, by exec and exec, the program: its pid is the
 * program's. It prints that pid itself, as a SIGTERM that came before the trap was reset would be lost.
 * The second waits for the end of the owner; `read` is part of the shell, so that costs no further process. It ignores
 * SIGTERM as well, hence kill -9.
 */
const guardScript = `${ignoreSignals}
folder=$1 log=$2
shift 2
exec 3<&0
(
  trap - TERM PIPE
  cd "$folder" && exec sh -c 'echo "$$"; exec "$@" </dev/null >>"$0" 2>&1 3<&-' "$log" "$@"
) &
pid=$!
(
  read _ <&3
  kill -9 "$pid"
) &
watcher=$!
wait "$pid"
code=$?
kill -9 "$watcher"
wait "$watcher"
exit "$code"`;

export async function startGuarded(
  command: readonly string[],
  { folder, logFile }: { folder: string; logFile: string },
): Promise<GuardedProcess> {
  const tether = await startTether(guardScript, [folder, logFile, ...command]);
  const pid = Number(tether.firstLine);
  if (!Number.isInteger(pid) || pid <= 1) throw new Error(`cannot start ${JSON.stringify(command[0])}: sh gave no pid`);
  let running = true;
  const exited = tether.exited.then((code) => {
    running = false;
    return code;
  });
  const signal = (name: ProcessSignal): boolean => {
    // The pid of an ended program may belong to somebody else by now.
    if (!running) return false;
    try {
      return process.kill(pid, name);
    } catch {
      return false;
    }
  };
  return {
    pid,
    exited,
    signal,
    async end(graceMs) {
      // A stopped program would only see its SIGTERM after the grace.
      signal("SIGCONT");
      signal("SIGTERM");
      const timer = setTimeout(() => signal("SIGKILL"), graceMs);
      await exited;
      clearTimeout(timer);
    },
  };
}
