// Copies one store into another, partition by partition. Knows the store's contract, nothing of the two stores' kinds.
//
//     source: claims -> counts, events        target: events ... -> counts -> claim or seal
//
// Readers find partitions through claims, and the claim comes last: a copy that dies half way shows nothing of the
// partitions that it was at. Everything may be repeated: what is sealed with the same number of events is not copied again.

import { FLUSH_EVENTS_MAX } from "../config.ts";
import { expectedEvents, livingEvents } from "../counts/raw.ts";
import { Reto3Error } from "../errors.ts";
import { eventsIn } from "../counts/sum.ts";
import { HOUR_US, MINUTE_US, PERIOD_NAMES } from "../period.ts";
import type { Claim, CountLevel, EventRow, Flush, Partition, Store } from "../store/store.ts";
import { retryUntilKnown } from "../writer/retry.ts";

/** Hides round trips; each has one flush in memory. */
const PARTITIONS_AT_ONCE = 4;

/** A partition that is written to is read so often, until its levels agree; the next import has the rest. */
const READINGS_MAX = 5;

/** A store that does not take a write for so long ends the copy; a later one goes on from there. */
const RETRY_FOR_MS = 60_000;

export interface ImportOptions {
  /** Microseconds since 1970 UTC: the write timestamps in the target. */
  nowUs: () => number;
  /** Aborted: the copy ends early, with what it has done so far. */
  signal: AbortSignal;
  retryForMs?: number;
  /** Told of each failure that will be tried again. */
  onRetry?: (error: unknown) => void;
  /** Told after each partition how far it has come. */
  onProgress?: (result: ImportResult) => void;
}

export interface ImportResult {
  partitions: {
    copied: number;
    /** The target had them already. */
    skipped: number;
    /** Copied or skipped, but not sealed in the source: copy again when they are. */
    open: number;
  };
  /** In the counts of the copied partitions. */
  events: number;
  rawEvents: {
    copied: number;
    /** Counted, but not in the source any more, or never kept. */
    missing: number;
  };
}

/** Throws USAGE if both are one store; else what a store throws, when it is known that trying again is useless. */
export async function importStore(source: Store, target: Store, options: ImportOptions): Promise<ImportResult> {
  if (source.info.identity === target.info.identity) {
    throw new Reto3Error("USAGE", `${source.info.location} is both the source and the target; want two stores`);
  }
  const copy = new Copy(source, target, options);
  const claims = claimsOf(source, target, options.signal);
  // They share one stream of claims: a failure ends it, and the others finish what they are at.
  const workers = Array.from({ length: PARTITIONS_AT_ONCE }, async () => {
    for await (const { claim, there } of claims) await copy.partition(claim, there);
  });
  const failed = (await Promise.allSettled(workers)).find((outcome) => outcome.status === "rejected");
  if (failed && !options.signal.aborted) throw failed.reason;
  return copy.result;
}

interface Pair {
  claim: Claim;
  /** The same claim in the target, if that has it. */
  there: Claim | undefined;
}

async function* claimsOf(source: Store, target: Store, signal: AbortSignal): AsyncGenerator<Pair> {
  for (const hourUs of await source.claimedHours()) {
    const known = new Map<string, Claim>();
    for await (const page of target.claims(hourUs, hourUs + HOUR_US)) {
      for (const claim of page) known.set(`${claim.minuteUs}/${claim.writer}`, claim);
    }
    for await (const page of source.claims(hourUs, hourUs + HOUR_US)) {
      for (const claim of page) {
        if (signal.aborted) return;
        yield { claim, there: known.get(`${claim.minuteUs}/${claim.writer}`) };
      }
    }
  }
}

class Copy {
  readonly result: ImportResult = {
    partitions: { copied: 0, skipped: 0, open: 0 },
    events: 0,
    rawEvents: { copied: 0, missing: 0 },
  };
  readonly #source: Store;
  readonly #target: Store;
  readonly #options: ImportOptions;

  constructor(source: Store, target: Store, options: ImportOptions) {
    this.#source = source;
    this.#target = target;
    this.#options = options;
  }

