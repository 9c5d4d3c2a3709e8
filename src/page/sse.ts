// Server-sent events out of the text that a response brings in pieces. Pure. Only what GET /live uses: `event` and `data`.
// Source: the WHATWG HTML standard, "Interpreting an event stream".

export interface Message {
  event: string;
  data: string;
}

/** A field that never ends is not ours: a snapshot has some 20 kB. */
const PENDING_CHARS_MAX = 4_000_000;

export class SseParser {
  #pending = "";
  #event = "";
  #data: string[] = [];

  /** The messages that `text` completes. Throws when a line has no end. */
  push(text: string): Message[] {
    const messages: Message[] = [];
    // A line ends with \n, \r or \r\n; a \r at the end of a piece may be half of the last.
    const whole = this.#pending + text;
    const lines = whole.split(/\r\n|\n|\r(?!$)/);
    this.#pending = lines.pop() ?? "";
    if (this.#pending.length > PENDING_CHARS_MAX) throw new Error("an event of the server has no end");
    for (const line of lines) {
      const message = this.#take(line);
      if (message) messages.push(message);
    }
    return messages;
  }

  #take(line: string): Message | undefined {
    if (line === "") {
      const message = { event: this.#event || "message", data: this.#data.join("\n") };
      const isEmpty = this.#data.length === 0;
      this.#event = "";
      this.#data = [];
      return isEmpty ? undefined : message;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.#event = value;
    else if (field === "data") this.#data.push(value);
    return undefined;
  }
}
