// `reto3 monitor counts`: the counts of all three periods as a log, each bucket once it has closed.

import { join } from "node:path";
import { systemClock } from "../src/clock.ts";
import { Reto3Error, quote } from "../src/errors.ts";
import { CountsLog, firstBucketUs } from "../src/monitor/counts.ts";
import { stateFile } from "../src/monitor/counts-state.ts";
import { INSTANT_FORM, parseInstantUs } from "../src/units.ts";
import { defineCommand, duration, text, type Values } from "./flags.ts";
import { monitorFlags, runMonitor } from "./monitor-flags.ts";
import { log as messages } from "./output.ts";
import { openStoreAt, storeFlag } from "./store-flag.ts";

const flags = {
  store: storeFlag,
  ...monitorFlags,
  interval: duration({ default: "1s", minMs: 100, description: "how often it looks for closed buckets" }),
  from: text("time", {
    description: `at the first start, begin with the minute of this time: ${INSTANT_FORM}; default: now`,
  }),
};

export const command = defineCommand({
  name: "monitor counts",
  summary: "Writes the counts per 10 ms, second and minute into a log, each bucket once it has closed",
  flags,
  notes: `One line for each bucket that has events, in counts-YYYY-MM-DD.ndjson: its start (@timestamp), reto.granularity (10ms, 1s, 1m),
reto.count, and LAG. A bucket is written half a second after its end, and again, with the same event.id, when its count
changed: the line that was written last (reto.written_ms) is right. Their sum is what 'reto3 count' says.

Where it was is in counts.state.json beside the log, and in the log itself: after a restart, a crash, a power cut or days of
absence it goes on where it was, and leaves nothing out that has not expired; what has is told of on stderr. One such monitor a
store and a folder. At 10 ms this is 100 lines a second at most, 2.8 GB a day; see --log-keep.

Examples:
  reto3 monitor counts
  reto3 monitor counts --from '2026-11-23 05:00'
  reto3 monitor counts --store 'cassandra://127.0.0.1:9042/reto3?dc=datacenter1' --log-dir /var/log/reto3`,
  run: monitorCounts,
});

async function monitorCounts(values: Values<typeof flags>): Promise<number> {
  const clock = systemClock();
  const from = values.from === undefined ? clock.nowUs() : parseInstantUs(values.from);
  if (from === undefined)
    throw new Reto3Error("USAGE", `--from: ${quote(values.from ?? "")} is not understood; want ${INSTANT_FORM}`);
  const fromUs = firstBucketUs(from);
  const store = await openStoreAt(values.store, { mode: "read" });
  try {
    return await runMonitor("counts", `counts of ${store.info.location}`, values, async (monitor) => {
      const state = stateFile(join(values["log-dir"], "counts.state.json"));
      const warn = (line: string) => messages.warn(line);
      const counts = await CountsLog.open({ ...monitor, store, clock, state, fromUs, warn });
      await monitor.run(() => counts.round());
      counts.save();
    });
  } finally {
    await store.close();
  }
}
