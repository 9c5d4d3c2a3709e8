// What a supervisor and a worker say to each other, and questions with their answers, both ways. Knows no process: what is
// to be said goes to `send`, what came is handed to `receive`.

import { settlesWithin } from "../deadline.ts";
import { messageOf } from "../errors.ts";

/** A worker is asked of itself, the supervisor of all of them. */
export type Question = "readyz" | "metrics";

export interface Report {
  /** Why no events are taken; null: ready. */
  problem: string | null;
  /** In Prometheus' text format; "" where only readiness was asked for. */
  metrics: string;
}

/** What a worker has done when it ends in order. */
export interface Summary {
  storedEvents: number;
  unknownEvents: number;
}

export type Message =
  | { is: "question"; id: number; question: Question }
  | { is: "report"; id: number; report: Report }
  /** Of a worker. */
  | { is: "listening"; url: string }
  | { is: "ended"; summary: Summary };

export class Channel {
  readonly #send: (message: Message) => void;
  readonly #answer: (question: Question) => Promise<Report>;
  readonly #asked = new Map<number, (report: Report) => void>();
  #lastId = 0;

  /** `send` may throw where nobody listens any more. */
  constructor(send: (message: Message) => void, answer: (question: Question) => Promise<Report>) {
    this.#send = send;
    this.#answer = answer;
  }

  /** Says it, if there is still somebody to hear it. */
  say(message: Message): void {
    try {
      this.#send(message);
    } catch {
      // The other process has ended; whoever needs to know hears of that.
    }
  }

  /** Undefined where no answer comes in time. */
  async ask(question: Question, timeoutMs: number): Promise<Report | undefined> {
    const id = ++this.#lastId;
    const answer = Promise.withResolvers<Report>();
    this.#asked.set(id, answer.resolve);
    this.say({ is: "question", id, question });
    const inTime = await settlesWithin(answer.promise, timeoutMs);
    this.#asked.delete(id);
    return inTime ? answer.promise : undefined;
  }

  /** Takes questions and reports; any other message is the caller's. */
  receive(message: Message): void {
    if (message.is === "report") this.#asked.get(message.id)?.(message.report);
    if (message.is === "question") void this.#reply(message.id, message.question);
  }

  async #reply(id: number, question: Question): Promise<void> {
    let report: Report;
    try {
      report = await this.#answer(question);
    } catch (error) {
      report = { problem: messageOf(error), metrics: "" };
    }
    this.say({ is: "report", id, report });
  }
}

/** Whoever asks while the same question is being answered gets that answer: however many ask, one question is on its way. */
export function asOne(ask: (question: Question) => Promise<Report>): (question: Question) => Promise<Report> {
  const running = new Map<Question, Promise<Report>>();
  return (question) => {
    const already = running.get(question);
    if (already) return already;
    const answer = ask(question).finally(() => running.delete(question));
    running.set(question, answer);
    return answer;
  };
}
