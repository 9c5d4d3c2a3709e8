// The one place that makes a Cassandra client: its options, its connection, what it learns of the cluster.
// Knows the driver; nothing of events, tables or flushes.

import { Client, policies, types, type Host } from "cassandra-driver";
import { messageOf, Reto3Error } from "../../errors.ts";
import { describeError, storeError } from "./errors.ts";
import type { CassandraAddress } from "./url.ts";

const CONNECT_TIMEOUT_MS = 5_000;

/** An attempt that has no answer by then has an unknown outcome and is sent again. The server's own limit is 2 s. */
const REQUEST_TIMEOUT_MS = 3_000;

/** A node may take long to make a table. */
const SCHEMA_TIMEOUT_MS = 30_000;

const RECONNECT_MS = 500;

export interface CommitLogSync {
  host: string;
  mode: string;
}

/** Connects. Throws STORE_OPEN with a hint where it cannot. Writes are never retried below us: the writer does that. */
export async function connect(address: CassandraAddress): Promise<Client> {
  const { hosts, port, datacenter, credentials } = address;
  const client = new Client({
    contactPoints: [...hosts],
    localDataCenter: datacenter,
    // The highest that the driver speaks to Cassandra: without it, it first tries another and connects twice.
    // Nor does it wait for all nodes after a schema change, ten seconds each while one is down: schema.ts asks them itself.
    protocolOptions: { port, maxVersion: types.protocolVersion.v4, maxSchemaAgreementWaitSeconds: 0 },
    ...(credentials && { credentials }),
    queryOptions: {
      // With one replica this is that one; with three it is two, for writes and reads alike.
      consistency: types.consistencies.localQuorum,
      prepare: true,
      isIdempotent: true,
      fetchSize: 5_000,
    },
    socketOptions: { connectTimeout: CONNECT_TIMEOUT_MS, readTimeout: REQUEST_TIMEOUT_MS },
    policies: {
      retry: new policies.retry.FallthroughRetryPolicy(),
      reconnection: new policies.reconnection.ConstantReconnectionPolicy(RECONNECT_MS),
    },
    isMetadataSyncEnabled: false,
  });
  try {
    await client.connect();
    return client;
  } catch (error) {
    await client.shutdown().catch(() => {});
    throw new Reto3Error("STORE_OPEN", `store ${address.location}: cannot connect: ${describeError(error)}`, {
      hint: hintFor(error, address),
      cause: error,
    });
  }
}

function hintFor(error: unknown, { datacenter, hosts, port }: CassandraAddress): string {
  const message = messageOf(error);
  if (/datacenter/i.test(message)) return `the data centre ${datacenter} is not there; name the right one with ?dc=`;
  if (/auth|credential|password/i.test(message)) return "check the user and the password in the address";
  return `check that Cassandra listens on ${hosts.join(",")} port ${port}; 'npm run cassandra' starts one to try`;
}

/** Runs a schema change at `host`, or at any node. */
export async function changeSchema(client: Client, cql: string, host?: Host): Promise<void> {
  await client.execute(cql, [], { prepare: false, readTimeout: SCHEMA_TIMEOUT_MS, ...(host && { host }) });
}

/** The nodes of the data centre that this client knows, in an order that is the same for all clients: by host id. */
export function hostsOf(client: Client, datacenter: string): Host[] {
  const hosts = client.hosts.values().filter((host) => host.datacenter === datacenter);
  return hosts.toSorted((a, b) => (String(a.hostId) < String(b.hostId) ? -1 : 1));
}

export type Query = (cql: string, params?: unknown[]) => Promise<types.Row[]>;

/** What one node answered; `answer` is undefined where there was none, and `problem` says why. */
export interface NodeAnswer<T> {
  host: string;
  answer: T | undefined;
  problem: string;
}

/** What `ask` learns from each node of the data centre, of what a node says of itself. Throws where asking again is of no use. */
export async function askEachNode<T>(
  client: Client,
  datacenter: string,
  ask: (query: Query) => Promise<T>,
): Promise<NodeAnswer<T>[]> {
  return Promise.all(
    hostsOf(client, datacenter).map(async (host) => {
      if (!host.isUp()) return { host: host.address, answer: undefined, problem: "it is down" };
      const options = { prepare: false, host, consistency: types.consistencies.one };
      try {
        const answer = await ask(async (cql, params = []) => (await client.execute(cql, params, options)).rows);
        return { host: host.address, answer, problem: "" };
      } catch (error) {
        const { code } = storeError(error);
        if (error instanceof Reto3Error || code === "STORE_REFUSED") throw error;
        // One of several that hangs must not keep a server from starting.
        return { host: host.address, answer: undefined, problem: describeError(error) };
      }
    }),
  );
}

/** How each node of the data centre syncs its commit log: what an acked write survives there. `down` where it cannot be asked. */
export async function commitLogSyncs(client: Client, datacenter: string): Promise<CommitLogSync[]> {
  const cql = "SELECT value FROM system_views.settings WHERE name = 'commitlog_sync'";
  const answers = await askEachNode(client, datacenter, (query) => query(cql));
  return answers.map(({ host, answer }) => ({
    host,
    mode: answer ? String(answer[0]?.get("value") ?? "unknown") : "down",
  }));
}
