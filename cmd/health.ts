// `reto3 health`: one question to a running serve, for health checks of containers and the like: exit 0 or 1.

import { DEFAULT_PORT } from "../src/config.ts";
import { messageOf, quote, Reto3Error } from "../src/errors.ts";
import { defineCommand, duration, text, toggle, whole, type Values } from "./flags.ts";
import { log, print } from "./output.ts";

const flags = {
  port: whole("port", 1, 65_535, {
    default: String(DEFAULT_PORT),
    env: "RETO3_PORT",
    description: "port of the serve on this machine",
  }),
  url: text("url", { description: "where it is, instead of --port: http://HOST:PORT/" }),
  live: toggle("only whether the process answers, not whether it takes events"),
  timeout: duration({ default: "2s", description: "no answer by then: not healthy" }),
};

export const command = defineCommand({
  name: "health",
  summary: "Asks a running serve whether it takes events",
  flags,
  notes: `Asks GET /readyz (with --live GET /healthz) and prints the answer.

Exit status: 0 ready, 1 not.

Examples:
  reto3 health
  reto3 health --url http://127.0.0.1:8081/
  reto3 health --live --timeout 500ms`,
  run: health,
});

async function health({ port, url, live, timeout }: Values<typeof flags>): Promise<number> {
  const base = URL.parse(url ?? `http://127.0.0.1:${port}/`);
  if (base?.protocol !== "http:" || base.pathname !== "/" || base.search !== "") {
    throw new Reto3Error("USAGE", `--url: ${quote(url ?? "")} is not accepted; want http://HOST:PORT/`);
  }
  const address = new URL(live ? "/healthz" : "/readyz", base).href;
  try {
    const response = await fetch(address, { signal: AbortSignal.timeout(timeout), redirect: "manual" });
    const said = (await response.text()).trim() || `status ${response.status}`;
    if (response.status === 200) {
      await print(`${said}\n`);
      return 0;
    }
    log.error(`${address}: ${said}`);
  } catch (error) {
    // The system's code says it better than fetch's advice to programmers.
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    const reason = typeof code === "string" ? code : messageOf(error);
    log.error(`${address}: no answer: ${reason}; is 'reto3 serve' running there? name it with --port or --url`);
  }
  return 1;
}
