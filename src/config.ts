// Every default and every limit in one place, with its unit and its reason; the flags show these as their defaults.
// Kernel: pure data.

/** A flush takes this many events at most; a larger backlog goes in several flushes, one after another. */
export const FLUSH_EVENTS_MAX = 5_000;

/** Events that wait or are on their way; beyond it the server answers 503. 20 s of the mission's 5,000 events/s. */
export const QUEUE_EVENTS_MAX = 100_000;

/** A writer takes a new id after so many events of one minute, so that a partition stays near 10 MB. */
export const PARTITION_EVENTS_MAX = 350_000;

/** No attempt at a flush starts when its first event is older than this; if its outcome is unknown then, the writer id is retired. */
export const FLUSH_AGE_MAX_MS = 600_000;

/** A request that has no durable answer by then is answered "unknown". No server may wait longer: readers rely on it. */
export const ACK_TIMEOUT_MAX_MS = 5_000;

/** What arrived so long ago and is not there was not acknowledged and will not be; a second more than the ack timeout, for clocks that differ. */
export const COMPLETE_AFTER_MS = ACK_TIMEOUT_MAX_MS + 1_000;

/** The last attempt at a flush may take so long; what comes later counts as unknown and is never acknowledged. */
export const LAST_ATTEMPT_MAX_MS = 30_000;

/** What arrived so long ago and is not there will never be. */
export const FINAL_AFTER_MS = FLUSH_AGE_MAX_MS + LAST_ATTEMPT_MAX_MS;

/** After SIGTERM events are still taken for so long: kept-alive clients are told to go before idle connections are cut. */
export const DRAIN_DELAY_MS = 250;
export const DRAIN_DELAY_MAX_MS = 300_000;

/** How long serve waits at its start for a store that cannot be reached: a database that replays its log after a power cut. */
export const STORE_WAIT_MS = 600_000;

/** How long a shutdown then waits for what was taken. */
export const DRAIN_TIMEOUT_MS = 30_000;

/** A lag is clamped to +- this much before it is summed, so that 350,000 of them stay far below 2^53. */
export const LAG_CLAMP_US = 3_600_000_000;

/** The next minute is claimed ahead once this much of the current one has passed. */
export const CLAIM_AHEAD_AFTER_US = 40_000_000;

/** After the store has refused for good, the next flush waits this long. */
export const REFUSED_PAUSE_MS = 1_000;

/** Bodies above this are answered 413; a valid one has 90 bytes at most. */
export const BODY_BYTES_MAX = 1_024;

/** Questions to GET /counts that are answered at once; others get 503. */
export const COUNTS_REQUESTS_MAX = 16;

/** Who looks on at one process at once; others get 503. A tick of 2 kB a second to each of them is 3 Mbit/s. */
export const VIEWERS_MAX = 200;

/** What a viewer may leave unread before it is cut: some minutes of ticks. */
export const VIEWER_BACKLOG_BYTES_MAX = 256 * 1024;

/** The store's clock and ours may differ by this much before serve warns. */
export const CLOCK_OFFSET_WARN_US = 10_000;

/** Processes that share a port: more than any machine that this was made for has cores. */
export const WORKERS_MAX = 64;

export const DEFAULT_STORE = "sqlite:reto3.db";
export const DEFAULT_HOST = "127.0.0.1";
export const DEFAULT_PORT = 8080;

/** What a new store keeps of each table, in seconds; null: for good. serve's flags change it. */
export const DEFAULT_RETENTION = {
  events: 3_600,
  "10ms": 7 * 86_400,
  "1s": null,
  "1m": null,
  rawBytesMax: null,
} as const;

/** The shortest lifetime: of raw events, and of counts, which a flush may still be on its way to and a settler must find. */
export const RAW_TTL_MIN_MS = 1_000;
export const COUNTS_TTL_MIN_MS = 6 * 3_600_000;

/** Cassandra's own maximum for a time to live: 20 years. */
export const RETENTION_MAX_MS = 630_720_000_000;

/** With --keep summary a partition has no raw rows and does not grow; the sum of so many clamped lags is still below 2^53. */
export const SUMMARY_PARTITION_EVENTS_MAX = 2_000_000;

/** Serve looks so often for closed minutes to merge and for dead writers' partitions to settle. */
export const UPKEEP_INTERVAL_MS = 60_000;

/** `verify` prints so many differences; the rest is counted. */
export const DIFFERENCES_SHOWN_MAX = 20;

/** A file of a monitor's log that has so many bytes gets nothing more. */
export const LOG_FILE_BYTES_MAX = 256_000_000;

/**
 * A file of a monitor's log goes when nothing was written to it for so long: later than Logstash forgets it (sincedb_clean_after,
 * 47 hours, in ops/logstash), or the next file to get its inode would be taken for it.
 */
export const LOG_KEEP_MS = 2 * 86_400_000;
export const LOG_KEEP_MIN_MS = 2 * 86_400_000;
