// The figures at the top and the facts at the bottom: from what GET /live said to text. Draws no chart.

import type { RawData, Snapshot, Status } from "../live-messages.ts";
import { formatBytes } from "../units.ts";
import { byId, sayAt, sayLines } from "./dom.ts";
import type { Notice, takenOf } from "./notices.ts";
import { formatCount, formatLifetime, formatMs, formatSpan } from "./numbers.ts";
import { formatTime, zoneLabel, type Zone } from "./zone.ts";

export interface Figures {
  snapshot: Snapshot;
  status: Status;
  raw: RawData;
  /** Events of the newest second that is over, of every server of this store. */
  lastSecondEvents: number;
  /** In the last ten seconds, by reason. */
  refusedLately: Record<string, number>;
  /** Null: there are none, undefined: nobody knows yet. */
  firstMs: number | null | undefined;
  nowMs: number;
  skewMs: number;
  zone: Zone;
}

export function showFigures(figures: Figures): void {
  const { snapshot, status, lastSecondEvents } = figures;
  sayAt("now-rate", formatCount(lastSecondEvents));
  sayAt("now-stored", `in the last second; this server stored ${formatCount(status.storedPerSec)}/s over 10 s`);
  sayAt("now-durability", `A 2xx means here: the event is ${snapshot.store.durability}.`);
  sayAt("now-store", `Store: ${snapshot.store.location}; raw events: ${shortRaw(figures)}.`);
  showVitals(figures);
  showFacts(figures);
}

export function showTaken({ state, text, why }: ReturnType<typeof takenOf>): void {
  byId("now-state", HTMLElement).dataset["state"] = state;
  sayAt("now-state", text);
  sayAt("now-state-why", why);
}

function showVitals({ status, refusedLately }: Figures): void {
  const { ackMs, lagMs, queueEvents, queueEventsMax, storeErrors, storeRetries, workers, writers } = status;
  sayLines(
    "now-ack",
    ackMs ? `${formatMs(ackMs.p50)} / ${formatMs(ackMs.p99)}` : "no answers",
    ackMs ? "half / 99 %, last 10 s" : "in the last 10 s",
  );
  sayLines(
    "now-lag",
    lagMs ? `${formatMs(lagMs.p50)} / ${formatMs(lagMs.p99)}` : "no events",
    lagMs ? "half / 99 %, last 10 s" : "in the last 10 s",
    lagMs ? `${formatMs(lagMs.min)} to ${formatMs(lagMs.max)}` : "",
  );
  sayLines("now-queue", `${formatCount(queueEvents)} events`, `of ${formatCount(queueEventsMax)} at most`);
  const lately = totalOf(refusedLately);
  sayLines(
    "now-refused",
    formatCount(totalOf(status.refused)),
    lately > 0 ? `▲ growing: ${formatCount(lately)} in 10 s` : "not growing",
  );
  sayLines("now-errors", formatCount(storeErrors), `${formatCount(storeRetries)} tried again`);
  const ofStore =
    writers === null ? "writers not known" : `${writers} ${writers === 1 ? "writer" : "writers"} of the store`;
  sayLines("now-writers", String(workers), ofStore);
}

function showFacts({ snapshot, status, raw, refusedLately, firstMs, nowMs, skewMs, zone }: Figures): void {
  const { server, store, retention, keep } = snapshot;
  const time = (ms: number) => `${formatTime(ms, zone, "second")} ${zoneLabel(ms, zone)}`;
  const synced =
    store.synced === true
      ? "synced"
      : store.synced === false
        ? "NOT synced before the answer"
        : "whether it is synced is not known";
  sayAt("version", server.version);
  sayAt("about-store", `${store.location} (${synced})`);
  sayAt(
    "about-raw",
    keep === "summary" ? "none: only counts are kept (--keep summary)" : describeRaw(raw, retention, time),
  );
  const { "10ms": ms10, "1s": s1, "1m": m1 } = retention;
  sayAt("about-counts", `10 ms ${formatLifetime(ms10)}, 1 s ${formatLifetime(s1)}, 1 min ${formatLifetime(m1)}`);
  const first = firstMs === null ? "none yet" : "not known yet";
  sayAt("about-first", typeof firstMs === "number" ? `minute of ${time(firstMs)}` : first);
  sayAt("about-refused", describeRefused(status.refused, refusedLately));
  const writers = status.writers === null ? "not known" : String(status.writers);
  sayAt(
    "about-processes",
    `${status.workers} of this server; writers of the store: ${writers}; ${status.viewers} looking on at this process`,
  );
  const offset =
    status.clockOffsetMs === null
      ? "store and server have one clock"
      : describeOffset(status.clockOffsetMs, "store", "server");
  sayAt("about-clocks", `${offset}; ${describeOffset(-Math.round(skewMs), "this device", "server")}`);
  const commit = server.commit === "" ? "" : ` (${server.commit})`;
  const up = formatSpan(Math.max(0, nowMs - server.startedMs));
  sayAt("about-server", `reto3 ${server.version}${commit}, up for ${up}, since ${time(server.startedMs)}`);
}

