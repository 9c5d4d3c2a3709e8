// One question asked again and again, and its last answer. However slow the answers are, one question is on its way.

import { settlesWithin } from "../deadline.ts";
import { messageOf } from "../errors.ts";

export class Asked<T> {
  readonly #question: () => Promise<T>;
  #running: Promise<void> | undefined;
  #problem: string | null = null;
  #answer: T | undefined;

  constructor(question: () => Promise<T>) {
    this.#question = question;
  }

  /** The last one that came; undefined until there is one. */
  get answer(): T | undefined {
    return this.#answer;
  }

  /** Asks, or waits for the question that is still on its way, `waitMs` at most. Resolves to why there is no answer; null: there is. */
  async ask(waitMs: number): Promise<string | null> {
    this.#running ??= this.#ask();
    if (!(await settlesWithin(this.#running, waitMs))) return "there was no answer in time";
    return this.#problem;
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
