// The flags that commands share which open a store, and what the environment adds to a store's address.

import { DEFAULT_STORE } from "../src/config.ts";
import { openStore } from "../src/store/open.ts";
import type { OpenOptions, Store } from "../src/store/store.ts";
import { oneOf, text } from "./flags.ts";

export const storeFlag = text("address", {
  default: DEFAULT_STORE,
  env: "RETO3_STORE",
  description:
    "sqlite:FILE, or cassandra://[USER@]HOST[,HOST][:PORT]/KEYSPACE[?dc=DATACENTER&rf=N&password_file=FILE&tls=on&ca=FILE]",
});

export const rawLayoutFlag = oneOf(["packed", "rows"], {
  default: "packed",
  env: "RETO3_RAW_LAYOUT",
  description:
    "how raw events are written: packed: a tenth of the bytes; rows: a row each, for SQL and CQL of your own",
});

/** Opens the store at `address`. User and password of a Cassandra may stand in variables: a command line is for all to see. */
export function openStoreAt(address: string, options: OpenOptions): Promise<Store> {
  return openStore(address, options, {
    user: variable("RETO3_CASSANDRA_USER"),
    password: variable("RETO3_CASSANDRA_PASSWORD"),
    passwordFile: variable("RETO3_CASSANDRA_PASSWORD_FILE"),
  });
}

/** An empty variable is none: compose files pass on what is not set so. */
function variable(name: string): string | undefined {
  return process.env[name] || undefined;
}
