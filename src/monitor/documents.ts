// What the monitors write into their logs: every field's name and type, the identity of a line, the names of files and indices.
// Pure. The Elasticsearch templates, the dashboard and the tests of the Logstash pipelines are made from this file.
//
//     {"@timestamp":"2026-11-25T05:11:11.120Z","event":{"id":"10ms-1795583471120", ...},"host":{"name":"a"},"reto":{"count":52, ...}}
//
// Names are those of the Elastic Common Schema and of Metricbeat's system and docker modules where they have one
// (https://www.elastic.co/docs/reference/ecs, https://www.elastic.co/docs/reference/beats/metricbeat/exported-fields);
// what is our own is below `reto`. Ratios are 0..1, sizes bytes, lags milliseconds.

import type { PeriodName } from "../period.ts";

/** `date`: ISO 8601 with milliseconds and Z. */
export type FieldType = "date" | "keyword" | "long" | "double";

/** In every line. */
export const COMMON_FIELDS = {
  "@timestamp": "date",
  "ecs.version": "keyword",
  /** The same for the same thing, however often it is written: the `_id` of its document. */
  "event.id": "keyword",
  "event.module": "keyword",
  "event.dataset": "keyword",
  "event.kind": "keyword",
  "host.name": "keyword",
  "service.name": "keyword",
  /** How many rounds of this monitor have failed since it started. */
  "reto.monitor.failures": "long",
} as const satisfies Record<string, FieldType>;

/** A line a sample for the host; one for each file system, with `system.filesystem.*` alone; one for each container, with `container.*` and `docker.*` alone. */
export const HOST_FIELDS = {
  "system.cpu.cores": "long",
  /** All but idle and waiting for disks, of all cores. */
  "system.cpu.total.norm.pct": "double",
  "system.cpu.user.norm.pct": "double",
  "system.cpu.system.norm.pct": "double",
  "system.cpu.iowait.norm.pct": "double",
  "system.cpu.steal.norm.pct": "double",
  "system.load.1": "double",
  "system.load.5": "double",
  "system.load.15": "double",
  "system.load.norm.1": "double",
  "system.memory.total": "long",
  /** Total minus what is available without swapping. */
  "system.memory.actual.used.bytes": "long",
  "system.memory.actual.used.pct": "double",
  "system.memory.swap.total": "long",
  "system.memory.swap.used.bytes": "long",
  /** In the time since the sample before. */
  "host.disk.read.bytes": "long",
  "host.disk.write.bytes": "long",
  "host.network.ingress.bytes": "long",
  "host.network.egress.bytes": "long",
  "reto.io.disk.read.bytes_per_sec": "double",
  "reto.io.disk.write.bytes_per_sec": "double",
  "reto.io.network.in.bytes_per_sec": "double",
  "reto.io.network.out.bytes_per_sec": "double",
  "system.filesystem.mount_point": "keyword",
  "system.filesystem.device_name": "keyword",
  "system.filesystem.type": "keyword",
  "system.filesystem.total": "long",
  "system.filesystem.used.bytes": "long",
  /** As df says it: of what a plain user may use. */
  "system.filesystem.used.pct": "double",
  "system.filesystem.available": "long",
  "container.id": "keyword",
  /** The name of its first process: what the container is called, only its engine knows. */
  "container.name": "keyword",
  /** Of its own quota, or of all cores of the host where it has none. */
  "docker.cpu.total.norm.pct": "double",
  /** Without the pages that can be had back at once, as `docker stats` shows it. */
  "docker.memory.usage.total": "long",
  "docker.memory.usage.pct": "double",
  "docker.memory.limit": "long",
} as const satisfies Record<string, FieldType>;

/** A line a sample: all seconds that were complete since the sample before, over all writers. */
export const PIPELINE_FIELDS = {
  /** `reto.events` / `reto.seconds`. */
  "reto.tps": "double",
  "reto.events": "long",
  "reto.seconds": "double",
  /** Stored minus created; absent where no event came. */
  "reto.lag.min_ms": "double",
  "reto.lag.avg_ms": "double",
  "reto.lag.p50_ms": "double",
  "reto.lag.p95_ms": "double",
  "reto.lag.p99_ms": "double",
  "reto.lag.max_ms": "double",
  /** Events that were created after they were stored, by the clock of whoever created them. */
  "reto.lag.negative": "long",
  /** Events whose lag is at the limit of an hour, either way, where it is clamped. */
  "reto.lag.clamped": "long",
} as const satisfies Record<string, FieldType>;

