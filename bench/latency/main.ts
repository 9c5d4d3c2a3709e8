// How long an event waits for its 200, and until `count` shows it. The question: README.md.

import { join } from "node:path";
import type { CommitlogSync } from "../../scripts/cassandra/node-config.ts";
import { executable, startListening, type Server } from "../../test/support/reto3.ts";
import { benchFlags } from "../support/flags.ts";
import { loadInto } from "../support/load.ts";
import { CLIENT_CORE, finish, pinned, SERVER_CORE } from "../support/process.ts";
import { Measured, report } from "../support/result.ts";
import { inTurns } from "../support/rounds.ts";
import { newStore, warmCassandra, sqliteFolder } from "../support/stores.ts";
import type { Probe } from "./prober.ts";

const flags = benchFlags(
  {
    stores: "sqlite,batch,group,periodic",
    rates: "1000,5000,10000,20000",
    "requests-per-connection": "0,10",
    pairs: "5",
    seconds: "3",
  },
  { stores: "sqlite,batch", rates: "1000,5000", pairs: "1" },
);
const seconds = flags.number("seconds");

/** The load has looked at the counts before its first event by then; and the last probe is visible before it looks again. */
const PROBER_DELAY_MS = 800;
const PROBER_END_MS = 500;
/** Where a rate is not held, the run ends all the same. */
const OVERLOADED = ["--timeout", "5s", "--settle", "5s"];
const prober = [process.execPath, join(import.meta.dir, "prober.ts")];

await using resources = new AsyncDisposableStack();
const servers = new Map<string, Server>();
for (const store of flags.words("stores")) servers.set(store, await serveOn(store));

const turns = flags
  .numbers("rates")
  .flatMap((rps) =>
    flags
      .numbers("requests-per-connection")
      .flatMap((perConnection) => [...servers].map(([store, server]) => ({ store, server, rps, perConnection }))),
  );
const latency = new Measured("Ack, from when an event was due, and visibility, from when a probe was sent");
for (const [, { url }] of servers) await loadInto(url, 5_000, 2);
await inTurns(
  turns,
  flags.number("pairs"),
  ({ store, rps, perConnection }) => `${store}, ${rps}/s, ${perConnection}`,
  async (turn) => {
    const {
      store,
      server: { url },
      rps,
      perConnection,
    } = turn;
    const loading = loadInto(url, rps, seconds, ["--requests-per-connection", String(perConnection), ...OVERLOADED]);
    await Bun.sleep(PROBER_DELAY_MS);
    const probing = finish(
      pinned(CLIENT_CORE, [...prober, url, String(seconds - (PROBER_DELAY_MS + PROBER_END_MS) / 1_000)]),
    );
    const [{ report: load }, { stdout }] = await Promise.all([loading, probing]);
    const probes = JSON.parse(stdout) as Probe[];
    const { p50, p99, p999, max } = load.latencyMs.fromSchedule;
    const visible = probes.map(({ visibleMs }) => visibleMs).toSorted((a, b) => a - b);
    const afterAck = probes.map(({ visibleMs, ackedMs }) => visibleMs - ackedMs).toSorted((a, b) => a - b);
    latency.add(
      { store, "rate, /s": rps, connections: perConnection === 0 ? "kept" : `new every ${perConnection}` },
      {
        "reached, /s": load.acked / load.seconds,
        "not acked": load.sent - load.acked,
        "acked, not counted": load.acked + probes.length - (load.counted ?? 0),
        "ack p50 ms": p50,
        p99: p99,
        "p99.9": p999,
        max: max,
        "visible p50 ms": at(visible, 0.5),
        "visible p99": at(visible, 0.99),
        "visible max": at(visible, 1),
        "visible after the ack, p50 ms": at(afterAck, 0.5),
        probes: probes.length,
        "asked after the ack and not shown": probes.reduce((sum, { blindAfterAck }) => sum + blindAfterAck, 0),
      },
    );
  },
);
await report("latency", flags, [latency]);

/** One serve for each store, all on one core: those whose turn it is not have nothing to do. */
async function serveOn(store: string): Promise<Server> {
  const on =
    store === "sqlite"
      ? resources.use(sqliteFolder())
      : resources.use(
          await warmCassandra(CLIENT_CORE, {
            commitlogSync: store as CommitlogSync,
            warmUpSeconds: flags.short ? 2 : 10,
          }),
        );
  return resources.use(
    await startListening(pinned(SERVER_CORE, [executable, "serve", "--port", "0", "--store", newStore(on)])),
  );
}

function at(sorted: readonly number[], quantile: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * quantile))] ?? Number.NaN;
}
