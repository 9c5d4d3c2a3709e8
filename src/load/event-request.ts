// The HTTP request of an event created now, as bytes: made once, after which only the digits of its time are written.
// Knows nothing of connections.

import { formatTimestamp } from "../units.ts";
import type { Target } from "./connection.ts";

const SECOND_US = 1_000_000;
const FRACTION_DIGITS = 6;

export class EventRequest {
  readonly #bytes: Buffer;
  #second = 0;

  /** `token` is what the server wants of who sends events. */
  constructor({ host, port }: Target, token: string | undefined) {
    const value = formValue(0);
    const head =
      `POST / HTTP/1.1\r\nHost: ${host}:${port}\r\n` +
      (token === undefined ? "" : `Authorization: Bearer ${token}\r\n`) +
      `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${value.length}\r\n\r\n`;
    this.#bytes = Buffer.from(head + value, "latin1");
  }

  /** The request of an event created at `us`; these bytes are the next one's too. */
  at(us: number): Uint8Array {
    const whole = Math.round(us);
    const second = Math.floor(whole / SECOND_US);
    if (second !== this.#second) {
      this.#second = second;
      const value = formValue(second * SECOND_US);
      this.#bytes.write(value, this.#bytes.length - value.length, "latin1");
    }
    let fraction = whole - second * SECOND_US;
    for (let back = 1; back <= FRACTION_DIGITS; back++) {
      this.#bytes[this.#bytes.length - back] = 48 + (fraction % 10);
      fraction = Math.floor(fraction / 10);
    }
    return this.#bytes;
  }
}

/** The form body of an event created at `us`, a whole second; always of the same length. */
function formValue(us: number): string {
  return `value=${formatTimestamp(us).replace(" ", "+").replaceAll(":", "%3A")}000`;
}
