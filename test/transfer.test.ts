// Export and import, end to end: what other tools read of a store, and what a second store says.

import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import type { Clock } from "../src/clock.ts";
import { FLUSH_EVENTS_MAX } from "../src/config.ts";
import { MINUTE_US } from "../src/period.ts";
import { openStore } from "../src/store/open.ts";
import { FlushSequence } from "../src/writer/sequence.ts";
import { hasCassandra, testKeyspace } from "./support/cassandra.ts";
import { reto3, temporaryFolder, type Ended } from "./support/reto3.ts";

const executable = join(import.meta.dir, "../dist/reto3");
const PERIODS = ["10ms", "1s", "1m"];

interface Filled {
  store: string;
  /** What was stored, in the order of an export: received, created. */
  events: { receivedUs: number; createdUs: bigint }[];
  /** The flags that name all of it. */
  range: string[];
}

/** Two minutes of a writer each, some minutes ago, sealed; created at odd times. In flushes of a hundred events and more. */
async function fill(folder: string, eventsPerMinute: number): Promise<Filled> {
  const flushEvents = Math.min(FLUSH_EVENTS_MAX, Math.max(100, eventsPerMinute / 3));
  const store = `sqlite:${join(folder, "events.db")}`;
  const opened = await openStore(store, { mode: "serve", retention: { events: null } });
  const firstUs = Math.floor(Date.now() / 60_000 - 20) * MINUTE_US;
  const events: Filled["events"] = [];
  for (const minuteUs of [firstUs, firstUs + MINUTE_US]) {
    const clock: Clock = { nowUs: () => minuteUs + MINUTE_US, epoch: 0 };
    const sequence = new FlushSequence({ store: opened, clock, signal: new AbortController().signal });
    const all = Array.from({ length: eventsPerMinute }, (_, at) => {
      const receivedUs = minuteUs + Math.floor((at * MINUTE_US) / eventsPerMinute);
      return { receivedUs, createdUs: at % 100 === 0 ? -62_135_596_800_000_000n : BigInt(receivedUs - (at % 977)) };
    });
    for (let at = 0; at < all.length; at += flushEvents) {
      const part = all.slice(at, at + flushEvents);
      const receivedUs = part.map((event) => event.receivedUs);
      await sequence.flush({ minuteUs, epoch: 0, receivedUs, createdUs: part.map(({ createdUs }) => createdUs) });
    }
    await sequence.close();
    events.push(...all);
  }
  await opened.close();
  const iso = (us: number) => new Date(us / 1_000).toISOString().replace("T", " ").slice(0, 19);
  return { store, events, range: ["--from", iso(firstUs), "--to", iso(firstUs + 2 * MINUTE_US)] };
}

/** Deletes rows as a lifetime would. */
function expire(folder: string, sql: string): void {
  using db = new Database(join(folder, "events.db"));
  db.run(sql);
}

const micros = { timestampFromMicroseconds: (us: bigint) => us };

async function parquetRows(path: string) {
  const file = await asyncBufferFromFile(path);
  const { row_groups } = await parquetMetadataAsync(file);
  return { groups: row_groups.length, rows: await parquetReadObjects({ file, parsers: micros }) };
}

describe("an export of counts", () => {
  test.each(PERIODS)("per %s is as CSV what count prints, and as Parquet the same numbers", async (period) => {
    using folder = temporaryFolder();
    const { store, events, range } = await fill(folder.path, 300);
    const asked = ["--store", store, "--period", period, ...range];
    const counted = await reto3(["count", "--format", "csv", ...asked]);
    const exported = await reto3(["export", ...asked]);
    expect(exported).toEqual(counted);
    expect(exported.stderr).toContain(`${events.length} events; complete\n`);
    const path = join(folder.path, "counts.parquet");
    expect((await reto3(["export", ...asked, "--format", "parquet", "--output", path])).code).toBe(0);
    const { rows } = await parquetRows(path);
    const lines = rows.map((row) => {
      const bucket = new Date(Number((row["bucket"] as bigint) / 1_000n)).toISOString();
      return [bucket, row["events"], row["lag_min_us"], row["lag_avg_us"], row["lag_max_us"]].join(",");
    });
    expect(lines).toEqual(counted.stdout.trimEnd().split("\n").slice(1));
  });

  test("that have expired is an error, and leaves no file", async () => {
    using folder = temporaryFolder();
    const { store, range } = await fill(folder.path, 300);
    expire(folder.path, "DELETE FROM counts_10ms WHERE bucket_us = (SELECT min(bucket_us) FROM counts_10ms)");
    const before = readdirSync(folder.path);
    const output = ["--output", join(folder.path, "counts.csv")];
    const { code, stderr } = await reto3(["export", "--store", store, "--period", "10ms", ...range, ...output]);
    expect([code, readdirSync(folder.path)]).toEqual([1, before]);
    expect(stderr).toMatch(/299 of its 300 events; the others .*have expired.*\n {2}hint: /);
  });
});

