// The line on the connection, the token's form, the title of the tab, and what there is to tell in words.

import { byId, sayAt } from "./dom.ts";
import type { Connection } from "./feed.ts";
import { noticesOf, takenOf } from "./notices.ts";
import { formatCount } from "./numbers.ts";
import { readToken } from "./settings.ts";
import { showNotices, showTaken } from "./status-view.ts";
import type { Told } from "./told.ts";
import { formatClock, zoneLabel, type Zone } from "./zone.ts";

const TEXTS: Record<Connection["kind"], string> = {
  connecting: "connecting …",
  open: "live",
  lost: "connection lost",
  "turned-away": "the server shows nothing just now",
  unauthorized: "needs a token",
  away: "asleep in the background",
};

export function showConnection(connection: Connection, told: Told, isPaused: boolean, zone: Zone): void {
  const { kind } = connection;
  const isLive = kind === "open" && !isPaused;
  const time = (ms: number) => `${formatClock(ms, zone, "second")} ${zoneLabel(ms, zone)}`;
  const asOf = told.asOfMs === 0 ? "" : time(told.asOfMs);
  sayAt("connection-text", kind === "open" && isPaused ? "live, but paused" : TEXTS[kind]);
  sayAt("as-of", asOf === "" || isLive ? asOf : `as of ${asOf}`);
  sayAt("connection-retry", "retryAtMs" in connection ? retryText(connection.retryAtMs - Date.now()) : "");
  byId("token-form", HTMLElement).hidden = kind !== "unauthorized";
  if (kind === "unauthorized") sayAt("token-error", readToken() === "" ? "" : "That token is not accepted.");
  if (isLive || kind !== "open") showTaken(takenOf(connection, told.status));
  const title = kind === "open" ? `${formatCount(told.recent.lastSecond[1])}/s` : TEXTS[kind];
  const isProblem = kind === "open" && (told.status?.problem ?? null) !== null;
  document.title = `${isProblem ? "✕ " : ""}${title} · reto3`;
  const { snapshot, status, skewMs, refusedLately, restart } = told;
  const restarted = restart && { at: time(restart.atMs), isOther: restart.isOther };
  showNotices(noticesOf({ connection, asOf, snapshot, status, skewMs, restarted, refusedLately, isPaused }));
}

function retryText(inMs: number): string {
  return inMs <= 0 ? "trying again …" : `trying again in ${Math.ceil(inMs / 1_000)} s`;
}
