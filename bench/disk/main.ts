// Sends a stream of many times what raw events have room for, and prints what the disk holds meanwhile. The question: README.md.
//
//   bun bench/disk/main.ts sqlite|cassandra --rps 5000 --minutes 20

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startCassandra } from "../../scripts/cassandra/cluster.ts";
import { smallCassandra, smallSqlite, streamThrough, thirdsOf, type SmallStore } from "../../test/support/disk.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rps: { type: "string", default: "5000" },
    minutes: { type: "string", default: "20" },
    "max-bytes": { type: "string", default: "20000000" },
    ttl: { type: "string", default: "60" },
  },
});
const rps = Number(values.rps);
const seconds = Number(values.minutes) * 60;

if (positionals[0] === "cassandra") {
  await using cluster = await startCassandra({ heapMb: 1_024 });
  await using store = smallCassandra(cluster, Number(values.ttl));
  await run(store);
} else {
  const folder = mkdtempSync(join(tmpdir(), "reto3-disk-"));
  try {
    await run(smallSqlite(join(folder, "small.db"), Number(values["max-bytes"])));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function run(store: SmallStore): Promise<void> {
  const { load, samples, counted, recount } = await streamThrough(store, { rps, seconds });
  const mb = (bytes = 0) => (bytes / 1e6).toFixed(2);
  console.log(`${store.budget}; sent ${load.sent}, acked ${load.acked}, counted ${JSON.stringify(counted)}`);
  console.log(`peak of raw events by thirds of the run: ${thirdsOf(samples).peaks.map(mb).join(", ")} MB`);
  console.log(
    `count --source events: exit ${recount.code}, printed ${recount.stdout.length} bytes, ${recount.stderr.trim()}`,
  );
  console.log("| minute | raw events, highest MB | all else, MB | log, MB |\n| --- | --- | --- | --- |");
  for (let minute = 0; minute * 60 < seconds; minute++) {
    const some = samples.filter((one) => Math.floor(one.seconds / 60) === minute);
    const last = some.at(-1);
    console.log(
      `| ${minute + 1} | ${mb(Math.max(0, ...some.map(({ raw }) => raw)))} | ${mb(last?.rest)} | ${mb(last?.log)} |`,
    );
  }
}
