// The open loop: sends each event when it is due, over as many connections as that takes, and never waits for the server.
// An event that finds no free connection waits in line; its latency counts from when it was due (no coordinated omission).
// Meets the server over HTTP only.

import { openConnection, type Connection, type Exchange, type Target } from "./connection.ts";
import { EventRequest } from "./event-request.ts";
import type { Schedule, Walk } from "./pacer.ts";
import { pause } from "./pause.ts";
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

/** Before the schedule starts, connections are open for the events of so long: as many as a server holds that answers within it. */
const RESERVE_MS = 20;

/** What waits for a connection at the end of the schedule gets so many timeouts more. */
const OVERTIME_TIMEOUTS = 3;

/** A refused connection is tried again after this. */
const RECONNECT_MS = 50;

/** The loop looks after what is due at most so often, and at least so often. */
const TURN_MIN_MS = 0.2;
const TURN_MAX_MS = 1;

/** A connection, and the request that it has under way or had last. */
interface Lane {
  connection: Connection;
  dueMs: number;
  sentMs: number;
  done: (exchange: Exchange) => void;
}

/** Runs the whole schedule; resolves when every request has an outcome. Never rejects. */
export class Attack {
  readonly result = new LoadResult();
  readonly #options: AttackOptions;
  readonly #request: EventRequest;
  readonly #free: Lane[] = [];
  /** Those with a request under way, the oldest first. */
  readonly #inFlight = new Set<Lane>();
  #connections = 0;
  #connectAfterMs = 0;
  #connectError = "";
  /** Of the schedule, events before `#next` are gone, those from there to before `#due` wait for a connection. */
  #next = 0;
  #due = 0;
  /** At these two: the line between them has no end, and is walked twice instead of kept. */
  readonly #nextWalk: Walk;
  readonly #dueWalk: Walk;
  #lastDueMs = 0;
  #startMs = 0;
  #over = false;

  constructor(options: AttackOptions) {
    this.#options = options;
    this.#request = new EventRequest(options, options.token);
    this.#nextWalk = options.schedule.walk();
    this.#dueWalk = options.schedule.walk();
  }

  async run(): Promise<LoadResult> {
    await this.#openReserve();
    this.#startMs = performance.now();
    while (this.#turn()) {
      const asleepMs = performance.now();
      const untilDueMs = this.#startMs + this.#dueWalk.dueMs - asleepMs;
      const wantedMs = Math.min(TURN_MAX_MS, Math.max(TURN_MIN_MS, untilDueMs));
      await pause(wantedMs);
      this.result.oversleptUs.record((performance.now() - asleepMs - wantedMs) * 1_000);
    }
    this.#over = true;
    this.result.seconds = (performance.now() - this.#startMs) / 1_000;
    for (const { connection } of this.#free.splice(0)) connection.close();
    return this.result;
  }

  /** Opens the connections that the rate will need, so that opening them delays no event. A server that cannot be reached shows later. */
  async #openReserve(): Promise<void> {
    const { schedule, connectionsMax, timeoutMs, signal } = this.#options;
    const untilMs = performance.now() + timeoutMs;
    const wanted = Math.min(schedule.total, connectionsMax, schedule.crowd(RESERVE_MS));
    for (let at = 0; at < wanted; at++) void this.#connect();
    while (this.#free.length < this.#connections && performance.now() < untilMs && !signal.aborted)
      await pause(TURN_MAX_MS);
  }

  /** One turn of the loop; false when all is done. */
  #turn(): boolean {
    const { schedule, signal, timeoutMs } = this.#options;
    const nowMs = performance.now();
    this.#expire(nowMs);
    this.#serve(nowMs);
    const overtimeMs = this.#lastDueMs + OVERTIME_TIMEOUTS * timeoutMs;
    const allDue = signal.aborted || this.#due === schedule.total;
    if (allDue && (signal.aborted || nowMs - this.#startMs > overtimeMs)) this.#giveUpLine();
    return !allDue || this.#next < this.#due || this.#inFlight.size > 0;
  }

  /** Gives events that are due to free connections, and opens more where these do not suffice. */
  #serve(nowMs: number): void {
    const { schedule, signal, connectionsMax } = this.#options;
    const total = signal.aborted ? this.#due : schedule.total;
    while (this.#due < total && this.#startMs + this.#dueWalk.dueMs <= nowMs) {
      this.#lastDueMs = this.#dueWalk.dueMs;
      this.#due++;
      this.#dueWalk.step();
    }
    while (this.#next < this.#due) {
      const lane = this.#free.pop();
      if (!lane) break;
      this.#send(lane, this.#takeNext());
    }
    const opening = this.#connections - this.#inFlight.size - this.#free.length;
    const wanted = Math.min(this.#due - this.#next - opening, connectionsMax - this.#connections);
    if (nowMs < this.#connectAfterMs) return;
    for (let more = 0; more < wanted; more++) void this.#connect();
  }

  async #connect(): Promise<void> {
    this.#connections++;
    try {
      const connection = await openConnection(this.#options, () => {
        this.#connections--;
        const at = this.#free.indexOf(lane);
        if (at >= 0) this.#free.splice(at, 1);
      });
      const lane: Lane = { connection, dueMs: 0, sentMs: 0, done: (exchange) => this.#answered(lane, exchange) };
      if (this.#over) connection.close();
      else this.#release(lane);
    } catch (error) {
      this.#connections--;
      this.#connectError = error instanceof Error ? error.message : String(error);
      this.#connectAfterMs = performance.now() + RECONNECT_MS;
    }
  }

  #release(lane: Lane): void {
    const { requestsPerConnection } = this.#options;
    const { connection } = lane;
    if (!connection.idle) return;
    if (requestsPerConnection > 0 && connection.answers >= requestsPerConnection) connection.close();
    else this.#free.push(lane);
  }

  #send(lane: Lane, dueMs: number): void {
    lane.dueMs = dueMs;
    lane.sentMs = performance.now();
    this.#inFlight.add(lane);
    lane.connection.send(this.#request.at((performance.timeOrigin + lane.sentMs) * 1_000), lane.done);
  }

  #answered(lane: Lane, exchange: Exchange): void {
    const nowMs = performance.now();
    this.#inFlight.delete(lane);
    this.#record(lane.dueMs, lane.sentMs, exchange, nowMs);
    this.#release(lane);
    // Many answers come at once, and what falls due meanwhile must not wait for the last of them.
    this.#serve(nowMs);
  }

  #record(dueMs: number, sentMs: number | null, exchange: Exchange | { unsent: string }, nowMs: number): void {
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
      doneUs: epochUs(nowMs),
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
    for (const { connection, sentMs } of this.#inFlight) {
      if (nowMs - sentMs < this.#options.timeoutMs) return;
      connection.close();
    }
  }

  /** When the first in line was due, on the clock of `performance`; it is taken out. */
  #takeNext(): number {
    const { dueMs } = this.#nextWalk;
    this.#next++;
    this.#nextWalk.step();
    return this.#startMs + dueMs;
  }

  #giveUpLine(): void {
    const unsent = this.#connectError === "" ? "no free connection" : this.#connectError;
    const nowMs = performance.now();
    while (this.#next < this.#due) this.#record(this.#takeNext(), null, { unsent }, nowMs);
  }
}

function epochUs(performanceMs: number): number {
  return Math.round((performance.timeOrigin + performanceMs) * 1_000);
}
