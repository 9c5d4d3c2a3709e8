// Who may ask: the tokens of one kind, as digests. Knows no files and no flags, and keeps no token.
// A header is compared with every token, by digests and in constant time: how long it takes tells nothing of them.

import { hash, timingSafeEqual } from "node:crypto";

/** RFC 6750, section 2.1: `credentials = "Bearer" 1*SP b64token`; RFC 9110: a scheme's case does not matter. */
const CREDENTIALS = /^bearer +([\w.~+/-]+=*) *$/i;

export class Tokens {
  readonly #digests: readonly Buffer[];

  /** `tokens`: any of them opens. */
  constructor(tokens: readonly string[]) {
    this.#digests = tokens.map(digestOf);
  }

  /** Whether `header`, the value of Authorization, has one of them. */
  accepts(header: string | null): boolean {
    const token = header === null ? undefined : CREDENTIALS.exec(header)?.[1];
    if (token === undefined) return false;
    const digest = digestOf(token);
    let accepted = false;
    for (const own of this.#digests) {
      // In this order, so that each is compared whatever the ones before it gave.
      accepted = timingSafeEqual(own, digest) || accepted;
    }
    return accepted;
  }
}

function digestOf(token: string): Buffer {
  return hash("sha256", token, "buffer");
}