/** A line a bucket that has events, by period; `@timestamp` is its start. The same bucket again when its count has changed. */
export const COUNTS_FIELDS = {
  "reto.granularity": "keyword",
  "reto.count": "long",
  /** When the line was written, ms since 1970: of two lines of a bucket the later one stands, in whatever order they come. */
  "reto.written_ms": "long",
  "reto.lag.min_ms": "double",
  "reto.lag.avg_ms": "double",
  "reto.lag.max_ms": "double",
} as const satisfies Record<string, FieldType>;

/** What is written, and by `reto3 monitor` of which name. */
export type DatasetName = "host" | "pipeline" | "counts";

export const DATASETS = {
  host: { ...COMMON_FIELDS, ...HOST_FIELDS },
  pipeline: { ...COMMON_FIELDS, ...PIPELINE_FIELDS },
  counts: { ...COMMON_FIELDS, ...COUNTS_FIELDS },
} as const satisfies Record<DatasetName, Record<string, FieldType>>;

/** Samples go into data streams: `metrics-reto.host-default`, `metrics-reto.pipeline-default`. */
export const DATA_STREAMS = { host: "metrics-reto.host-default", pipeline: "metrics-reto.pipeline-default" } as const;

/** Counts go into plain indices, where a bucket that is written again takes the place of what was there. Dates are UTC, of the bucket. */
export const COUNT_INDICES: Record<PeriodName, { prefix: string; datePattern: "yyyy.MM.dd" | "yyyy.MM" | "yyyy" }> = {
  "10ms": { prefix: "reto-count-10ms-", datePattern: "yyyy.MM.dd" },
  "1s": { prefix: "reto-count-1s-", datePattern: "yyyy.MM" },
  "1m": { prefix: "reto-count-1m-", datePattern: "yyyy" },
};

/** Where a value is absent, its field is not written. */
export type Fields<D extends DatasetName> = {
  [F in Exclude<keyof (typeof DATASETS)[D], keyof typeof COMMON_FIELDS>]?: ValueOf<(typeof DATASETS)[D][F]>;
};
type ValueOf<T> = T extends "long" | "double" ? number : string;

export interface LineHead {
  /** Microseconds since 1970 UTC. */
  timestampUs: number;
  /** Unique in its dataset. */
  id: string;
  hostName: string;
  failures: number;
}

const ECS_VERSION = "9.4.0";

/** One line of NDJSON, with its end. Numbers that are none (0 / 0) are left out. */
export function ndjsonLine<D extends DatasetName>(dataset: D, head: LineHead, fields: Fields<D>): string {
  const all: Record<string, string | number | undefined> = {
    "@timestamp": new Date(Math.floor(head.timestampUs / 1_000)).toISOString(),
    "ecs.version": ECS_VERSION,
    "event.id": head.id,
    "event.module": "reto",
    "event.dataset": `reto.${dataset}`,
    "event.kind": "metric",
    "host.name": head.hostName,
    "service.name": "reto3",
    "reto.monitor.failures": head.failures,
    ...(fields as Record<string, string | number | undefined>),
  };
  return `${JSON.stringify(nested(all))}\n`;
}

interface Nested {
  [name: string]: string | number | Nested;
}

/** {"a.b": 1, "a.c": 2} as {"a": {"b": 1, "c": 2}}: Logstash takes `host` for an object only. */
function nested(fields: Record<string, string | number | undefined>): Nested {
  const root: Nested = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined || (typeof value === "number" && !Number.isFinite(value))) continue;
    const path = name.split(".");
    const last = path.pop() ?? name;
    let at = root;
    for (const step of path) {
      const below = at[step];
      at = typeof below === "object" ? below : (at[step] = {});
    }
    at[last] = value;
  }
  return root;
}
