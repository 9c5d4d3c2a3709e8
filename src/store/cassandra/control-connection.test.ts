/* oxlint-disable no-underscore-dangle -- the names are the driver's own */
// What becomes of the connections when all of them are lost, with a real node; that nothing piles up under load is in test/faults.test.ts.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Client } from "cassandra-driver";
import { startProxy, type Proxy } from "../../../test/faults/proxy.ts";
import { hasCassandra, testKeyspace, type TestKeyspace } from "../../../test/support/cassandra.ts";
import { until } from "../../../test/support/reto3.ts";
import { connect } from "./session.ts";
import { parseCassandraUrl } from "./url.ts";

const RUN_MS = 60_000;

describe.skipIf(!hasCassandra)("a client that has lost its node", () => {
  let keyspace: TestKeyspace;
  let target: { host: string; port: number };
  let first: Proxy;
  let client: Client;
  beforeEach(async () => {
    keyspace = testKeyspace();
    const [, host = "", port = ""] = /\/\/([^:/,]+):(\d+)/.exec(keyspace.address) ?? [];
    target = { host, port: Number(port) };
    first = await startProxy(target, { host: "127.0.0.1" });
    client = await connect(parseCassandraUrl(`cassandra://127.0.0.1:${first.port}/system?dc=datacenter1`));
  }, RUN_MS);
  afterEach(async () => {
    await client.shutdown();
    await first[Symbol.asyncDispose]();
    await keyspace[Symbol.asyncDispose]();
  }, RUN_MS);

  const answers = async () => {
    try {
      await client.execute("SELECT release_version FROM system.local");
      return true;
    } catch {
      return false;
    }
  };
  /** A pool that has no connection tries after a quarter of a second; one too many would show. */
  const allPoolsConnected = () => Bun.sleep(1_000);
  /** From now on the contact point leads there; only the name service is not a real one. */
  const leadTo = (endpoint: string) => {
    const { controlConnection } = client as unknown as { controlConnection: Record<string, unknown> };
    const points = controlConnection["_contactPoints"] as Set<string>;
    controlConnection["_parseContactPoint"] = async () => void points.add(endpoint);
  };

  test(
    "has as many connections as before when it is back, however often",
    async () => {
      for (let loss = 0; loss < 6; loss++) {
        first.cut();
        await until(async () => !(await answers()));
        await until(answers);
      }
      await allPoolsConnected();
      expect(first.connections).toBeLessThanOrEqual(3);
    },
    RUN_MS,
  );

  // Of what a node says first: who it is comes after some hundred bytes, who its peers are after it.
  test.each([0, 100, 800, 1_200, 1_250, 1_300, 1_350, 1_600, 2_400, 4_000])(
    "finds it at another address, though the first connection there breaks after %d bytes",
    async (bytes) => {
      await using second = await startProxy(target, { host: "127.0.0.2", port: first.port });
      second.cutEachAfterBytes(1, bytes);
      leadTo(`127.0.0.2:${first.port}`);
      await first[Symbol.asyncDispose]();
      await until(async () => !(await answers()));
      await until(answers);
      // And again, at the same place.
      second.cut();
      await until(async () => !(await answers()));
      await until(answers);
      await allPoolsConnected();
      expect(second.connections).toBeLessThanOrEqual(3);
    },
    RUN_MS,
  );
});
