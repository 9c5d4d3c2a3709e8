// A stream of several times what raw events have room for: the disk levels off, and every count stays exact.
// The long form, with figures for docs/: bench/disk.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { RunningCassandra } from "../scripts/cassandra/cluster.ts";
import { startWithWhatIsThere, whyNoJava } from "../scripts/cassandra/provide.ts";
import { smallCassandra, smallSqlite, streamThrough, thirdsOf, type SmallStore } from "./support/disk.ts";
import { temporaryFolder } from "./support/reto3.ts";

const START_MS = 180_000;
const RUN_MS = 300_000;

/** On a level disk the last third's mean is that of the first, in which it fills, a little more than once over; on one that only fills, five times. */
const LEVEL_RATIO_MAX = 3;

/** The files of a throw-away node are looked at, so a container or somebody else's Cassandra does not do. */
const problem = await whyNoJava();

async function expectLevelAndExact(store: SmallStore, stream: { rps: number; seconds: number }): Promise<void> {
  const { load, samples, counted, recount } = await streamThrough(store, stream);
  const { peaks, means } = thirdsOf(samples);
  const mb = (bytes: number) => (bytes / 1e6).toFixed(2);
  const last = samples.at(-1);
  console.log(
    `${store.address.split(":")[0]}: sent ${load.sent} events at ${stream.rps}/s, ${store.budget}; raw events by thirds ` +
      `of the run: mean ${means.map(mb).join(", ")} MB, peak ${peaks.map(mb).join(", ")} MB; at the end the rest ${mb(last?.rest ?? 0)} MB, the log ${mb(last?.log ?? 0)} MB; counted ${JSON.stringify(counted)}`,
  );
  expect(load).toMatchObject({ code: 0, holds: true, sent: stream.rps * stream.seconds, acked: load.sent });
  expect(counted).toEqual({ "10ms": load.sent, "1s": load.sent, "1m": load.sent });
  expect((means[2] ?? Number.NaN) / (means[0] ?? Number.NaN)).toBeLessThan(LEVEL_RATIO_MAX);
  // Nothing is printed of the first minute, whose raw events are gone in part or in whole.
  expect([recount.code, recount.stdout]).toEqual([1, ""]);
  expect(recount.stderr).toMatch(
    /the raw events of writer \S+ account for \d+ of its \d+ events; the others have expired/,
  );
}

test(
  "SQLite with a limit of 400 kB for raw events takes four times as many",
  async () => {
    using folder = temporaryFolder();
    await using store = smallSqlite(join(folder.path, "small.db"), 400_000);
    await expectLevelAndExact(store, { rps: 5_000, seconds: 60 });
  },
  RUN_MS,
);

describe.skipIf(problem !== undefined)("Cassandra", () => {
  let cluster: RunningCassandra | undefined;
  beforeAll(async () => {
    const provided = await startWithWhatIsThere();
    if (provided.kind === "started") ({ cluster } = provided);
  }, START_MS);
  afterAll(() => cluster?.stop(), START_MS);

  test(
    "with a lifetime of 15 s for raw events takes eight times as many",
    async () => {
      if (!cluster) throw new Error("no node was started");
      await using store = smallCassandra(cluster, 15);
      await expectLevelAndExact(store, { rps: 2_000, seconds: 120 });
    },
    RUN_MS,
  );
});
