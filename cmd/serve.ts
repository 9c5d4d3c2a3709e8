// `reto3 serve`: wires store, writer and HTTP server, says what it promises, and shuts down in order.

import { systemClock, type Clock } from "../src/clock.ts";
import {
  ACK_TIMEOUT_MAX_MS,
  CLOCK_OFFSET_WARN_US,
  COUNTS_TTL_MIN_MS,
  DEFAULT_HOST,
  DEFAULT_PORT,
  DRAIN_DELAY_MAX_MS,
  DRAIN_DELAY_MS,
  DRAIN_TIMEOUT_MS,
  RAW_TTL_MIN_MS,
  STORE_WAIT_MS,
} from "../src/config.ts";
import { settlesWithin } from "../src/deadline.ts";
import { messageOf } from "../src/errors.ts";
import { startServer, type HttpServer } from "../src/http/server.ts";
import { Tokens } from "../src/http/tokens.ts";
import type { Claim, Retention, Store } from "../src/store/store.ts";
import { formatDurationMs, formatTimestamp } from "../src/units.ts";
import { Upkeep } from "../src/upkeep/upkeep.ts";
import { Writer } from "../src/writer/writer.ts";
import { bytesMax, defineCommand, duration, lifetime, oneOf, text, whole, type Values } from "./flags.ts";
import { openStoreInTime } from "./open-store.ts";
import { log } from "./output.ts";
import { describeRetention } from "./retention.ts";
import { readTls, readTokens } from "./secret-files.ts";
import { isLoopback } from "./server-url.ts";
import { rawLayoutFlag, storeFlag } from "./store-flag.ts";
import { commit, version } from "./version.ts";

const CLOCK_CHECK_MS = 60_000;

/** Of the time for a shutdown, so much at most goes to clients; the rest is for the store. */
const SHARE_FOR_CLIENTS = 0.8;

const CLIENT_GRACE_MS = 1_000;

const UPKEEP_STOP_MS = 2_000;

const flags = {
  store: storeFlag,
  host: text("address", {
    default: DEFAULT_HOST,
    env: "RETO3_HOST",
    description: "address to listen on; 0.0.0.0 for all",
  }),
  port: whole("port", 0, 65_535, {
    default: String(DEFAULT_PORT),
    env: "RETO3_PORT",
    description: "port; 0 takes a free one",
  }),
  "token-file": text("file", {
    env: "RETO3_TOKEN_FILE",
    description: "takes events only with one of the tokens in this file, one a line",
  }),
  "read-token-file": text("file", {
    env: "RETO3_READ_TOKEN_FILE",
    description: "answers /counts and /metrics only with one of the tokens in this file",
  }),
  "tls-cert": text("file", {
    env: "RETO3_TLS_CERT",
    description: "HTTPS with this certificate (PEM, its chain after it), and with --tls-key",
  }),
  "tls-key": text("file", { env: "RETO3_TLS_KEY", description: "the certificate's key (PEM, without a passphrase)" }),
  "ack-timeout": duration({
    default: formatDurationMs(ACK_TIMEOUT_MAX_MS),
    maxMs: ACK_TIMEOUT_MAX_MS,
    env: "RETO3_ACK_TIMEOUT",
    description: "an event without a durable answer by then is answered 504 (its outcome is unknown)",
  }),
  keep: oneOf(["events", "summary"], {
    default: "events",
    env: "RETO3_KEEP",
    description: "events: raw events and counts; summary: counts alone",
  }),
  "raw-layout": rawLayoutFlag,
  "raw-ttl": lifetime({ minMs: RAW_TTL_MIN_MS, env: "RETO3_RAW_TTL", description: `how long raw events are kept (*)` }),
  "ttl-10ms": lifetime({
    minMs: COUNTS_TTL_MIN_MS,
    env: "RETO3_TTL_10MS",
    description: "how long 10 ms counts are kept, 6h at least (*)",
  }),
  "ttl-1s": lifetime({
    minMs: COUNTS_TTL_MIN_MS,
    env: "RETO3_TTL_1S",
    description: "how long 1 s counts are kept, 6h at least (*)",
  }),
  "ttl-1m": lifetime({
    minMs: COUNTS_TTL_MIN_MS,
    env: "RETO3_TTL_1M",
    description: "how long 1 m counts are kept, 6h at least (*)",
  }),
  "raw-max-bytes": bytesMax({
    env: "RETO3_RAW_MAX_BYTES",
    description: "above so many bytes of raw events the oldest go (*, SQLite only)",
  }),
  "store-wait": duration({
    default: formatDurationMs(STORE_WAIT_MS),
    env: "RETO3_STORE_WAIT",
    description: "how long a start waits for a store that cannot be reached; 0s: not at all",
  }),
  "drain-delay": duration({
    default: formatDurationMs(DRAIN_DELAY_MS),
    maxMs: DRAIN_DELAY_MAX_MS,
    env: "RETO3_DRAIN_DELAY",
    description: "how long a shutdown still takes events, with /readyz saying no, so that a balancer sends no more",
  }),
  "drain-timeout": duration({
    default: formatDurationMs(DRAIN_TIMEOUT_MS),
    env: "RETO3_DRAIN_TIMEOUT",
    description: "how long a shutdown then waits for what was taken",
  }),
};

