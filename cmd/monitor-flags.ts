// What the three monitors have in common: where their log goes, how often they look, and their life from start to signal.

import { hostname } from "node:os";
import { LOG_FILE_BYTES_MAX, LOG_KEEP_MIN_MS, LOG_KEEP_MS } from "../src/config.ts";
import type { DatasetName } from "../src/monitor/documents.ts";
import { LogFile } from "../src/monitor/log-file.ts";
import { runRounds, type MonitorStats } from "../src/monitor/rounds.ts";
import { formatBytes, formatDurationMs } from "../src/units.ts";
import { bytes, duration, text } from "./flags.ts";
import { log } from "./output.ts";

export const logDirFlag = text("folder", {
  default: "logs",
  env: "RETO3_LOG_DIR",
  description: "where the log is written: NAME-YYYY-MM-DD.ndjson, one object a line",
});

export const monitorFlags = {
  "log-dir": logDirFlag,
  "host-name": text("name", {
    default: hostname(),
    env: "RETO3_HOST_NAME",
    description: "the host.name in each line",
  }),
  "log-file-max": bytes({
    default: formatBytes(LOG_FILE_BYTES_MAX).replace(" ", ""),
    env: "RETO3_LOG_FILE_MAX",
    description: "a file of this size gets nothing more, the next one is NAME-YYYY-MM-DD.1.ndjson",
  }),
  "log-keep": duration({
    default: formatDurationMs(LOG_KEEP_MS),
    minMs: LOG_KEEP_MIN_MS,
    env: "RETO3_LOG_KEEP",
    description: "a file goes when nothing was written to it for so long",
  }),
};

export interface Monitor {
  readonly log: LogFile;
  readonly hostName: string;
  readonly stats: MonitorStats;
  /** Aborted by SIGTERM or SIGINT. */
  readonly signal: AbortSignal;
  /** Calls `round` at each interval until a signal comes. */
  readonly run: (round: (nowMs: number) => Promise<void> | void) => Promise<void>;
}

/** Says where it writes, and closes the log at the end. `what` is for people. */
export async function runMonitor(
  name: DatasetName,
  what: string,
  values: {
    "log-dir": string;
    "host-name": string;
    "log-file-max": number;
    "log-keep": number;
    interval: number;
  },
  body: (monitor: Monitor) => Promise<void>,
): Promise<number> {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
  const file = new LogFile({
    folder: values["log-dir"],
    name,
    bytesMax: values["log-file-max"],
    keepMs: values["log-keep"],
    warn: (line) => log.warn(line),
  });
  const { interval: intervalMs } = values;
  const stats: MonitorStats = { failures: 0 };
  log.info(`${what} every ${formatDurationMs(intervalMs)}, to ${values["log-dir"]}/${name}-*.ndjson`);
  try {
    await body({
      log: file,
      hostName: values["host-name"],
      stats,
      signal: stop.signal,
      run: (round) => runRounds({ intervalMs, signal: stop.signal, round, warn: (line) => log.warn(line) }, stats),
    });
  } finally {
    file.close();
  }
  log.info(`stopped${stats.failures > 0 ? `; failed rounds: ${stats.failures}` : ""}`);
  return 0;
}
