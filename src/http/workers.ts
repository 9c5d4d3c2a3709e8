// Processes that share a port: starts them, starts again what dies, asks all of them what one is asked, ends them in order.
// Is told the command and the environment of a worker; prints nothing.

import { settlesWithin } from "../deadline.ts";
import { pause } from "../writer/retry.ts";
import { asOne, Channel, type Message, type Question, type Report, type Summary } from "./channel.ts";
import { mergeMetrics } from "./merge-metrics.ts";
import { workersMetrics } from "./metrics.ts";
import { processMetrics } from "./process-metrics.ts";

const BACKOFF_FIRST_MS = 100;
const BACKOFF_MAX_MS = 10_000;
/** Whoever has lived so long dies of something else than the one before. */
const BACKOFF_RESET_MS = 60_000;

/** Half a second longer than a worker waits for its store before it says that this does not answer. */
const ANSWER_MAX_MS = 1_500;

/** What a process said last may come after its end. */
const LAST_WORDS_MAX_MS = 1_000;

export interface WorkersOptions {
  count: number;
  command: string[];
  /** What worker `number` finds in its environment. */
  env: (number: number) => Record<string, string | undefined>;
  /** Told of a worker that could not be started, which ends it with status 1. */
  onStartError: (number: number, error: unknown) => void;
  /** Told of a worker that ended by itself, with its exit status (128 + n after signal n), and is started again after `pauseMs`. */
  onEnd: (number: number, code: number, pauseMs: number) => void;
}

/** How a worker ended that had taken events. */
export interface End {
  number: number;
  code: number;
  /** It had to be killed. */
  killed: boolean;
  /** Undefined where it did not come to say so. */
  summary: Summary | undefined;
}

/** One of the set: processes come and go, the number stays. */
interface Place {
  readonly number: number;
  readonly listening: PromiseWithResolvers<string>;
  child: Bun.Subprocess | undefined;
  channel: Channel | undefined;
  /** Whether the process that runs there takes connections. */
  listens: boolean;
  /** What it said of itself last. */
  metrics: string;
  summary: Summary | undefined;
  killed: boolean;
}

export class Workers {
  readonly #options: WorkersOptions;
  readonly #places: Place[];
  readonly #running: Promise<End | undefined>[] = [];
  readonly #stop = new AbortController();
  /** A worker ended before all of them listened: the exit status. */
  readonly #failed = Promise.withResolvers<{ code: number }>();
  #complete = false;
  #restarts = 0;
  /** What those had counted that have ended. */
  #endedMetrics = "";

