// The one place that makes a Cassandra client: its options, its connection, what it learns of the cluster.
// Knows the driver; nothing of events, tables or flushes.

import { connect as tlsConnect, type ConnectionOptions } from "node:tls";
import { Client, errors, policies, types, type Host } from "cassandra-driver";
import { messageOf, Reto3Error } from "../../errors.ts";
import { keepToOneControlConnection } from "./control-connection.ts";
import { describeError, isAway, storeError, whyRejected } from "./errors.ts";
import type { CassandraAddress } from "./url.ts";
import { wayInto, whyNotOurs, type WayIn } from "./way-in.ts";

const CONNECT_TIMEOUT_MS = 5_000;

/** An attempt that has no answer by then has an unknown outcome and is sent again. The server's own limit is 2 s. */
const REQUEST_TIMEOUT_MS = 3_000;

/** A node may take long to make a table. */
const SCHEMA_TIMEOUT_MS = 30_000;

const RECONNECT_MS = 250;

/** For a better hint alone. */
const TLS_ANSWER_MS = 2_000;

export interface CommitLogSync {
  host: string;
  mode: string;
}

/** Connects. Throws STORE_OPEN with a hint where it cannot, STORE_UNAVAILABLE where no node answers (yet). Writes are never retried below us: the writer does that. */
export async function connect(address: CassandraAddress): Promise<Client> {
  const { hosts, port, datacenter } = address;
  const { credentials, tls } = await wayInto(address);
  const client: Client = new Client({
    contactPoints: [...hosts],
    localDataCenter: datacenter,
    // The highest that the driver speaks to Cassandra: without it, it first tries another and connects twice.
    // Nor does it wait for all nodes after a schema change, ten seconds each while one is down: schema.ts asks them itself.
    protocolOptions: { port, maxVersion: types.protocolVersion.v4, maxSchemaAgreementWaitSeconds: 0 },
    ...(credentials && { credentials }),
    ...(tls && { sslOptions: checkedTls(tls, (ip, certificate) => whyNotOurs(ip, certificate, hosts, ledTo(client))) }),
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
  keepToOneControlConnection(client, hosts);
  try {
    await client.connect();
    return client;
  } catch (error) {
    await client.shutdown().catch(() => {});
    const wantsTls = !tls && (await takesTlsOnly(error));
    const code = !wantsTls && isAway(error) ? "STORE_UNAVAILABLE" : "STORE_OPEN";
    throw new Reto3Error(code, `store ${address.location}: cannot connect: ${describeError(error)}`, {
      hint: hintFor(error, wantsTls, address),
      cause: error,
    });
  }
}

/** The driver's own default checks nothing. It connects to addresses, and asks here with them, also where a name led to one. */
function checkedTls(
  tls: NonNullable<WayIn["tls"]>,
  checkServerIdentity: NonNullable<ConnectionOptions["checkServerIdentity"]>,
): ConnectionOptions {
  return { ...tls, rejectUnauthorized: true, minVersion: "TLSv1.2", checkServerIdentity };
}

/** Which addresses each contact point led to; the driver asks again for names whenever it has lost all nodes. */
function ledTo(client: Client): Map<string, string[]> {
  const { controlConnection } = client as unknown as {
    controlConnection: { getResolvedContactPoints(): Map<string, readonly string[]> };
  };
  const points = [...controlConnection.getResolvedContactPoints()];
  return new Map(points.map(([name, ends]) => [name, ends.map((end) => end.replace(/^\[?(.*?)\]?:\d+$/, "$1"))]));
}

function hintFor(error: unknown, wantsTls: boolean, { datacenter, hosts, port, login, tls }: CassandraAddress): string {
  if (wantsTls)
    return `the server takes TLS only: write tls=on, and ca=FILE for an authority that the system does not know`;
  const problem = whyRejected(error);
  if (problem === "no login") {
    return `the server wants a user and a password: write USER@ before the hosts and name the password's file with password_file, or set RETO3_CASSANDRA_USER and RETO3_CASSANDRA_PASSWORD_FILE`;
  }
  if (problem === "login") {
    return `check the user and the password${login && "passwordFile" in login ? ` in ${login.passwordFile}` : ""}`;
  }
  if (problem === "authority") {
    return `the server's certificate is not one of an authority in ${tls?.ca ?? "the system's list"}, or has expired; name the right authority with ca=FILE`;
  }
  if (problem === "name") {
    return "name the hosts as the certificate does, or give the server one with their subjectAltName: IP:... for an address, DNS:... for a name";
  }
  if (problem === "no TLS") {
    return "the server does not speak TLS at this port: switch on client_encryption_options in its cassandra.yaml, or leave out tls=on";
  }
  if (problem === "client certificate") {
    return tls?.client
      ? `the server does not accept the certificate in ${tls.client.cert}; want one of an authority in its truststore`
      : "the server wants a certificate of its clients: name one with cert=FILE&key=FILE";
  }
  if (/datacenter/i.test(messageOf(error)))
    return `the data centre ${datacenter} is not there; name the right one with ?dc=`;
  return `check that Cassandra listens on ${hosts.join(",")} port ${port}; 'npm run cassandra' starts one to try`;
}

/**
 * Whether one of the nodes that hung up on plain text, or said nothing, answers TLS. What it says to plain text is the same as what a node says
 * that is just going down.
 */
async function takesTlsOnly(thrown: unknown): Promise<boolean> {
  if (!(thrown instanceof errors.NoHostAvailableError)) return false;
  const hungUp = Object.entries<unknown>(thrown.innerErrors ?? {}).filter(
    ([, problem]) =>
      problem instanceof errors.OperationTimedOutError ||
      (problem instanceof Error && "code" in problem && problem.code === "ECONNRESET"),
  );
  const answers = await Promise.all(hungUp.map(([endpoint]) => answersTls(endpoint)));
  return answers.includes(true);
}

function answersTls(endpoint: string): Promise<boolean> {
  const colon = endpoint.lastIndexOf(":");
  const { promise, resolve } = Promise.withResolvers<boolean>();
  // Whoever it is: nothing is said to it.
  const socket = tlsConnect({
    host: endpoint.slice(0, colon),
    port: Number(endpoint.slice(colon + 1)),
    rejectUnauthorized: false,
  });
  socket.once("secureConnect", () => resolve(true));
  for (const end of ["error", "close", "timeout"]) socket.once(end, () => resolve(false));
  socket.setTimeout(TLS_ANSWER_MS);
  return promise.finally(() => socket.destroy());
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
