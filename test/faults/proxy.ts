// A network between a server and its store that is slow, or breaks: a TCP proxy on this machine. Ends with the test.

import { connect, createServer, type AddressInfo, type Socket } from "node:net";

export interface Proxy extends AsyncDisposable {
  readonly port: number;
  /** Every answer of the store comes so much later. */
  delayMs: number;
  /** How many there are. */
  readonly connections: number;
  /** Breaks all connections in the middle of what the next one carries, either way. */
  cut(): void;
  /** Breaks each of the next `connections` when the store has answered so many bytes on it. */
  cutEachAfterBytes(connections: number, bytes: number): void;
}

export async function startProxy(
  target: { host: string; port: number },
  { host = "127.0.0.1", port = 0 } = {},
): Promise<Proxy> {
  /** Both ends of each connection. */
  const sockets = new Set<Socket>();
  let cuts = false;
  let delayMs = 0;
  let cutsLeft = 0;
  let cutAtBytes = 0;

  const breakAll = () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
    cuts = false;
  };
  const forward = (from: Socket, to: Socket, delayed: boolean, bytesMax = Number.POSITIVE_INFINITY) => {
    let bytes = 0;
    let waiting = 0;
    let line = Promise.resolve();
    from.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      const send = () => {
        if (cuts && chunk.length > 1) to.write(chunk.subarray(0, chunk.length >> 1), breakAll);
        else if (bytes > bytesMax) from.destroy();
        else to.write(chunk);
      };
      const dueMs = performance.now() + (delayed ? delayMs : 0);
      if (waiting === 0 && dueMs <= performance.now()) {
        send();
        return;
      }
      // What comes later is sent later, also when it need not wait as long.
      waiting++;
      line = line
        .then(() => Bun.sleep(Math.max(0, dueMs - performance.now())))
        .then(() => {
          waiting--;
          send();
        });
    });
    from.on("error", () => {});
    from.on("close", () => {
      sockets.delete(from);
      to.destroy();
    });
  };
  const server = createServer((client) => {
    const store = connect(target);
    sockets.add(client).add(store);
    forward(client, store, false);
    forward(store, client, true, cutsLeft-- > 0 ? cutAtBytes : Number.POSITIVE_INFINITY);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  return {
    get delayMs() {
      return delayMs;
    },
    set delayMs(ms) {
      delayMs = ms;
    },
    port: (server.address() as AddressInfo).port,
    get connections() {
      return sockets.size / 2;
    },
    cut: () => void (cuts = true),
    cutEachAfterBytes(connections, bytes) {
      [cutsLeft, cutAtBytes] = [connections, bytes];
    },
    async [Symbol.asyncDispose]() {
      breakAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
