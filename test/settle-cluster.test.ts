// What takes three nodes. A writer and its coordinator die with a flush on one of three replicas: what quorum reads see of it
// depends on whom they ask, until the partition is settled. And servers that start at once, each through another node.
// The cluster is one of these tests' own, since its nodes are killed.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Client, types } from "cassandra-driver";
import type { CassandraNode } from "../scripts/cassandra/node.ts";
import { startCassandra, type RunningCassandra } from "../scripts/cassandra/cluster.ts";
import { whyNoJava } from "../scripts/cassandra/provide.ts";
import { flushStatements } from "../src/store/cassandra/flush.ts";
import { askEachNode } from "../src/store/cassandra/session.ts";
import { decodeEvents } from "../src/store/event-batch.ts";
import { openStore } from "../src/store/open.ts";
import type { Claim, Flush, Store } from "../src/store/store.ts";
import { settle } from "../src/upkeep/settle.ts";
import { FlushSequence } from "../src/writer/sequence.ts";
import { addressOf } from "./support/cassandra.ts";
import { MINUTE_US } from "../src/period.ts";
import { PAST_US } from "./support/past.ts";
import { until } from "./support/reto3.ts";

const START_MS = 240_000;
const RUN_MS = 240_000;
/** Cassandra's consistency level that asks the coordinator's own replica alone; the driver has no name for it (ConsistencyLevel.java). */
const NODE_LOCAL = 11;

const KEYSPACE = "reto3_settle";

const RACES = 2;
const TABLES = 8;

const problem = await whyNoJava();

describe.skipIf(problem !== undefined)("a cluster of three nodes", () => {
  let cluster: RunningCassandra | undefined;
  beforeAll(async () => void (cluster = await startCassandra({ nodes: 3 })), START_MS);
  afterAll(() => cluster?.stop(), START_MS);

  test(
    "servers that start at the same time, each through another node, make the same tables",
    async () => {
      const [node] = cluster?.nodes ?? [];
      if (!cluster || !node) throw new Error("no nodes were started");
      const { contactPoints } = cluster;
      const watcher = await clientOf(node);
      for (let race = 0; race < RACES; race++) {
        const keyspace = `reto3_race_${race}`;
        const everSeen = new Set<string>();
        const isOver = new AbortController();
        const watching = watchTables(watcher, keyspace, everSeen, isOver.signal);
        const openings = contactPoints.map(async (point) => {
          const address = `${addressOf([point], keyspace)}&rf=3`;
          const store = await openStore(address, { mode: "serve", retention: { events: null } });
          return { store, tables: await tablesAtEach(watcher, keyspace) };
        });
        const opened = await Promise.all(openings).finally(() => isOver.abort());
        await watching;
        // A table that is made twice has two ids, and one of them is dropped with what was written to it.
        expect([...everSeen].toSorted()).toEqual([...new Set(opened[0]?.tables[0])].toSorted());
        for (const { tables } of opened) {
          expect(tables).toHaveLength(contactPoints.length);
          for (const known of tables) expect(known).toHaveLength(TABLES);
        }
        const stores = opened.map(({ store }) => store);
        expect(new Set(stores.map(({ info }) => info.identity)).size).toBe(1);
        const written = await Promise.all(stores.map(writeAndKeepLast));
        for (const store of stores) {
          for (const { claim } of written) {
            const [row] = await store.counts(claim, "1m", PAST_US, PAST_US + MINUTE_US);
            expect(row?.events).toBe(3);
          }
        }
        for (const store of stores) await store.close();
      }
      await watcher.shutdown();
    },
    RUN_MS,
  );

  test(
    "a flush on one of them is on all of them once its partition is settled, at every level",
    async () => {
      const [first, second, third] = cluster?.nodes ?? [];
      if (!cluster || !first || !second || !third) throw new Error("no nodes were started");
      const address = `${addressOf(cluster.contactPoints, KEYSPACE)}&rf=3`;
      const store = await openStore(address, { mode: "serve", retention: { events: null } });
      const { claim, lost } = await writeAndKeepLast(store);
      await store.close();
      await agreeOnSchema(first);

      // The others are dead, and the first one dies before its hints for them are on its disk (every ten seconds).
      await Promise.all([second.kill(), third.kill()]);
      await writeAtOne(first, lost);
      await first.kill();
      for (const node of [first, second, third]) await node.start();
      await cluster.waitUntilWhole();
      await agreeOnSchema(first);
      expect(await eventsAtOne(first, claim)).toBe(5);
      expect([await eventsAtOne(second, claim), await eventsAtOne(third, claim)]).toEqual([3, 3]);

      const later = await openStore(address, { mode: "write" });
      expect(await settle(later, claim, Date.now() * 1_000)).toEqual({ events: 5, recounted: false, problem: "" });
      for (const node of [first, second, third]) expect(await eventsAtOne(node, claim)).toBe(5);
      await later.close();
    },
    RUN_MS,
  );
});

