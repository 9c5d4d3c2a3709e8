// What GET /live says to a viewer, once a second: types alone, for the server and for the page. Kernel.
//
//     event: snapshot    data: Snapshot     first, at once
//     event: tick        data: Tick         then once a second
//
// Times `...Ms` are milliseconds since 1970 UTC, whole numbers; durations `...Ms` may have fractions.

/** `[start, events, events in its fullest 10 ms]` of a second. */
export type SecondRow = [startMs: number, events: number, peak10ms: number];

export interface Tick {
  /** The server's clock when this was put together. */
  nowMs: number;
  /** Seconds that are new or have changed, and the newest that was read, ascending; those without events before that one are left out. */
  seconds: SecondRow[];
  /** The counts of the newest 10 ms buckets, one after another, zeros too. The last of them lies some 100 ms back. */
  buckets: { startMs: number; events: number[] };
  status: Status;
  /** The first minute with events, where it has come to be known; null: there is none yet. */
  firstMs?: number | null;
  /** Where it has changed. */
  raw?: RawData;
}

export interface Snapshot extends Tick {
  server: {
    /** Another one after each start; the same for all workers. */
    startId: string;
    version: string;
    commit: string;
    startedMs: number;
  };
  store: {
    location: string;
    /** What a 2xx means here, as one sentence. */
    durability: string;
    synced: boolean | null;
    warnings: readonly string[];
  };
  /** `summary`: counts alone, no raw events. */
  keep: "events" | "summary";
  /** Seconds that rows are kept; null: for good. */
  retention: {
    events: number | null;
    "10ms": number | null;
    "1s": number | null;
    "1m": number | null;
    rawBytesMax: number | null;
  };
  raw: RawData;
}

/** What is kept of the events themselves. Null where it is not known. */
export interface RawData {
  /** The oldest minute of which there are raw events, or were when this was looked up. */
  sinceMs: number | null;
  events: number | null;
  bytes: number | null;
}

/** Of all processes that share the port. */
export interface Status {
  /** Why no events are taken; null: they are. */
  problem: string | null;
  /** Why the counts could not be read just now; null: they could. */
  storeProblem: string | null;
  workers: number;
  /** Writers that have claimed the current minute or the one before it and not sealed it, of every server of this store. */
  writers: number | null;
  queueEvents: number;
  queueEventsMax: number;
  /** Since the start, by reason (src/http/metrics.ts). */
  refused: Record<string, number>;
  storeErrors: number;
  storeRetries: number;
  /** Events a second that this server (not others of its store) made durable, over the last ten seconds. */
  storedPerSec: number;
  /** Of the last ten seconds; null: nothing was answered. Between the bounds of the exposed histogram, as Prometheus would say it. */
  ackMs: { p50: number; p99: number } | null;
  /** Of the events of the last ten seconds, over all writers of the store; null: there are none. */
  lagMs: { p50: number; p99: number; min: number; max: number } | null;
  /** The store's clock minus the server's; null where they are one. */
  clockOffsetMs: number | null;
  /** Who looks on at this process. */
  viewers: number;
}
