// The yardstick of this bench: batches through the driver in a loop, and nothing else. Prints one JSON line.
//
//   bun bench/insert/bare-loop.ts STORE BATCH SECONDS

import { Client, types } from "cassandra-driver";
import { openStore } from "../../src/store/open.ts";
import { parseCassandraUrl } from "../../src/store/cassandra/url.ts";

const [address = "", batchText = "50", secondsText = "5"] = process.argv.slice(2);
const batch = Number(batchText);

// The product makes the tables, so that they are the same; from then on only the driver is used.
const store = await openStore(address, { mode: "scratch" });
const { hosts, port, datacenter, keyspace } = parseCassandraUrl(store.info.location);
const client = new Client({
  contactPoints: [...hosts],
  protocolOptions: { port },
  localDataCenter: datacenter,
  keyspace,
  queryOptions: { consistency: types.consistencies.localQuorum, prepare: true },
});
await client.connect();

const insertEvent = "INSERT INTO events (minute, writer, seq, created_us, received_us) VALUES (?, ?, ?, ?, ?)";
const counts = "minute, writer, bucket_us, events, lag_sum_us, lag_min_us, lag_max_us";
const insert10ms = `INSERT INTO counts_10ms (${counts}) VALUES (?, ?, ?, ?, ?, ?, ?)`;
const insert1s = `INSERT INTO counts_1s (${counts}, lag_hist) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`;
const insert1m = `INSERT INTO counts_1m (${counts}, lag_hist) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`;
/** As large as those of bench-insert on average, whose events are created as they are sent (measured, batch 50). */
const lagHist1s = Buffer.alloc(55);
const lagHist1m = Buffer.alloc(183);
const writer = types.Uuid.random();

await writeFor(1);
const seconds = Number(secondsText);
const { rows, elapsed } = await writeFor(seconds);
console.log(JSON.stringify({ rows, rowsPerSec: Math.round(rows / elapsed) }));
await client.shutdown();
await store.close();

async function writeFor(limitSeconds: number): Promise<{ rows: number; elapsed: number }> {
  const started = performance.now();
  let seq = 0;
  while (performance.now() - started < limitSeconds * 1_000) {
    const now = Date.now() * 1_000;
    const minute = now - (now % 60_000_000);
    const statements: { query: string; params: unknown[] }[] = [];
    for (let at = 0; at < batch; at++) {
      statements.push({ query: insertEvent, params: [minute, writer, seq++, now, now] });
    }
    const total = (bucketUs: number) => [minute, writer, now - (now % bucketUs), seq, 1, 1, 1];
    statements.push({ query: insert10ms, params: total(10_000) });
    statements.push({ query: insert1s, params: [...total(1_000_000), lagHist1s] });
    statements.push({ query: insert1m, params: [...total(60_000_000), lagHist1m] });
    await client.batch(statements, { logged: false, timestamp: types.Long.fromNumber(now) });
  }
  return { rows: seq, elapsed: (performance.now() - started) / 1_000 };
}
