// Reads GET /live as a client would, for tests.

import type { Snapshot, Tick } from "../../src/live-messages.ts";

export type LiveMessage = { event: "snapshot"; data: Snapshot } | { event: "tick"; data: Tick };

/** The messages of an answer, until it ends. */
export async function* liveMessages(answer: Response): AsyncGenerator<LiveMessage> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of answer.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const [, event, data = ""] = /^event: (\S+)\ndata: (.*)$/.exec(text.slice(0, end)) ?? [];
      yield { event, data: JSON.parse(data) } as LiveMessage;
      text = text.slice(end + 2);
    }
  }
}

/** A viewer that remembers the last word on each second. Leaves at the end. */
export async function watchLive(url: string): Promise<{
  first: Snapshot;
  /** By start, in milliseconds: events, and events in the fullest 10 ms. */
  seconds: Map<number, [number, number]>;
  /** Reads on until `condition` holds for a message; throws when the stream ends before. */
  until(condition: (tick: Tick) => boolean): Promise<Tick>;
  /** Resolves when the server has ended the stream. */
  ended(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}> {
  const gone = new AbortController();
  const messages = liveMessages(await fetch(`${url}/live`, { signal: gone.signal, keepalive: false }));
  const seconds = new Map<number, [number, number]>();
  const next = async () => {
    const { value } = await messages.next();
    for (const [startMs, ...counted] of value?.data.seconds ?? []) seconds.set(startMs, counted);
    return value;
  };
  const first = await next();
  if (first?.event !== "snapshot") throw new Error(`/live begins with ${first?.event}, want a snapshot`);
  return {
    first: first.data,
    seconds,
    async until(condition) {
      for (;;) {
        const message = await next();
        if (!message) throw new Error("/live ended");
        if (condition(message.data)) return message.data;
      }
    },
    async ended() {
      while (await next());
    },
    async [Symbol.asyncDispose]() {
      gone.abort();
    },
  };
}
