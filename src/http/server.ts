// The HTTP server: listens, hands requests to the routes, and shuts down without cutting anybody off.
// Owns the socket's limits. Known limit of Bun.serve: a pipelined request that arrives while the one before it waits
// closes the connection without an answer (oven-sh/bun issue 38128); such a client learns nothing of either.

import { messageOf, Reto3Error } from "../errors.ts";
import type { Question, Report } from "./channel.ts";
import { watchEventLoop } from "./process-metrics.ts";
import { createRoutes, notFound, type RouteContext } from "./routes.ts";

/**
 * Above this Bun answers 413 by itself, before the routes see (and count) it. As small as this because so much is held for
 * every connection that begins a body and does not end it.
 */
const REQUEST_BYTES_MAX = 4 * 1024;

/** A connection on which nothing happens for so long is closed; slow headers and bodies too. */
const IDLE_TIMEOUT_SECONDS = 30;

export interface ServerOptions extends Omit<RouteContext, "draining" | "eventLoop"> {
  host: string;
  /** 0: any free port. */
  port: number;
  /** Certificate (with its chain) and key, in PEM; absent: plain HTTP. */
  tls?: { cert: string; key: string };
  /** Several processes listen there, and the kernel gives each its share of the connections. */
  sharesPort?: boolean;
}

export interface HttpServer {
  /** http://host:port, or https:// with `tls` */
  readonly url: string;
  /** What this process says of itself. */
  report(question: Question): Promise<Report>;
  /**
   * Says that it is not ready and tells kept-alive clients to go, still taking events for `delayMs`; then refuses new
   * connections and cuts idle ones. Resolves when all requests in work are answered.
   */
  drain(delayMs: number): Promise<void>;
  /** Cuts every connection. */
  stop(): Promise<void>;
}

/** Throws LISTEN if it cannot listen there. */
export function startServer(options: ServerOptions): HttpServer {
  let draining = false;
  const eventLoop = watchEventLoop();
  const { routes, report, feed } = createRoutes({ ...options, eventLoop, draining: () => draining });
  const server = listen(options, () =>
    Bun.serve({
      hostname: options.host,
      port: options.port,
      ...(options.tls && { tls: options.tls }),
      // By default Bun shares a port silently with whoever has it already: events would go to two stores.
      reusePort: options.sharesPort === true,
      development: false,
      maxRequestBodySize: REQUEST_BYTES_MAX,
      idleTimeout: IDLE_TIMEOUT_SECONDS,
      routes,
      fetch: notFound,
      error(error) {
        options.onError(error);
        return new Response("internal error\n", { status: 500 });
      },
    }),
  );
  return {
    url: `${options.tls ? "https" : "http"}://${options.host.includes(":") ? `[${options.host}]` : options.host}:${server.port}`,
    report,
    async drain(delayMs) {
      draining = true;
      // Otherwise the end would wait for them.
      feed.end();
      await Bun.sleep(delayMs);
      await server.stop();
    },
    async stop() {
      eventLoop.stop();
      feed.end();
      await server.stop(true);
    },
  };
}

/** A port there that nobody listens on, for processes that will share it: `port`, or any free one for 0. Throws LISTEN if it is taken. */
export async function exclusivePort(host: string, port: number): Promise<number> {
  // Who shares a port learns nothing of others that do: it is asked for alone first, for a moment.
  const server = listen({ host, port }, () =>
    Bun.serve({ hostname: host, port, reusePort: false, development: false, fetch: notFound }),
  );
  // It has none once it is stopped.
  const { port: found = port } = server;
  await server.stop(true);
  return found;
}

function listen<T>({ host, port }: { host: string; port: number }, serve: () => T): T {
  try {
    return serve();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : messageOf(error);
    const taken = code === "EADDRINUSE";
    throw new Reto3Error("LISTEN", `cannot listen on ${host} port ${port}: ${taken ? "the port is taken" : code}`, {
      hint: taken
        ? "stop what uses that port, or name another one with --port"
        : "want an address of this machine (--host), and a port that this user may use (--port)",
      cause: error,
    });
  }
}
