// What commands print: data to stdout, everything for people to stderr, one line each when no terminal looks.
// The only file that writes to the standard streams.

import { createConsola } from "consola";
import { messageOf, Reto3Error } from "../src/errors.ts";
import { workerTask } from "./worker-task.ts";

const terminal = process.stderr.isTTY === true;

/** Several processes of one serve say things into the same log. */
const worker = workerTask && `worker ${workerTask.number}`;

/** For people. Always stderr, so that data on stdout can be piped. */
export const log = createConsola({
  fancy: terminal,
  stdout: process.stderr,
  stderr: process.stderr,
  ...(worker !== undefined && { defaults: { tag: worker } }),
  formatOptions: { date: false, colors: terminal, compact: true },
});

/** Writes data to stdout and waits until it has room for more. False when nobody reads any more; throws if it cannot be written. */
export function print(data: string | Uint8Array): Promise<boolean> {
  return new Promise((resolve, reject) => {
    process.stdout.write(data, (error) => {
      if (!error) resolve(true);
      else if (isBrokenPipe(error)) resolve(false);
      else reject(new Reto3Error("OUTPUT", `cannot write the output: ${error.message}`, { cause: error }));
    });
  });
}

/** Whoever read our output has gone (`| head`): that is no failure. */
export function watchOutput(): void {
  process.stdout.on("error", (error) => {
    // Any other trouble is thrown by print.
    if (isBrokenPipe(error)) process.exit(0);
  });
  // Nobody is left to be told.
  process.stderr.on("error", () => {});
}

function isBrokenPipe(error: Error): boolean {
  return "code" in error && error.code === "EPIPE";
}

/** A line that the next one overwrites; nothing where no terminal looks. */
export function progress(line: string): void {
  if (terminal) process.stderr.write(`\r\u001B[2K${line}`);
}

/** An error in one or two lines: what was wrong, what to do. */
export function printError(error: unknown): void {
  process.stderr.write(`reto3${worker === undefined ? "" : ` ${worker}`}: ${messageOf(error)}\n`);
  if (error instanceof Reto3Error) {
    if (error.hint) process.stderr.write(`  hint: ${error.hint}\n`);
  } else if (error instanceof Error && error.stack && !("code" in error)) {
    process.stderr.write(`${error.stack}\n`);
  }
}

export function printUsage(usage: string): void {
  process.stderr.write(withoutColours(usage, terminal));
}

export async function printHelp(usage: string): Promise<void> {
  await print(withoutColours(usage, process.stdout.isTTY === true));
}

function withoutColours(text: string, coloured: boolean): string {
  return coloured ? text : Bun.stripANSI(text);
}
