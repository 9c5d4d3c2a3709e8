// `reto3 health`: one question to a running serve, or a look at a monitor's log; for health checks of containers: exit 0 or 1.

import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { DEFAULT_PORT } from "../src/config.ts";
import { messageOf, quote, Reto3Error } from "../src/errors.ts";
import { DATASETS, type DatasetName } from "../src/monitor/documents.ts";
import { formatDurationMs } from "../src/units.ts";
import { defineCommand, duration, oneOf, text, toggle, whole, type Values } from "./flags.ts";
import { logDirFlag } from "./monitor-flags.ts";
import { log, print } from "./output.ts";

const MONITORS = Object.keys(DATASETS) as DatasetName[];

const flags = {
  port: whole("port", 1, 65_535, {
    default: String(DEFAULT_PORT),
    env: "RETO3_PORT",
    description: "port of the serve on this machine",
  }),
  url: text("url", { description: "where it is, instead of --port: http://HOST:PORT/" }),
  live: toggle("only whether the process answers, not whether it takes events"),
  timeout: duration({ default: "2s", description: "no answer by then: not healthy" }),
  monitor: oneOf(MONITORS, { description: "asks no server: whether this monitor goes on writing below --log-dir" }),
  "log-dir": logDirFlag,
  within: duration({ default: "1m", description: "with --monitor: it has written in so long a time" }),
};

export const command = defineCommand({
  name: "health",
  summary: "Asks a running serve whether it takes events, or looks whether a monitor goes on writing",
  flags,
  notes: `Asks GET /readyz (with --live GET /healthz) and prints the answer.

With --monitor: how long ago its log was written to; of the counts, which are silent without events, their state.

Exit status: 0 ready, 1 not.

Examples:
  reto3 health
  reto3 health --url http://127.0.0.1:8081/
  reto3 health --live --timeout 500ms
  reto3 health --monitor counts --log-dir /var/log/reto3`,
  run: health,
});

async function health(values: Values<typeof flags>): Promise<number> {
  const { monitor, "log-dir": folder, within } = values;
  return monitor === undefined ? askServer(values) : lookAtLog(monitor, folder, within);
}

async function lookAtLog(name: DatasetName, folder: string, withinMs: number): Promise<number> {
  let writtenMs = 0;
  try {
    const files = readdirSync(folder).filter((file) => file.startsWith(`${name}-`) || file === `${name}.state.json`);
    writtenMs = Math.max(0, ...files.map((file) => statSync(join(folder, file)).mtimeMs));
  } catch (error) {
    log.error(`${folder}: ${messageOf(error)}; name the folder of the monitor with --log-dir`);
    return 1;
  }
  const agoMs = Date.now() - writtenMs;
  if (agoMs <= withinMs) {
    await print(`the ${name} monitor wrote ${Math.max(0, Math.round(agoMs / 1_000))}s ago\n`);
    return 0;
  }
  const last = writtenMs === 0 ? "nothing" : `nothing since ${new Date(writtenMs).toISOString()}`;
  log.error(
    `the ${name} monitor wrote ${last} in ${folder}, want something every ${formatDurationMs(withinMs)}; its own log says why`,
  );
  return 1;
}

async function askServer({ port, url, live, timeout }: Values<typeof flags>): Promise<number> {
  const base = URL.parse(url ?? `http://127.0.0.1:${port}/`);
  if (base?.protocol !== "http:" || base.pathname !== "/" || base.search !== "") {
    throw new Reto3Error("USAGE", `--url: ${quote(url ?? "")} is not accepted; want http://HOST:PORT/`);
  }
  const address = new URL(live ? "/healthz" : "/readyz", base).href;
  try {
    const response = await fetch(address, { signal: AbortSignal.timeout(timeout), redirect: "manual" });
    const said = (await response.text()).trim() || `status ${response.status}`;
    if (response.status === 200) {
      await print(`${said}\n`);
      return 0;
    }
    log.error(`${address}: ${said}`);
  } catch (error) {
    // The system's code says it better than fetch's advice to programmers.
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    const reason = typeof code === "string" ? code : messageOf(error);
    log.error(`${address}: no answer: ${reason}; is 'reto3 serve' running there? name it with --port or --url`);
  }
  return 1;
}
