// What GET /live says: looks at the store and at the processes once a second, as long as somebody looks on, and says what is new to
// all viewers in the same bytes. Knows no HTTP; is handed the store to read, and what the processes say of themselves.
//
//     each full second + 0.2 s:  store (Seconds, lags, writers) -+
//                                processes (Numbers) ------------+-> one tick -> every viewer
//     now and then, beside that: Kept (first minute, raw events)

import type { Clock } from "../clock.ts";
import { readLags } from "../counts/lags.ts";
import type { RawData, Snapshot, Status, Tick } from "../live-messages.ts";
import { bucketStartUs, MINUTE_US, SECOND_US } from "../period.ts";
import type { Store } from "../store/store.ts";
import { pause } from "../writer/retry.ts";
import { Asked } from "./asked.ts";
import { firstMinuteUs, rawData } from "./kept.ts";
import { Numbers, type Samples } from "./numbers.ts";
import { Seconds } from "./seconds.ts";

/** So long after a full second it is looked at: a flush takes some milliseconds. */
const TICK_AFTER_MS = 200;

/** A tick waits so long for answers, and is then sent without them; the first look, at minutes of seconds, may take longer. */
const ANSWER_MAX_MS = 600;
const FIRST_ANSWER_MAX_MS = 2_000;

/** Goes on for so long without anybody: whoever loads the page again is shown all at once. */
const LINGER_MS = 10_000;

/** What is kept is looked up so often at most, and takes so small a share of the time. */
const KEPT_EVERY_MS = 60_000;
const KEPT_SHARE_MAX = 1 / 100;

const LAGS_US = 10 * SECOND_US;

const NOT_KNOWN: RawData = { sinceMs: null, events: null, bytes: null };

export interface FeedOptions {
  store: Store;
  clock: Clock;
  version: string;
  commit: string;
  keep: Snapshot["keep"];
  /** What all processes say that share the port. Without samples where they do not tell. */
  report: () => Promise<{ problem: string | null; samples: Samples }>;
  onError: (error: unknown) => void;
}

export interface Viewer {
  send(message: Uint8Array): void;
  /** Nothing more will come. */
  end(): void;
}