describe("an export of events", () => {
  test("has every event, as CSV and as Parquet of several row groups", async () => {
    using folder = temporaryFolder();
    const { store, events, range } = await fill(folder.path, 60_000);
    const asked = ["export", "--what", "events", "--store", store, ...range];
    const { code, stdout, stderr } = await reto3(asked);
    expect([code, stderr]).toEqual([0, `[info] ${events.length} events; complete\n`]);
    const [header, ...lines] = stdout.trimEnd().split("\n");
    expect([header, lines.length]).toEqual(["received,created,minute,writer,seq", events.length]);
    expect(lines[100]).toMatch(
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:00\.100000Z,0001-01-01T00:00:00\.000000Z,\d{4}-\d\d-\d\dT\d\d:\d\d:00\.000000Z,[0-9a-f-]{36},100$/,
    );
    const path = join(folder.path, "events.parquet");
    expect((await reto3([...asked, "--format", "parquet", "--output", path])).code).toBe(0);
    const { groups, rows } = await parquetRows(path);
    expect(groups).toBe(2);
    expect(
      rows.map(({ received, created }) => ({ receivedUs: Number(received), createdUs: created as bigint })),
    ).toEqual(events);
    const partOf = (line: string) => line.split(",").slice(3);
    expect(rows.map(({ writer, seq }) => [writer, String(seq)])).toEqual(lines.map(partOf));
  });

  test("says what has expired", async () => {
    using folder = temporaryFolder();
    const { store, range } = await fill(folder.path, 300);
    expire(
      folder.path,
      "DELETE FROM event_batches WHERE seq < 100 AND minute = (SELECT min(minute) FROM event_batches)",
    );
    const { code, stdout, stderr } = await reto3(["export", "--what", "events", "--store", store, ...range]);
    expect([code, stdout.trimEnd().split("\n").length]).toEqual([0, 1 + 500]);
    expect(stderr).toBe(
      "[info] 500 events; complete\n[warn] left out: the raw events of 1 of 2 partitions have expired or were not kept (100 of 300 events in those minutes)\n",
    );
  });

  test("of no range is of the last hour, and says so", async () => {
    using folder = temporaryFolder();
    const { store, events } = await fill(folder.path, 10);
    const { stdout, stderr } = await reto3(["export", "--what", "events", "--period", "10ms", "--store", store]);
    expect(stdout.trimEnd().split("\n").length).toBe(1 + events.length);
    expect(stderr).toContain("the last 1h: from ");
  });

  test("that nobody reads to its end ends quietly", async () => {
    using folder = temporaryFolder();
    const { store, range } = await fill(folder.path, 60_000);
    const command = `'${executable}' export --what events --store '${store}' ${range.map((one) => `'${one}'`).join(" ")}`;
    for (const shell of [`${command} | head -n 1`, `${command} --format parquet | head -c 4`]) {
      const child = Bun.spawn(["bash", "-o", "pipefail", "-c", shell], { stdout: "pipe", stderr: "pipe" });
      expect(await new Response(child.stdout).text()).toMatch(/^(received,created,minute,writer,seq\n|PAR1)$/);
      expect([await child.exited, await new Response(child.stderr).text()]).toEqual([0, ""]);
    }
  });

  test("that is interrupted leaves no file", async () => {
    using folder = temporaryFolder();
    const { store, range } = await fill(folder.path, 60_000);
    const before = readdirSync(folder.path);
    const output = ["--output", join(folder.path, "events.csv")];
    const command = [executable, "export", "--what", "events", "--store", store, ...range, ...output];
    const isWriting = () => readdirSync(folder.path).some((name) => name.includes(".partial-"));
    for (;;) {
      const child = Bun.spawn(command, { stdout: "ignore", stderr: "pipe" });
      while (!isWriting() && child.exitCode === null) await Bun.sleep(1);
      child.kill("SIGINT");
      const code = await child.exited;
      if (code === 0) {
        // It was done before the signal came.
        rmSync(join(folder.path, "events.csv"));
        continue;
      }
      expect([code, readdirSync(folder.path)]).toEqual([1, before]);
      expect(await new Response(child.stderr).text()).toContain("interrupted");
      break;
    }
  });
});

