// What GET /metrics says of the events' way: names, units and help of every number. Pure: numbers in, text out.

import type { Histogram } from "../histogram.ts";
import type { StoreGauges, StoreInfo } from "../store/store.ts";
import type { Writer } from "../writer/writer.ts";
import { counter, gauge, histogram, labels } from "./exposition.ts";

/** Why a request to `POST /` was not answered 200. */
export const REFUSALS = [
  "unauthorized",
  "invalid",
  "too_large",
  "method",
  "queue_full",
  "draining",
  "timeout",
  "store_refused",
] as const;
export type Refusal = (typeof REFUSALS)[number];

/** Why a viewer of GET /live was not taken, or was cut. */
export const LIVE_REFUSALS = ["too_many", "too_slow"] as const;
export type LiveRefusal = (typeof LIVE_REFUSALS)[number];

export interface HttpStats {
  refused: Record<Refusal, number>;
  /** Questions to GET /counts that were not answered because too many were. */
  countsRefused: number;
  /** Questions to GET /counts, /live and /metrics without one of the tokens that they want. */
  readsUnauthorized: number;
  liveRefused: Record<LiveRefusal, number>;
  /** From a request's body being there to its answer, microseconds; answers 200 only. */
  readonly ackLatencyUs: Histogram;
}

/** What is done to the store beside taking events (src/upkeep/upkeep.ts). */
export interface UpkeepNumbers {
  mergedMinutes: number;
  settledPartitions: number;
  readonly undecided: { readonly size: number };
  unsealedClaims: number;
  readonly unsealedSinceUs: number | null;
  failures: number;
}

export interface MetricsSource {
  version: string;
  /** Of the source that was built; "" where it is not known. */
  commit: string;
  store: StoreInfo;
  gauges: StoreGauges;
  writer: Writer;
  http: HttpStats;
  viewers: number;
  queueEventsMax: number;
  ready: boolean;
  /** Microseconds; null where the store has no clock of its own. */
  clockOffsetUs: number | null;
  upkeep: UpkeepNumbers;
}

const LATENCY_BOUNDS_US = [
  1_000, 2_500, 5_000, 10_000, 15_000, 20_000, 30_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000,
];
/** Lag has the client's clock and its way in it. What is clamped at an hour lies above the last one, in another bin of the histogram. */
const LAG_BOUNDS_US = [...LATENCY_BOUNDS_US, 30_000_000, 300_000_000, 3_500_000_000];
const SIZE_BOUNDS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000];

export function metricsText(source: MetricsSource): string {
  return [...serverMetrics(source), ...writerMetrics(source), ...storeMetrics(source)].join("");
}

/** What a supervisor adds to what its workers say. */
export function workersMetrics(source: { workers: number; restarts: number; ready: boolean }): string {
  return [
    gauge("reto3_workers", "Processes that share the port and take events", source.workers),
    counter("reto3_worker_restarts_total", "Workers that ended by themselves and were started again", source.restarts),
    readyGauge(source.ready),
  ].join("");
}

function readyGauge(ready: boolean): string {
  return gauge("reto3_ready", "1 if GET /readyz answers 200", ready ? 1 : 0);
}

function serverMetrics({ version, commit, store, ready, http, viewers }: MetricsSource): string[] {
  const what = labels({ version, commit, bun: Bun.version, store: store.location });
  return [
    gauge("reto3_build_info", "Always 1; the labels say what runs", [[what, 1]]),
    readyGauge(ready),
    counter(
      "reto3_requests_refused_total",
      "Requests to take an event that were not answered 200, by reason; 'timeout' are of unknown outcome",
      REFUSALS.map((reason) => [labels({ reason }), http.refused[reason]]),
    ),
    counter("reto3_counts_refused_total", "Questions to GET /counts refused because too many ran", http.countsRefused),
    counter(
      "reto3_reads_unauthorized_total",
      "Questions to GET /counts, /live and /metrics without a token that opens them",
      http.readsUnauthorized,
    ),
    gauge("reto3_live_viewers", "Who looks on by GET /live", viewers),
    counter(
      "reto3_live_refused_total",
      "Viewers of GET /live that were refused because too many were there, or cut because they did not read",
      LIVE_REFUSALS.map((reason) => [labels({ reason }), http.liveRefused[reason]]),
    ),
    histogram(
      "reto3_ack_latency_seconds",
      "From a request's body to its answer 200",
      http.ackLatencyUs,
      LATENCY_BOUNDS_US,
      1e6,
    ),
  ];
}

