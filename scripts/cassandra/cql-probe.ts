// Asks a port whether a CQL server answers there. An accepted connection alone proves little: Docker's proxy accepts
// before Cassandra listens, and so would any other server. Knows nothing of how the server was started.

// A frame of the native protocol, version 4: version, flags, stream (2 bytes), opcode, length (4 bytes).
// OPTIONS (5) needs no log-in and is answered by SUPPORTED (6).
const optionsFrame = new Uint8Array([4, 0, 0, 0, 5, 0, 0, 0, 0]);
const responseVersion = 0x84;
const supportedOpcode = 6;
const opcodeIndex = 4;

/** PEM texts, for a server that wants to know its clients. */
export interface ProbeTls {
  readonly cert?: string;
  readonly key?: string;
}

/** True when a CQL server answered at `host:port` within `timeoutMs`; never throws. With `tls` its certificate is not checked. */
export async function answersCql(host: string, port: number, timeoutMs: number, tls?: ProbeTls): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), timeoutMs);
  const connecting = Bun.connect({
    hostname: host,
    port,
    ...(tls && { tls: { ...tls, rejectUnauthorized: false } }),
    socket: {
      // With TLS what is written before the handshake is kept until after it.
      open(socket) {
        socket.write(optionsFrame);
      },
      data(_socket, bytes) {
        resolve(bytes[0] === responseVersion && bytes[opcodeIndex] === supportedOpcode);
      },
      close() {
        resolve(false);
      },
      error() {
        resolve(false);
      },
      connectError() {
        resolve(false);
      },
    },
  });
  const answered = await promise;
  clearTimeout(timer);
  // Not awaited: where the connection attempt itself hangs, the time-out has answered already.
  void connecting.then(
    (socket) => socket.terminate(),
    () => {},
  );
  return answered;
}
