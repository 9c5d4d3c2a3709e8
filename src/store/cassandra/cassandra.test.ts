import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { types } from "cassandra-driver";
import { hasCassandra, testKeyspace, type TestKeyspace } from "../../../test/support/cassandra.ts";
import { systemClock } from "../../clock.ts";
import { Reto3Error } from "../../errors.ts";
import { bucketStartUs, HOUR_US, MINUTE_US } from "../../period.ts";
import { FlushSequence } from "../../writer/sequence.ts";
import { storeConformance } from "../conformance.ts";
import { openStore } from "../open.ts";
import type { Flush, Retention, Store } from "../store.ts";
import { flushStatements } from "./flush.ts";
import { parseCassandraUrl } from "./url.ts";

/** Making a keyspace with its tables takes seconds. */
const SCHEMA_MS = 60_000;

if (hasCassandra) {
  for (const rawLayout of ["packed", "rows"] as const) {
    const keyspace = testKeyspace();
    // The suite writes into the past.
    const retention = { events: null, "10ms": null };
    storeConformance(
      `cassandra (raw events: ${rawLayout})`,
      async () => ({
        open: () => openStore(keyspace.address, { mode: "serve", rawLayout, retention }),
        dispose: async () => void (await keyspace[Symbol.asyncDispose]()),
      }),
      SCHEMA_MS,
    );
  }
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
    // Of one minute.
    const nowUs = clock.nowUs();
    for (const events of sizes) {
      await sequence.flush({
        minuteUs: bucketStartUs(nowUs, MINUTE_US),
        epoch: 0,
        createdUs: Array<bigint>(events).fill(BigInt(nowUs)),
        receivedUs: Array<number>(events).fill(nowUs),
      });
    }
    return flushes;
  }

  test.each([
    ["packed", "event_batches"],
    ["rows", "events"],
  ] as const)(
    "one flush (raw events: %s) is one mutation: one append to the commit log, four tables",
    async (rawLayout, rawTable) => {
      const { client } = keyspace;
      const [flush] = await flushesOf(50);
      if (!flush) throw new Error("no flush");
      const { info } = await client.batch(flushStatements(keyspace.keyspace, rawLayout)(flush), {
        prepare: true,
        logged: false,
        traceQuery: true,
        timestamp: types.Long.fromNumber(flush.writtenAtUs),
      });
      // A trace is written in the background, line by line, in no order: it is whole when nothing has come for a second.
      let activities: string[] = [];
      for (let unchanged = 0; unchanged < 20;) {
        await Bun.sleep(50);
        const trace = await client.execute(
          "SELECT activity FROM system_traces.events WHERE session_id = ?",
          [info.traceId],
          { prepare: true },
        );
        const found = trace.rows.map((row) => String(row.get("activity")));
        unchanged = found.length > 0 && found.length === activities.length ? unchanged + 1 : 0;
        activities = found;
      }
      expect(activities.filter((activity) => activity.startsWith("Appending to commitlog")).length).toBe(1);
      const memtables = activities.filter((activity) => /^Adding to .* memtable/.test(activity));
      expect(memtables.map((activity) => activity.split(" ")[2]).toSorted()).toEqual([
        "counts_10ms",
        "counts_1m",
        "counts_1s",
        rawTable,
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
      event_batches: ["c0 seq int", "cell blob", ...partition],
      counts_10ms: [...key, ...partition],
      counts_1s: [key[0], key[1], "lag_hist blob", key[2], key[3], key[4], ...partition].map(String),
      counts_1m: [key[0], key[1], "lag_hist blob", key[2], key[3], key[4], ...partition].map(String),
      claims: ["c0 minute bigint", "c1 writer uuid", "p0 hour bigint", "sealed_events int"],
      merged_1s: ["c0 minute bigint", "cell blob", "p0 hour bigint"],
      merged_1m: ["c0 minute bigint", "cell blob", "p0 day bigint"],
    });
    const tables = await keyspace.client.execute(
      "SELECT table_name, default_time_to_live, gc_grace_seconds FROM system_schema.tables WHERE keyspace_name = ?",
      [keyspace.keyspace],
      { prepare: true },
    );
    for (const row of tables.rows) expect(Number(row.get("gc_grace_seconds"))).toBeGreaterThanOrEqual(10_800);
    const expiring = tables.rows.filter((row) => Number(row.get("default_time_to_live")) > 0);
    expect(expiring.map((row) => String(row.get("table_name"))).toSorted()).toEqual([
      "counts_10ms",
      "event_batches",
      "events",
    ]);
  });

  test("it says what a 2xx means here: synced before the answer", () => {
    expect(store.info.durability).toContain("synced (commitlog_sync: batch)");
    expect(store.info.synced).toBe(true);
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
    expect([error.code, error.hint]).toEqual([
      "STORE_UNAVAILABLE",
      expect.stringContaining("check that Cassandra listens"),
    ]);
  });

  test(
    "lifetimes are changed by a later start, those that are named, and stay as they are by one that names none",
    async () => {
      await using fresh = testKeyspace();
      const retentionAfter = async (retention?: Partial<Retention>) => {
        const one = await openStore(fresh.address, { mode: "serve", ...(retention && { retention }) });
        await one.close();
        return one.info.retention;
      };
      const first = { events: 3_600, "10ms": 604_800, "1s": null, "1m": null, rawBytesMax: null };
      expect(await retentionAfter()).toEqual(first);
      const changed = { ...first, events: 86_400, "1s": 31_536_000 };
      expect(await retentionAfter({ events: 86_400, "1s": 31_536_000 })).toEqual(changed);
      expect(await retentionAfter()).toEqual(changed);
      const { rows } = await fresh.client.execute(
        "SELECT table_name, default_time_to_live, gc_grace_seconds, compaction FROM system_schema.tables WHERE keyspace_name = ?",
        [fresh.keyspace],
        { prepare: true },
      );
      const tables = new Map(rows.map((row) => [String(row.get("table_name")), row]));
      const windowOf = (name: string) => tables.get(name)?.get("compaction").compaction_window_size;
      // A day and the grace of three hours in 24 windows; a year in 24.
      expect([windowOf("events"), windowOf("event_batches")]).toEqual(["68", "68"]);
      expect([windowOf("counts_1s"), windowOf("merged_1s")]).toEqual(["21908", "21908"]);
      expect(Number(tables.get("merged_1s")?.get("default_time_to_live"))).toBe(31_536_000);
      for (const row of rows) expect(Number(row.get("gc_grace_seconds"))).toBeGreaterThanOrEqual(10_800);
      expect(await retentionAfter({ "1s": null })).toEqual({ ...changed, "1s": null });
    },
    SCHEMA_MS,
  );

  test("a limit in bytes is refused with what to do instead", async () => {
    const refused = await openStore(keyspace.address, { mode: "serve", retention: { rawBytesMax: 1 } }).catch(
      (error: unknown) => error as Reto3Error,
    );
    expect(refused).toMatchObject({ code: "USAGE", hint: expect.stringContaining("--raw-ttl") });
  });

  test(
    "raw events that have expired in great number are said to have expired: the node refuses to wade through them",
    async () => {
      await using fresh = testKeyspace();
      const short = await openStore(fresh.address, { mode: "serve", rawLayout: "rows", retention: { events: 1 } });
      const flushes = await flushesOf(...Array<number>(21).fill(5_000));
      for (const flush of flushes) await short.write(flush);
      const [first] = flushes;
      if (!first) throw new Error("no flush");
      const readAll = async () => {
        let found = 0;
        for await (const page of short.events(first)) found += page.length;
        return found;
      };
      let answer: unknown;
      // Some of them live for another moment.
      do answer = await readAll().catch((error: unknown) => error);
      while (typeof answer === "number" && answer > 0);
      expect(answer).toMatchObject({ code: "EXPIRED", hint: expect.stringContaining("--source counts") });
      await short.close();
    },
    SCHEMA_MS,
  );

  test(
    "a keyspace of version 0.1.0 is read as it is, and serving it leaves what that version checks",
    async () => {
      await using old = testKeyspace();
      await old.client.execute(
        `CREATE KEYSPACE ${old.keyspace} WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 1}`,
      );
      const counts = `minute bigint, writer uuid, bucket_us bigint, events int,
        lag_sum_us bigint, lag_min_us bigint, lag_max_us bigint`;
      const inPartition = "PRIMARY KEY ((minute, writer)";
      for (const table of [
        `events (minute bigint, writer uuid, seq int, created_us bigint, received_us bigint, ${inPartition}, seq))`,
        `counts_10ms (${counts}, ${inPartition}, bucket_us))`,
        `counts_1s (${counts}, lag_hist blob, ${inPartition}, bucket_us))`,
        `counts_1m (${counts}, lag_hist blob, ${inPartition}, bucket_us))`,
        "claims (hour bigint, minute bigint, writer uuid, sealed_events int, PRIMARY KEY ((hour), minute, writer))",
      ]) {
        await old.client.execute(`CREATE TABLE ${old.keyspace}.${table} WITH comment = 'reto3 schema 1'`);
      }
      const hour = Date.UTC(2026, 0, 1) * 1_000;
      const reader = await openStore(old.address, { mode: "read" });
      expect(reader.info.schema).toBe("1.0");
      const merged = [];
      for await (const page of reader.merged("1m", hour, hour + HOUR_US)) merged.push(...page);
      expect(merged).toEqual([]);
      await reader.close();
      const server = await openStore(old.address, { mode: "serve" });
      expect(server.info).toMatchObject({ schema: "1.2", retention: { events: null, "10ms": null } });
      await server.close();
      const { rows } = await old.client.execute(
        "SELECT table_name, comment FROM system_schema.tables WHERE keyspace_name = ?",
        [old.keyspace],
        { prepare: true },
      );
      // 0.1.0 opens a keyspace whose tables of these names say just that; it looks at no others.
      const ofOld = new Set(["claims", "counts_10ms", "counts_1m", "counts_1s", "events"]);
      const comments = rows.filter((row) => ofOld.has(String(row.get("table_name")))).map((row) => row.get("comment"));
      expect(comments).toEqual(Array(5).fill("reto3 schema 1"));
    },
    SCHEMA_MS,
  );

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
