// Connections that have sent one event, have their answer, and then say nothing.

/** Opened at once; more than the server's backlog would wait for a second try. */
const AT_ONCE = 100;

const BODY = "value=2016-05-28+11%3A11%3A11.123456";

export interface IdleConnections extends AsyncDisposable {
  /** How many the server has closed. */
  closed(): number;
}

export async function openIdle(url: string, count: number): Promise<IdleConnections> {
  const { hostname, port } = new URL(url);
  const request = `POST / HTTP/1.1\r\nHost: ${hostname}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`;
  let closed = 0;
  const open = async () => {
    const answered = Promise.withResolvers<void>();
    const socket = await Bun.connect({
      hostname,
      port: Number(port),
      socket: {
        data: () => answered.resolve(),
        close() {
          closed++;
          answered.reject(new Error("a connection was closed before its answer came"));
        },
      },
    });
    socket.write(request);
    await answered.promise;
    return socket;
  };
  const sockets: Awaited<ReturnType<typeof open>>[] = [];
  while (sockets.length < count) {
    const some = Math.min(AT_ONCE, count - sockets.length);
    sockets.push(...(await Promise.all(Array.from({ length: some }, open))));
  }
  return {
    closed: () => closed,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.terminate();
    },
  };
}
