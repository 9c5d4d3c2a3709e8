// One process that takes events: wires store, writer and HTTP server, says what it promises, and shuts down in order.
// Alone, or as a worker beside others; then the first of them does what is to be done once, and says what holds for all.

import pageFile from "../dist/page.html" with { type: "text" };
import { systemClock, type Clock } from "../src/clock.ts";
import { ACK_TIMEOUT_MAX_MS, CLOCK_OFFSET_WARN_US } from "../src/config.ts";
import { settlesWithin } from "../src/deadline.ts";
import { messageOf } from "../src/errors.ts";
import type { Summary } from "../src/http/channel.ts";
import { exclusivePort, startServer, type HttpServer } from "../src/http/server.ts";
import type { Claim, Retention, Store } from "../src/store/store.ts";
import { formatDurationMs, formatTimestamp } from "../src/units.ts";
import { emptyStats, Upkeep } from "../src/upkeep/upkeep.ts";
import { Writer } from "../src/writer/writer.ts";
import { warnOfAccess, type Access } from "./access.ts";
import { openStoreInTime } from "./open-store.ts";
import { log } from "./output.ts";
import { describeRetention } from "./retention.ts";
import type { ServeValues } from "./serve-flags.ts";
import { openableUrl } from "./server-url.ts";
import { stopSignal } from "./stop-signal.ts";
import type { Supervisor } from "./supervised.ts";
import { commit, version } from "./version.ts";

/** Made by scripts/build.ts. By its attribute it is text; Bun's types know such a file without one. */
const PAGE = pageFile as unknown as string;

const CLOCK_CHECK_MS = 60_000;

/** Of the time for a shutdown, so much at most goes to clients; the rest is for the store. */
const SHARE_FOR_CLIENTS = 0.8;

const CLIENT_GRACE_MS = 1_000;

const UPKEEP_STOP_MS = 2_000;

/** `supervisor`: of which this process is a worker. Resolves to the exit status. */
export async function serveOne(values: ServeValues, access: Access, supervisor?: Supervisor): Promise<number> {
  const stop = supervisor ? supervisor.stop : stopSignal(() => process.exit(1));
  const given = new AbortController();
  const opening = openStoreInTime(
    values.store,
    { mode: "serve", rawLayout: values["raw-layout"], retention: retentionOf(values), log: (line) => log.info(line) },
    { waitMs: values["store-wait"], signal: given.signal },
  );
  const store = await Promise.race([opening, stop.then(() => undefined)]);
  if (!store) {
    log.info(`${await stop} before the store was open: nothing was taken`);
    given.abort();
    // It may still fail; nobody waits for that.
    opening.catch(() => {});
    return 0;
  }
  const clock = systemClock();
  const writer = new Writer({
    store,
    clock,
    keep: values.keep,
    ackTimeoutMs: values["ack-timeout"],
    onRetry: (what, error, tries) => {
      // The first failures and then ever fewer: a store that is away for minutes fills no log.
      if (Number.isInteger(Math.log2(tries)))
        log.warn(`${what} failed ${tries} times, trying again: ${messageOf(error)}`);
    },
    onHealth: (outcome, error) => {
      if (outcome === "stored") log.info("the store takes events again");
      else log.error(`the store does not take events (${outcome}): ${messageOf(error)}`);
    },
    onSealLost: (error) => log.warn(`a minute could not be sealed and stays open for readers: ${messageOf(error)}`),
  });
  const isFirst = supervisor === undefined || supervisor.number === 1;
  const clockCheck = isFirst ? watchClock(store) : undefined;
  const upkeep = isFirst ? startUpkeep(store, clock) : undefined;
  try {
    if (supervisor?.takesPort) await exclusivePort(values.host, values.port);
    const server = startServer({
      host: values.host,
      port: values.port,
      store,
      writer,
      clock,
      version,
      commit,
      clockOffsetUs: () => clockCheck?.offsetUs ?? null,
      upkeep: upkeep?.stats ?? emptyStats(),
      keep: values.keep,
      page: { html: PAGE },
      tokens: access.tokens,
      ...(access.tls && { tls: access.tls }),
      ...(supervisor && { sharesPort: true, reportOfAll: supervisor.reportOfAll }),
      onError: (error) => log.error(`a request failed: ${messageOf(error)}`),
    });
    if (!supervisor) sayWhere(server.url);
    if (isFirst) sayWhatHolds(store, values);
    supervisor?.listening(server);
    log.info(`${await stop}, draining`);
    return await drain(server, writer, values, (summary) => supervisor?.ended(summary));
  } finally {
    clockCheck?.stop();
    // A round that waits for the store must not hold up the end; half a round is as good as none.
    if (upkeep) await settlesWithin(upkeep.stop(), UPKEEP_STOP_MS);
    await store.close();
  }
}

