// What of the past is looked at, and the counts of it: chooses the period, asks as rarely as it can, and follows now.
// Knows neither elements nor HTTP: gets `ask` handed in.
//
//     |<-------------------------- held ----------------------->|
//              |<----------- in view ---------->|                  nothing is asked
//                          |<------------- in view ------------->|  the end of it is asked, and joined to what is held
//                                                  anything else:  all of it is asked, with a margin to move in

import { COMPLETE_AFTER_MS } from "../config.ts";
import type { PeriodName } from "../period.ts";
import { AskError, type Ask } from "./ask.ts";
import { joined, since, type Counts } from "./counts.ts";
import { aligned, coarser, periodFor, periodMs, within, withMargin, type Range } from "./span.ts";

/** What arrived so long before an answer is in it, but for what was never acknowledged; a moment more than the server's own. */
const SETTLED_AFTER_MS = COMPLETE_AFTER_MS + 1_000;

/** A view of the past of which the server says that it may still change, because a minute is not sealed yet. */
const UNSEALED_REFRESH_MS = 30_000;

/** While somebody zooms or moves nothing is asked. */
const CALM_MS = 150;

/** What is not complete yet is asked again so often; of seconds and minutes GET /live tells the newest in between (counts.ts). */
const REFRESH_MS: Record<PeriodName, number> = { "10ms": 1_000, "1s": 5_000, "1m": 30_000 };
const RETRY_MS = 3_000;
/** What was said of the last hour may be another thing of the next: its start has moved, or a clock was set. */
const REFUSED_RETRY_MS = 30_000;

/** An end with more buckets than this is not asked for by itself. */
const TAIL_BUCKETS_MAX = 1_000;

export interface HistoryOptions {
  ask: Ask;
  /** What is in view at first; nothing is asked before `show`. */
  view: { lastMs: number } | Range;
  /** How long counts of that period are kept; Infinity: for good, or not known. */
  keptMs: (period: PeriodName) => number;
  /** The server's clock. */
  nowMs: () => number;
  /** Something to show has changed. */
  onChange: () => void;
}

export class History {
  readonly #options: HistoryOptions;
  #view: { lastMs: number } | Range;
  #held: Counts | null = null;
  #error: AskError | null = null;
  #asking: AbortController | undefined;
  #calm: ReturnType<typeof setTimeout> | undefined;
  #askedAtMs = -Infinity;
  /** Of each period: what begins here or earlier has expired, as the server said. */
  readonly #expiredMs = new Map<PeriodName, number>();

  constructor(options: HistoryOptions) {
    this.#options = options;
    this.#view = options.view;
  }

  get view(): { lastMs: number } | Range {
    return this.#view;
  }

  get isFollowing(): boolean {
    return "lastMs" in this.#view;
  }

  get isAsking(): boolean {
    return this.#asking !== undefined || this.#calm !== undefined;
  }

  get error(): AskError | null {
    return this.#error;
  }

  /** May be of another range or period than what is in view: it is shown until the answer comes. */
  get held(): Counts | null {
    return this.#held;
  }

