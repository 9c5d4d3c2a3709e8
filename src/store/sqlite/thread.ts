// Starts a thread of this folder. In the executable a thread is an entry point named from the build's root (scripts/build.ts);
// in the sources it lies beside this file.

/** It does not keep the process from ending. */
export function startThread(file: "housekeeper.ts" | "writing-thread.ts"): Worker {
  const compiled = import.meta.url.includes("$bunfs");
  const worker = new Worker(compiled ? `./src/store/sqlite/${file}` : new URL(`./${file}`, import.meta.url).href);
  worker.unref();
  return worker;
}

/** The line that says why a thread has ended: Bun's message of an error that nobody caught begins with a piece of the source. */
export function lastWords({ message }: ErrorEvent): string {
  return /^\w*error: .*$/im.exec(message)?.[0] ?? message;
}
