// What an error of the driver means for the attempt that met it: had no effect, may have had one, or never will.
// Codes: section 9 of the native protocol v4 specification (doc/native_protocol_v4.spec in Apache Cassandra).

import { errors as driverErrors, types } from "cassandra-driver";
import { messageOf, Reto3Error, type ErrorCode } from "../../errors.ts";

const { responseErrorCodes: codes } = types;

/** The coordinator says that it did nothing. */
const NO_EFFECT = new Set<number>([codes.unavailableException, codes.overloaded, codes.isBootstrapping]);

/** The request itself is at fault: the same again will fail again. */
const FOR_GOOD = new Set<number>([
  codes.protocolError,
  codes.badCredentials,
  codes.syntaxError,
  codes.unauthorized,
  codes.invalid,
  codes.configError,
  codes.alreadyExists,
]);

export function storeError(error: unknown): Reto3Error {
  if (error instanceof Reto3Error) return error;
  const hint = grantFor(error);
  return new Reto3Error(codeOf(error), `Cassandra: ${describeError(error)}`, { cause: error, ...(hint && { hint }) });
}

/** As a number, which is what the driver's errors have. */
const UNAUTHORIZED: number = codes.unauthorized;

/** What a superuser may do about `User reto3 has no SELECT permission on <table reto3.claims> or any of its parents`. */
function grantFor(error: unknown): string | undefined {
  if (!(error instanceof driverErrors.ResponseError) || error.code !== UNAUTHORIZED || cannotTellRights(error))
    return undefined;
  const all = "docs/deploy.md lists all that reto3 needs";
  const match = /^User (\S+) has no ([A-Z]+) permission on <(.*?)>/.exec(error.message);
  if (!match) return all;
  const [, user = "", permission = "", resource = ""] = match;
  const keyspace = /^(?:table|keyspace|all tables in) (\w+)/.exec(resource)?.[1];
  const on = keyspace === undefined ? "ALL KEYSPACES" : `KEYSPACE ${keyspace}`;
  const role = /^[a-z][a-z0-9_]*$/.test(user) ? user : `"${user}"`;
  return `as a superuser: GRANT ${permission} ON ${on} TO ${role}; ${all}`;
}

/** As a number, which is what the driver's errors have. */
const READ_FAILURE: number = codes.readFailure;

/** A replica could not read: it met more than tombstone_failure_threshold expired rows, as a rule. Version 4 of the protocol does not say. */
export function isReadFailure(error: unknown): boolean {
  if (!(error instanceof Reto3Error)) return false;
  return error.cause instanceof driverErrors.ResponseError && error.cause.code === READ_FAILURE;
}

export function expiredEvents(cause?: unknown): Reto3Error {
  const why = cause === undefined ? "their lifetime has passed" : `the node failed to: ${messageOf(cause)}`;
  return new Reto3Error("EXPIRED", `these raw events cannot be read any more: ${why}`, {
    hint: "ask for what is kept: --source counts",
    cause,
  });
}

const ABOUT_RIGHTS = new Set<number>([codes.badCredentials, codes.unauthorized]);

/**
 * Cassandra could not read who may do what: too few nodes of system_auth are up (AuthCache, CassandraAuthorizer). Not for good, and
 * without effect: rights come before the request.
 */
function cannotTellRights(error: unknown): boolean {
  const isAboutRights =
    error instanceof driverErrors.AuthenticationError ||
    (error instanceof driverErrors.ResponseError && ABOUT_RIGHTS.has(error.code));
  return isAboutRights && error.message.includes("Unable to perform auth");
}

function codeOf(error: unknown): ErrorCode {
  if (cannotTellRights(error)) return "STORE_UNAVAILABLE";
  if (error instanceof driverErrors.AuthenticationError) return "STORE_REFUSED";
  if (error instanceof driverErrors.ResponseError) {
    if (NO_EFFECT.has(error.code)) return "STORE_UNAVAILABLE";
    return FOR_GOOD.has(error.code) ? "STORE_REFUSED" : "STORE_UNKNOWN";
  }
  if (error instanceof driverErrors.NoHostAvailableError) {
    const inner: unknown[] = Object.values(error.innerErrors ?? {});
    // Or no host was even tried. Where some were, they most likely took nothing either, but nobody can be sure.
    if (inner.every(cannotTellRights)) return "STORE_UNAVAILABLE";
    if (inner.every((one) => one instanceof driverErrors.AuthenticationError)) return "STORE_REFUSED";
  }
  return "STORE_UNKNOWN";
}

/** As of a node that is not there, or not yet. */
const AWAY = new Set<unknown>([
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ETIMEDOUT",
  "ENOTFOUND",
  "EAI_AGAIN",
]);

/** True where no node answered, and one may later: nothing listens, or it is not done with starting. */
export function isAway(error: unknown): boolean {
  if (!(error instanceof driverErrors.NoHostAvailableError)) return false;
  const inner: unknown[] = Object.values(error.innerErrors ?? {});
  return inner.every(
    (one) =>
      one instanceof driverErrors.OperationTimedOutError ||
      cannotTellRights(one) ||
      (one instanceof driverErrors.DriverError && one.message === "Connection timeout") ||
      (one instanceof driverErrors.ResponseError && NO_EFFECT.has(one.code)) ||
      (one instanceof Error && "code" in one && AWAY.has(one.code)),
  );
}

/** What OpenSSL calls a certificate that it does not take for good. */
const UNKNOWN_AUTHORITY = new Set<unknown>([
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "CERT_SIGNATURE_FAILURE",
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
  "CERT_REVOKED",
  "CERT_UNTRUSTED",
  "INVALID_CA",
  "INVALID_PURPOSE",
]);

export type Rejection = "no login" | "login" | "authority" | "name" | "no TLS" | "client certificate";

/** What a node and we did not like of each other before the first request; undefined where it was something else. */
export function whyRejected(error: unknown): Rejection | undefined {
  const inner: unknown[] =
    error instanceof driverErrors.NoHostAvailableError ? Object.values(error.innerErrors ?? {}) : [];
  for (const one of [error, ...inner]) {
    if (cannotTellRights(one)) continue;
    if (one instanceof driverErrors.AuthenticationError)
      return /no authenticator/.test(one.message) ? "no login" : "login";
    const code = one instanceof Error && "code" in one ? String(one.code) : "";
    if (UNKNOWN_AUTHORITY.has(code)) return "authority";
    if (code === "ERR_TLS_CERT_ALTNAME_INVALID") return "name";
    if (code === "ERR_SSL_WRONG_VERSION_NUMBER") return "no TLS";
    // An internal error is what Cassandra calls a client's certificate of an authority that it does not know.
    if (/^ERR_SSL_.*ALERT_(.*CERT|UNKNOWN_CA|HANDSHAKE_FAILURE|INTERNAL_ERROR)/.test(code)) return "client certificate";
  }
  return undefined;
}

/** What went wrong, for people: per host where the driver tried several. */
export function describeError(error: unknown): string {
  if (!(error instanceof driverErrors.NoHostAvailableError)) return messageOf(error);
  const inner = Object.entries<unknown>(error.innerErrors ?? {});
  const reasons = inner.map(([host, reason]) => `${host}: ${messageOf(reason)}`).join("; ");
  return reasons ? `no host could be reached (${reasons})` : "no host is up";
}
