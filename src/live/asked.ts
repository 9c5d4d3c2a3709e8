// One question asked again and again, and its last answer. However slow the answers are, one question is on its way.

import { settlesWithin } from "../deadline.ts";
import { messageOf } from "../errors.ts";

export class Asked<T> {
  readonly #question: () => Promise<T>;
  #running: Promise<void> | undefined;
  #problem: string | null = null;
  #answer: T | undefined;
  /** How often in a row there was no answer in time. */
  #missed = 0;

  constructor(question: () => Promise<T>) {
    this.#question = question;
  }

  /** The last one that came; undefined until there is one. */
  get answer(): T | undefined {
    return this.#answer;
  }

  /**
   * Asks, or waits for the question that is still on its way, `waitMs` at most. Resolves to why there is no answer; null: there
   * is, or the last one is `recent` and may stand once more, as one that is late now and then is not worth telling.
   */
  async ask(waitMs: number, recent = false): Promise<string | null> {
    this.#running ??= this.#ask();
    if (await settlesWithin(this.#running, waitMs)) {
      this.#missed = 0;
      return this.#problem;
    }
    this.#missed++;
    return recent && this.#missed === 1 ? this.#problem : "there was no answer in time";
  }

  async #ask(): Promise<void> {
    try {
      this.#answer = await this.#question();
      this.#problem = null;
    } catch (error) {
      this.#problem = messageOf(error);
    } finally {
      this.#running = undefined;
    }
  }
}
