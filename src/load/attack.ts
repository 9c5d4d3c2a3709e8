// The open loop: sends each event when it is due, over as many connections as that takes, and never waits for the server.
// An event that finds no free connection waits in line; its latency counts from when it was due (no coordinated omission).
// Meets the server over HTTP only.

import { formatTimestamp } from "../units.ts";
import { openConnection, type Connection, type Exchange, type Target } from "./connection.ts";
import type { Schedule } from "./pacer.ts";
import { LoadResult, outcomeOf, type LoadOutcome, type LoadRecord } from "./result.ts";

export interface AttackOptions extends Target {
  /** What the server wants of who sends events. */
  token?: string;
  schedule: Schedule;
  connectionsMax: number;
  /** A connection is closed after so many answers; 0: never. */
  requestsPerConnection: number;
  /** A request without an answer by then is of unknown outcome. */
  timeoutMs: number;
  /** Aborted: sends no more, waits for what is under way. */
  signal: AbortSignal;
  onRecord?: (record: LoadRecord) => void;
}

/** What waits for a connection at the end of the schedule gets so many timeouts more. */
const OVERTIME_TIMEOUTS = 3;

/** A refused connection is tried again after this. */
const RECONNECT_MS = 50;

interface InFlight {
  dueMs: number;
  sentMs: number;
}

/** Runs the whole schedule; resolves when every request has an outcome. Never rejects. */
export class Attack {
  readonly result = new LoadResult();
  readonly #options: AttackOptions;
  readonly #line: number[] = [];
  readonly #free: Connection[] = [];
  /** Requests under way, the oldest first. */
  readonly #inFlight = new Map<Connection, InFlight>();
  readonly #head: string;
  readonly #finished = Promise.withResolvers<void>();
  #connections = 0;
  #connectAfterMs = 0;
  #connectError = "";
  #issued = 0;
  #startMs = 0;
  #over = false;

  constructor(options: AttackOptions) {
    this.#options = options;
    this.#head =
      `POST / HTTP/1.1\r\nHost: ${options.host}:${options.port}\r\n` +
      (options.token === undefined ? "" : `Authorization: Bearer ${options.token}\r\n`) +
      `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${eventBody(0).length}\r\n\r\n`;
  }

  async run(): Promise<LoadResult> {
    this.#startMs = performance.now();
    this.#pump();
    await this.#finished.promise;
    for (const connection of this.#free.splice(0)) connection.close();
    return this.result;
  }

  /** One turn of the loop, about every millisecond. */
  #pump(): void {
    const { schedule, signal, timeoutMs } = this.#options;
    const nowMs = performance.now();
    const elapsedMs = nowMs - this.#startMs;
    const total = signal.aborted ? this.#issued : schedule.total;
    while (this.#issued < total && schedule.dueMs(this.#issued) <= elapsedMs) {
      this.#line.push(this.#startMs + schedule.dueMs(this.#issued++));
    }
    this.#expire(nowMs);
    const overtimeMs = schedule.dueMs(schedule.total) + OVERTIME_TIMEOUTS * timeoutMs;
    if (this.#issued === total && (signal.aborted || elapsedMs > overtimeMs)) this.#giveUpLine();
    this.#serveLine();
    if (this.#issued === total && this.#line.length === 0 && this.#inFlight.size === 0) {
      this.#over = true;
      this.#finished.resolve();
      return;
    }
    setTimeout(() => this.#pump(), 1);
  }

  /** Gives waiting events to free connections, and opens more where these do not suffice. */
  #serveLine(): void {
    let at = 0;
    for (; at < this.#line.length; at++) {
      const connection = this.#free.pop();
      if (!connection) break;
      this.#send(connection, this.#line[at] ?? 0);
    }
    this.#line.splice(0, at);
    const { connectionsMax } = this.#options;
    const opening = this.#connections - this.#inFlight.size - this.#free.length;
    const wanted = Math.min(this.#line.length - opening, connectionsMax - this.#connections);
    if (performance.now() < this.#connectAfterMs) return;
    for (let more = 0; more < wanted; more++) void this.#connect();
  }

  async #connect(): Promise<void> {
    this.#connections++;
    try {
      const connection = await openConnection(this.#options, () => {
        this.#connections--;
        const at = this.#free.indexOf(connection);
        if (at >= 0) this.#free.splice(at, 1);
      });
      if (this.#over) connection.close();
      else this.#release(connection);
    } catch (error) {
      this.#connections--;
      this.#connectError = error instanceof Error ? error.message : String(error);
      this.#connectAfterMs = performance.now() + RECONNECT_MS;
    }
  }

  #release(connection: Connection): void {
    const { requestsPerConnection } = this.#options;
    if (!connection.idle) return;
    if (requestsPerConnection > 0 && connection.answers >= requestsPerConnection) {
      connection.close();
      return;
    }
    const dueMs = this.#line.shift();
    if (dueMs === undefined) this.#free.push(connection);
    else this.#send(connection, dueMs);
  }

  #send(connection: Connection, dueMs: number): void {
    const sentMs = performance.now();
    this.#inFlight.set(connection, { dueMs, sentMs });
    connection.send(this.#head + eventBody((performance.timeOrigin + sentMs) * 1_000), (exchange) => {
      this.#inFlight.delete(connection);
      this.#record(dueMs, sentMs, exchange);
      // After the connection's own bookkeeping.
      queueMicrotask(() => this.#release(connection));
    });
  }

  #record(dueMs: number, sentMs: number | null, exchange: Exchange | { unsent: string }): void {
    const answered = "status" in exchange;
    const outcome: LoadOutcome = answered ? outcomeOf(exchange.status) : "unsent" in exchange ? "unsent" : "unknown";
    const reason = answered
      ? this.#statusText(exchange.status)
      : "unsent" in exchange
        ? exchange.unsent
        : exchange.lost;
    const record: LoadRecord = {
      dueUs: epochUs(dueMs),
      sentUs: sentMs === null ? null : epochUs(sentMs),
      doneUs: epochUs(performance.now()),
      outcome,
      status: answered ? exchange.status : null,
    };
    this.result.add(record, reason);
    this.#options.onRecord?.(record);
  }

  #statusText(status: number): string {
    if (status !== 401) return `status ${status}`;
    const given = this.#options.token !== undefined;
    return `status 401: the server ${given ? "does not accept the token of" : "wants a token:"} --token-file`;
  }

  /** Closes connections whose answer is overdue; that ends their request as lost. */
  #expire(nowMs: number): void {
    for (const [connection, { sentMs }] of this.#inFlight) {
      if (nowMs - sentMs < this.#options.timeoutMs) return;
      connection.close();
    }
  }

  #giveUpLine(): void {
    const unsent = this.#connectError === "" ? "no free connection" : this.#connectError;
    for (const dueMs of this.#line.splice(0)) this.#record(dueMs, null, { unsent });
  }
}

function epochUs(performanceMs: number): number {
  return Math.round((performance.timeOrigin + performanceMs) * 1_000);
}

/** The form body of an event created at `us`; always of the same length. */
function eventBody(us: number): string {
  const whole = Math.round(us);
  const time = formatTimestamp(whole).replace(" ", "+").replaceAll(":", "%3A");
  return `value=${time}${String(whole % 1_000).padStart(3, "0")}`;
}
