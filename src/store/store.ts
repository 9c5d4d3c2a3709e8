// The contract between reto3 and a store: types only, imports nothing. Every adapter passes conformance.ts unchanged.
//
// One flush of one writer is ONE atomic write into ONE partition, the same key in every table:
//
//     events       ((minute, writer), seq)        created_us, received_us     or, packed (ADR 0017):
//     event_batches  ((minute, writer), seq)       cell: all events of the flush, the first of them `seq`
//     counts_10ms  ((minute, writer), bucket_us)  events, lag_sum_us, lag_min_us, lag_max_us
//     counts_1s    ((minute, writer), bucket_us)  the same + lag_hist
//     counts_1m    ((minute, writer), bucket_us)  the same + lag_hist
//     claims       ((hour), minute, writer)       sealed_events
//
// A merge adds up what several writers have in one minute, in coarser partitions beside the others (ADR 0007):
//
//     merged_1s    ((hour), minute)               cell: the writers it covers, and their totals per second
//     merged_1m    ((day), minute)                cell: the same for the minute
//
// Times are microseconds since 1970 UTC, whole numbers.
//
// Errors of every method are Reto3Errors whose code says whether a retry helps (src/errors.ts): STORE_UNAVAILABLE had no
// effect, STORE_UNKNOWN may have had it, STORE_REFUSED will never be taken. A method rejects in bounded time.

/** What all rows of a flush have in common. `writer` is a UUID in its usual text form; `minuteUs` the start of a minute. */
export interface Partition {
  minuteUs: number;
  writer: string;
}

/** The level of a count table; the same names as the periods. */
export type CountLevel = "10ms" | "1s" | "1m";

/** The ABSOLUTE totals of one writer in one bucket, so that writing them again changes nothing. */
export interface CountRow {
  bucketUs: number;
  events: number;
  lagSumUs: number;
  lagMinUs: number;
  lagMaxUs: number;
  /** Histogram.encode() of the lags; null at 10ms. */
  lagHist: Uint8Array | null;
}

/**
 * Events `firstSeq`, `firstSeq + 1`, ... of a partition, with the totals of every bucket that they touch. Without events
 * where only totals are kept, and where totals are corrected.
 */
export interface Flush extends Partition {
  firstSeq: number;
  /** Creation times; bigint because a client's clock may be anywhere between the years 1 and 9999. */
  createdUs: readonly bigint[];
  /** Arrival times, ascending, all within the partition's minute; as long as `createdUs`. */
  receivedUs: readonly number[];
  counts: Record<CountLevel, readonly CountRow[]>;
  /** Write timestamp: strictly increasing per writer, the same in every attempt at this flush. */
  writtenAtUs: number;
}

/** A writer's word that it may write into a partition. `sealedEvents`: how many events lie there for good; null while that may change. */
export interface Claim extends Partition {
  sealedEvents: number | null;
}

/** How many writers claimed a minute, and how many of them sealed their claim. */
export interface ClaimCount {
  minuteUs: number;
  claims: number;
  sealed: number;
}

/** The levels that are merged. */
export type MergedLevel = "1s" | "1m";

/** The totals of all of `writers` in one minute, one row a bucket, ascending. Other writers may have more. */
export interface MergedMinute {
  minuteUs: number;
  writers: readonly string[];
  /** `writers.length`, without the cost of spelling them out. */
  writerCount: number;
  rows: readonly CountRow[];
}

export interface EventRow {
  seq: number;
  createdUs: bigint;
  receivedUs: number;
}

/** `packed`: the raw events of a flush in one cell. `rows`: a row for each, for programs of others that read the table. */
export type RawLayout = "packed" | "rows";

/** How long the rows of each table are kept, in seconds; null: for good. */
export interface Retention {
  events: number | null;
  "10ms": number | null;
  "1s": number | null;
  "1m": number | null;
  /** The oldest raw events go when there are more bytes of them; null: no limit. */
  rawBytesMax: number | null;
}

/** What one table holds. Null where the store cannot tell at a bearable cost. */
export interface TableSize {
  name: string;
  /** Of event_batches: the events in them. */
  rows: number | null;
  /** On disk, over all replicas. */
  bytes: number | null;
}

/** What is measured while a store is used. Null where the store does not know. */
export interface StoreGauges {
  /** Length of the write-ahead log. */
  logBytes: number | null;
  /** What this process may still write to the disk that the store is on. */
  diskFreeBytes: number | null;
}

