// A run of many minutes that things happen to at known times: does `reto3 report` find them? The question: README.md.

import { join } from "node:path";
import { executable, startListening, temporaryFolder } from "../../test/support/reto3.ts";
import { benchFlags } from "../support/flags.ts";
import { loadInto } from "../support/load.ts";
import { pinned, SERVER_CORE } from "../support/process.ts";
import { analysisFolder, keepCharts, reportText } from "../support/report.ts";
import { newStore, sqliteFolder } from "../support/stores.ts";

const flags = benchFlags({ minutes: "12", rps: "5000", seed: "20160528" }, { minutes: "2", rps: "1000" });

/** A count is complete by then (COMPLETE_AFTER_MS). */
const COMPLETE_MS = 8_000;

await using resources = new AsyncDisposableStack();
const records = resources.use(temporaryFolder());
const [all, other] = ["all", "other"].map((name) => join(records.path, `${name}.ndjson`)) as [string, string];
const store = newStore(resources.use(sqliteFolder()));
const server = await start("0");
const happened: string[] = [];
const shape = ["--arrivals", "poisson", "--seed", flags.values.seed];
// Neither load is alone there, so its own check fails: the report tells whether all adds up.
const loading = loadInto(server.url, flags.number("rps"), flags.number("minutes") * 60, [...shape, "--record", all]);
await quarter();
happens("the server is stopped (SIGSTOP) for 3 s");
server.pause();
await Bun.sleep(3_000);
server.resume();
await quarter();
happens("the server is killed (SIGKILL), and started again after 2 s");
server.kill("SIGKILL");
await server.exited;
await Bun.sleep(2_000);
await start(server.port);
await quarter();
happens("another client sends 2,000/s for 20 s");
await loadInto(server.url, 2_000, 20, ["--record", other, "--settle", "0s"]);
await loading;
await Bun.sleep(COMPLETE_MS);
const args = ["--store", store, "--record", all, "--record", other, "--asked", flags.values.rps];
const text = `${happened.join("\n")}\n\n${await reportText(args)}`;
console.log(text);
if (!flags.short) {
  await keepCharts("incident", args, ["rate", "lag", "sent", "fano"]);
  await Bun.write(join(analysisFolder, "incident.txt"), text);
}

async function start(port: string) {
  const command = pinned(SERVER_CORE, [executable, "serve", "--port", port, "--store", store]);
  return resources.use(await startListening(command));
}

function quarter(): Promise<void> {
  return Bun.sleep((flags.number("minutes") * 60_000) / 4);
}

function happens(what: string): void {
  happened.push(`${new Date().toISOString()} ${what}`);
  console.error(happened.at(-1));
}
