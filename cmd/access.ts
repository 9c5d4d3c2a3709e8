// Who may ask a server, from its flags: tokens, certificate and key; and what is missing where others than this machine reach it.

import { Tokens } from "../src/http/tokens.ts";
import { log } from "./output.ts";
import { readTls, readTokens } from "./secret-files.ts";
import type { ServeValues } from "./serve-flags.ts";
import { isLoopback } from "./server-url.ts";

export interface Access {
  tokens: { write?: Tokens; read?: Tokens };
  tls: { cert: string; key: string } | undefined;
}

/** Throws USAGE where a file is not what it should be. */
export function readAccess(values: ServeValues): Access {
  const tokensIn = (flag: "token-file" | "read-token-file") => {
    const file = values[flag];
    return file === undefined ? undefined : new Tokens(readTokens(`--${flag}`, file));
  };
  const [write, read] = [tokensIn("token-file"), tokensIn("read-token-file")];
  const tls = readTls(values["tls-cert"], values["tls-key"]);
  return { tokens: { ...(write && { write }), ...(read && { read }) }, tls };
}

export function warnOfAccess(values: ServeValues): void {
  const { host } = values;
  if (isLoopback(host)) return;
  if (values["token-file"] === undefined)
    log.warn(`whoever reaches ${host} may send events: want --token-file, or a network that nobody else is in`);
  const tokens = values["token-file"] !== undefined || values["read-token-file"] !== undefined;
  if (tokens && values["tls-cert"] === undefined)
    log.warn(`tokens reach ${host} in clear text: want --tls-cert and --tls-key, or a proxy in front that does TLS`);
}
