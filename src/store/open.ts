// From a store's address to an open store. The only file that knows every adapter; each is loaded only when it is named.

import { quote, Reto3Error } from "../errors.ts";
import type { CassandraLogin } from "./cassandra/url.ts";
import type { OpenOptions, Store } from "./store.ts";

const FORMS = "want sqlite:FILE, cassandra://HOST/KEYSPACE or memory:";

interface Adapter {
  /** Several processes may write at once, without one waiting for another. */
  severalWriters: boolean;
  open(address: string, options: OpenOptions, login?: CassandraLogin): Promise<Store>;
}

const ADAPTERS: Record<string, Adapter> = {
  cassandra: {
    severalWriters: true,
    async open(address, options, login) {
      const { parseCassandraUrl } = await import("./cassandra/url.ts");
      const { openCassandra } = await import("./cassandra/cassandra.ts");
      return openCassandra(parseCassandraUrl(address, login), options);
    },
  },
  sqlite: {
    severalWriters: false,
    async open(address, options) {
      const { openSqlite } = await import("./sqlite/sqlite.ts");
      return openSqlite(address.slice("sqlite:".length), options);
    },
  },
  memory: {
    severalWriters: false,
    async open() {
      const { memoryStore } = await import("./memory.ts");
      return memoryStore();
    },
  },
};

/**
 * Opens what `address` names, nothing else; `login` is for a Cassandra whose address does not say it. Throws USAGE for an address of no known form, STORE_OPEN
 * where it cannot be used.
 */
export async function openStore(address: string, options: OpenOptions, login?: CassandraLogin): Promise<Store> {
  return adapterOf(address).open(address, options, login);
}

/** Told before anything is opened, which makes and changes things. Throws USAGE for an address of no known form. */
export function takesSeveralWriters(address: string): boolean {
  return adapterOf(address).severalWriters;
}

function adapterOf(address: string): Adapter {
  const [, scheme = "", rest = ""] = /^([a-z]+):(.*)$/s.exec(address) ?? [];
  const adapter = Object.hasOwn(ADAPTERS, scheme) ? ADAPTERS[scheme] : undefined;
  // A file has a name; memory has none.
  if (adapter && (scheme === "memory") === (rest === "")) return adapter;
  throw new Reto3Error("USAGE", `store ${quote(address.replace(/\/\/.*@/, "//***@"))}: ${FORMS}`);
}
