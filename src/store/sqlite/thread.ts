// Starts a thread of this folder. In the executable a thread is an entry point named from the build's root (scripts/build.ts);
// in the sources it lies beside this file.

/** It does not keep the process from ending. */
export function startThread(file: "housekeeper.ts" | "writing-thread.ts"): Worker {
  const compiled = import.meta.url.includes("$bunfs");
  const worker = new Worker(compiled ? `./src/store/sqlite/${file}` : new URL(`./${file}`, import.meta.url).href);
  worker.unref();
  return worker;
}
