// The one error class of the project and its closed set of codes.
// Kernel: pure. Messages say: what was wrong, the quoted value, what is wanted; `hint` says what to do about it.

/**
 * - `USAGE`: a flag, a variable or a parameter is wrong. Nothing was done.
 * - `EVENT_INVALID`: the body of a request is not an event.
 * - `QUEUE_FULL`, `DRAINING`: the event was not taken.
 * - `LISTEN`: the server cannot listen where it was told to.
 * - `STORE_OPEN`: the store cannot be opened as asked.
 * - `STORE_UNAVAILABLE`: this attempt had no effect; a later one may succeed.
 * - `STORE_UNKNOWN`: this attempt may or may not have had its effect; the same attempt again is safe.
 * - `STORE_REFUSED`: the store will never take this; trying again is useless.
 * - `UNREADABLE`: what the store holds is in no form that this version knows.
 * - `EXPIRED`: rows that the answer needs have expired.
 * - `OUTPUT`: what was to be written out could not be.
 * - `REMOTE`: a server that is not a store, such as Elasticsearch, cannot be reached or refuses.
 */
export type ErrorCode =
  | "USAGE"
  | "EVENT_INVALID"
  | "QUEUE_FULL"
  | "DRAINING"
  | "LISTEN"
  | "STORE_OPEN"
  | "STORE_UNAVAILABLE"
  | "STORE_UNKNOWN"
  | "STORE_REFUSED"
  | "UNREADABLE"
  | "EXPIRED"
  | "OUTPUT"
  | "REMOTE";

export class Reto3Error extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
  }
}

/** What a caller may do after `error`: send the same again, or not; and whether this attempt may have had an effect. */
export function retryAdvice(error: unknown): { retry: boolean; mayHaveApplied: boolean } {
  const code = error instanceof Reto3Error ? error.code : undefined;
  if (code === "STORE_UNAVAILABLE") return { retry: true, mayHaveApplied: false };
  if (code === "STORE_REFUSED" || code === "STORE_OPEN") return { retry: false, mayHaveApplied: false };
  // An error nobody classified proves nothing about the attempt: treat it as one of unknown outcome.
  return { retry: true, mayHaveApplied: true };
}

/** `text` quoted for a message, cut at `charsMax`, with control characters escaped. */
export function quote(text: string, charsMax = 60): string {
  return JSON.stringify(text.length > charsMax ? `${text.slice(0, charsMax)}...` : text);
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