export const command = defineCommand({
  name: "serve",
  summary: "Takes events over HTTP; answers 200 only when the event is durable",
  flags,
  notes: `One event a request:
  curl -d 'value=2016-05-28 11:11:11.123456' http://127.0.0.1:${DEFAULT_PORT}/
Also: GET /counts?period=1s&last=60s, /healthz, /readyz, /metrics

(*) What is not given stays as the store has it; a new one keeps raw events 1h, 10 ms counts 7d, the others
for good ("forever"). 'reto3 store' shows it. On Cassandra a new lifetime holds for what comes from then on; on
SQLite for all that is there: what is older than a shorter one goes at once.

Tokens: openssl rand -base64 32 > tokens; chmod 600 tokens. Clients send "Authorization: Bearer TOKEN". Several in a file are
good at the same time; lines with # are left out. /healthz, /readyz and GET / are open. Files are read at the start.

User and password of a Cassandra may stand in RETO3_CASSANDRA_USER and RETO3_CASSANDRA_PASSWORD_FILE (or RETO3_CASSANDRA_PASSWORD)
instead; an address that has its own wins. One that cannot be reached is waited for (--store-wait), any other problem ends the start.

Examples:
  reto3 serve
  reto3 serve --raw-ttl 24h --raw-max-bytes 20GB
  reto3 serve --keep summary
  reto3 serve --store sqlite:/var/lib/reto3/events.db --port 9000
  reto3 serve --store 'cassandra://127.0.0.1:9042/reto3?dc=datacenter1'
  reto3 serve --store 'cassandra://reto3@10.0.0.11/reto3?dc=dc1&password_file=/run/secrets/cassandra&tls=on&ca=/etc/reto3/ca.pem'
  reto3 serve --host 0.0.0.0 --token-file tokens --read-token-file read-tokens --tls-cert cert.pem --tls-key key.pem

SIGTERM or SIGINT: after --drain-delay takes no more, answers all that was taken, exit 0; 1 if that was not possible in time.
A second signal ends at once.`,
  run: serve,
});

