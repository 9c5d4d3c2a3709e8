// This process as a worker: what it hears of its supervisor, and what it says to it.

import { asOne, Channel, type Message, type Question, type Report, type Summary } from "../src/http/channel.ts";
import type { HttpServer } from "../src/http/server.ts";
import { stopSignal } from "./stop-signal.ts";
import { workerTask, type WorkerTask } from "./worker-task.ts";

/** Longer than the supervisor waits for the workers' answers. */
const ANSWER_MAX_MS = 2_500;

export interface Supervisor extends WorkerTask {
  /** Resolves with why, when this worker is to drain. */
  readonly stop: Promise<string>;
  /** What all workers say. */
  readonly reportOfAll: (question: Question) => Promise<Report>;
  /** Says that connections are taken; from then on `server` is asked for what this worker says. */
  listening(server: HttpServer): void;
  ended(summary: Summary): void;
}

/** Undefined where this process has none. */
export function joinSupervisor(): Supervisor | undefined {
  if (!workerTask) return undefined;
  let own: HttpServer["report"] = () => Promise.resolve({ problem: "it does not listen yet", metrics: "" });
  const channel = new Channel(
    (message) => void process.send?.(message),
    (question) => own(question),
  );
  process.on("message", (message) => channel.receive(message as Message));
  const alone = new Promise<string>((resolve) => {
    const end = () => resolve("the supervisor has ended");
    process.once("disconnect", end);
    if (!process.connected) end();
  });
  // Its supervisor ends what does not end in time. Without one, the second signal does, as everywhere.
  const signal = stopSignal(() => {
    if (!process.connected) process.exit(1);
  });
  return {
    ...workerTask,
    stop: Promise.race([signal, alone]),
    reportOfAll: asOne(async (question) => {
      if (!process.connected) return own(question);
      const report = await channel.ask(question, ANSWER_MAX_MS);
      return report ?? { problem: "the supervisor does not answer", metrics: "" };
    }),
    listening(server) {
      own = (question) => server.report(question);
      channel.say({ is: "listening", url: server.url });
    },
    ended: (summary) => channel.say({ is: "ended", summary }),
  };
}
