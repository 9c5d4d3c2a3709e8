// The address of a running serve, as `load` and `health` are given it.

import { quote, Reto3Error } from "../src/errors.ts";

const WANTED = "want http://HOST:PORT/ or https://HOST:PORT/";

/** Throws USAGE for what is no address of a serve. One with a user or password is not even quoted. */
export function parseServerUrl(url: string): URL {
  if (url.includes("@")) {
    throw new Reto3Error("USAGE", `--url: an address with a user or password is not accepted; ${WANTED}`, {
      hint: "a token comes from a file: --token-file",
    });
  }
  const parsed = URL.parse(url);
  const isHttp = parsed?.protocol === "http:" || parsed?.protocol === "https:";
  if (!parsed || !isHttp || parsed.pathname !== "/" || parsed.search !== "") {
    throw new Reto3Error("USAGE", `--url: ${quote(url)} is not accepted; ${WANTED}`);
  }
  return parsed;
}

/** Throws USAGE for a --ca that nothing would be checked by. */
export function wantTlsForCa(url: URL, ca: string | undefined): void {
  if (ca !== undefined && url.protocol !== "https:")
    throw new Reto3Error("USAGE", `--ca: there is no certificate at ${url.origin}; want https:// in --url, or no --ca`);
}

/** For a browser on this machine: an address that stands for all of its addresses is not one that every browser opens. */
export function openableUrl(url: string): string {
  return url.replace(/^(https?:\/\/)(0\.0\.0\.0|\[::\])(?=[:/]|$)/, "$1localhost");
}

/** Whether `host` is reached from this machine alone. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(host);
}
