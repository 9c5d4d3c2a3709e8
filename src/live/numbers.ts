// What the processes that share the port say of themselves, and what of it happened in the last ten seconds.
// Pure: samples in, by name and labels as GET /metrics writes them; Prometheus would say the same of them.

import type { Status } from "../live-messages.ts";

export type Samples = ReadonlyMap<string, number>;

const SPAN_MS = 10_000;

const STORED = "reto3_events_stored_total";
const ACK_BUCKET = /^reto3_ack_latency_seconds_bucket\{le="([^"]+)"\}$/;

type Said = Pick<
  Status,
  "workers" | "queueEvents" | "queueEventsMax" | "refused" | "storeErrors" | "storeRetries" | "clockOffsetMs"
>;

export class Numbers {
  /** The oldest first: one that is as old as the span, or the oldest there is, and all after it. */
  readonly #history: { atMs: number; samples: Samples }[] = [];

  /** `atMs`: of a clock that is never set. */
  add(samples: Samples, atMs: number): void {
    const history = this.#history;
    const last = history.at(-1);
    // A worker that was killed took what it counted last with it: what fell does not compare with what was before. And what was said
    // when somebody looked on last, hours ago maybe, would make a rate of all that time.
    if (last && (fell(last.samples, samples) || last.atMs < atMs - SPAN_MS)) history.length = 0;
    history.push({ atMs, samples });
    while ((history[1]?.atMs ?? atMs) <= atMs - SPAN_MS) history.shift();
  }

  /** Of the newest samples; zeros where there are none yet. */
  get said(): Said {
    const samples = this.#history.at(-1)?.samples ?? new Map<string, number>();
    const offsetSeconds = samples.get("reto3_store_clock_offset_seconds");
    return {
      workers: samples.get("reto3_workers") ?? 1,
      queueEvents: samples.get("reto3_queue_events") ?? 0,
      queueEventsMax: samples.get("reto3_queue_events_max") ?? 0,
      refused: labelled(samples, "reto3_requests_refused_total", "reason"),
      storeErrors: sum(Object.values(labelled(samples, "reto3_store_errors_total", "kind"))),
      storeRetries: samples.get("reto3_store_retries_total") ?? 0,
      clockOffsetMs: offsetSeconds === undefined ? null : rounded(offsetSeconds * 1_000),
    };
  }

  get storedPerSec(): number {
    const [first, last] = [this.#history[0], this.#history.at(-1)];
    if (!first || !last || first === last) return 0;
    const events = (last.samples.get(STORED) ?? 0) - (first.samples.get(STORED) ?? 0);
    return rounded((events * 1_000) / (last.atMs - first.atMs));
  }

  get ackMs(): Status["ackMs"] {
    const [first, last] = [this.#history[0], this.#history.at(-1)];
    if (!first || !last) return null;
    const buckets = [...last.samples].flatMap(([name, count]) => {
      const le = ACK_BUCKET.exec(name)?.[1];
      if (le === undefined) return [];
      return [
        { le: le === "+Inf" ? Number.POSITIVE_INFINITY : Number(le), count: count - (first.samples.get(name) ?? 0) },
      ];
    });
    const [p50, p99] = [quantile(0.5, buckets), quantile(0.99, buckets)];
    return p50 === null || p99 === null ? null : { p50: rounded(p50 * 1_000), p99: rounded(p99 * 1_000) };
  }
}

/**
 * Between the bounds of a cumulative histogram, `count` values up to `le`, ascending, +Inf the last: as if those of a bucket lay evenly
 * in it; above the last bound, that bound. Null where it is empty. As https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile
 */
export function quantile(q: number, buckets: readonly { le: number; count: number }[]): number | null {
  const total = buckets.at(-1)?.count ?? 0;
  if (total <= 0) return null;
  const rank = q * total;
  const at = buckets.findIndex(({ count }) => count >= rank);
  const [below, here] = [buckets[at - 1] ?? { le: 0, count: 0 }, buckets[at]];
  if (!here || here.le === Number.POSITIVE_INFINITY) return below.le;
  return below.le + ((here.le - below.le) * (rank - below.count)) / (here.count - below.count);
}

/** To a thousandth: what is beyond is noise, and goes to every viewer. */
function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}

function fell(before: Samples, after: Samples): boolean {
  return [...before].some(
    ([name, value]) => (name === STORED || ACK_BUCKET.test(name)) && (after.get(name) ?? 0) < value,
  );
}

/** The values of a metric by one label, which is its only one. */
function labelled(samples: Samples, name: string, label: string): Record<string, number> {
  const start = `${name}{${label}="`;
  const found = [...samples].filter(([written]) => written.startsWith(start));
  return Object.fromEntries(found.map(([written, value]) => [written.slice(start.length, -2), value]));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
