// What a node and we prove to each other before the first request: user and password, certificates both ways. Reads the
// files that an address names. Knows nothing of the driver, and puts no secret into an error.

import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { checkServerIdentity, createSecureContext, getCACertificates, type PeerCertificate } from "node:tls";
import { quote, Reto3Error } from "../../errors.ts";
import type { CassandraAddress } from "./url.ts";

export interface WayIn {
  credentials: { username: string; password: string } | undefined;
  /** PEM texts; undefined: plain text. */
  tls: { ca?: string[]; cert?: string; key?: string } | undefined;
}

/** Throws STORE_OPEN for a file that cannot be read or does not hold what it should. */
export async function wayInto({ login, tls, location }: CassandraAddress): Promise<WayIn> {
  const read = async (path: string, what: string): Promise<string> => {
    const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
      throw unusable(path, `cannot be read (${error.code ?? "unknown error"})`, what);
    });
    if (text.trim() === "") throw unusable(path, "is empty", what);
    return text;
  };
  const unusable = (path: string, problem: string, what: string) =>
    new Reto3Error("STORE_OPEN", `store ${location}: the file ${quote(path, PATH_CHARS_MAX)} ${problem}`, {
      hint: `want ${what}, readable by the user that runs reto3`,
    });

  const passwordOf = async (path: string): Promise<string> => {
    const what = "a file with the password of the Cassandra user as its first line";
    const [first = ""] = (await read(path, what)).split(/\r?\n/, 1);
    if (first === "") throw unusable(path, "has an empty first line", what);
    return first;
  };
  const certificatesOf = async (path: string, what: string): Promise<string[]> => {
    const found = (await read(path, what)).match(CERTIFICATES) ?? [];
    if (found.length === 0 || !found.every(isCertificate)) throw unusable(path, "holds no usable certificate", what);
    return found;
  };
  const keyOf = async (path: string): Promise<string> => {
    const what = "the private key of the client's certificate as PEM, without a passphrase";
    const key = await read(path, what);
    if (!isKey(key)) throw unusable(path, "holds no usable private key", what);
    return key;
  };
  const clientOf = async (files: { cert: string; key: string }) => {
    const cert = (await certificatesOf(files.cert, "the client's certificate as PEM")).join("\n");
    const key = await keyOf(files.key);
    if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)))
      throw unusable(files.key, "is not the key of the certificate", `the key of ${quote(files.cert, PATH_CHARS_MAX)}`);
    return { cert, key };
  };

  return {
    credentials: login && {
      username: login.user,
      password: "password" in login ? login.password : await passwordOf(login.passwordFile),
    },
    tls: tls && {
      ...authorities(
        tls.ca === undefined ? undefined : await certificatesOf(tls.ca, "certificates of authorities as PEM"),
      ),
      ...(tls.client && (await clientOf(tls.client))),
    },
  };
}

const PATH_CHARS_MAX = 300;
const NAMES_CHARS_MAX = 200;

const CERTIFICATES = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

function isCertificate(pem: string): boolean {
  try {
    // Not every text that parses as a certificate is taken by a connection later.
    createSecureContext({ ca: pem });
    return new X509Certificate(pem).subject !== undefined;
  } catch {
    return false;
  }
}

function isKey(pem: string): boolean {
  try {
    return createPrivateKey(pem).type === "private";
  } catch {
    return false;
  }
}

/** Those that the system trusts, unless others are named; those built into Bun where the system has none. */
function authorities(named: string[] | undefined): { ca?: string[] } {
  const ca = named ?? getCACertificates("system");
  return ca.length > 0 ? { ca } : {};
}

/**
 * Why `certificate`, which a known authority has signed, is not that of the node at `ip`; undefined if it is. `hosts`: as they
 * stand in the store's address; `led`: which addresses each name among them led to. An address that a name led to proves
 * nothing by itself, since who lies about names may have a certificate for an address of his own: there the name counts. Of
 * an address that no name led to, the cluster itself has told: there a certificate for one of our names will do, too.
 */
export function whyNotOurs(
  ip: string,
  certificate: PeerCertificate,
  hosts: readonly string[],
  led: ReadonlyMap<string, readonly string[]>,
): Error | undefined {
  const names = hosts.filter((host) => isIP(host) === 0);
  const named = hosts.filter((host) => host === ip || led.get(host)?.includes(ip));
  const wanted = named.length > 0 ? named : [ip, ...names];
  if (wanted.some((name) => checkServerIdentity(name, certificate) === undefined)) return undefined;
  const has = certificate.subjectaltname ? quote(certificate.subjectaltname, NAMES_CHARS_MAX) : "no name at all";
  return Object.assign(new Error(`its certificate is for ${has}, not for ${wanted.join(" or ")}`), {
    code: "ERR_TLS_CERT_ALTNAME_INVALID",
  });
}