describe("an export's output", () => {
  test("replaces a file only with --force", async () => {
    using folder = temporaryFolder();
    const { store, range } = await fill(folder.path, 10);
    const path = join(folder.path, "a.csv");
    writeFileSync(path, "mine");
    const asked = ["export", "--store", store, ...range, "--output", path];
    const refused = await reto3(asked);
    expect([refused.code, readFileSync(path, "utf8")]).toEqual([2, "mine"]);
    expect(refused.stderr).toContain("is there already; --force replaces it");
    expect((await reto3([...asked, "--force"])).code).toBe(0);
    expect(readFileSync(path, "utf8")).toStartWith("bucket,events,");
  });

  test("is no terminal if it is Parquet", async () => {
    using folder = temporaryFolder();
    const { store } = await fill(folder.path, 10);
    let said = "";
    await using terminal = new Bun.Terminal({ data: (_, bytes) => void (said += new TextDecoder().decode(bytes)) });
    const child = Bun.spawn([executable, "export", "--store", store, "--format", "parquet"], { terminal });
    expect(await child.exited).toBe(2);
    while (!said.includes("Parquet is not for terminals")) await Bun.sleep(1);
  });
});

describe("an import", () => {
  test.skipIf(!hasCassandra)(
    "from SQLite into Cassandra makes both say the same, and repeats for nothing",
    async () => {
      using folder = temporaryFolder();
      await using keyspace = testKeyspace();
      const { store, events, range } = await fill(folder.path, 12_000);
      const args = ["import", "--from-store", store, "--store", keyspace.address, "--format", "json"];
      const first = await reto3(args);
      expect([first.code, resultOf(first)]).toEqual([
        0,
        {
          partitions: { copied: 2, skipped: 0, open: 0 },
          events: events.length,
          rawEvents: { copied: events.length, missing: 0 },
        },
      ]);
      for (const period of PERIODS) {
        const asked = ["--period", period, "--format", "json", ...range];
        const answers = [store, keyspace.address].map((one) => reto3(["count", "--store", one, ...asked]));
        const [here, there] = (await Promise.all(answers)).map(({ stdout }) => JSON.parse(stdout) as object);
        const asOf = expect.any(String) as unknown;
        expect({ ...there, now: asOf }).toEqual({ ...here, now: asOf });
      }
      const fromRaw = ["--source", "events", "--period", "1m", "--format", "json", ...range];
      const recounted = await reto3(["count", "--store", keyspace.address, ...fromRaw]);
      expect(JSON.parse(recounted.stdout)).toMatchObject({ events: events.length });
      expect(resultOf(await reto3(args))).toMatchObject({ partitions: { copied: 0, skipped: 2 }, events: 0 });
    },
    30_000,
  );

  test("from SQLite into SQLite says in words what it did", async () => {
    using folder = temporaryFolder();
    const { store, range } = await fill(folder.path, 300);
    expire(folder.path, "DELETE FROM event_batches WHERE seq < 100");
    const other = `sqlite:${join(folder.path, "other.db")}`;
    const { code, stdout, stderr } = await reto3(["import", "--from-store", store, "--store", other]);
    expect([code, stdout]).toEqual([
      0,
      "partitions:  2 copied, 0 skipped (already there), 0 still open in the source\n" +
        "events:      600 in the counts copied\n" +
        "raw events:  400 copied, 200 had expired in the source or were not kept\n",
    ]);
    expect(stderr).toContain("[warn] the target keeps raw events for 1h, the source for good");
    const count = (one: string) => reto3(["count", "--store", one, "--period", "10ms", "--format", "csv", ...range]);
    expect(await count(other)).toEqual(await count(store));
  });

  test("needs another store that is there, and makes none otherwise", async () => {
    using folder = temporaryFolder();
    const { store } = await fill(folder.path, 10);
    const before = readdirSync(folder.path);
    const target = ["--store", `sqlite:${join(folder.path, "other.db")}`];
    expect(await reto3(["import", ...target])).toMatchObject({ code: 2 });
    expect(await reto3(["import", "--from-store", `${store}.none`, ...target])).toMatchObject({ code: 1 });
    expect(readdirSync(folder.path)).toEqual(before);
    const itself = await reto3(["import", "--from-store", store, "--store", store]);
    expect([itself.code, itself.stderr]).toEqual([2, expect.stringContaining("both the source and the target")]);
  });
});

function resultOf({ stdout, stderr }: Ended): unknown {
  if (stdout === "") throw new Error(`import printed nothing:\n${stderr}`);
  return JSON.parse(stdout);
}