export class LiveFeed {
  readonly #options: FeedOptions;
  readonly #seconds: Seconds;
  readonly #numbers = new Numbers();
  readonly #stop = new AbortController();
  /** Those who wait for their snapshot. */
  readonly #waiting = new Set<Viewer>();
  readonly #viewers = new Set<Viewer>();
  #running = false;
  /** Whether a first look has been taken since it runs. */
  #looked = false;
  #lastViewerMs = 0;
  /** For all who come before the next tick. */
  #snapshot: Uint8Array | undefined;
  readonly #storeAsked: Asked<Pick<Status, "lagMs" | "writers">>;
  readonly #reportAsked: Asked<string | null>;
  readonly #keptAsked: Asked<void>;
  #storeProblem: string | null = null;
  #startedSeconds: number | undefined;
  /** Undefined: not known yet. */
  #firstUs: number | null | undefined;
  #firstTold: number | null | undefined;
  #raw = NOT_KNOWN;
  #rawTold = NOT_KNOWN;
  #keptNextMs = Number.NEGATIVE_INFINITY;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#seconds = new Seconds(options.store);
    this.#storeAsked = new Asked(() => this.#readStore());
    this.#reportAsked = new Asked(() => this.#readReport());
    this.#keptAsked = new Asked(() => this.#readKept());
  }

  get viewers(): number {
    return this.#waiting.size + this.#viewers.size;
  }

  /** Sends `viewer` a snapshot, at once or when the store has been looked at, and then a tick each second, until it leaves. */
  join(viewer: Viewer): void {
    if (this.#stop.signal.aborted) {
      viewer.end();
      return;
    }
    this.#lastViewerMs = performance.now();
    this.#waiting.add(viewer);
    if (this.#looked) this.#admit();
    if (this.#running) return;
    this.#running = true;
    this.#run().catch((error: unknown) => {
      this.#options.onError(error);
      this.end();
    });
  }

  leave(viewer: Viewer): void {
    this.#lastViewerMs = performance.now();
    this.#waiting.delete(viewer);
    this.#viewers.delete(viewer);
  }

  /** Ends for all and for good. */
  end(): void {
    this.#stop.abort();
    for (const viewer of [...this.#waiting, ...this.#viewers]) {
      this.leave(viewer);
      viewer.end();
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    await this.#look(FIRST_ANSWER_MAX_MS);
    this.#looked = true;
    this.#admit();
    while (this.viewers > 0 || performance.now() - this.#lastViewerMs < LINGER_MS) {
      await pause(untilTickMs(this.#options.clock.nowUs()), signal);
      if (signal.aborted) return;
      await this.#look(ANSWER_MAX_MS);
      const message = encode("tick", this.#tick());
      this.#snapshot = undefined;
      for (const viewer of this.#viewers) viewer.send(message);
    }
    this.#running = false;
    this.#looked = false;
  }

  #admit(): void {
    if (this.#waiting.size === 0 || this.#stop.signal.aborted) return;
    this.#snapshot ??= encode("snapshot", this.#whole());
    for (const viewer of this.#waiting) {
      this.#waiting.delete(viewer);
      this.#viewers.add(viewer);
      viewer.send(this.#snapshot);
    }
  }

  /** Waits `waitMs` at most; what is not there by then counts at the next look. */
  async #look(waitMs: number): Promise<void> {
    const isFilled = typeof this.#firstUs !== "number" && !this.#seconds.isEmpty;
    const isDue = isFilled || performance.now() >= this.#keptNextMs;
    const kept = isDue ? this.#keptAsked.ask(ANSWER_MAX_MS) : Promise.resolve(null);
    const [storeProblem] = await Promise.all([
      this.#storeAsked.ask(waitMs, this.#looked),
      this.#reportAsked.ask(waitMs),
      // A tick goes on without it.
      this.#looked || kept,
    ]);
    this.#storeProblem = storeProblem;
  }

  async #readStore(): Promise<Pick<Status, "lagMs" | "writers">> {
    const { store, clock } = this.#options;
    const nowUs = clock.nowUs();
    await this.#seconds.read(nowUs, this.#stop.signal);
    const toUs = this.#seconds.readUs;
    const [lags, writers] = await Promise.all([readLags(store, toUs - LAGS_US, toUs), openWriters(store, nowUs)]);
    const { events, minUs, maxUs, distribution } = lags;
    const [p50, p99] = [distribution.quantile(0.5) / 1_000, distribution.quantile(0.99) / 1_000];
    return { writers, lagMs: events === 0 ? null : { p50, p99, min: minUs / 1_000, max: maxUs / 1_000 } };
  }

  async #readReport(): Promise<string | null> {
    const { problem, samples } = await this.#options.report();
    if (samples.size > 0) this.#numbers.add(samples, performance.now());
    this.#startedSeconds = samples.get("process_start_time_seconds") ?? this.#startedSeconds;
    return problem;
  }

  async #readKept(): Promise<void> {
    const { store, clock } = this.#options;
    const startedMs = performance.now();
    try {
      this.#firstUs ??= await firstMinuteUs(store);
      this.#raw = await rawData(store, clock.nowUs());
    } finally {
      const tookMs = performance.now() - startedMs;
      this.#keptNextMs = startedMs + Math.max(KEPT_EVERY_MS, tookMs / KEPT_SHARE_MAX);
    }
  }

  #tick(): Tick {
    const raw = this.#raw === this.#rawTold ? undefined : this.#raw;
    this.#rawTold = this.#raw;
    const hasFirst = this.#firstUs !== this.#firstTold;
    this.#firstTold = this.#firstUs;
    const seconds = this.#seconds.takeChanged();
    return {
      nowMs: this.#nowMs(),
      seconds,
      buckets: this.#seconds.buckets,
      status: this.#status(),
      ...(hasFirst && this.#first),
      ...(raw && { raw }),
    };
  }

  #whole(): Snapshot {
    const { version, commit, keep, store } = this.#options;
    const { location, durability, synced, warnings, retention } = store.info;
    const startedSeconds = this.#startedSeconds ?? performance.timeOrigin / 1_000;
    return {
      nowMs: this.#nowMs(),
      // Of the supervisor, where there is one: whichever of its workers says it, it is the same.
      server: { startId: String(startedSeconds), version, commit, startedMs: Math.round(startedSeconds * 1_000) },
      store: { location, durability, synced, warnings },
      keep,
      retention,
      ...this.#first,
      raw: this.#raw,
      seconds: this.#seconds.all,
      buckets: this.#seconds.buckets,
      status: this.#status(),
    };
  }

  get #first(): Pick<Tick, "firstMs"> {
    if (this.#firstUs === undefined) return {};
    return { firstMs: this.#firstUs === null ? null : this.#firstUs / 1_000 };
  }

  #status(): Status {
    return {
      problem: this.#reportAsked.answer ?? null,
      storeProblem: this.#storeProblem,
      ...this.#numbers.said,
      storedPerSec: this.#numbers.storedPerSec,
      ackMs: this.#numbers.ackMs,
      writers: this.#storeAsked.answer?.writers ?? null,
      lagMs: this.#storeAsked.answer?.lagMs ?? null,
      viewers: this.viewers,
    };
  }

  #nowMs(): number {
    return Math.floor(this.#options.clock.nowUs() / 1_000);
  }
}

/** Those that may write into the minute of `nowUs`, or may still into the one before. */
async function openWriters(store: Store, nowUs: number): Promise<number> {
  const minuteUs = bucketStartUs(nowUs, MINUTE_US);
  const open = new Set<string>();
  for await (const page of store.claims(minuteUs - MINUTE_US, minuteUs + MINUTE_US)) {
    for (const { writer, sealedEvents } of page) if (sealedEvents === null) open.add(writer);
  }
  return open.size;
}

function untilTickMs(nowUs: number): number {
  const nowMs = nowUs / 1_000;
  const nextMs = Math.floor((nowMs - TICK_AFTER_MS) / 1_000 + 1) * 1_000 + TICK_AFTER_MS;
  return nextMs - nowMs;
}

function encode(event: "snapshot" | "tick", data: Snapshot | Tick): Uint8Array {
  return new TextEncoder().encode(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}
