// `reto3 health`: one question to a running serve, or a look at a monitor's log; for health checks of containers: exit 0 or 1.

import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { DEFAULT_PORT } from "../src/config.ts";
import { messageOf } from "../src/errors.ts";
import { noAnswer } from "../src/load/no-answer.ts";
import { DATASETS, type DatasetName } from "../src/monitor/documents.ts";
import { formatDurationMs } from "../src/units.ts";
import { defineCommand, duration, oneOf, text, toggle, whole, type Values } from "./flags.ts";
import { logDirFlag } from "./monitor-flags.ts";
import { log, print } from "./output.ts";
import { readCa } from "./secret-files.ts";
import { parseServerUrl, wantTlsForCa } from "./server-url.ts";

const MONITORS = Object.keys(DATASETS) as DatasetName[];

const flags = {
  port: whole("port", 1, 65_535, {
    default: String(DEFAULT_PORT),
    env: "RETO3_PORT",
    description: "port of the serve on this machine",
  }),
  url: text("url", {
    env: "RETO3_HEALTH_URL",
    description: "where it is, instead of --port: http://HOST:PORT/ or https://HOST:PORT/",
  }),
  ca: text("file", {
    env: "RETO3_CA",
    description: "trusts an https:// server by the certificates in this file (PEM), instead of those that all trust",
  }),
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
  reto3 health --url https://reto3.example:8080/ --ca ca.pem
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

async function askServer({ port, url, ca: caFile, live, timeout }: Values<typeof flags>): Promise<number> {
  const base = parseServerUrl(url ?? `http://127.0.0.1:${port}/`);
  wantTlsForCa(base, caFile);
  const tls = caFile === undefined ? undefined : { ca: readCa(caFile) };
  const address = new URL(live ? "/healthz" : "/readyz", base).href;
  try {
    const response = await fetch(address, {
      signal: AbortSignal.timeout(timeout),
      redirect: "manual",
      // Said here, or a variable of the environment could switch it off (NODE_TLS_REJECT_UNAUTHORIZED).
      tls: { rejectUnauthorized: true, ...tls },
    });
    const said = (await response.text()).trim() || `status ${response.status}`;
    if (response.status === 200) {
      await print(`${said}\n`);
      return 0;
    }
    log.error(`${address}: ${said}`);
  } catch (error) {
    const { reason, hint } = noAnswer(error);
    log.error(`${address}: no answer: ${reason}; ${hint}`);
  }
  return 1;
}