/** The first line has always been just this: scripts wait for it. */
export function sayWhere(url: string, how = ""): void {
  log.info(`listening on ${url}${how}`);
  log.info(`see it live: open ${openableUrl(url)}/ in a browser`);
}

function sayWhatHolds({ info }: Store, values: ServeValues): void {
  log.info(`store: ${info.location}`);
  log.info(`a 2xx means: the event is ${info.durability}`);
  log.info(`kept: ${describeRetention(info.retention, values.keep)}`);
  for (const warning of info.warnings) log.warn(warning);
  warnOfAccess(values);
}

/** Merges closed minutes and settles what dead writers left, and says of it what people should know. */
function startUpkeep(store: Store, clock: Clock): Upkeep {
  const nameOf = (claim: Claim) => `minute ${formatTimestamp(claim.minuteUs)} of a writer that died (${claim.writer})`;
  const unsettled = new Set<string>();
  return new Upkeep({
    store,
    clock,
    onSettled: (claim, events, problem) => {
      if (events === null) {
        log.error(`${nameOf(claim)} cannot be settled and stays open: ${problem}; try 'reto3 verify'`);
      } else {
        log.info(`${nameOf(claim)} settled: ${events} events${problem === "" ? "" : `; found there: ${problem}`}`);
      }
    },
    onUnsettled: (claim, error) => {
      // Again every minute while a replica is down: said once.
      if (unsettled.has(nameOf(claim))) return;
      unsettled.add(nameOf(claim));
      log.warn(`${nameOf(claim)} cannot be settled yet, trying again: ${messageOf(error)}`);
    },
    onFailure: (error) => log.warn(`merging closed minutes failed, trying again later: ${messageOf(error)}`),
  });
}

/** What the flags want changed. */
function retentionOf(values: ServeValues): Partial<Retention> {
  const wanted = {
    events: values["raw-ttl"],
    "10ms": values["ttl-10ms"],
    "1s": values["ttl-1s"],
    "1m": values["ttl-1m"],
    rawBytesMax: values["raw-max-bytes"],
  };
  return Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined));
}

async function drain(
  server: HttpServer,
  writer: Writer,
  { "drain-delay": delayMs, "drain-timeout": timeoutMs }: ServeValues,
  onDone: (summary: Summary) => void,
): Promise<number> {
  const deadlineMs = performance.now() + delayMs + timeoutMs;
  const answered = server.drain(delayMs);
  // Every event has its answer within the ack timeout; who is not done then is a client that never finishes its request.
  const clientsMs = Math.min(timeoutMs * SHARE_FOR_CLIENTS, ACK_TIMEOUT_MAX_MS + CLIENT_GRACE_MS);
  await settlesWithin(answered, delayMs + clientsMs);
  const { unknownEvents, drained } = await writer.close(Math.max(0, deadlineMs - performance.now()));
  // What close() has just answered "unknown" is still on its way out.
  if (!drained) await settlesWithin(answered, 1_000);
  await server.stop();
  onDone({ storedEvents: writer.stats.storedEvents, unknownEvents });
  if (drained) {
    log.info(`drained: ${writer.stats.storedEvents} events stored, none left`);
    return 0;
  }
  const rest =
    unknownEvents > 0 ? `the outcome of ${unknownEvents} events is unknown` : "the last minute is not sealed";
  log.error(`not drained within ${formatDurationMs(timeoutMs)}: ${rest}`);
  return 1;
}

/** Compares the store's clock with ours now and every minute: buckets are by our clock, and several servers must agree. */
function watchClock(store: Store): { readonly offsetUs: number | null; stop(): void } {
  let offsetUs: number | null = null;
  const check = async () => {
    try {
      offsetUs = await store.clockOffsetUs();
    } catch {
      // The store does not answer; the flushes say that loud enough.
      return;
    }
    if (offsetUs !== null && Math.abs(offsetUs) > CLOCK_OFFSET_WARN_US) {
      log.warn(`the store's clock differs from this server's by ${(offsetUs / 1_000).toFixed(1)} ms; run NTP on both`);
    }
  };
  void check();
  const timer = setInterval(() => void check(), CLOCK_CHECK_MS);
  return {
    get offsetUs() {
      return offsetUs;
    },
    stop: () => clearInterval(timer),
  };
}