  async partition(claim: Claim, there: Claim | undefined): Promise<void> {
    const { partitions, rawEvents } = this.result;
    const { counts, events } = await this.#countsOf(claim);
    const eventsThere = there && (await expectedEvents(this.#target, there));
    if (claim.sealedEvents === null) partitions.open++;
    if (there && eventsThere !== undefined && eventsThere >= events) {
      // An older copy must not replace a newer one; of an equal one at most the seal is missing.
      if (eventsThere === events && claim.sealedEvents !== null && there.sealedEvents === null) {
        await this.#write(() => this.#target.seal(claim, events, this.#options.nowUs()));
      }
      partitions.skipped++;
    } else {
      const raw = await this.#copyRows(claim, counts);
      if (there) await this.#unmerge(claim.minuteUs);
      const writtenAtUs = this.#options.nowUs();
      const isSealed = claim.sealedEvents !== null || (there !== undefined && there.sealedEvents !== null);
      await this.#write(() =>
        isSealed ? this.#target.seal(claim, events, writtenAtUs) : this.#target.claim(claim, writtenAtUs),
      );
      partitions.copied++;
      this.result.events += events;
      rawEvents.copied += raw;
      rawEvents.missing += Math.max(0, events - raw);
    }
    this.#options.onProgress?.(this.result);
  }

  /** All counts of a partition, and how many events these say. Where it is still written to, read again until they agree. */
  async #countsOf(claim: Claim): Promise<{ counts: Flush["counts"]; events: number }> {
    const { minuteUs, sealedEvents } = claim;
    const at = (level: CountLevel) => this.#source.counts(claim, level, minuteUs, minuteUs + MINUTE_US);
    for (let tries = 1; ; tries++) {
      const counts = { "1m": await at("1m"), "1s": await at("1s"), "10ms": await at("10ms") };
      const sums = PERIOD_NAMES.map((level) => eventsIn(counts[level]));
      const agree = new Set(sums.filter((sum) => sum > 0)).size <= 1;
      if (agree || sealedEvents !== null || tries >= READINGS_MAX) {
        return { counts, events: sealedEvents ?? Math.max(...sums) };
      }
    }
  }

  /** With one timestamp for all of it, later than that of every copy before. Resolves to the number of raw events. */
  async #copyRows(claim: Claim, counts: Flush["counts"]): Promise<number> {
    const writtenAtUs = this.#options.nowUs();
    const partition = { minuteUs: claim.minuteUs, writer: claim.writer };
    let raw = 0;
    for await (const rows of runsOf(livingEvents(this.#source, claim))) {
      await this.#write(() => this.#target.write(flushOf(partition, rows, writtenAtUs)));
      raw += rows.length;
    }
    if (PERIOD_NAMES.some((level) => counts[level].length > 0)) {
      await this.#write(() => this.#target.write({ ...flushOf(partition, [], writtenAtUs), counts }));
    }
    return raw;
  }

  /**
   * The target may have settled and merged an earlier copy: the merged minute names this writer with too few events. One
   * that names nobody takes its place, until the target's next merge. Stamped after the rows are there: a merge that has
   * read the old ones has an earlier timestamp, whenever it is written.
   */
  async #unmerge(minuteUs: number): Promise<void> {
    const nobody = { minuteUs, writers: [], writerCount: 0, rows: [] };
    const writtenAtUs = this.#options.nowUs();
    for (const level of ["1s", "1m"] as const) await this.#write(() => this.#target.merge(level, nobody, writtenAtUs));
  }

  async #write(attempt: () => Promise<void>): Promise<void> {
    const { signal, onRetry, retryForMs = RETRY_FOR_MS } = this.#options;
    const deadlineMs = performance.now() + retryForMs;
    const result = await retryUntilKnown(attempt, { deadlineMs, signal, onFailure: (error) => onRetry?.(error) });
    if (result.outcome !== "done") throw result.error;
  }
}

/** Rows without a gap in their seqs, as many as a flush takes at most: parts of a partition may have expired. */
async function* runsOf(pages: AsyncIterable<EventRow[]>): AsyncGenerator<EventRow[]> {
  let run: EventRow[] = [];
  for await (const page of pages) {
    for (const row of page) {
      const last = run.at(-1);
      if (last && (row.seq !== last.seq + 1 || run.length >= FLUSH_EVENTS_MAX)) {
        yield run;
        run = [];
      }
      run.push(row);
    }
  }
  if (run.length > 0) yield run;
}

function flushOf(partition: Partition, rows: readonly EventRow[], writtenAtUs: number): Flush {
  return {
    ...partition,
    firstSeq: rows[0]?.seq ?? 0,
    createdUs: rows.map(({ createdUs }) => createdUs),
    receivedUs: rows.map(({ receivedUs }) => receivedUs),
    counts: { "10ms": [], "1s": [], "1m": [] },
    writtenAtUs,
  };
}
