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
}

export async function startProxy(target: { host: string; port: number }): Promise<Proxy> {
  /** Both ends of each connection. */
  const sockets = new Set<Socket>();
  let cuts = false;
  let delayMs = 0;

  const breakAll = () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
    cuts = false;
  };
  const forward = (from: Socket, to: Socket, delayed: boolean) => {
    from.on("data", (chunk: Buffer) => {
      const send = () => {
        if (cuts && chunk.length > 1) to.write(chunk.subarray(0, chunk.length >> 1), breakAll);
        else to.write(chunk);
      };
      // Timers of the same length fire in their order.
      if (delayed && delayMs > 0) setTimeout(send, delayMs);
      else send();
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
    forward(store, client, true);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
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
    async [Symbol.asyncDispose]() {
      breakAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
