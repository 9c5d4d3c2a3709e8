// Reads the files that say who gets in: tokens, and TLS certificates with their keys. Every error names the file and what
// is wrong with it, a token's line by its number; what is in a file is never shown.

import { createPrivateKey, X509Certificate } from "node:crypto";
import { fstatSync, closeSync, openSync, readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { messageOf, Reto3Error } from "../src/errors.ts";
import { log } from "./output.ts";

const TOKEN_CHARS_MIN = 16;
const TOKEN_CHARS_MAX = 1_024;

/** Each request is compared with all of them. */
const TOKENS_MAX = 100;

/** RFC 6750, section 2.1: b64token. */
const TOKEN = /^[\w.~+/-]+=*$/;

const HOW_TO_MAKE_ONE = "make one with: openssl rand -base64 32";

/** Others than the file's owner and its group may read it. */
const READABLE_BY_ALL = 0o004;

/** The tokens in `file`, one at least; throws USAGE if it has none, or something else. Warns if everybody may read it. */
export function readTokens(flag: string, file: string): string[] {
  const lines = readSecret(flag, file).split("\n");
  const tokens: string[] = [];
  for (const [at, line] of lines.entries()) {
    const token = line.trim();
    if (token === "" || token.startsWith("#")) continue;
    const problem = problemOf(token);
    if (problem) throw wrong(flag, file, `line ${at + 1}: ${problem}`, HOW_TO_MAKE_ONE);
    tokens.push(token);
  }
  if (tokens.length === 0) throw wrong(flag, file, "there is no token in it; want one a line", HOW_TO_MAKE_ONE);
  if (tokens.length > TOKENS_MAX)
    throw wrong(flag, file, `there are ${tokens.length} tokens in it; want ${TOKENS_MAX} at most`);
  return tokens;
}

function problemOf(token: string): string | undefined {
  if (token.length < TOKEN_CHARS_MIN)
    return `the token has ${token.length} characters; want ${TOKEN_CHARS_MIN} at least`;
  if (token.length > TOKEN_CHARS_MAX)
    return `the token has ${token.length} characters; want ${TOKEN_CHARS_MAX} at most`;
  if (!TOKEN.test(token))
    return "the token has a character that none may have; want letters, digits, - . _ ~ + / and = at the end";
  return undefined;
}

export interface Tls {
  /** PEM, with what leads to the authority. */
  cert: string;
  /** PEM. */
  key: string;
}

/** What --tls-cert and --tls-key name, or undefined without both; throws USAGE for what no server could use. */
export function readTls(certFile: string | undefined, keyFile: string | undefined): Tls | undefined {
  if (certFile === undefined && keyFile === undefined) return undefined;
  if (certFile === undefined)
    throw new Reto3Error("USAGE", "--tls-key is given; want its certificate as --tls-cert, too");
  if (keyFile === undefined) throw new Reto3Error("USAGE", "--tls-cert is given; want its key as --tls-key, too");
  const cert = read("--tls-cert", certFile);
  const certificate = certificateIn("--tls-cert", certFile, cert);
  const key = readSecret("--tls-key", keyFile);
  if (!certificate.checkPrivateKey(privateKeyIn(keyFile, key)))
    throw wrong("--tls-key", keyFile, `it is not the key of the certificate in ${certFile}`);
  try {
    // The rest of the chain.
    createSecureContext({ cert, key });
  } catch (error) {
    throw wrong("--tls-cert", certFile, `it is not accepted: ${messageOf(error)}`);
  }
  const nowMs = Date.now();
  if (Date.parse(certificate.validTo) < nowMs)
    log.warn(`--tls-cert ${certFile}: it has expired (${certificate.validTo}); clients will refuse it`);
  if (Date.parse(certificate.validFrom) > nowMs)
    log.warn(`--tls-cert ${certFile}: it is not valid before ${certificate.validFrom}; clients will refuse it`);
  return { cert, key };
}

/** The certificates in `file` (PEM) that a client trusts; throws USAGE if there are none. */
export function readCa(file: string): string {
  const ca = read("--ca", file);
  certificateIn("--ca", file, ca);
  return ca;
}

function certificateIn(flag: string, file: string, pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch {
    throw wrong(flag, file, "there is no certificate in PEM in it; want -----BEGIN CERTIFICATE-----");
  }
}

function privateKeyIn(file: string, pem: string) {
  try {
    return createPrivateKey(pem);
  } catch {
    const encrypted = pem.includes("ENCRYPTED");
    throw wrong(
      "--tls-key",
      file,
      encrypted
        ? "the key wants a passphrase; want one without"
        : "there is no private key in PEM in it; want -----BEGIN PRIVATE KEY-----",
    );
  }
}

function read(flag: string, file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw unreadable(flag, file, error);
  }
}

/** As `read`; warns if everybody on this machine may read it. */
function readSecret(flag: string, file: string): string {
  try {
    const descriptor = openSync(file, "r");
    try {
      const text = readFileSync(descriptor, "utf8");
      if ((fstatSync(descriptor).mode & READABLE_BY_ALL) !== 0)
        log.warn(`${flag} ${file}: everybody on this machine may read it; want chmod o-r`);
      return text;
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    throw unreadable(flag, file, error);
  }
}

function unreadable(flag: string, file: string, error: unknown): Reto3Error {
  const code = error instanceof Error && "code" in error ? String(error.code) : messageOf(error);
  return wrong(flag, file, `it cannot be read: ${code}`);
}

function wrong(flag: string, file: string, problem: string, hint?: string): Reto3Error {
  return new Reto3Error("USAGE", `${flag} ${file}: ${problem}`, hint === undefined ? {} : { hint });
}
