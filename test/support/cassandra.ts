// The Cassandra that scripts/test.ts has provided, for tests: its address with a keyspace of the test's own.

import { Client } from "cassandra-driver";

const hosts = (process.env["RETO3_TEST_CASSANDRA"] ?? "").split(",").filter((host) => host !== "");

/** False where none was provided: such tests are skipped, and scripts/test.ts has said why. */
export const hasCassandra = hosts.length > 0;

export interface TestKeyspace extends AsyncDisposable {
  readonly keyspace: string;
  /** For --store and openStore. */
  readonly address: string;
  /** A client beside the product's, as cqlsh would be. */
  readonly client: Client;
}

/** The address of `keyspace` on nodes such as "127.0.0.1:9042". */
export function addressOf(contactPoints: readonly string[], keyspace: string): string {
  return `cassandra://${contactPoints.join(",")}/${keyspace}?dc=datacenter1`;
}

/** A keyspace name that no other run has; dropped at the end, with all that was put into it. */
export function testKeyspace(contactPoints: readonly string[] = hosts): TestKeyspace {
  const keyspace = `reto3_test_${crypto.randomUUID().slice(0, 8)}`;
  const client = new Client({
    contactPoints: [...contactPoints],
    localDataCenter: "datacenter1",
  });
  return {
    keyspace,
    address: addressOf(contactPoints, keyspace),
    client,
    async [Symbol.asyncDispose]() {
      await client.execute(`DROP KEYSPACE IF EXISTS ${keyspace}`, [], { readTimeout: 30_000 });
      await client.shutdown();
    },
  };
}
