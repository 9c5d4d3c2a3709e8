// GET /live as HTTP: a stream of server-sent events that lasts until either side ends it. What is said comes from the feed.
// Format: https://html.spec.whatwg.org/multipage/server-sent-events.html

import type { BunRequest } from "bun";
import { VIEWER_BACKLOG_BYTES_MAX, VIEWERS_MAX } from "../config.ts";
import type { LiveFeed, Viewer } from "../live/feed.ts";
import type { HttpStats } from "./metrics.ts";

const HEADERS = {
  "Content-Type": "text/event-stream",
  "Cache-Control": "no-store",
  // What nginx would otherwise hold back until some kilobytes are there.
  "X-Accel-Buffering": "no",
};

/** Undefined where there are too many viewers. */
export function liveStream(feed: LiveFeed, http: HttpStats, request: BunRequest): Response | undefined {
  if (request.method === "HEAD") return new Response(null, { headers: HEADERS });
  if (feed.viewers >= VIEWERS_MAX) {
    http.liveRefused.too_many++;
    return undefined;
  }
  const backlog = new Backlog(() => {
    http.liveRefused.too_slow++;
    feed.leave(backlog);
  });
  feed.join(backlog);
  request.signal.addEventListener("abort", () => {
    feed.leave(backlog);
    backlog.end();
  });
  return new Response(backlog.messages(), { headers: HEADERS });
}

/**
 * What one viewer has not taken yet. Bun asks a generator for more only when the socket has taken what was before, which it does not
 * of a ReadableStream with a controller: that one would grow without end.
 */
class Backlog implements Viewer {
  readonly #onTooSlow: () => void;
  #messages: Uint8Array[] = [];
  #bytes = 0;
  #ended = false;
  #wake = () => {};

  constructor(onTooSlow: () => void) {
    this.#onTooSlow = onTooSlow;
  }

  send(message: Uint8Array): void {
    if (this.#ended) return;
    if (this.#bytes + message.length > VIEWER_BACKLOG_BYTES_MAX) {
      // Its socket is closed when it has taken nothing for IDLE_TIMEOUT_SECONDS, or with what it takes next.
      this.#messages = [];
      this.end();
      this.#onTooSlow();
      return;
    }
    this.#messages.push(message);
    this.#bytes += message.length;
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** To be read once. */
  async *messages(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const message = this.#messages.shift();
      if (message) {
        this.#bytes -= message.length;
        yield message;
      } else if (this.#ended) {
        return;
      } else {
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    }
  }
}
