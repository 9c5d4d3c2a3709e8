// What takes the events: one serve with so many workers, or two serves, on the same store.

import { executable, serve, type Server } from "../../test/support/reto3.ts";
import { finish } from "../support/process.ts";

export interface Setup {
  name: string;
  /** Each of them gets an equal part of the load, from a load process of its own. */
  start: (store: string) => Promise<Server[]>;
}

/** `workers` such as [1, 2, 4]; what this version of serve does not have is left out. */
export async function setupsOf(workers: readonly number[], instances: readonly number[]): Promise<Setup[]> {
  const { stdout: help } = await finish([executable, "serve", "--help"]);
  const hasWorkers = help.includes("--workers");
  const able = workers.filter((count) => hasWorkers || count === 1);
  if (able.length < workers.length) console.error("left out: this version of serve has no --workers");
  return [
    ...able.map((count) => ({
      name: `1 serve, ${count} ${count === 1 ? "worker" : "workers"}`,
      start: async (store: string) => [await serve(store, hasWorkers ? ["--workers", String(count)] : [])],
    })),
    ...instances.map((count) => ({
      name: `${count} serves`,
      async start(store: string) {
        const servers: Server[] = [];
        // One after the other: the first makes the tables.
        while (servers.length < count) servers.push(await serve(store));
        return servers;
      },
    })),
  ];
}
