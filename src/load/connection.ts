// One HTTP/1.1 connection over a raw socket, or one with TLS, with one request in flight and never a pipelined one.
// Knows just enough of HTTP for the answers of a small POST: a status, a length, whether the server wants to part.

import type { Socket } from "bun";

/** How an exchange ended: the status, or `lost` when the connection broke after the request was (partly) sent. */
export type Exchange = { status: number } | { lost: string };

export interface Connection {
  /** Sends `request`, whose bytes may change afterwards, and calls `done` once with how it ended. Only when `idle`. */
  send(request: Uint8Array, done: (exchange: Exchange) => void): void;
  /** True while the connection is open and has nothing in flight. */
  readonly idle: boolean;
  /** Answers received on it. */
  readonly answers: number;
  close(): void;
}

interface State {
  received: string;
  unsent: Uint8Array | undefined;
  done: ((exchange: Exchange) => void) | undefined;
  open: boolean;
  answers: number;
}

export interface Target {
  host: string;
  port: number;
  /** Speaks TLS; the certificate must be for `host`, and signed by one of `ca` (PEM), without it by one that all trust. */
  tls?: { ca?: string };
}

/**
 * Opens a connection; rejects if that fails, with TLS also if the certificate is not trusted, before anything was sent.
 * `onClose` is called once when an opened one has ended for whatever reason.
 */
export async function openConnection({ host, port, tls }: Target, onClose: () => void): Promise<Connection> {
  const state: State = { received: "", unsent: undefined, done: undefined, open: tls === undefined, answers: 0 };
  const finish = (exchange: Exchange) => {
    const { done } = state;
    state.done = undefined;
    done?.(exchange);
  };
  const trusted = Promise.withResolvers<void>();
  // Nobody waits for it without TLS.
  trusted.promise.catch(() => {});
  const end = (reason: string) => {
    trusted.reject(new Error(reason));
    if (!state.open) return;
    state.open = false;
    onClose();
    finish({ lost: reason });
  };
  const socket = await Bun.connect({
    hostname: host,
    port,
    // Not `{}`: for that Bun opens a connection without TLS.
    ...(tls && { tls: { rejectUnauthorized: true, ...tls } }),
    socket: {
      handshake(own, done, error) {
        if (done && own.authorized) {
          state.open = true;
          trusted.resolve();
        } else trusted.reject(error ?? new Error("the certificate is not trusted"));
      },
      data(own, chunk) {
        let answer = state.received === "" ? knownAnswer(chunk) : undefined;
        if (!answer) {
          state.received += chunk.toString("latin1");
          answer = parseAnswer(state.received);
          if (!answer) return;
          if (state.received.length === chunk.length) known = { bytes: chunk, answer };
          state.received = "";
        }
        state.answers++;
        if (answer.close) {
          state.open = false;
          own.end();
          onClose();
        }
        finish(answer);
      },
      drain: (own) => writeRest(own, state),
      close: () => end("the connection was closed"),
      end: () => end("the connection was closed"),
      error: (_own, error) => end(error.message),
    },
  });
  if (tls) {
    try {
      await trusted.promise;
    } catch (error) {
      socket.terminate();
      throw error;
    }
  }
  return {
    send(request, done) {
      state.done = done;
      const written = Math.max(0, socket.write(request));
      if (written < request.length) state.unsent = request.slice(written);
    },
    get idle() {
      return state.open && state.done === undefined;
    },
    get answers() {
      return state.answers;
    },
    close() {
      end("given up");
      socket.terminate();
    },
  };
}

function writeRest(socket: Socket, state: State): void {
  if (!state.unsent) return;
  const written = Math.max(0, socket.write(state.unsent));
  state.unsent = written < state.unsent.length ? state.unsent.subarray(written) : undefined;
}

interface Answer {
  status: number;
  close: boolean;
}

/** The last answer that came whole in one piece. Most are the same, byte for byte, until their date changes. */
let known: { bytes: Buffer; answer: Answer } | undefined;

function knownAnswer(bytes: Buffer): Answer | undefined {
  return known?.bytes.equals(bytes) ? known.answer : undefined;
}

/** The answer at the start of `text`; undefined while it is not whole. */
export function parseAnswer(text: string): Answer | undefined {
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd < 0) return undefined;
  const head = text.slice(0, headEnd);
  const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
  if (text.length < headEnd + 4 + length) return undefined;
  const close = head.startsWith("HTTP/1.0") || /\r\nconnection: *close/i.test(head);
  return { status: Number(head.slice(9, 12)), close };
}
