// What people are told in words because it is not as it should be, or has just changed. Pure: the state in, sentences out.

import type { Snapshot, Status } from "../live-messages.ts";
import { CLOCK_OFFSET_WARN_US } from "../config.ts";
import type { Connection } from "./feed.ts";
import { formatCount, formatMs, formatSpan } from "./numbers.ts";

export interface Notice {
  /** The same matter has the same id, whatever its text says just now. */
  id: string;
  level: "problem" | "warning" | "note";
  text: string;
}

/** The browser's clock may differ so much from the server's before it is worth a word. */
const SKEW_MAX_MS = 2_000;

/** The server's own words (src/http/routes.ts). */
const DRAINING = "shutting down";

/** A queue that is so full is told of before it refuses. */
const QUEUE_FULL_SHARE = 0.8;

export interface Situation {
  connection: Connection;
  /** When the last message came, written in the zone that is shown; "": none has come. */
  asOf: string;
  snapshot: Snapshot | null;
  status: Status | null;
  /** The server's clock minus the browser's. */
  skewMs: number;
  /** Another start of the server has answered lately: when that was, and whether it runs beside the one before. */
  restarted: { at: string; isOther: boolean } | null;
  /** Refusals in the last ten seconds, by reason. */
  refusedLately: Record<string, number>;
  isPaused: boolean;
}

export function noticesOf(situation: Situation): Notice[] {
  return [...ofConnection(situation), ...ofServer(situation), ...ofStore(situation), ...ofView(situation)];
}

function* ofConnection({ connection, asOf }: Situation): Generator<Notice> {
  const old = asOf === "" ? "" : ` What is shown is as of ${asOf}.`;
  if (connection.kind === "lost") {
    const text = `No connection to the server.${old} It is tried again by itself.`;
    yield { id: "connection", level: "problem", text };
  }
  if (connection.kind === "turned-away") {
    const text =
      connection.reason === DRAINING
        ? `The server is draining: it shuts down, and stores what it has taken before that. Send to another one.${old}`
        : `The server answers, but shows nothing just now: ${connection.reason}.${old} It is tried again by itself.`;
    yield { id: "connection", level: "warning", text };
  }
  if (connection.kind === "unauthorized") {
    yield { id: "connection", level: "warning", text: `The server wants a read token.${old}` };
  }
  if (connection.kind === "away") {
    const text = `This tab was in the background: the connection is closed, and opened again when you look.${old}`;
    yield { id: "connection", level: "note", text };
  }
}

function* ofServer({ connection, status, restarted, refusedLately }: Situation): Generator<Notice> {
  if (restarted !== null) {
    const what = restarted.isOther
      ? `Another server answers now, started at ${restarted.at}`
      : `The server was started again at ${restarted.at}`;
    const text = `${what}. The counts go on, they are in the store; what is said to be "since the start" is of this one.`;
    yield { id: "restarted", level: "note", text };
  }
  if (!status || connection.kind !== "open") return;
  if (status.problem === DRAINING) {
    const text =
      "The server is draining: it shuts down, and stores what it has taken before that. Send to another one.";
    yield { id: "taken", level: "warning", text };
  } else if (status.problem !== null) {
    yield { id: "taken", level: "problem", text: `No events are taken: ${status.problem}.` };
  }
  const refused = Object.entries(refusedLately).filter(([, events]) => events > 0);
  if (refused.length > 0) {
    const list = refused.map(([reason]) => reason.replaceAll("_", " ")).join(", ");
    yield {
      id: "refused",
      level: "warning",
      text: `Requests are being refused just now: ${list}. The numbers are below.`,
    };
  }
  if (status.queueEvents >= status.queueEventsMax * QUEUE_FULL_SHARE && status.queueEventsMax > 0) {
    const text = `The queue is nearly full (${formatCount(status.queueEventsMax)} at most): the store takes events more slowly than they come.`;
    yield { id: "queue", level: "warning", text };
  }
}

function* ofStore({ connection, snapshot, status }: Situation): Generator<Notice> {
  if (!snapshot || !status) return;
  if (status.storeProblem !== null && connection.kind === "open") {
    const text = `The counts could not be read just now: ${status.storeProblem}. Events may still be taken; the figures are older than they look.`;
    yield { id: "store", level: "problem", text };
  }
  for (const [at, text] of snapshot.store.warnings.entries()) yield { id: `store-${at}`, level: "warning", text };
  const offsetMs = status.clockOffsetMs ?? 0;
  if (Math.abs(offsetMs) > CLOCK_OFFSET_WARN_US / 1_000) {
    const text = `The store's clock is ${formatMs(Math.abs(offsetMs))} ${offsetMs > 0 ? "ahead of" : "behind"} the server's; run NTP on both.`;
    yield { id: "clock-offset", level: "warning", text };
  }
}

function* ofView({ skewMs, isPaused }: Situation): Generator<Notice> {
  if (Math.abs(skewMs) > SKEW_MAX_MS) {
    const way = skewMs < 0 ? "ahead of" : "behind";
    const text = `This device's clock is ${formatSpan(Math.abs(Math.round(skewMs / 1_000) * 1_000))} ${way} the server's. All times here are the server's.`;
    yield { id: "skew", level: "warning", text };
  }
  if (isPaused) {
    yield { id: "paused", level: "note", text: "Paused: the charts and figures stand still. The server goes on." };
  }
}

/** Whether events are taken, for the top of the page; "unknown": nobody says. */
export function takenOf(
  connection: Connection,
  status: Status | null,
): { state: "ready" | "problem" | "unknown"; text: string; why: string } {
  const isTurnedAway = connection.kind === "turned-away";
  if (isTurnedAway && connection.reason === DRAINING) return { state: "problem", text: "✕ Draining", why: DRAINING };
  if (connection.kind !== "open" || !status) {
    const why = isTurnedAway
      ? "the server does not say just now"
      : connection.kind === "connecting"
        ? "waiting for the server"
        : "not connected";
    return { state: "unknown", text: "? Not known", why };
  }
  if (status.problem === null)
    return { state: "ready", text: "✓ Yes", why: "ready: each is stored before it is answered" };
  return { state: "problem", text: status.problem === DRAINING ? "✕ Draining" : "✕ No", why: status.problem };
}
