// What people do to change what the history shows: buttons, keys, pointers, an exact range.

import { parseDurationMs } from "../units.ts";
import { byId, press, sayAt } from "./dom.ts";
import { watchGestures } from "./gestures.ts";
import type { History } from "./history.ts";
import { formatSpan } from "./numbers.ts";
import { panned, SPAN_MAX_MS, zoomed, type Range } from "./span.ts";
import { formatField, parseField, zoneLabel, type Zone } from "./zone.ts";

export interface HistoryControlsOptions {
  past: History;
  zone: () => Zone;
  firstMs: () => number | null;
  /** The range has been changed by somebody. */
  onMove: () => void;
}

export class HistoryControls {
  readonly #options: HistoryControlsOptions;
  /** Of what the fields of the exact range hold. */
  #exactZone: Zone | undefined;

  constructor(options: HistoryControlsOptions) {
    this.#options = options;
    this.#watchButtons();
    this.#watchExact();
  }

  show(view: { lastMs: number } | Range): void {
    this.#options.past.show(view);
    this.#options.onMove();
  }

  /** Which of the buttons say what is shown. */
  press(): void {
    const { past } = this.#options;
    const spanMs = past.range.toMs - past.range.fromMs;
    press(byId("follow", HTMLElement), past.isFollowing);
    for (const [button, lastMs] of lastButtons()) press(button, past.isFollowing && lastMs === spanMs);
  }

  /** Times may be shown in another zone now: what the fields hold would mean another time. */
  restyle(): void {
    if (this.#exactZone !== undefined && this.#exactZone !== this.#options.zone()) this.#fillExact();
  }

  /** Keys and pointers on the charts in `element`. */
  watch(
    element: HTMLElement,
    chart: { timeAt: (clientX: number) => number; shareOf: (pixels: number) => number },
  ): void {
    watchGestures(element, {
      timeAt: (x) => chart.timeAt(x),
      shareOf: (pixels) => chart.shareOf(pixels),
      zoom: (factor, aroundMs) => this.#zoom(factor, aroundMs),
      pan: (share) => this.#pan(share),
    });
    element.addEventListener("keydown", (event) => this.#onKey(event));
  }

  /** False: that is as near or as far as it goes. */
  #zoom(factor: number, aroundMs?: number): boolean {
    const { range, view } = this.#options.past;
    const next = zoomed(range, factor, aroundMs);
    const spanMs = next.toMs - next.fromMs;
    if (Math.abs(spanMs - (range.toMs - range.fromMs)) < 1) return false;
    // With the pointer a place is meant, without it how much of the last.
    this.show("lastMs" in view && aroundMs === undefined ? { lastMs: spanMs } : next);
    return true;
  }

  #pan(share: number): void {
    this.show(panned(this.#options.past.range, share));
  }

  #follow(): void {
    const { fromMs, toMs } = this.#options.past.range;
    this.show({ lastMs: toMs - fromMs });
  }

  #toFirst(): void {
    const { past, firstMs } = this.#options;
    const first = firstMs();
    const { fromMs, toMs } = past.range;
    // Of the first events only the minute is known.
    if (first !== null) this.show({ fromMs: first, toMs: first + Math.max(60_000, toMs - fromMs) });
  }

  #watchButtons(): void {
    const actions: Record<string, () => void> = {
      back: () => this.#pan(-0.5),
      forward: () => this.#pan(0.5),
      "zoom-in": () => void this.#zoom(2),
      "zoom-out": () => void this.#zoom(0.5),
      follow: () => this.#follow(),
    };
    for (const [id, action] of Object.entries(actions)) byId(id, HTMLElement).addEventListener("click", action);
    for (const [button, lastMs] of lastButtons()) button.addEventListener("click", () => this.show({ lastMs }));
  }

  #onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const far = event.shiftKey ? 1 : 0.25;
    const actions: Record<string, () => void> = {
      "+": () => void this.#zoom(2),
      "=": () => void this.#zoom(2),
      "-": () => void this.#zoom(0.5),
      _: () => void this.#zoom(0.5),
      ArrowLeft: () => this.#pan(-far),
      ArrowRight: () => this.#pan(far),
      Home: () => this.#toFirst(),
      End: () => this.#follow(),
    };
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  #watchExact(): void {
    const { zone } = this.#options;
    const form = byId("exact-form", HTMLFormElement);
    const [from, to] = [byId("from", HTMLInputElement), byId("to", HTMLInputElement)];
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const [fromMs, toMs] = [parseField(from.value, zone()), parseField(to.value, zone())];
      if (fromMs === null || toMs === null || fromMs >= toMs) {
        sayAt("exact-zone", "the first must be before the second");
        return;
      }
      this.show({ fromMs, toMs });
      if (toMs - fromMs > SPAN_MAX_MS) sayAt("exact-zone", `no more than ${formatSpan(SPAN_MAX_MS)} are shown at once`);
    });
    form.closest("details")?.addEventListener("toggle", () => this.#fillExact());
  }

  #fillExact(): void {
    const { past, zone } = this.#options;
    const { fromMs, toMs } = past.range;
    this.#exactZone = zone();
    byId("from", HTMLInputElement).value = formatField(fromMs, zone());
    byId("to", HTMLInputElement).value = formatField(toMs, zone());
    sayAt("exact-zone", zoneLabel(fromMs, zone()));
  }
}

function lastButtons(): [HTMLElement, lastMs: number][] {
  const buttons = [...document.querySelectorAll<HTMLElement>("[data-last]")];
  return buttons.map((button) => [button, parseDurationMs(button.dataset["last"] ?? "") ?? 0]);
}
