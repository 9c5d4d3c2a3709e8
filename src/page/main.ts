// The page that GET / shows a browser: brings together what the server says, what is looked at, and what is shown.
// Knows the server by HTTP alone: GET /live and GET /counts.

import { askAt } from "./ask.ts";
import { showConnection } from "./connection-view.ts";
import { byId, oncePerFrame, sayAt } from "./dom.ts";
import { Feed, type Connection } from "./feed.ts";
import { HistoryView } from "./history-view.ts";
import { History } from "./history.ts";
import { LiveView } from "./live-view.ts";
import { authorization, keepReadToken, setting } from "./settings.ts";
import { showFigures } from "./status-view.ts";
import { watchPause, watchTables, watchTheme, watchZone } from "./switches.ts";
import { Told } from "./told.ts";
import { formatView, parseView, type ChartName } from "./view-state.ts";
import { formatTime, type Zone } from "./zone.ts";

/** In the background for so long: others may have the place. */
const AWAY_AFTER_MS = 60_000;
/** Of a store that is no older an hour would show one bar. */
const YOUNG_MS = 900_000;
/** Browsers allow only so many changes of the address. */
const ADDRESS_CALM_MS = 250;

// Before anything is drawn: without it the style sheet takes the page for one without JavaScript.
document.documentElement.dataset["connection"] = "connecting";

const base = new URL(".", location.href).href;
const wanted = parseView(location.search);
const tables = new Set<ChartName>(wanted.tables);
const told = new Told();
let zone: Zone = wanted.zone ?? (setting("zone") === "local" ? "local" : "utc");
let connection: Connection = { kind: "connecting" };
let isPaused = false;

const ask = askAt(base, authorization);
const past = new History({
  ask,
  view: wanted.range,
  keptMs: (period) => (told.snapshot?.retention[period] ?? Infinity) * 1_000,
  nowMs: () => told.nowMs,
  onChange: () => historyView.draw(),
});
const liveView = new LiveView({ recent: told.recent, ask, zone: () => zone, isTable: (name) => tables.has(name) });
const historyView = new HistoryView({
  past,
  recent: told.recent,
  ask,
  base,
  zone: () => zone,
  firstMs: () => told.firstMs ?? null,
  isTable: () => tables.has("history"),
  onMove: () => keepAddress(),
});

const feed = new Feed({
  url: new URL("live", base).href,
  headers: authorization,
  onSnapshot: (message) => {
    const isFirst = told.snapshot === null;
    told.takeSnapshot(message);
    if (isFirst) showHistory();
    else if (past.error) past.reload();
    onNews();
  },
  onTick: (message) => {
    told.takeTick(message);
    onNews();
  },
  onConnection: (now) => {
    connection = now;
    document.documentElement.dataset["connection"] = now.kind;
    // Who may not look on may still ask.
    if (now.kind === "turned-away" && !past.held && !past.isAsking) past.show(past.view);
    showConnection(connection, told, isPaused, zone);
  },
});

/** Not before the first snapshot: the server's clock was not known, and it may have wanted a token. */
function showHistory(): void {
  past.show(location.search === "" && isYoung() ? { lastMs: YOUNG_MS } : past.view);
}

function isYoung(): boolean {
  const { firstMs, nowMs } = told;
  return firstMs === null || (firstMs !== undefined && nowMs - firstMs < YOUNG_MS);
}

function onNews(): void {
  if (isPaused || document.hidden) return;
  show();
  past.tick();
}

const show = oncePerFrame(() => {
  const { snapshot, status, raw, firstMs, asOfMs, skewMs, refusedLately } = told;
  if (snapshot && status) {
    const [, lastSecondEvents] = told.recent.lastSecond;
    showFigures({ snapshot, status, raw, lastSecondEvents, refusedLately, firstMs, nowMs: asOfMs, skewMs, zone });
    liveView.show();
    byId("empty", HTMLElement).hidden = firstMs !== null;
    showHowToSend();
  }
  historyView.draw();
  showConnection(connection, told, isPaused, zone);
});

function showHowToSend(): void {
  const curl = byId("empty-curl", HTMLElement);
  // Once: it is there to be copied.
  if (curl.textContent !== "") return;
  curl.textContent = `curl -d 'value=${formatTime(told.asOfMs, "utc", "ms")}' ${base}`;
  sayAt("about-send", curl.textContent);
  sayAt("empty-load", `reto3 load --url ${base} --rps 5000 --duration 10s`);
}

let addressTimer: ReturnType<typeof setTimeout> | undefined;

/** The address says what is looked at, so that it can be sent to somebody. */
function keepAddress(isBack = false): void {
  clearTimeout(addressTimer);
  addressTimer = setTimeout(() => {
    const view = { range: past.view, zone, tables };
    const isSamePlace = formatView({ ...view, range: parseView(location.search).range }) === formatView(view);
    const address = location.pathname + formatView(view) + location.hash;
    // "Back" leads to what was looked at before; how it is shown stays as it is.
    if (isBack || isSamePlace) history.replaceState(null, "", address);
    else history.pushState(null, "", address);
  }, ADDRESS_CALM_MS);
}

// Also when a link within the page is followed: then it is the address that there was.
window.addEventListener("popstate", () => {
  past.show(location.search === "" && isYoung() ? { lastMs: YOUNG_MS } : parseView(location.search).range);
  keepAddress(true);
});

function watchPresence(): void {
  let leaving: ReturnType<typeof setTimeout> | undefined;
  const isWaiting = () => ["away", "lost", "turned-away"].includes(connection.kind);
  const onPresence = () => {
    clearTimeout(leaving);
    if (document.hidden) leaving = setTimeout(() => feed.leave(), AWAY_AFTER_MS);
    else if (isWaiting()) feed.open();
    show();
  };
  document.addEventListener("visibilitychange", onPresence);
  // It may have been opened in the background.
  onPresence();
  window.addEventListener("online", () => !document.hidden && isWaiting() && feed.open());
  // The seconds until the next attempt.
  setInterval(() => "retryAtMs" in connection && showConnection(connection, told, isPaused, zone), 1_000);
}

function restyle(): void {
  liveView.restyle();
  historyView.restyle();
  show();
}

watchZone(zone, (chosen) => {
  zone = chosen;
  restyle();
  keepAddress();
});
watchTheme(restyle);
watchPause((now) => {
  isPaused = now;
  show();
});
watchTables(tables, () => {
  show();
  keepAddress();
});
watchPresence();
byId("token-form", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  const field = byId("token", HTMLInputElement);
  keepReadToken(field.value.trim());
  field.value = "";
  feed.open();
});
feed.open();