export interface ReadOptions {
  /** Asks every replica and brings to each what it lacks; STORE_UNAVAILABLE or STORE_UNKNOWN if one does not answer. */
  all?: boolean;
}

export interface StoreInfo {
  /** Where the data is, without any secret. */
  location: string;
  /** The same for every way to name this store. */
  identity: string;
  /** What a 2xx promises, as one sentence for people: what it survives. */
  durability: string;
  /** Whether what is written is synced to a disk before `write` resolves; null: not known. */
  synced: boolean | null;
  /** Things that people should know before they trust this store; each one sentence. */
  warnings: readonly string[];
  /** `MAJOR.MINOR`: a reto3 reads and writes every store of its own major version beside other minor ones. */
  schema: string;
  retention: Retention;
  /**
   * A partition whose minute ended so long ago gets nothing more from a writer that has died, not even by way of a
   * replica that was away: whoever reads all of it then reads it for good.
   */
  settleAfterMs: number;
}

export interface Store {
  readonly info: StoreInfo;

  /** Makes `flush` durable, all of it or nothing. The same flush again changes nothing. After success every reader sees it. */
  write(flush: Flush): Promise<void>;

  /** Makes the claim durable. Repeating it, also after `seal`, changes nothing. */
  claim(partition: Partition, writtenAtUs: number): Promise<void>;

  /** Says that `partition` was claimed and now holds `events` events for good. Repeating it changes nothing. */
  seal(partition: Partition, events: number, writtenAtUs: number): Promise<void>;

  /**
   * The claims of minutes in [fromUs, toUs), by minute, in pages; some are empty, so that a caller who has lost interest
   * can stop in the middle of a long range.
   */
  claims(fromUs: number, toUs: number): AsyncIterable<Claim[]>;

  /** `claims`, added up by minute: minutes of [fromUs, toUs) that anybody claimed, ascending, in pages, some empty. */
  claimCounts(fromUs: number, toUs: number): AsyncIterable<ClaimCount[]>;

  /** The starts of the hours in which anybody claimed a minute, ascending. Costs a look at every such hour. */
  claimedHours(): Promise<number[]>;

  /** The counts of a partition whose bucket starts in [fromUs, toUs), ascending. At most 6,000 rows (a minute of 10 ms buckets). */
  counts(
    partition: Partition,
    level: CountLevel,
    fromUs: number,
    toUs: number,
    options?: ReadOptions,
  ): Promise<CountRow[]>;

  /** All raw events of a partition that have not expired, by seq, in pages of a few thousand at most. EXPIRED where the first of them have and the store would have to wade through them; UNREADABLE behind the pages before what is in no known form. */
  events(partition: Partition, options?: ReadOptions): AsyncIterable<EventRow[]>;

  /** Puts a merged minute in the place of the one that is there, as a whole; of two, the later `writtenAtUs` stands. */
  merge(level: MergedLevel, minute: MergedMinute, writtenAtUs: number): Promise<void>;

  /** The merged minutes of [fromUs, toUs), ascending, in pages, some empty. */
  merged(level: MergedLevel, fromUs: number, toUs: number): AsyncIterable<MergedMinute[]>;

  /** What each table holds, for people: exact or an estimate, as the store can tell. `raw`: of those of raw events alone, which costs little. */
  sizes(which?: "all" | "raw"): Promise<TableSize[]>;

  /** Looked up at each call; cheap. Null values where something cannot be looked up just now. */
  gauges(): Promise<StoreGauges>;

  /** Resolves when the store answers. */
  ping(): Promise<void>;

  /** The store's clock minus this process's, in microseconds; null where there is but one clock. */
  clockOffsetUs(): Promise<number | null>;

  /** Ends all use. What was in flight may have any outcome. */
  close(): Promise<void>;
}

export interface OpenOptions {
  /**
   * - `serve`: create what is missing, expire what is due.
   * - `write`: the store must exist.
   * - `read`: change nothing; the store must exist.
   * - `scratch`: a store of its own beside the named one, empty, erased on close; for measurements.
   */
  mode: "serve" | "write" | "read" | "scratch";
  /** How raw events are written; all that is there is read, whatever it is. Default: packed. */
  rawLayout?: RawLayout;
  /** For `serve`: what is to change; what is not named stays as the store has it. A new store has the defaults of src/config.ts. */
  retention?: Partial<Retention>;
  /** Told about what happens on the way, for people; no secrets. */
  log?: (line: string) => void;
}
