// What GET /metrics says, in the Prometheus text format 0.0.4. Pure: numbers in, text out.
// Format: https://prometheus.io/docs/instrumenting/exposition_formats/

import type { Histogram } from "../histogram.ts";
import type { Writer } from "../writer/writer.ts";

/** Why a request to `POST /` was not answered 200. */
export const REFUSALS = [
  "invalid",
  "too_large",
  "method",
  "queue_full",
  "draining",
  "timeout",
  "store_refused",
] as const;
export type Refusal = (typeof REFUSALS)[number];

export interface HttpStats {
  refused: Record<Refusal, number>;
  /** Questions to GET /counts that were not answered because too many were. */
  countsRefused: number;
  /** From a request's body being there to its answer, microseconds; answers 200 only. */
  readonly ackLatencyUs: Histogram;
}

/** What is done to the store beside taking events (src/upkeep/upkeep.ts). */
export interface UpkeepNumbers {
  mergedMinutes: number;
  settledPartitions: number;
  readonly undecided: { readonly size: number };
  failures: number;
}

export interface MetricsSource {
  version: string;
  /** Of the source that was built; "" where it is not known. */
  commit: string;
  store: string;
  writer: Writer;
  http: HttpStats;
  queueEventsMax: number;
  ready: boolean;
  /** Microseconds; null where the store has no clock of its own. */
  clockOffsetUs: number | null;
  upkeep: UpkeepNumbers;
}

const LATENCY_BOUNDS_US = [
  1_000, 2_500, 5_000, 10_000, 15_000, 20_000, 30_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000,
];
const SIZE_BOUNDS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000];

export function metricsText(source: MetricsSource): string {
  const { writer, http, upkeep } = source;
  const { stats } = writer;
  const memory = process.memoryUsage.rss();
  const cpu = process.cpuUsage();
  const labels = `version="${source.version}",commit="${source.commit}",bun="${Bun.version}",store="${source.store.replaceAll(/["\\\n]/g, "_")}"`;
  return [
    metric("reto3_build_info", "gauge", "Always 1; the labels say what runs", [[`{${labels}}`, 1]]),
    metric("reto3_ready", "gauge", "1 if GET /readyz answers 200", [["", source.ready ? 1 : 0]]),
    counter("reto3_events_accepted_total", "Events taken into the queue", stats.acceptedEvents),
    counter("reto3_events_stored_total", "Events made durable", stats.storedEvents),
    metric(
      "reto3_requests_refused_total",
      "counter",
      "Requests to take an event that were not answered 200, by reason; 'timeout' are of unknown outcome",
      REFUSALS.map((reason) => [`{reason="${reason}"}`, http.refused[reason]]),
    ),
    metric("reto3_events_given_up_total", "counter", "Events of flushes that were given up, by what is known of them", [
      ['{outcome="refused"}', stats.refusedEvents],
      ['{outcome="unknown"}', stats.unknownEvents],
    ]),
    counter("reto3_counts_refused_total", "Questions to GET /counts refused because too many ran", http.countsRefused),
    metric("reto3_queue_events", "gauge", "Events taken whose flush is not known yet", [["", writer.queuedEvents]]),
    metric("reto3_queue_events_max", "gauge", "Above this, events are refused", [["", source.queueEventsMax]]),
    histogram("reto3_flush_events", "Events per flush", stats.flushEvents, SIZE_BOUNDS, 1),
    histogram(
      "reto3_flush_duration_seconds",
      "From a flush's start to its known outcome",
      stats.flushDurationUs,
      LATENCY_BOUNDS_US,
      1e6,
    ),
    histogram(
      "reto3_ack_latency_seconds",
      "From a request's body to its answer 200",
      http.ackLatencyUs,
      LATENCY_BOUNDS_US,
      1e6,
    ),
    counter("reto3_store_retries_total", "Attempts at the store that failed and were made again", stats.retries),
    counter("reto3_seals_lost_total", "Minutes that could not be sealed and stay open for readers", stats.sealsLost),
    counter("reto3_lags_clamped_total", "Lags beyond an hour, clamped in the sums", stats.lagsClamped),
    counter("reto3_merged_minutes_total", "Closed minutes whose writers were added up", upkeep.mergedMinutes),
    counter("reto3_settled_partitions_total", "Partitions of dead writers that were sealed", upkeep.settledPartitions),
    metric("reto3_undecided_partitions", "gauge", "Partitions of dead writers that contradict themselves", [
      ["", upkeep.undecided.size],
    ]),
    counter("reto3_upkeep_failures_total", "Rounds of merging and settling that failed", upkeep.failures),
    metric(
      "reto3_store_clock_offset_seconds",
      "gauge",
      "The store's clock minus this server's; absent where they are one",
      source.clockOffsetUs === null ? [] : [["", source.clockOffsetUs / 1e6]],
    ),
    metric("process_resident_memory_bytes", "gauge", "Resident memory", [["", memory]]),
    counter("process_cpu_seconds_total", "User and system CPU time", (cpu.user + cpu.system) / 1e6),
  ].join("");
}

function metric(
  name: string,
  type: "gauge" | "counter",
  help: string,
  samples: readonly (readonly [string, number])[],
): string {
  const lines = samples.map(([labels, value]) => `${name}${labels} ${value}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

function counter(name: string, help: string, value: number): string {
  return metric(name, "counter", help, [["", value]]);
}

/** `unit`: how many of the histogram's units make one of the metric's. */
function histogram(name: string, help: string, values: Histogram, bounds: readonly number[], unit: number): string {
  const buckets = bounds.map((bound) => `${name}_bucket{le="${bound / unit}"} ${values.countUpTo(bound)}\n`);
  return (
    `# HELP ${name} ${help}\n# TYPE ${name} histogram\n${buckets.join("")}` +
    `${name}_bucket{le="+Inf"} ${values.total}\n${name}_sum ${values.sum / unit}\n${name}_count ${values.total}\n`
  );
}
