// The --store flag, the same in every command that opens a store.

import { DEFAULT_STORE } from "../src/config.ts";
import { text } from "./flags.ts";

export const storeFlag = text("address", {
  default: DEFAULT_STORE,
  env: "RETO3_STORE",
  description: "sqlite:FILE, or cassandra://[USER:PASSWORD@]HOST[,HOST][:PORT]/KEYSPACE[?dc=DATACENTER&rf=N]",
});