function writerMetrics({ writer, queueEventsMax }: MetricsSource): string[] {
  const { stats } = writer;
  return [
    counter("reto3_events_accepted_total", "Events taken into the queue", stats.acceptedEvents),
    counter("reto3_events_stored_total", "Events made durable", stats.storedEvents),
    counter("reto3_events_given_up_total", "Events of flushes that were given up, by what is known of them", [
      [labels({ outcome: "refused" }), stats.refusedEvents],
      [labels({ outcome: "unknown" }), stats.unknownEvents],
    ]),
    gauge("reto3_queue_events", "Events taken whose flush is not known yet", writer.queuedEvents),
    gauge("reto3_queue_events_max", "Above this, events are refused", queueEventsMax),
    histogram("reto3_flush_events", "Events per flush", stats.flushEvents, SIZE_BOUNDS, 1),
    histogram(
      "reto3_flush_duration_seconds",
      "From a flush's start to its known outcome",
      stats.flushDurationUs,
      LATENCY_BOUNDS_US,
      1e6,
    ),
    gauge(
      "reto3_flush_age_seconds",
      "How long the flush in flight is on its way; 0 where none is",
      writer.flushAgeMs / 1e3,
    ),
    histogram(
      "reto3_lag_seconds",
      "Stored minus created, by the time in the event; below 0 as 0, clamped at an hour",
      stats.lagUs,
      LAG_BOUNDS_US,
      1e6,
    ),
    counter(
      "reto3_lags_negative_total",
      "Events created after they were stored, by their client's clock",
      stats.lagsNegative,
    ),
    counter("reto3_lags_clamped_total", "Lags beyond an hour, clamped in the sums", stats.lagsClamped),
    counter(
      "reto3_store_errors_total",
      "Attempts at the store that failed: without effect, of unknown effect, refused for good",
      Object.entries(stats.storeErrors).map(([kind, errors]) => [labels({ kind }), errors]),
    ),
    counter("reto3_store_retries_total", "Attempts at the store that failed and were made again", stats.retries),
    counter("reto3_writers_retired_total", "Writer ids given up with a flush of theirs", stats.writersRetired),
    counter("reto3_seals_lost_total", "Minutes that could not be sealed and stay open for readers", stats.sealsLost),
  ];
}

function storeMetrics({ store, gauges, upkeep, clockOffsetUs }: MetricsSource): string[] {
  return [
    gauge(
      "reto3_store_synced",
      "1 if a 2xx means synced to a disk, 0 if not; absent where it is not known",
      store.synced === null ? null : Number(store.synced),
    ),
    gauge("reto3_store_log_bytes", "Length of the store's write-ahead log; absent where it has none", gauges.logBytes),
    gauge(
      "reto3_store_disk_free_bytes",
      "Room on the store's disk; absent where it is not known",
      gauges.diskFreeBytes,
    ),
    gauge(
      "reto3_store_clock_offset_seconds",
      "The store's clock minus this server's; absent where they are one",
      clockOffsetUs === null ? null : clockOffsetUs / 1e6,
    ),
    counter("reto3_merges_total", "Closed minutes whose writers were added up", upkeep.mergedMinutes),
    counter("reto3_settled_partitions_total", "Partitions of dead writers that were sealed", upkeep.settledPartitions),
    gauge("reto3_undecided_partitions", "Partitions of dead writers that contradict themselves", upkeep.undecided.size),
    gauge(
      "reto3_unsealed_claims",
      "Claims that are not sealed, of minutes that have been over for a minute; of all writers",
      upkeep.unsealedClaims,
    ),
    gauge(
      "reto3_unsealed_claim_age_seconds",
      "Since the earliest minute of these began; absent where there are none, and until they have been looked for",
      upkeep.unsealedSinceUs === null ? null : (Date.now() * 1e3 - upkeep.unsealedSinceUs) / 1e6,
    ),
    counter("reto3_upkeep_failures_total", "Rounds of merging and settling that failed", upkeep.failures),
  ];
}
