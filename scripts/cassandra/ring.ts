// Waits until the nodes of a ring know each other. A node answers CQL before its neighbours have heard that it joined, and
// a quorum write in that second fails. Asks by CQL only; knows nothing of processes.

import { Client, policies, types } from "cassandra-driver";

const ringTimeoutMs = 180_000;
const askEveryMs = 200;

/** Resolves when each of `contactPoints`, asked as a coordinator, knows all others as joined and alive. */
export async function waitForRing(contactPoints: readonly string[], datacenter: string): Promise<void> {
  // A ring of one has nothing to wait for.
  if (contactPoints.length < 2) return;
  const deadline = performance.now() + ringTimeoutMs;
  await Promise.all(contactPoints.map((contactPoint) => waitForNode(contactPoint)));

  async function waitForNode(contactPoint: string): Promise<void> {
    const client = connectOnly(contactPoint, datacenter);
    try {
      for (;;) {
        const missing = await whatIsMissing(client, contactPoints.length - 1);
        if (missing === undefined) return;
        if (performance.now() > deadline) {
          throw new Error(`node ${contactPoint} does not see the whole ring after ${ringTimeoutMs} ms: ${missing}`);
        }
        await Bun.sleep(askEveryMs);
      }
    } finally {
      await client.shutdown();
    }
  }
}

/** A client that asks this node alone, whichever others the node tells it of. */
function connectOnly(contactPoint: string, datacenter: string): Client {
  return new Client({
    contactPoints: [contactPoint],
    localDataCenter: datacenter,
    isMetadataSyncEnabled: false,
    policies: {
      loadBalancing: new policies.loadBalancing.AllowListPolicy(new policies.loadBalancing.RoundRobinPolicy(), [
        contactPoint,
      ]),
    },
  });
}

async function whatIsMissing(client: Client, peersWanted: number): Promise<string | undefined> {
  try {
    const peers = await client.execute("SELECT tokens FROM system.peers");
    // A node that has not joined yet is in the table already, without tokens.
    const joined = peers.rows.filter((row) => row["tokens"] !== null).length;
    if (joined !== peersWanted) return `${joined} of ${peersWanted} other nodes have joined`;
    // The table says nothing of who is up. This keyspace has two replicas, so that scanning the (empty) table at ALL needs
    // every node of the ring, and is refused at once when the node asked takes one for down.
    await client.execute("SELECT COUNT(*) FROM system_traces.sessions", [], { consistency: types.consistencies.all });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
