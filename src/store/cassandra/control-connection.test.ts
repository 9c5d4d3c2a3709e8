/* oxlint-disable no-underscore-dangle -- the names are the driver's own */
// What happens where a name leads to another address after all nodes were lost. That nothing piles up is in test/faults.test.ts, with a real node.

import { expect, test } from "bun:test";
import { Client } from "cassandra-driver";
import { keepToOneControlConnection } from "./control-connection.ts";

/** A client that never connects, which knows the node at `known`, and whose name leads to `endpoint`. */
function clientThatLostAll(known: string, endpoint: string) {
  const client = new Client({ contactPoints: ["cassandra"], localDataCenter: "datacenter1" });
  const { controlConnection: control } = client as unknown as { controlConnection: Record<string, unknown> };
  const tried: string[] = [];
  const watched: object[] = [];
  Object.assign(control, {
    hosts: new Map([[known, {}]]),
    _borrowAConnection: () => {
      throw new Error("no connection");
    },
    _parseContactPoint: async () => void (control["_contactPoints"] as Set<string>).add(endpoint),
    _initializeConnection: async () => void tried.push(...(control["_contactPoints"] as Set<string>)),
    _setHealthListeners: (_: object, connection: object) => watched.push(connection),
  });
  keepToOneControlConnection(client, ["cassandra"]);
  const refresh = control["_refreshControlConnection"] as (hosts: object) => Promise<void>;
  const watch = control["_setHealthListeners"] as (host: object, connection: object) => void;
  return { refresh: () => refresh({}), watch, tried, watched };
}

test("a node that is known comes back by its own pool: nothing is begun anew", async () => {
  const { refresh, tried } = clientThatLostAll("10.0.0.1:9042", "10.0.0.1:9042");
  await expect(refresh()).rejects.toThrow("no connection");
  expect(tried).toEqual([]);
});

test("an address that is not known is connected to", async () => {
  const { refresh, tried } = clientThatLostAll("10.0.0.1:9042", "10.0.0.2:9042");
  await refresh();
  expect(tried).toEqual(["10.0.0.2:9042"]);
});

test("a connection is watched once", () => {
  const { watch, watched } = clientThatLostAll("10.0.0.1:9042", "10.0.0.1:9042");
  const [one, other] = [{}, {}];
  for (const connection of [one, one, other]) watch({}, connection);
  expect(watched).toEqual([one, other]);
});
