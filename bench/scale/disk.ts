// What a keyspace takes on the disks of all nodes, once nothing of it is in memory only.

import { dirname, join } from "node:path";
import { Client } from "cassandra-driver";
import type { RunningCassandra } from "../../scripts/cassandra/cluster.ts";
import { filesIn } from "../../test/support/disk.ts";

const FLUSH_EVERY_MS = 1_000;
const LOOK_EVERY_MS = 1_000;

/** So many looks in a row that see no change. */
const STILL_LOOKS = 5;

/** There is no nodetool: each table is told to write out what is in memory every second; compactions are as they come. */
export async function bytesOnDisk(
  { contactPoints, nodes, datacenter }: RunningCassandra,
  keyspace: string,
): Promise<number> {
  const client = new Client({ contactPoints: [...contactPoints], localDataCenter: datacenter });
  try {
    await client.connect();
    // All of it through one node: another may hear of a change a little later.
    const [host] = client.hosts.values();
    const execute = (cql: string, params: string[] = []) =>
      client.execute(cql, params, { readTimeout: 30_000, ...(host && { host }) });
    const tables = await execute("SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?", [keyspace]);
    for (const row of tables.rows) {
      await execute(
        `ALTER TABLE ${keyspace}.${row.get("table_name")} WITH memtable_flush_period_in_ms = ${FLUSH_EVERY_MS}`,
      );
    }
  } finally {
    await client.shutdown();
  }
  let bytes = 0;
  for (let still = 0; still < STILL_LOOKS;) {
    await Bun.sleep(LOOK_EVERY_MS);
    const now = nodes.reduce((sum, { logFile }) => sum + filesIn(join(dirname(logFile), "data", keyspace)), 0);
    still = now > 0 && now === bytes ? still + 1 : 0;
    bytes = now;
  }
  return bytes;
}