/** The tables of a keyspace with their ids, as each node knows them. */
async function tablesAtEach(client: Client, keyspace: string): Promise<string[][]> {
  const cql = "SELECT table_name, id FROM system_schema.tables WHERE keyspace_name = ?";
  const answers = await askEachNode(client, "datacenter1", (query) => query(cql, [keyspace]));
  return answers.map(({ answer = [] }) => answer.map((row) => `${row.get("table_name")} ${row.get("id")}`));
}

/** Gathers the tables that any node knows at any time. */
async function watchTables(client: Client, keyspace: string, seen: Set<string>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    for (const table of (await tablesAtEach(client, keyspace)).flat()) seen.add(table);
    await Bun.sleep(1);
  }
}

/** A claim with a flush of three events, and the next flush of two, which was not sent. */
async function writeAndKeepLast(store: Store): Promise<{ claim: Claim; lost: Flush }> {
  let lost: Flush | undefined;
  const writing: Store = {
    ...store,
    write: async (flush) => (flush.firstSeq === 0 ? store.write(flush) : void (lost = flush)),
  };
  const clock = { nowUs: () => PAST_US, epoch: 0 };
  const sequence = new FlushSequence({ store: writing, clock, signal: new AbortController().signal });
  for (const offsets of [
    [0, 1, 2],
    [20_000, 20_001],
  ]) {
    const receivedUs = offsets.map((offset) => PAST_US + offset);
    await sequence.flush({ minuteUs: PAST_US, epoch: 0, createdUs: receivedUs.map((at) => BigInt(at)), receivedUs });
  }
  if (!lost) throw new Error("the second flush was not made");
  return { claim: { minuteUs: PAST_US, writer: sequence.writer, sealedEvents: null }, lost };
}

/** A client that starts from one node. */
async function clientOf(node: CassandraNode): Promise<Client> {
  const client = new Client({
    contactPoints: [node.contactPoint],
    localDataCenter: "datacenter1",
    protocolOptions: { port: node.nativePort },
    queryOptions: { consistency: types.consistencies.one, prepare: true },
  });
  await client.connect();
  return client;
}

/** A node that is killed before it knows of a table knows nothing of it when it comes back. */
async function agreeOnSchema(node: CassandraNode): Promise<void> {
  const client = await clientOf(node);
  await until(async () => {
    const versions = await Promise.all(
      ["system.local", "system.peers_v2"].map((table) => client.execute(`SELECT schema_version FROM ${table}`)),
    );
    return new Set(versions.flatMap(({ rows }) => rows.map((row) => String(row.get("schema_version"))))).size === 1;
  });
  await client.shutdown();
}

async function writeAtOne(node: CassandraNode, flush: Flush): Promise<void> {
  const client = await clientOf(node);
  const timestamp = types.Long.fromNumber(flush.writtenAtUs);
  await client.batch(flushStatements(KEYSPACE, "packed")(flush), { logged: false, timestamp });
  await client.shutdown();
}

/** What one replica has, by raw events and by each level; all must say the same. */
async function eventsAtOne(node: CassandraNode, { writer }: Claim): Promise<number> {
  const client = await clientOf(node);
  const host = client.hosts.values().find((one) => one.address === node.contactPoint);
  const options = { ...(host && { host }), consistency: NODE_LOCAL };
  const sums = new Set<number>();
  const params = [PAST_US, types.Uuid.fromString(writer)];
  for (const level of ["10ms", "1s", "1m"]) {
    const cql = `SELECT sum(events) AS events FROM ${KEYSPACE}.counts_${level} WHERE minute = ? AND writer = ?`;
    sums.add(Number((await client.execute(cql, params, options)).first()?.get("events")));
  }
  const raw = `SELECT seq, cell FROM ${KEYSPACE}.event_batches WHERE minute = ? AND writer = ?`;
  const batches = (await client.execute(raw, params, options)).rows.map((row) =>
    decodeEvents(PAST_US, Number(row.get("seq")), row.get("cell") as Buffer),
  );
  sums.add(batches.flat().length);
  await client.shutdown();
  expect(sums.size).toBe(1);
  return [...sums][0] ?? Number.NaN;
}
