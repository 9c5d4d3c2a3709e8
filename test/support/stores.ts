// The stores that users have, for tests that run on each: an SQLite file and a Cassandra keyspace of the test's own.

import { join } from "node:path";
import { hasCassandra, testKeyspace } from "./cassandra.ts";
import { temporaryFolder } from "./reto3.ts";

export interface TestStore {
  address: string;
  dispose: () => unknown;
}

export const testStores: { name: string; available: boolean; open: () => TestStore }[] = [
  {
    name: "sqlite",
    available: true,
    open: () => {
      const folder = temporaryFolder();
      return { address: `sqlite:${join(folder.path, "reto3.db")}`, dispose: () => folder[Symbol.dispose]() };
    },
  },
  {
    name: "cassandra",
    available: hasCassandra,
    open: () => {
      const keyspace = testKeyspace();
      return { address: keyspace.address, dispose: () => keyspace[Symbol.asyncDispose]() };
    },
  },
];
