// The supervisor of several processes that share the port: starts them, says what becomes of them, ends them in order. Takes no events.

import { messageOf, Reto3Error } from "../src/errors.ts";
import { exclusivePort } from "../src/http/server.ts";
import { Workers, type End } from "../src/http/workers.ts";
import { takesSeveralWriters } from "../src/store/open.ts";
import { formatDurationMs } from "../src/units.ts";
import { log } from "./output.ts";
import { sayWhere } from "./serve-one.ts";
import type { ServeValues } from "./serve-flags.ts";
import { stopSignal } from "./stop-signal.ts";
import { taskVariable } from "./worker-task.ts";

/** What a worker may take beyond its time for a shutdown: it answers what is left, and closes its store. */
const KILL_GRACE_MS = 5_000;

/** Resolves to the exit status. Throws USAGE where the store does not take several writers, LISTEN where the port is taken. */
export async function serveWorkers(values: ServeValues, count: number): Promise<number> {
  if (!takesSeveralWriters(values.store)) {
    throw new Reto3Error("USAGE", `--workers ${values.workers}: this store lets one process write at a time`, {
      hint: "want --workers 1, or a Cassandra (--store cassandra://HOST/KEYSPACE)",
    });
  }
  // A taken port is told at once; the first worker looks again when it is about to listen, which may be long after.
  const port = await exclusivePort(values.host, values.port);
  let hasStarted = false;
  const workers = new Workers({
    count,
    command: ownCommand(),
    env: (number) => ({ ...process.env, ...taskVariable({ number, port, takesPort: number === 1 && !hasStarted }) }),
    onStartError: (number, error) => log.error(`worker ${number} cannot be started: ${messageOf(error)}`),
    onEnd: (number, code, pauseMs) =>
      log.warn(`worker ${number} ended (exit status ${code}), starting it again in ${formatDurationMs(pauseMs)}`),
  });
  const stop = stopSignal(() => {
    workers.kill();
    process.exit(1);
  });
  const drain = () => workers.drain(values["drain-delay"] + values["drain-timeout"] + KILL_GRACE_MS);
  const started = await Promise.race([workers.start(), stop]);
  if (typeof started === "object" && "code" in started) {
    log.error("a worker ended before all of them listened; the others end, too");
    await drain();
    return started.code || 1;
  }
  hasStarted = true;
  if (typeof started === "object") sayWhere(started.url, ` with ${count} workers`);
  log.info(`${await stop}, draining`);
  return sayEnd(await drain(), values["drain-timeout"]);
}

function sayEnd(ends: readonly End[], timeoutMs: number): number {
  const sum = (of: "storedEvents" | "unknownEvents") =>
    ends.reduce((total, { summary }) => total + (summary?.[of] ?? 0), 0);
  const failed = ends.filter(({ code }) => code !== 0);
  if (failed.length === 0) {
    log.info(`drained: ${sum("storedEvents")} events stored, none left`);
    return 0;
  }
  const unknown = sum("unknownEvents") > 0 ? [`the outcome of ${sum("unknownEvents")} events is unknown`] : [];
  const how = failed.map(({ number, code, killed }) =>
    killed ? `worker ${number} did not end and was killed` : `worker ${number} ended with exit status ${code}`,
  );
  log.error(`not drained within ${formatDurationMs(timeoutMs)}: ${[...unknown, ...how].join("; ")}`);
  return 1;
}

/** The same executable with the same arguments. Run from the sources, the executable is Bun's. */
function ownCommand(): string[] {
  const sources = Bun.main.includes("$bunfs") ? [] : [Bun.main];
  return [process.execPath, ...sources, ...process.argv.slice(2)];
}
