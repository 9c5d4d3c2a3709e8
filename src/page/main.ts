// The page that GET / shows a browser: brings together what the server says, what is looked at, and what is shown.
// Knows the server by HTTP alone: GET /live and GET /counts.

import type { RawData, Snapshot, Status, Tick } from "../live-messages.ts";
import type { PeriodName } from "../period.ts";
import { askAt } from "./ask.ts";
import { byId, oncePerFrame, press, sayAt } from "./dom.ts";
import { Feed, type Connection } from "./feed.ts";
import { HistoryView } from "./history-view.ts";
import { History } from "./history.ts";
import { LiveView } from "./live-view.ts";
import { noticesOf, takenOf } from "./notices.ts";
import { formatCount } from "./numbers.ts";
import { Recent } from "./recent.ts";
import { authorization, keepReadToken, keepSetting, readToken, setting } from "./settings.ts";
import { showFigures, showNotices, showTaken } from "./status-view.ts";
import { CHARTS, formatView, parseView, type ChartName } from "./view-state.ts";
import { formatTime, zoneLabel, type Zone } from "./zone.ts";

/** In the background for so long: others may have the place. */
const AWAY_AFTER_MS = 60_000;
/** So long it is said that the server was started again. */
const RESTART_SHOWN_MS = 300_000;
const YOUNG_MS = 900_000;
/** Refusals are held against those of ten seconds before. */
const LATELY_TICKS = 11;
/** The clocks are compared by the quickest of so many messages. */
const SKEW_TICKS = 30;

const base = new URL(".", location.href).href;
const recent = new Recent();
const first = parseView(location.search);

let zone: Zone = first.zone ?? (setting("zone") === "local" ? "local" : "utc");
let connection: Connection = { kind: "connecting" };
let snapshot: Snapshot | null = null;
let status: Status | null = null;
let raw: RawData = { sinceMs: null, events: null, bytes: null };
let firstMs: number | null = null;
let lastMessageMs = 0;
let restarted: { atMs: number; isOther: boolean; untilMs: number } | null = null;
let isPaused = false;
let skews: number[] = [];
let refusals: Record<string, number>[] = [];
const tables = new Set<ChartName>(first.tables);

/** The server's clock, as well as it can be known: the quickest message is the least late. */
const skewMs = () => (skews.length === 0 ? 0 : Math.max(...skews));
const nowMs = () => Date.now() + skewMs();
const at = (ms: number) => `${formatTime(ms, zone, "second").slice(11)} ${zoneLabel(ms, zone)}`;

const keptMs = (period: PeriodName) => (snapshot?.retention[period] ?? Infinity) * 1_000;

const ask = askAt(base, authorization);
const past = new History({ ask, view: first.range, keptMs, nowMs, onChange: () => historyView.draw() });
const liveView = new LiveView({ recent, ask, zone: () => zone, isTable: (name) => tables.has(name) });
const historyView = new HistoryView({
  past,
  recent,
  ask,
  base,
  zone: () => zone,
  firstMs: () => firstMs,
  isTable: () => tables.has("history"),
  onMove: () => keepAddress(),
});

const feed = new Feed({
  url: new URL("live", base).href,
  headers: authorization,
  onSnapshot: (message) => {
    const isNew = snapshot !== null && snapshot.server.startId !== message.server.startId;
    if (isNew) {
      const { startedMs } = message.server;
      restarted = { atMs: startedMs, isOther: startedMs < lastMessageMs, untilMs: Date.now() + RESTART_SHOWN_MS };
    }
    if (isNew || snapshot === null) refusals = [];
    const isFirst = snapshot === null;
    // Of a store that is that young an hour would show one bar.
    const isYoung = message.firstMs === null || message.nowMs - message.firstMs < YOUNG_MS;
    snapshot = message;
    raw = message.raw;
    firstMs = message.firstMs;
    take(message, true);
    // Not before: the server's clock was not known, and it may have wanted a token.
    if (isFirst) past.show(isYoung && location.search === "" ? { lastMs: YOUNG_MS } : past.view);
    else if (past.error) past.reload();
  },
  onTick: (message) => take(message, false),
  onConnection: (now) => {
    connection = now;
    document.documentElement.dataset["connection"] = now.kind;
    // Who may not look on may still ask.
    if (now.kind === "turned-away" && !past.held && !past.isAsking) past.show(past.view);
    showConnection();
  },
});

function take(message: Tick, isSnapshot: boolean): void {
  lastMessageMs = message.nowMs;
  skews = [...skews, message.nowMs - Date.now()].slice(-SKEW_TICKS);
  status = message.status;
  raw = message.raw ?? raw;
  refusals = [...refusals, message.status.refused].slice(-LATELY_TICKS);
  recent.add(message, isSnapshot);
  firstMs ??= message.seconds.find(([, events]) => events > 0)?.[0] ?? null;
  if (isPaused || document.hidden) return;
  show();
  past.tick();
}

const show = oncePerFrame(() => {
  if (snapshot && status) {
    const [lastSecondStart, lastSecondEvents] = recent.lastSecond;
    const figures = { snapshot, status, raw, firstMs, zone, lastSecondEvents, nowMs: lastMessageMs, skewMs: skewMs() };
    showFigures({ ...figures, refusedLately: refusedLately() });
    if (lastSecondStart > 0) liveView.show();
    byId("empty", HTMLElement).hidden = firstMs !== null;
    if (firstMs === null) showEmpty();
  }
  historyView.draw();
  showConnection();
});

