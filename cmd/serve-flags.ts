// The flags of `reto3 serve`, the same for each of its processes.

import {
  ACK_TIMEOUT_MAX_MS,
  COUNTS_TTL_MIN_MS,
  DEFAULT_HOST,
  DEFAULT_PORT,
  DRAIN_DELAY_MAX_MS,
  DRAIN_DELAY_MS,
  DRAIN_TIMEOUT_MS,
  RAW_TTL_MIN_MS,
  STORE_WAIT_MS,
  WORKERS_MAX,
} from "../src/config.ts";
import { formatDurationMs } from "../src/units.ts";
import { bytesMax, duration, lifetime, oneOf, text, whole, wholeOrAuto, type Values } from "./flags.ts";
import { rawLayoutFlag, storeFlag } from "./store-flag.ts";

export const flags = {
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
  workers: wholeOrAuto("number", 1, WORKERS_MAX, {
    default: "1",
    env: "RETO3_WORKERS",
    description: "processes that share the port, each with a writer of its own (Cassandra only); auto: one a core",
  }),
  "token-file": text("file", {
    env: "RETO3_TOKEN_FILE",
    description: "takes events only with one of the tokens in this file, one a line",
  }),
  "read-token-file": text("file", {
    env: "RETO3_READ_TOKEN_FILE",
    description: "answers /counts, /live and /metrics only with one of the tokens in this file",
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
    minMs: 0,
    env: "RETO3_STORE_WAIT",
    description: "how long a start waits for a store that cannot be reached; 0s: not at all",
  }),
  "drain-delay": duration({
    default: formatDurationMs(DRAIN_DELAY_MS),
    minMs: 0,
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

export type ServeValues = Values<typeof flags>;