  constructor(options: WorkersOptions) {
    this.#options = options;
    this.#places = Array.from({ length: options.count }, (_, at) => ({
      number: at + 1,
      listening: Promise.withResolvers<string>(),
      child: undefined,
      channel: undefined,
      listens: false,
      metrics: "",
      summary: undefined,
      killed: false,
    }));
  }

  /**
   * Starts the first, which makes what is missing in the store, and once it listens the others. Resolves when all listen,
   * or when one ended before: with its exit status; the others then go on until they are drained.
   */
  start(): Promise<{ url: string } | { code: number }> {
    return Promise.race([this.#startAll(), this.#failed.promise]);
  }

  async #startAll(): Promise<{ url: string }> {
    const urls: string[] = [];
    for (const some of [this.#places.slice(0, 1), this.#places.slice(1)]) {
      if (!this.#stop.signal.aborted) this.#running.push(...some.map((place) => this.#keep(place)));
      urls.push(...(await Promise.all(some.map(({ listening }) => listening.promise))));
    }
    this.#complete = true;
    return { url: urls[0] ?? "" };
  }

  /** Has them all drain; who has not ended after `timeoutMs` is killed. How those ended that took events. */
  async drain(timeoutMs: number): Promise<End[]> {
    this.#stop.abort();
    // To a worker any number of signals are one, for a terminal and systemd send theirs to all processes.
    for (const { child } of this.#places) child?.kill("SIGTERM");
    const ended = Promise.all(this.#running);
    if (!(await settlesWithin(ended, timeoutMs))) this.kill();
    return (await ended).filter((end) => end !== undefined);
  }

  /** Ends all that run at once. */
  kill(): void {
    this.#stop.abort();
    for (const place of this.#places) {
      place.killed = place.child !== undefined;
      place.child?.kill("SIGKILL");
    }
  }

  /** Runs one process after another. Resolves when there shall be none any more, with how the last one ended; undefined where none took events then. */
  async #keep(place: Place): Promise<End | undefined> {
    const { signal } = this.#stop;
    for (let backoffMs = BACKOFF_FIRST_MS; ; backoffMs = Math.min(backoffMs * 2, BACKOFF_MAX_MS)) {
      const startedMs = performance.now();
      const code = await this.#run(place);
      if (!this.#complete) this.#failed.resolve({ code });
      const { number, listens, killed, summary } = place;
      place.listens = false;
      if (signal.aborted || !this.#complete) return listens ? { number, code, killed, summary } : undefined;
      if (performance.now() - startedMs >= BACKOFF_RESET_MS) backoffMs = BACKOFF_FIRST_MS;
      this.#options.onEnd(number, code, backoffMs);
      await pause(backoffMs, signal);
      if (signal.aborted) return undefined;
      this.#restarts++;
    }
  }

  /** One process, from its start to its end; its exit status. */
  async #run(place: Place): Promise<number> {
    const { number } = place;
    const { command, env, onStartError } = this.#options;
    const silent = Promise.withResolvers<void>();
    let child: Bun.Subprocess;
    try {
      child = Bun.spawn(command, {
        env: env(number),
        stdio: ["ignore", "inherit", "inherit"],
        serialization: "json",
        ipc: (message: Message) => this.#receive(place, message),
        onDisconnect: () => silent.resolve(),
      });
    } catch (error) {
      onStartError(number, error);
      return 1;
    }
    const channel = new Channel((message) => child.send(message), this.report);
    Object.assign(place, { child, channel, summary: undefined, killed: false });
    const code = await child.exited;
    await settlesWithin(silent.promise, LAST_WORDS_MAX_MS);
    this.#endedMetrics = mergeMetrics([], [this.#endedMetrics, place.metrics]);
    Object.assign(place, { child: undefined, channel: undefined, metrics: "" });
    return code;
  }

  #receive(place: Place, message: Message): void {
    place.channel?.receive(message);
    if (message.is === "ended") place.summary = message.summary;
    if (message.is !== "listening") return;
    place.listens = true;
    place.listening.resolve(message.url);
  }

  /** What all that take connections say: ready when each of them is. */
  readonly report = asOne(async (question) => {
    const problems = await Promise.all(this.#places.map((place) => this.#ask(place, question)));
    const problem = problems.find((one) => one !== null) ?? null;
    if (question === "readyz") return { problem, metrics: "" };
    const workers = this.#places.filter(({ listens }) => listens);
    const own = workersMetrics({ workers: workers.length, restarts: this.#restarts, ready: problem === null });
    const live = [...workers.map(({ metrics }) => metrics), own + processMetrics()];
    return { problem, metrics: mergeMetrics(live, [this.#endedMetrics]) };
  });

  /** The problem of one of them. Who ends in the meantime has none: it takes no connections. */
  async #ask(place: Place, question: Question): Promise<string | null> {
    const { number, channel } = place;
    if (!channel || !place.listens) return null;
    const report: Report | undefined = await channel.ask(question, ANSWER_MAX_MS);
    if (place.channel !== channel) return null;
    // Where it does not answer, what it has said before goes on to count.
    if (!report) return `worker ${number} does not answer`;
    if (question === "metrics" && report.metrics !== "") place.metrics = report.metrics;
    return report.problem === null ? null : `worker ${number}: ${report.problem}`;
  }
}
