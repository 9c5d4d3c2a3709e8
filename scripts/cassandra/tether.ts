// A small `sh` that lives on a pipe from this process, its owner. When the owner ends, however it ends (kill -9 too), the
// kernel closes the pipe, the shell reads the end of its input and cleans up. The owner's own handlers are never needed.
// Knows nothing of Java, Cassandra or Docker: what to clean up is in the script it is given.

export interface Tether {
  /** What the script printed first. A script prints one line when its part is in place. */
  readonly firstLine: string;
  /** Resolves with the script's exit code. */
  readonly exited: Promise<number>;
  /** Sends a line, which scripts take for "nothing to clean up any more", and waits for the script's end. */
  dismiss(): Promise<void>;
}

/**
 * The start of every script. A Ctrl-C or a closed terminal reaches the whole process group, so the shell must ignore it:
 * it is the owner who decides. SIGPIPE is ignored because an owner that dies early leaves `echo` without a reader.
 */
export const ignoreSignals = "trap '' INT TERM HUP QUIT PIPE";

/** Running shells. Were one collected as garbage, its input would be closed, which looks like the owner's death. */
const running = new Set<object>();

/** Starts `script` in `sh` with "$1", "$2", ... set; resolves once the script has printed its first line. */
export async function startTether(script: string, args: readonly string[]): Promise<Tether> {
  const shell = Bun.spawn({
    cmd: ["sh", "-c", script, "sh", ...args],
    stdin: "pipe",
    stdout: "pipe",
    stderr: "ignore",
  });
  running.add(shell);
  const { stdin } = shell;
  const exited = shell.exited.finally(() => running.delete(shell));
  const firstLine = await readLine(shell.stdout);
  return {
    firstLine,
    exited,
    async dismiss() {
      try {
        await stdin.write("\n");
        await stdin.end();
      } catch {
        // The script ended first: its pipe is gone, and so is the reason to write into it.
      }
      await exited;
    },
  };
}

/** The first line of a stream, without its end; "" when the stream ends before one came. */
async function readLine(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let text = "";
  while (!text.includes("\n")) {
    const { done, value } = await reader.read();
    if (done) break;
    text += decoder.decode(value, { stream: true });
  }
  reader.releaseLock();
  return text.split("\n")[0] ?? "";
}
