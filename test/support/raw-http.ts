// HTTP by hand, for tests of what no client library would send: bytes in, and what came back until the connection said
// enough. Knows no more of HTTP than how an answer begins.

import { connect, type Socket } from "node:net";

/** The body of the answer that says that an event is stored. */
const STORED_MARK = "<h1>POST!</h1>";

export interface Talk {
  /** The statuses that came, and how it stands: `200 open`, `400 400 closed`, `closed` without an answer. */
  outcome: string;
  /** Answers that say that an event was stored. */
  stored: number;
}

export interface RawConnection {
  readonly socket: Socket;
  /** All that came so far, a character a byte. */
  received(): string;
  /** Resolves when the server closed it, or it broke. */
  readonly closed: Promise<void>;
  /** Resolves when `condition` holds for what came, or the connection is closed. */
  until(condition: (received: string) => boolean): Promise<void>;
}

/** Resolves when it is open, rejects when it cannot be opened. */
export async function open(port: string): Promise<RawConnection> {
  const socket = connect({ port: Number(port), host: "127.0.0.1" });
  let received = "";
  let wake = () => {};
  const closed = Promise.withResolvers<void>();
  socket.setNoDelay(true);
  socket.on("data", (chunk) => {
    received += chunk.toString("latin1");
    wake();
  });
  socket.on("close", () => {
    closed.resolve();
    wake();
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", () => {
      // A reset after that is an answer too.
      socket.on("error", () => {});
      resolve();
    });
    socket.once("error", reject);
  });
  return {
    socket,
    received: () => received,
    closed: closed.promise,
    async until(condition) {
      while (!socket.closed && !condition(received)) await new Promise<void>((resolve) => (wake = resolve));
    },
  };
}

/** Every answer's status, in order. */
export function statuses(received: string): string[] {
  return [...received.matchAll(/HTTP\/1\.[01] (\d{3})/g)].map((match) => match[1] ?? "");
}

export function storedIn(received: string): number {
  return received.split(STORED_MARK).length - 1;
}

/**
 * Sends `bytes` and tells what came of it. A connection that shall still be open after `answers` answers is asked for its
 * health: were there one more answer, or did the server take the question for a part of what was sent, it would show.
 */
export async function talk(port: string, bytes: string | Buffer, expected: string): Promise<Talk> {
  const connection = await open(port);
  const { socket } = connection;
  socket.write(toBytes(bytes));
  if (expected.endsWith("open")) {
    const answers = expected.split(" ").length - 1;
    await connection.until((received) => statuses(received).length >= answers);
    const before = connection.received().length;
    socket.write("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    await connection.until((received) => received.slice(before).endsWith("\r\n\r\nok\n"));
  } else await connection.closed;
  const received = connection.received();
  const healthy = received.endsWith("\r\n\r\nok\n");
  socket.destroy();
  const all = statuses(received);
  const outcome = healthy ? [...all.slice(0, -1), "open"] : [...all, "closed"];
  return { outcome: outcome.join(" "), stored: storedIn(received) };
}

/** A character a byte. */
export function toBytes(bytes: string | Buffer): Buffer {
  return typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes;
}
