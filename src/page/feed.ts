// The connection to GET /live: reads it, notices when it has gone silent, and opens it again. Knows no element of the page.
// With fetch, not EventSource: that can send no Authorization header and tells no status.

import type { Snapshot, Tick } from "../live-messages.ts";
import { wordsOf } from "./ask.ts";
import { SseParser } from "./sse.ts";

/** A tick comes each second; without any for so long the connection is dead, whatever TCP says. */
const SILENCE_MAX_MS = 5_000;

/** Attempts come after 1, 2, 4 and 8 seconds, then every 15. */
const RETRY_MS = [1_000, 2_000, 4_000, 8_000, 15_000];

export type Connection =
  | { kind: "connecting" }
  | { kind: "open" }
  | { kind: "lost"; retryAtMs: number }
  /** 503: why, in the server's words. */
  | { kind: "turned-away"; reason: string; retryAtMs: number }
  | { kind: "unauthorized" }
  /** Nobody looks: given up, so that others get the place. */
  | { kind: "away" };

export interface FeedOptions {
  url: string;
  headers: () => Record<string, string>;
  onSnapshot: (snapshot: Snapshot) => void;
  onTick: (tick: Tick) => void;
  onConnection: (connection: Connection) => void;
  silenceMaxMs?: number;
}

class StatusError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export class Feed {
  readonly #options: FeedOptions;
  #running: AbortController | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /** Opens the connection now, also when one is open or the next attempt is still to come. */
  open(): void {
    this.#end();
    const running = new AbortController();
    this.#running = running;
    // An attempt after others says nothing before it succeeds: people need not hear of each.
    if (this.#failures === 0) this.#options.onConnection({ kind: "connecting" });
    void this.#run(running);
  }

  /** Until `open`. */
  leave(): void {
    this.#end();
    this.#failures = 0;
    this.#options.onConnection({ kind: "away" });
  }

  #end(): void {
    clearTimeout(this.#retry);
    this.#running?.abort();
    this.#running = undefined;
  }

  async #run(running: AbortController): Promise<void> {
    try {
      await this.#read(running);
      this.#failed(running, new Error("the server ended the connection"));
    } catch (error) {
      this.#failed(running, error);
    }
  }

  /** Until the server ends it. Throws StatusError, and what fetch throws. */
  async #read(running: AbortController): Promise<void> {
    const { url, headers, silenceMaxMs = SILENCE_MAX_MS } = this.#options;
    let silence = setTimeout(() => running.abort(), silenceMaxMs);
    try {
      const accept = { Accept: "text/event-stream", ...headers() };
      const response = await fetch(url, { headers: accept, signal: running.signal, cache: "no-store" });
      if (!response.ok || !response.body) throw new StatusError(response.status, await wordsOf(response));
      const parser = new SseParser();
      const decoder = new TextDecoder();
      const reader = response.body.getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        clearTimeout(silence);
        silence = setTimeout(() => running.abort(), silenceMaxMs);
        for (const message of parser.push(decoder.decode(value, { stream: true }))) this.#take(running, message);
      }
    } finally {
      clearTimeout(silence);
    }
  }

  #take(running: AbortController, { event, data }: { event: string; data: string }): void {
    // What was on its way when somebody left.
    if (running !== this.#running) return;
    if (event === "snapshot") {
      this.#failures = 0;
      this.#options.onSnapshot(JSON.parse(data) as Snapshot);
      this.#options.onConnection({ kind: "open" });
    } else if (event === "tick") {
      this.#options.onTick(JSON.parse(data) as Tick);
    }
  }

  #failed(running: AbortController, error: unknown): void {
    if (running !== this.#running) return;
    running.abort();
    const status = error instanceof StatusError ? error.status : 0;
    if (status === 401) {
      this.#failures = 0;
      this.#options.onConnection({ kind: "unauthorized" });
      return;
    }
    const waitMs = RETRY_MS[Math.min(this.#failures++, RETRY_MS.length - 1)] ?? 1_000;
    const retryAtMs = Date.now() + waitMs;
    this.#retry = setTimeout(() => this.open(), waitMs);
    if (status === 503)
      this.#options.onConnection({ kind: "turned-away", reason: (error as Error).message, retryAtMs });
    else this.#options.onConnection({ kind: "lost", retryAtMs });
  }
}
