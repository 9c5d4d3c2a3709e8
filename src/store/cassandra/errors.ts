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
  return new Reto3Error(codeOf(error), `Cassandra: ${describeError(error)}`, { cause: error });
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

function codeOf(error: unknown): ErrorCode {
  if (error instanceof driverErrors.AuthenticationError) return "STORE_REFUSED";
  if (error instanceof driverErrors.ResponseError) {
    if (NO_EFFECT.has(error.code)) return "STORE_UNAVAILABLE";
    return FOR_GOOD.has(error.code) ? "STORE_REFUSED" : "STORE_UNKNOWN";
  }
  if (error instanceof driverErrors.NoHostAvailableError) {
    const inner: unknown[] = Object.values(error.innerErrors ?? {});
    if (inner.some((one) => one instanceof driverErrors.AuthenticationError)) return "STORE_REFUSED";
    // No host was even tried. Where some were, they most likely took nothing either, but nobody can be sure.
    if (inner.length === 0) return "STORE_UNAVAILABLE";
  }
  return "STORE_UNKNOWN";
}

/** What went wrong, for people: per host where the driver tried several. */
export function describeError(error: unknown): string {
  if (!(error instanceof driverErrors.NoHostAvailableError)) return messageOf(error);
  const inner = Object.entries<unknown>(error.innerErrors ?? {});
  const reasons = inner.map(([host, reason]) => `${host}: ${messageOf(reason)}`).join("; ");
  return reasons ? `no host could be reached (${reasons})` : "no host is up";
}
