// What `reto3 report` says of real runs: each rate, both kinds of arrivals, both stores. The question: README.md.

import { join } from "node:path";
import type { Report } from "../../src/report/model.ts";
import { executable, startListening, temporaryFolder } from "../../test/support/reto3.ts";
import { benchFlags } from "../support/flags.ts";
import { loadInto, type LoadOutput } from "../support/load.ts";
import { pinned, SERVER_CORE } from "../support/process.ts";
import { Measured, report } from "../support/result.ts";
import { keepCharts, reportOn } from "../support/report.ts";
import { newStore, sqliteFolder, warmCassandra } from "../support/stores.ts";

const flags = benchFlags(
  {
    stores: "sqlite,cassandra",
    arrivals: "poisson,bursty",
    rates: "1000,5000,10000,20000,30000,40000",
    seconds: "30",
    burst: "50",
    seed: "20160528",
  },
  { stores: "sqlite", rates: "1000,5000", seconds: "5" },
);

/** A count is complete by then (COMPLETE_AFTER_MS), and no second has events of two runs. */
const APART_MS = 8_000;

const came = new Measured("What was sent, acked and counted, and how it came");
const took = new Measured("How long it took");
const knees = new Measured("Where the p99 of the answers takes off, over all rates");
using records = temporaryFolder();
for (const kind of flags.words("stores")) await onStore(kind);
await report("analysis", flags, [came, took, knees]);

async function onStore(kind: string): Promise<void> {
  await using resources = new AsyncDisposableStack();
  const on =
    kind === "sqlite"
      ? resources.use(sqliteFolder())
      : resources.use(await warmCassandra("all", { warmUpSeconds: flags.short ? 2 : 10 }));
  const store = newStore(on);
  const command = pinned(SERVER_CORE, [executable, "serve", "--port", "0", "--store", store]);
  const { url } = resources.use(await startListening(command));
  await loadInto(url, 5_000, 2);
  await Bun.sleep(APART_MS);
  for (const arrivals of flags.words("arrivals")) {
    const made: string[] = [];
    for (const rps of flags.numbers("rates")) {
      console.error(`${kind}, ${arrivals}, ${rps}/s`);
      const record = join(records.path, `${kind}-${arrivals}-${rps}.ndjson`);
      const { report: load } = await loadInto(url, rps, flags.number("seconds"), [
        ...inShape(arrivals),
        "--record",
        record,
      ]);
      if (!load.holds) throw new Error(`${kind}, ${arrivals}, ${rps}/s: ${load.problem}`);
      await Bun.sleep(APART_MS);
      await add(
        { store: kind, arrivals, "rate, /s": rps },
        load,
        await reportOn(["--store", store, "--record", record]),
      );
      made.push(record);
    }
    if (flags.short) continue;
    await keepCharts(
      `${kind}-${arrivals}`,
      ["--store", store, "--record", made[1] ?? made[0] ?? ""],
      ["distribution-10ms", "fano", "lag"],
    );
    const all = made.flatMap((record) => ["--record", record]);
    const { knee, runs } = await reportOn(all);
    const p99s = runs.map(({ latencyMs }) => latencyMs.fromSchedule.p99);
    knees.add(
      { store: kind, arrivals, "knee, /s": knee?.ratePerSec ?? "none" },
      { "ack p99, ms: lowest": Math.min(...p99s), highest: Math.max(...p99s) },
    );
    await keepCharts(`${kind}-${arrivals}-all`, all, ["latency-quantiles", "knee"]);
  }
}

function inShape(arrivals: string): string[] {
  const shape = ["--arrivals", arrivals, ...(arrivals === "bursty" ? ["--burst", flags.values.burst] : [])];
  return [...shape, ...(arrivals === "steady" ? [] : ["--seed", flags.values.seed])];
}

async function add(of: Record<string, string | number>, load: LoadOutput, found: Report): Promise<void> {
  const { rate, lag, runs, health, sentAgainstCounted } = found;
  const [fine] = rate?.levels ?? [];
  const [run] = runs;
  came.add(of, {
    sent: load.sent,
    "not acked": load.sent - load.acked,
    "counted - acked": (sentAgainstCounted?.counted ?? Number.NaN) - load.acked,
    "counted, /s": rate?.meanPerSec ?? Number.NaN,
    "in 10 ms: mean": fine?.mean ?? Number.NaN,
    deviation: fine?.deviation ?? Number.NaN,
    p99: fine?.p99 ?? Number.NaN,
    max: fine?.max ?? Number.NaN,
    "index of dispersion": rate?.dispersion?.index ?? Number.NaN,
    "seconds that held the rate, %": 100 * (health?.held?.share ?? Number.NaN),
  });
  took.add(of, {
    "LAG p50, ms": lag?.p50Ms ?? Number.NaN,
    "LAG p99": lag?.p99Ms ?? Number.NaN,
    "LAG max": lag?.maxMs ?? Number.NaN,
    "ack p50, ms": run?.latencyMs.fromSchedule.p50 ?? Number.NaN,
    "ack p99": run?.latencyMs.fromSchedule.p99 ?? Number.NaN,
    "ack max": run?.latencyMs.fromSchedule.max ?? Number.NaN,
    "sent late p99, ms": run?.sendErrorMs.p99 ?? Number.NaN,
  });
}
