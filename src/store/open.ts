// From a store's address to an open store. The only file that knows every adapter; each is loaded only when it is named.

import { quote, Reto3Error } from "../errors.ts";
import type { CassandraLogin } from "./cassandra/url.ts";
import type { OpenOptions, Store } from "./store.ts";

const FORMS = "want sqlite:FILE, cassandra://HOST/KEYSPACE or memory:";

/**
 * Opens what `address` names, nothing else; `login` is for a Cassandra whose address does not say it. Throws USAGE for an address of no known form, STORE_OPEN
 * where it cannot be used.
 */
export async function openStore(address: string, options: OpenOptions, login?: CassandraLogin): Promise<Store> {
  if (address.startsWith("cassandra:")) {
    const { parseCassandraUrl } = await import("./cassandra/url.ts");
    const { openCassandra } = await import("./cassandra/cassandra.ts");
    return openCassandra(parseCassandraUrl(address, login), options);
  }
  if (address.startsWith("sqlite:") && address.length > "sqlite:".length) {
    const { openSqlite } = await import("./sqlite/sqlite.ts");
    return openSqlite(address.slice("sqlite:".length), options);
  }
  if (address === "memory:") {
    const { memoryStore } = await import("./memory.ts");
    return memoryStore();
  }
  throw new Reto3Error("USAGE", `store ${quote(address.replace(/\/\/.*@/, "//***@"))}: ${FORMS}`);
}