function describeRaw(
  raw: RawData,
  { events, rawBytesMax }: Snapshot["retention"],
  time: (ms: number) => string,
): string {
  const kept = `kept ${formatLifetime(events)}${rawBytesMax === null ? "" : `, ${formatBytes(rawBytesMax)} at most`}`;
  const there = [
    raw.events === null ? "" : `${formatCount(raw.events)} events`,
    raw.bytes === null ? "" : formatBytes(raw.bytes),
    raw.sinceMs === null ? "" : `since ${time(raw.sinceMs)}`,
  ].filter((part) => part !== "");
  return there.length === 0 ? kept : `${kept}; when last looked: ${there.join(", ")}`;
}

/** In a few words: the rest is at the bottom. */
function shortRaw({ snapshot: { keep, retention }, raw: { sinceMs }, zone }: Figures): string {
  if (keep === "summary") return "none, only counts";
  const kept = `kept ${formatLifetime(retention.events)}`;
  return sinceMs === null ? kept : `since ${formatTime(sinceMs, zone, "minute")} ${zoneLabel(sinceMs, zone)}, ${kept}`;
}

function describeRefused(refused: Record<string, number>, lately: Record<string, number>): string {
  const parts = Object.entries(refused)
    .filter(([, events]) => events > 0)
    .map(([reason, events]) => {
      const growing = (lately[reason] ?? 0) > 0 ? `, ▲ ${formatCount(lately[reason] ?? 0)} in 10 s` : "";
      return `${reason.replaceAll("_", " ")} ${formatCount(events)}${growing}`;
    });
  return parts.length === 0 ? "none" : parts.join("; ");
}

function describeOffset(ms: number, whose: string, than: string): string {
  if (Math.abs(ms) < 1) return `${whose} and ${than} agree`;
  return `${whose} ${formatMs(Math.abs(ms))} ${ms > 0 ? "ahead of" : "behind"} ${than}`;
}

function totalOf(numbers: Record<string, number>): number {
  return Object.values(numbers).reduce((sum, value) => sum + value, 0);
}

const LEVELS: Record<Notice["level"], string> = { problem: "✕ Problem", warning: "▲ Warning", note: "ℹ Note" };

/** Leaves alone what says the same: a screen reader speaks only of what has changed. */
export function showNotices(notices: readonly Notice[]): void {
  const list = byId("notices", HTMLElement);
  const old = new Map(
    [...list.children].map((child) => [(child as HTMLElement).dataset["notice"], child as HTMLElement]),
  );
  for (const { id, level, text } of notices) {
    const element = old.get(id) ?? list.appendChild(emptyNotice(id));
    old.delete(id);
    if (element.dataset["level"] === level && element.lastElementChild?.textContent === text) continue;
    element.dataset["level"] = level;
    const [mark, words] = element.children;
    if (mark) mark.textContent = LEVELS[level];
    if (words) words.textContent = text;
  }
  for (const element of old.values()) element.remove();
}

function emptyNotice(id: string): HTMLElement {
  const element = document.createElement("p");
  element.className = "notice";
  element.dataset["notice"] = id;
  element.append(document.createElement("b"), document.createElement("span"));
  return element;
}
