import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { types } from "cassandra-driver";
import { hasCassandra, testKeyspace, type TestKeyspace } from "../../../test/support/cassandra.ts";
import { systemClock } from "../../clock.ts";
import { Reto3Error } from "../../errors.ts";
import { bucketStartUs, MINUTE_US } from "../../period.ts";
import { FlushSequence } from "../../writer/sequence.ts";
import { storeConformance } from "../conformance.ts";
import { openStore } from "../open.ts";
import type { Flush, Store } from "../store.ts";
import { flushStatements } from "./flush.ts";
import { parseCassandraUrl } from "./url.ts";

/** Making a keyspace with five tables takes seconds. */
const SCHEMA_MS = 60_000;

if (hasCassandra) {
  const keyspace = testKeyspace();
  storeConformance(
    "cassandra",
    async () => ({
      open: () => openStore(keyspace.address, { mode: "serve" }),
      dispose: async () => void (await keyspace[Symbol.asyncDispose]()),
    }),
    SCHEMA_MS,
  );
}

describe.skipIf(!hasCassandra)("Cassandra", () => {
  let keyspace: TestKeyspace;
  let store: Store;
  beforeAll(async () => {
    keyspace = testKeyspace();
    store = await openStore(keyspace.address, { mode: "serve" });
  }, SCHEMA_MS);
  afterAll(async () => {
    await store.close();
    await keyspace[Symbol.asyncDispose]();
  }, SCHEMA_MS);

  /** The flushes that a writer sends for `events` events each. */
  async function flushesOf(...sizes: number[]): Promise<Flush[]> {
    const flushes: Flush[] = [];
    const clock = systemClock();
    const spy: Store = { ...store, write: async (flush) => void flushes.push(flush) };
    const sequence = new FlushSequence({ store: spy, clock, signal: new AbortController().signal });
    for (const events of sizes) {
      const nowUs = clock.nowUs();
      await sequence.flush({
        minuteUs: bucketStartUs(nowUs, MINUTE_US),
        epoch: 0,
        createdUs: Array<bigint>(events).fill(BigInt(nowUs)),
        receivedUs: Array<number>(events).fill(nowUs),
      });
    }
    return flushes;
  }

  test(
    "one flush is one mutation: one append to the commit log, four tables",
    async () => {
      const { client } = keyspace;
      const [flush] = await flushesOf(50);
      if (!flush) throw new Error("no flush");
      const { info } = await client.batch(flushStatements(keyspace.keyspace)(flush), {
        prepare: true,
        logged: false,
        traceQuery: true,
        timestamp: types.Long.fromNumber(flush.writtenAtUs),
      });
      let activities: string[] = [];
      // A trace is written in the background.
      while (!activities.some((activity) => activity.startsWith("Adding to counts_1m"))) {
        const trace = await client.execute(
          "SELECT activity FROM system_traces.events WHERE session_id = ?",
          [info.traceId],
          { prepare: true },
        );
        activities = trace.rows.map((row) => String(row.get("activity")));
        await Bun.sleep(20);
      }
      expect(activities.filter((activity) => activity.startsWith("Appending to commitlog")).length).toBe(1);
      const memtables = activities.filter((activity) => /^Adding to .* memtable/.test(activity));
      expect(memtables.map((activity) => activity.split(" ")[2]).toSorted()).toEqual([
        "counts_10ms",
        "counts_1m",
        "counts_1s",
        "events",
      ]);
    },
    SCHEMA_MS,
  );

  test(
    "a flush of the largest size passes: the limits of batches over several partitions are not met",
    async () => {
      const [flush] = await flushesOf(5_000);
      if (!flush) throw new Error("no flush");
      await store.write(flush);
      const [row] = await store.counts(flush, "1m", flush.minuteUs, flush.minuteUs + MINUTE_US);
      expect(row?.events).toBe(5_000);
    },
    SCHEMA_MS,
  );

  test("an older flush that arrives after a newer one changes no total", async () => {
    const [older, newer] = await flushesOf(3, 4);
    if (!older || !newer) throw new Error("no flush");
    await store.write(newer);
    await store.write(older);
    const [row] = await store.counts(newer, "1m", newer.minuteUs, newer.minuteUs + MINUTE_US);
    expect(row?.events).toBe(7);
  });

  test("the tables are those that other programs read: names, keys, types, lifetimes", async () => {
    const columns = await keyspace.client.execute(
      "SELECT table_name, column_name, kind, position, type FROM system_schema.columns WHERE keyspace_name = ?",
      [keyspace.keyspace],
      { prepare: true },
    );
    const shape: Record<string, string[]> = {};
    for (const row of columns.rows) {
      const kind = { partition_key: "p", clustering: "c", regular: "" }[String(row.get("kind"))] ?? "?";
      const position = kind === "" ? "" : `${kind}${String(row.get("position"))} `;
      (shape[String(row.get("table_name"))] ??= []).push(
        `${position}${String(row.get("column_name"))} ${String(row.get("type"))}`,
      );
    }
    const key = ["c0 bucket_us bigint", "events int", "lag_max_us bigint", "lag_min_us bigint", "lag_sum_us bigint"];
    const partition = ["p0 minute bigint", "p1 writer uuid"];
    expect(Object.fromEntries(Object.entries(shape).map(([table, all]) => [table, all.toSorted()]))).toEqual({
      events: ["c0 seq int", "created_us bigint", ...partition, "received_us bigint"],
      counts_10ms: [...key, ...partition],
      counts_1s: [key[0], key[1], "lag_hist blob", key[2], key[3], key[4], ...partition].map(String),
      counts_1m: [key[0], key[1], "lag_hist blob", key[2], key[3], key[4], ...partition].map(String),
      claims: ["c0 minute bigint", "c1 writer uuid", "p0 hour bigint", "sealed_events int"],
    });
    const tables = await keyspace.client.execute(
      "SELECT table_name, default_time_to_live, gc_grace_seconds FROM system_schema.tables WHERE keyspace_name = ?",
      [keyspace.keyspace],
      { prepare: true },
    );
    for (const row of tables.rows) expect(Number(row.get("gc_grace_seconds"))).toBeGreaterThanOrEqual(10_800);
    const expiring = tables.rows.filter((row) => Number(row.get("default_time_to_live")) > 0);
    expect(expiring.map((row) => String(row.get("table_name"))).toSorted()).toEqual(["counts_10ms", "events"]);
  });

  test("it says what a 2xx means here: synced before the answer", () => {
    expect(store.info.durability).toContain("synced (commitlog_sync: batch)");
    expect(store.info.warnings).toEqual([]);
  });

  async function openFailure(address: string, mode: "serve" | "read" = "serve"): Promise<Reto3Error> {
    try {
      await (await openStore(address, { mode })).close();
    } catch (error) {
      if (error instanceof Reto3Error) return error;
      throw error;
    }
    throw new Error("it opened");
  }

  test("an rf that differs from the keyspace's is an error", async () => {
    const error = await openFailure(`${keyspace.address}&rf=3`);
    expect([error.code, error.message]).toEqual([
      "STORE_OPEN",
      expect.stringContaining("rf is 3, but the keyspace has 1"),
    ]);
  });

  test("a reader makes no keyspace", async () => {
    const absent = keyspace.address.replace(keyspace.keyspace, `${keyspace.keyspace}_absent`);
    expect((await openFailure(absent, "read")).message).toContain("there is no such keyspace");
    const found = await keyspace.client.execute("SELECT keyspace_name FROM system_schema.keyspaces");
    expect(found.rows.map((row) => row.get("keyspace_name"))).not.toContain(`${keyspace.keyspace}_absent`);
  });

  test("a data centre that is not there is an error that says so", async () => {
    const error = await openFailure(keyspace.address.replace("datacenter1", "elsewhere"));
    expect([error.code, error.hint]).toEqual(["STORE_OPEN", expect.stringContaining("?dc=")]);
  });

  test("a host where nothing listens is an error with a hint", async () => {
    const error = await openFailure("cassandra://127.0.0.1:1/reto3");
    expect([error.code, error.hint]).toEqual(["STORE_OPEN", expect.stringContaining("check that Cassandra listens")]);
  });

  test(
    "two that start at the same time on an empty cluster both come up",
    async () => {
      await using fresh = testKeyspace();
      const stores = await Promise.all([1, 2].map(() => openStore(fresh.address, { mode: "serve" })));
      for (const one of stores) await one.close();
    },
    SCHEMA_MS,
  );

  test(
    "a store for measurements is a keyspace of its own, and gone afterwards",
    async () => {
      const scratch = await openStore(keyspace.address, { mode: "scratch" });
      const { keyspace: made } = parseCassandraUrl(scratch.info.location);
      expect(made).toStartWith(`${keyspace.keyspace}_scratch_`);
      const keyspaces = async () => {
        const found = await keyspace.client.execute("SELECT keyspace_name FROM system_schema.keyspaces");
        return found.rows.map((row) => String(row.get("keyspace_name")));
      };
      expect(await keyspaces()).toContain(made);
      await scratch.close();
      expect(await keyspaces()).not.toContain(made);
    },
    SCHEMA_MS,
  );
});
