// `reto3 monitor pipeline`: events per second and LAG of all servers of a store, a line a second.

import { systemClock } from "../src/clock.ts";
import { ndjsonLine } from "../src/monitor/documents.ts";
import { Pipeline } from "../src/monitor/pipeline.ts";
import { defineCommand, duration, type Values } from "./flags.ts";
import { monitorFlags, runMonitor } from "./monitor-flags.ts";
import { openStoreAt, storeFlag } from "./store-flag.ts";

const flags = {
  store: storeFlag,
  ...monitorFlags,
  interval: duration({ default: "1s", minMs: 1_000, description: "how often a line is written" }),
};

export const command = defineCommand({
  name: "monitor pipeline",
  summary: "Writes TPS and LAG of all servers of a store into a log, from its counts",
  flags,
  notes: `One line an interval, in pipeline-YYYY-MM-DD.ndjson:
  reto.tps      events per second, of all seconds that were complete since the line before
  reto.events   how many events these are; reto.seconds: how many seconds
  reto.lag.*    LAG in ms, stored minus created: min, avg, p50, p95, p99, max; how many were negative (the
                client's clock is ahead), how many clamped (an hour or more)

A second is looked at when it has been over for one. What is stored later still (after a failure of the store) is missing
here and right in the counts: lines are not written again.

Examples:
  reto3 monitor pipeline
  reto3 monitor pipeline --store 'cassandra://127.0.0.1:9042/reto3?dc=datacenter1' --log-dir /var/log/reto3 --interval 10s
  tail -f logs/pipeline-*.ndjson | jq -c '[."@timestamp", .reto.tps, .reto.lag.p99_ms]'`,
  run: monitorPipeline,
});

async function monitorPipeline(values: Values<typeof flags>): Promise<number> {
  const store = await openStoreAt(values.store, { mode: "read" });
  const clock = systemClock();
  const pipeline = new Pipeline(store, clock.nowUs());
  try {
    return await runMonitor(
      "pipeline",
      `TPS and LAG of ${store.info.location}`,
      values,
      ({ log, hostName, stats, run }) =>
        run((nowMs) =>
          pipeline.sample(clock.nowUs(), ({ toUs, fields }) => {
            const head = { timestampUs: toUs, id: `${hostName}-${toUs / 1_000}`, hostName, failures: stats.failures };
            log.append([ndjsonLine("pipeline", head, fields)], nowMs);
          }),
        ),
    );
  } finally {
    await store.close();
  }
}
