// What viewers of GET /live cost the server. The question: README.md.

import { executable, startListening } from "../../test/support/reto3.ts";
import { benchFlags } from "../support/flags.ts";
import { loadInto } from "../support/load.ts";
import { CLIENT_CORE, pin, pinned, rssBytes, SERVER_CORE, treeCpuSeconds } from "../support/process.ts";
import { Measured, report } from "../support/result.ts";
import { inTurns } from "../support/rounds.ts";
import { newStore, sqliteFolder } from "../support/stores.ts";

const flags = benchFlags(
  { viewers: "0,1,100", rate: "5000", seconds: "12", pairs: "5" },
  { viewers: "0,100", seconds: "4", pairs: "1" },
);

await using resources = new AsyncDisposableStack();
const store = newStore(resources.use(sqliteFolder()));
const command = [executable, "serve", "--port", "0", "--store", store];
const server = resources.use(await startListening(pinned(SERVER_CORE, command)));
pin(process.pid, CLIENT_CORE);
const cost = new Measured("Viewers of GET /live");
await loadInto(server.url, flags.number("rate"), 3);
await inTurns(flags.numbers("viewers"), flags.number("pairs"), String, async (viewers) => {
  const leave = new AbortController();
  const told = { bytes: 0 };
  await Promise.all(Array.from({ length: viewers }, () => lookOn(leave.signal, told)));
  const [cpuBefore, bytesBefore] = [treeCpuSeconds(server.pid), told.bytes];
  const seconds = flags.number("seconds");
  const { report: load } = await loadInto(server.url, flags.number("rate"), seconds);
  if (!load.holds) throw new Error(String(load.problem));
  cost.add(
    { viewers },
    {
      "serve, cores": (treeCpuSeconds(server.pid) - cpuBefore) / load.seconds,
      "serve, MB": rssBytes(server.pid) / 1e6,
      "told to each, kB/s": viewers === 0 ? 0 : (told.bytes - bytesBefore) / viewers / load.seconds / 1_000,
      "ack p50, ms": load.latencyMs.fromSchedule.p50,
      "ack p99": load.latencyMs.fromSchedule.p99,
      "not acked": load.sent - load.acked,
    },
  );
  leave.abort();
});
await report("viewers", flags, [cost]);

/** Resolves with the first message; goes on reading until `signal`. */
async function lookOn(signal: AbortSignal, told: { bytes: number }): Promise<void> {
  const { ok, status, body } = await fetch(`${server.url}/live`, { signal });
  if (!ok || !body) throw new Error(`GET /live: status ${status}`);
  const reader = body.getReader();
  const read = async () => {
    const { value } = await reader.read();
    told.bytes += value?.length ?? 0;
  };
  await read();
  void (async () => {
    while (!signal.aborted) await read();
  })().catch(() => {});
}
