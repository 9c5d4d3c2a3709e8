// A server with clients that never stop sending, while something happens to it; and the verdict at the end.

import { join } from "node:path";
import { expect } from "bun:test";
import { startLoad } from "../support/load.ts";
import { serve, temporaryFolder, until, type Server } from "../support/reto3.ts";
import { judge, readRecords, type FaultFigures } from "./oracle.ts";

/** RETO3_FAULTS=long: as often and as long as the tables say; else a short form of it. */
export const isLong = process.env["RETO3_FAULTS"] === "long";

export interface UnderLoad extends AsyncDisposable {
  readonly server: Server;
  /** Resolves when so many more events have been stored. */
  storedMore(events: number): Promise<void>;
  /** Kills the server, starts it again at once at the same address. */
  restart(signal?: "SIGTERM" | "SIGKILL"): Promise<void>;
  /** Ends load and server, which must end well, and holds all that clients were told against what is stored. */
  verdict(): Promise<FaultFigures>;
}

export interface UnderLoadOptions {
  rps: number;
  serveArgs?: string[];
  loadArgs?: string[];
  /** Where what is stored is read at the end, should that not be where the server writes. */
  judgedAt?: string;
}

export async function underLoad(store: string, options: UnderLoadOptions): Promise<UnderLoad> {
  const { rps, serveArgs = [], loadArgs = [], judgedAt = store } = options;
  const folder = temporaryFolder();
  const records = join(folder.path, "records.ndjson");
  let server = await serve(store, serveArgs);
  const { port } = server;
  const load = startLoad(server.url, ["--rps", String(rps), "--record", records, "--settle", "1s", ...loadArgs]);
  const stored = () => server.metric("reto3_events_stored_total");
  return {
    get server() {
      return server;
    },
    async storedMore(events) {
      const before = await stored();
      await until(async () => (await stored()) >= before + events);
    },
    async restart(signal = "SIGKILL") {
      server.kill(signal);
      await server.exited;
      server = await serve(store, serveArgs, port);
    },
    async verdict() {
      const report = await load.stop();
      expect(report.holds).toBe(true);
      // What was answered 504 may still be on its way.
      await until(async () => (await server.metric("reto3_queue_events")) === 0);
      server.kill("SIGTERM");
      expect(await server.exited).toBe(0);
      const told = readRecords([records]);
      expect(told.length).toBe(report.sent);
      return judge(told, judgedAt);
    },
    async [Symbol.asyncDispose]() {
      await load.stop().catch(() => {});
      await server[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}

/** Numbers from 0 to 1, the same again for the same seed: a linear congruential generator (Numerical Recipes, chapter 7). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