function showConnection(): void {
  const { kind } = connection;
  const texts: Record<Connection["kind"], string> = {
    connecting: "connecting …",
    open: "live",
    lost: "connection lost",
    "turned-away": "the server shows nothing just now",
    unauthorized: "needs a token",
    away: "asleep in the background",
  };
  sayAt("connection-text", isPaused && kind === "open" ? "live, but paused" : texts[kind]);
  sayAt(
    "as-of",
    lastMessageMs === 0 ? "" : kind === "open" && !isPaused ? at(lastMessageMs) : `as of ${at(lastMessageMs)}`,
  );
  const retryMs = "retryAtMs" in connection ? connection.retryAtMs - Date.now() : null;
  sayAt(
    "connection-retry",
    retryMs === null ? "" : retryMs <= 0 ? "trying again …" : `trying again in ${Math.ceil(retryMs / 1_000)} s`,
  );
  if (!isPaused || kind !== "open") showTaken(takenOf(connection, status));
  byId("token-form", HTMLElement).hidden = kind !== "unauthorized";
  if (kind === "unauthorized") sayAt("token-error", readToken() === "" ? "" : "That token is not accepted.");
  const rate = kind === "open" ? `${formatCount(recent.lastSecond[1])}/s` : texts[kind];
  const title = `${status?.problem && kind === "open" ? "✕ " : ""}${rate} · reto3`;
  if (document.title !== title) document.title = title;
  const isLately = restarted !== null && Date.now() < restarted.untilMs;
  const situation = { connection, snapshot, status, skewMs: skewMs(), refusedLately: refusedLately(), isPaused };
  showNotices(
    noticesOf({
      ...situation,
      asOf: lastMessageMs === 0 ? "" : at(lastMessageMs),
      restarted: restarted && isLately ? { at: at(restarted.atMs), isOther: restarted.isOther } : null,
    }),
  );
}

function showEmpty(): void {
  const created = formatTime(lastMessageMs, "utc", "ms");
  const curl = byId("empty-curl", HTMLElement);
  // Once: it is there to be copied.
  if (curl.textContent === "") curl.textContent = `curl -d 'value=${created}' ${base}`;
  sayAt("empty-load", `reto3 load --url ${base} --rps 5000 --duration 10s`);
}

function refusedLately(): Record<string, number> {
  const [before, now] = [refusals[0] ?? {}, refusals.at(-1) ?? {}];
  return Object.fromEntries(
    Object.entries(now).map(([reason, count]) => [reason, Math.max(0, count - (before[reason] ?? 0))]),
  );
}

let addressTimer: ReturnType<typeof setTimeout> | undefined;

/** The address says what is looked at; not at each step of a movement, for browsers allow only so many. */
function keepAddress(isBack = false): void {
  clearTimeout(addressTimer);
  addressTimer = setTimeout(() => {
    const view = { range: past.view, zone, tables };
    const isSamePlace = formatView({ ...view, range: parseView(location.search).range }) === formatView(view);
    const address = location.pathname + formatView(view) + location.hash;
    // "Back" leads to what was looked at before; how it is shown stays as it is.
    if (isBack || isSamePlace) history.replaceState(null, "", address);
    else history.pushState(null, "", address);
  }, 250);
}

window.addEventListener("popstate", () => {
  past.show(parseView(location.search).range);
  keepAddress(true);
});

function watchSwitches(): void {
  const zoneSelect = byId("zone", HTMLSelectElement);
  zoneSelect.value = zone;
  const name = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const local = zoneSelect.options[1];
  if (local) local.textContent = `Local times (${name})`;
  zoneSelect.addEventListener("change", () => {
    zone = zoneSelect.value === "local" ? "local" : "utc";
    keepSetting("zone", zone);
    restyle();
    keepAddress();
  });
  const theme = byId("theme", HTMLSelectElement);
  const setTheme = (value: string) => {
    if (value === "light" || value === "dark") document.documentElement.dataset["theme"] = value;
    else delete document.documentElement.dataset["theme"];
    restyle();
  };
  theme.value = setting("theme") ?? "system";
  setTheme(theme.value);
  theme.addEventListener("change", () => {
    keepSetting("theme", theme.value);
    setTheme(theme.value);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", restyle);
  const pause = byId("pause", HTMLButtonElement);
  pause.addEventListener("click", () => {
    isPaused = !isPaused;
    press(pause, isPaused);
    show();
  });
  for (const chart of CHARTS) watchTableButton(chart);
}

function restyle(): void {
  liveView.restyle();
  historyView.restyle();
  show();
}

function watchTableButton(chart: ChartName): void {
  const button = byId(`${chart}-table-button`, HTMLButtonElement);
  const apply = () => {
    press(button, tables.has(chart));
    byId(`${chart}-table`, HTMLElement).hidden = !tables.has(chart);
    byId(chart === "history" ? "history-chart" : `${chart}-plot`, HTMLElement).hidden = tables.has(chart);
  };
  apply();
  button.addEventListener("click", () => {
    if (!tables.delete(chart)) tables.add(chart);
    apply();
    show();
    keepAddress();
  });
}

function watchPresence(): void {
  let leaving: ReturnType<typeof setTimeout> | undefined;
  const isWaiting = () => ["away", "lost", "turned-away"].includes(connection.kind);
  document.addEventListener("visibilitychange", () => {
    clearTimeout(leaving);
    if (document.hidden) {
      leaving = setTimeout(() => feed.leave(), AWAY_AFTER_MS);
    } else {
      if (isWaiting()) feed.open();
      show();
    }
  });
  window.addEventListener("online", () => isWaiting() && feed.open());
  // The seconds until the next attempt.
  setInterval(() => "retryAtMs" in connection && showConnection(), 1_000);
}

byId("token-form", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  const field = byId("token", HTMLInputElement);
  keepReadToken(field.value.trim());
  field.value = "";
  feed.open();
});

watchSwitches();
watchPresence();
historyView.draw();
feed.open();
