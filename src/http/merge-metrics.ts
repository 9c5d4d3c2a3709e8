// The metrics of several processes as those of one: texts of exposition.ts in, one such text out. Pure.
// Counters and histograms add up, bucket by bucket; what a gauge of several processes means is in the table.

import { sampleOf } from "./exposition.ts";

const ADDED = (a: number, b: number) => a + b;

/** Of each gauge the value that stands for all. What only the first worker looks after is 0 or absent in the others: the largest. */
export const GAUGES: Record<string, (a: number, b: number) => number> = {
  reto3_build_info: Math.max,
  reto3_ready: Math.min,
  reto3_workers: ADDED,
  reto3_queue_events: ADDED,
  reto3_queue_events_max: ADDED,
  reto3_flush_age_seconds: Math.max,
  reto3_store_synced: Math.min,
  reto3_store_log_bytes: Math.max,
  reto3_store_disk_free_bytes: Math.min,
  reto3_store_clock_offset_seconds: Math.max,
  reto3_live_viewers: ADDED,
  reto3_undecided_partitions: Math.max,
  reto3_unsealed_claims: Math.max,
  reto3_unsealed_claim_age_seconds: Math.max,
  process_resident_memory_bytes: ADDED,
  process_heap_bytes: ADDED,
  process_start_time_seconds: Math.min,
  process_open_fds: ADDED,
  process_max_fds: ADDED,
};

interface Family {
  help: string;
  type: string;
  /** By name and labels, as they are written. */
  samples: Map<string, number>;
}

/**
 * `live`: of each process that runs. `ended`: of those that have ended what they had counted, for a counter that falls would be
 * taken for one that starts again from zero; their gauges are gone.
 */
export function mergeMetrics(live: readonly string[], ended: readonly string[] = []): string {
  const families = new Map<string, Family>();
  for (const text of live) addTo(families, text, () => true);
  for (const text of ended) addTo(families, text, (type) => type !== "gauge");
  return [...families]
    .map(([name, { help, type, samples }]) => {
      const lines = [...samples].map(([sample, value]) => `${sample} ${value}\n`);
      return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
    })
    .join("");
}

function addTo(families: Map<string, Family>, text: string, counts: (type: string) => boolean): void {
  let help = "";
  let name = "";
  let family: Family | undefined;
  for (const line of text.split("\n")) {
    const [, about, of = "", rest = ""] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (about === "HELP") {
      help = rest;
    } else if (about === "TYPE") {
      name = of;
      family = families.get(name) ?? { help, type: rest, samples: new Map() };
      families.set(name, family);
    } else if (family && counts(family.type)) {
      const [sample, value] = sampleOf(line) ?? [];
      if (sample === undefined || value === undefined) continue;
      const before = family.samples.get(sample);
      const together = family.type === "gauge" ? (GAUGES[name] ?? Math.max) : ADDED;
      family.samples.set(sample, before === undefined ? value : together(before, value));
    }
  }
}