  /** What is in view now. */
  get range(): Range {
    if (!("lastMs" in this.#view)) return this.#view;
    const { lastMs } = this.#view;
    const { toMs } = aligned({ fromMs: 0, toMs: this.#options.nowMs() }, periodFor(lastMs));
    return { fromMs: toMs - lastMs, toMs };
  }

  /** The finest period for what is in view, and the one that is left of it. */
  get period(): { wanted: PeriodName; used: PeriodName } {
    const range = this.range;
    const wanted = periodFor(range.toMs - range.fromMs);
    let used = wanted;
    for (let next: PeriodName | null = wanted; next; next = coarser(next)) {
      used = next;
      if (range.fromMs > this.#expiredAtMs(next)) break;
    }
    return { wanted, used };
  }

  /** What begins then or earlier is not there any more in that period: the server said so, or it is past its lifetime. */
  #expiredAtMs(period: PeriodName): number {
    const { nowMs, keptMs } = this.#options;
    // Minutes are asked for in any case: then the server says that they are gone.
    const lifetimeMs = coarser(period) === null ? Infinity : keptMs(period);
    return Math.max(nowMs() - lifetimeMs, this.#expiredMs.get(period) ?? -Infinity);
  }

  show(view: { lastMs: number } | Range): void {
    this.#view = "lastMs" in view ? view : within(view, this.#options.nowMs());
    this.#error = null;
    this.#asking?.abort();
    this.#asking = undefined;
    clearTimeout(this.#calm);
    this.#calm = setTimeout(() => {
      this.#calm = undefined;
      const needs = this.#needs();
      if (needs === "nothing" || needs === "seal") this.#options.onChange();
      else void this.#load();
    }, CALM_MS);
    this.#options.onChange();
  }

  /** Once a second, while somebody looks; after the first `show`. */
  tick(): void {
    if (this.isAsking || this.#askedAtMs === -Infinity) return;
    const isRefused = this.#error !== null && this.#error.status >= 400 && this.#error.status < 500;
    // What was said of a range that stays will not change.
    if (isRefused && !this.isFollowing) return;
    const waitedMs = this.#options.nowMs() - this.#askedAtMs;
    const needs = this.#needs();
    const refreshMs = needs === "seal" ? UNSEALED_REFRESH_MS : REFRESH_MS[this.period.used];
    const retryMs = isRefused ? REFUSED_RETRY_MS : RETRY_MS;
    if (waitedMs < (this.#error ? retryMs : refreshMs)) return;
    if (needs !== "nothing") void this.#load();
  }

  /** Asks again: a token was given, or another server answers. */
  reload(): void {
    this.#held = null;
    this.#expiredMs.clear();
    this.show(this.#view);
  }

  /** `seal`: only to see whether all of it is final by now. */
  #needs(): "nothing" | "seal" | "tail" | "all" {
    const held = this.#held;
    const range = aligned(this.range, this.period.used);
    if (held?.period !== this.period.used || held.fromMs > range.fromMs || held.toMs < range.fromMs) return "all";
    const stepMs = periodMs(held.period);
    const knownMs = settledMs(held);
    if (knownMs >= Math.min(range.toMs, this.#options.nowMs()))
      return held.completeMs >= range.toMs ? "nothing" : "seal";
    return (range.toMs - knownMs) / stepMs > TAIL_BUCKETS_MAX ? "all" : "tail";
  }

  /** Without what has long gone out of view: who follows now for a day must not fill the memory. */
  #nearby(held: Counts): Counts {
    return since(held, withMargin(this.range, held.period).fromMs);
  }

  async #load(): Promise<void> {
    const asking = new AbortController();
    this.#asking = asking;
    this.#askedAtMs = this.#options.nowMs();
    this.#options.onChange();
    try {
      const held = this.#held;
      if (held && this.#needs() === "tail") {
        const fromMs = Math.max(held.fromMs, settledMs(held));
        const tail = aligned({ fromMs, toMs: Math.max(this.range.toMs, fromMs + 1) }, held.period);
        const counts = await this.#options.ask(held.period, tail, asking.signal);
        if (!asking.signal.aborted) this.#held = joined(this.#nearby(held), counts);
      } else {
        const counts = await this.#askFinest(asking.signal);
        if (!asking.signal.aborted) this.#held = counts;
      }
      if (!asking.signal.aborted) this.#error = null;
    } catch (error) {
      if (asking.signal.aborted) return;
      this.#error = error instanceof AskError ? error : new AskError(0, String(error));
    } finally {
      // Superseded: whoever did that sees to the rest.
      if (this.#asking === asking) {
        this.#asking = undefined;
        this.#options.onChange();
      }
    }
  }

  /** With the margin, without it, then in the next coarser period: 410 says that some of it has expired. */
  async #askFinest(signal: AbortSignal): Promise<Counts> {
    const range = this.range;
    for (;;) {
      const period = this.period.used;
      const exact = aligned(range, period);
      const wide = withMargin(range, period);
      // Nothing is known of what is to come.
      const nowMs = aligned({ fromMs: 0, toMs: this.#options.nowMs() }, period).toMs;
      wide.toMs = Math.max(exact.toMs, Math.min(wide.toMs, nowMs));
      wide.fromMs = Math.max(0, wide.fromMs);
      let expired: AskError | undefined;
      for (const asked of wide.fromMs < exact.fromMs ? [wide, exact] : [exact]) {
        try {
          return await this.#options.ask(period, asked, signal);
        } catch (error) {
          if (!(error instanceof AskError) || error.status !== 410) throw error;
          expired = error;
        }
      }
      this.#expiredMs.set(period, Math.max(range.fromMs, this.#expiredMs.get(period) ?? -Infinity));
      if (expired && coarser(period) === null) throw expired;
    }
  }
}

/** Until when nothing of it can change any more, as far as a viewer minds. */
function settledMs({ completeMs, nowMs, toMs }: Counts): number {
  return Math.min(toMs, Math.max(completeMs, nowMs - SETTLED_AFTER_MS));
}