async function serve(values: Values<typeof flags>): Promise<number> {
  const tokens = tokensOf(values);
  const tls = readTls(values["tls-cert"], values["tls-key"]);
  const stop = stopSignal();
  const given = new AbortController();
  const opening = openStoreInTime(
    values.store,
    { mode: "serve", rawLayout: values["raw-layout"], retention: retentionOf(values), log: (line) => log.info(line) },
    { waitMs: values["store-wait"], signal: given.signal },
  );
  const store = await Promise.race([opening, stop.then(() => undefined)]);
  if (!store) {
    log.info(`${await stop} received before the store was open: nothing was taken`);
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
  const clockCheck = watchClock(store);
  const upkeep = startUpkeep(store, clock);
  try {
    const server = startServer({
      host: values.host,
      port: values.port,
      store,
      writer,
      clock,
      version,
      commit,
      clockOffsetUs: () => clockCheck.offsetUs,
      upkeep: upkeep.stats,
      tokens,
      ...(tls && { tls }),
      onError: (error) => log.error(`a request failed: ${messageOf(error)}`),
    });
    log.info(`listening on ${server.url}`);
    log.info(`store: ${store.info.location}`);
    log.info(`a 2xx means: the event is ${store.info.durability}`);
    log.info(`kept: ${describeRetention(store.info.retention, values.keep)}`);
    for (const warning of store.info.warnings) log.warn(warning);
    if (!isLoopback(values.host)) warnOfAccess(values);
    log.info(`${await stop} received, draining`);
    return await drain(server, writer, values["drain-delay"], values["drain-timeout"]);
  } finally {
    clockCheck.stop();
    // A round that waits for the store must not hold up the end; half a round is as good as none.
    await settlesWithin(upkeep.stop(), UPKEEP_STOP_MS);
    await store.close();
  }
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
        log.error(`${nameOf(claim)} contradicts itself and stays open: ${problem}; try 'reto3 verify'`);
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

function tokensOf(values: Values<typeof flags>): { write?: Tokens; read?: Tokens } {
  const tokensIn = (flag: "token-file" | "read-token-file") => {
    const file = values[flag];
    return file === undefined ? undefined : new Tokens(readTokens(`--${flag}`, file));
  };
  const [write, read] = [tokensIn("token-file"), tokensIn("read-token-file")];
  return { ...(write && { write }), ...(read && { read }) };
}

/** Others than this machine may reach it. */
function warnOfAccess(values: Values<typeof flags>): void {
  const { host } = values;
  if (values["token-file"] === undefined)
    log.warn(`whoever reaches ${host} may send events: want --token-file, or a network that nobody else is in`);
  const tokens = values["token-file"] !== undefined || values["read-token-file"] !== undefined;
  if (tokens && values["tls-cert"] === undefined)
    log.warn(`tokens reach ${host} in clear text: want --tls-cert and --tls-key, or a proxy in front that does TLS`);
}

/** What the flags want changed. */
function retentionOf(values: Values<typeof flags>): Partial<Retention> {
  const wanted = {
    events: values["raw-ttl"],
    "10ms": values["ttl-10ms"],
    "1s": values["ttl-1s"],
    "1m": values["ttl-1m"],
    rawBytesMax: values["raw-max-bytes"],
  };
  return Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined));
}

async function drain(server: HttpServer, writer: Writer, delayMs: number, timeoutMs: number): Promise<number> {
  const deadlineMs = performance.now() + delayMs + timeoutMs;
  const answered = server.drain(delayMs);
  // Every event has its answer within the ack timeout; who is not done then is a client that never finishes its request.
  const clientsMs = Math.min(timeoutMs * SHARE_FOR_CLIENTS, ACK_TIMEOUT_MAX_MS + CLIENT_GRACE_MS);
  await settlesWithin(answered, delayMs + clientsMs);
  const { unknownEvents, drained } = await writer.close(Math.max(0, deadlineMs - performance.now()));
  // What close() has just answered "unknown" is still on its way out.
  if (!drained) await settlesWithin(answered, 1_000);
  await server.stop();
  if (drained) {
    log.info(`drained: ${writer.stats.storedEvents} events stored, none left`);
    return 0;
  }
  const rest =
    unknownEvents > 0 ? `the outcome of ${unknownEvents} events is unknown` : "the last minute is not sealed";
  log.error(`not drained within ${formatDurationMs(timeoutMs)}: ${rest}`);
  return 1;
}

/** Resolves with the name of the first SIGTERM or SIGINT; the second one ends the process at once. */
function stopSignal(): Promise<string> {
  return new Promise((resolve) => {
    let seen = false;
    for (const name of ["SIGTERM", "SIGINT"] as const) {
      process.on(name, () => {
        if (seen) process.exit(1);
        seen = true;
        resolve(name);
      });
    }
  });
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
