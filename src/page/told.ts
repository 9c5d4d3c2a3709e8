// What the server has said of itself so far: the newest of each, and what only several messages together tell. Pure, but for clocks.

import type { RawData, Snapshot, Status, Tick } from "../live-messages.ts";
import { Recent } from "./recent.ts";

/** So long it is said that the server was started again. */
const RESTART_SHOWN_MS = 300_000;
/** Refusals are held against those of ten seconds before. */
const LATELY_TICKS = 11;
/** The clocks are compared by the quickest of so many messages. */
const SKEW_TICKS = 30;

export interface Restart {
  atMs: number;
  /** It runs beside the one before: another server of a cluster. */
  isOther: boolean;
}

export class Told {
  readonly recent = new Recent();
  snapshot: Snapshot | null = null;
  status: Status | null = null;
  raw: RawData = { sinceMs: null, events: null, bytes: null };
  /** The first events; null: there are none, undefined: nobody knows yet. */
  firstMs: number | null | undefined;
  /** The server's clock when it said the last of this; 0: it has not said anything. */
  asOfMs = 0;
  #restart: (Restart & { untilMs: number }) | null = null;
  #skewsMs: number[] = [];
  #refusals: Record<string, number>[] = [];

  takeSnapshot(message: Snapshot): void {
    const before = this.snapshot?.server.startId;
    if (before !== message.server.startId) {
      const { startedMs } = message.server;
      const restart = { atMs: startedMs, isOther: startedMs < this.asOfMs, untilMs: Date.now() + RESTART_SHOWN_MS };
      if (before !== undefined) this.#restart = restart;
    }
    // Those from before the connection was away are of more than ten seconds, or of another server.
    this.#refusals = [];
    this.snapshot = message;
    this.firstMs = undefined;
    this.#take(message, true);
  }

  takeTick(message: Tick): void {
    this.#take(message, false);
  }

  #take(message: Tick, isFirst: boolean): void {
    this.asOfMs = message.nowMs;
    this.status = message.status;
    this.raw = message.raw ?? this.raw;
    this.#skewsMs = [...this.#skewsMs, message.nowMs - Date.now()].slice(-SKEW_TICKS);
    this.#refusals = [...this.#refusals, message.status.refused].slice(-LATELY_TICKS);
    this.recent.add(message, isFirst);
    const seenMs = message.seconds.find(([, events]) => events > 0)?.[0];
    const wasEmpty = message.firstMs === null || this.firstMs === null;
    this.firstMs = message.firstMs ?? this.firstMs ?? (wasEmpty ? (seenMs ?? null) : undefined);
  }

  /** The server's clock minus this device's: the quickest message is the least late. */
  get skewMs(): number {
    return this.#skewsMs.length === 0 ? 0 : Math.max(...this.#skewsMs);
  }

  /** The server's clock. */
  get nowMs(): number {
    return Date.now() + this.skewMs;
  }

  /** In the last ten seconds, by reason. */
  get refusedLately(): Record<string, number> {
    const [before, now] = [this.#refusals[0] ?? {}, this.#refusals.at(-1) ?? {}];
    const grown = Object.entries(now).map(([reason, count]) => [reason, Math.max(0, count - (before[reason] ?? 0))]);
    return Object.fromEntries(grown) as Record<string, number>;
  }

  /** Another start of the server than before has answered, not long ago. */
  get restart(): Restart | null {
    return this.#restart && Date.now() < this.#restart.untilMs ? this.#restart : null;
  }
}
