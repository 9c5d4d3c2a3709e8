// The two charts of what comes in now: the last five minutes by the second, the newest two seconds by 10 ms.

import type { Ask } from "./ask.ts";
import { Chart } from "./chart.ts";
import { csvName, toCsv } from "./csv.ts";
import { byId, download, press, sayAt } from "./dom.ts";
import { formatCount } from "./numbers.ts";
import type { Recent } from "./recent.ts";
import type { Range } from "./span.ts";
import { showTable } from "./table.ts";
import type { ChartName } from "./view-state.ts";
import { formatClock, zoneLabel, type Zone } from "./zone.ts";

export interface LiveViewOptions {
  recent: Recent;
  ask: Ask;
  zone: () => Zone;
  isTable: (name: ChartName) => boolean;
}

export class LiveView {
  readonly #options: LiveViewOptions;
  readonly #rate: Chart;
  readonly #buckets: Chart;

  constructor(options: LiveViewOptions) {
    const { recent, zone } = options;
    this.#options = options;
    this.#rate = new Chart({
      element: byId("rate-plot", HTMLElement),
      series: [
        { colour: "two", form: "dots", isRight: true },
        { colour: "one", form: "line" },
      ],
      zone,
      onPoint: (at) => this.#sayPoint("rate", at),
    });
    this.#buckets = new Chart({
      element: byId("recent-plot", HTMLElement),
      series: [{ colour: "one", form: "bars" }],
      zone,
      onPoint: (at) => this.#sayPoint("recent", at),
    });
    const peaks = byId("rate-peaks", HTMLButtonElement);
    peaks.addEventListener("click", () => {
      const isShown = peaks.getAttribute("aria-pressed") !== "true";
      press(peaks, isShown);
      this.#rate.showSeries(0, isShown);
    });
    byId("rate-csv", HTMLElement).addEventListener("click", () => void this.#save("rate", "1s", recent.seconds()));
    byId("recent-csv", HTMLElement).addEventListener(
      "click",
      () => void this.#save("recent", "10ms", recent.buckets()),
    );
  }

  restyle(): void {
    this.#rate.restyle();
    this.#buckets.restyle();
  }

  show(): void {
    const { recent, isTable, zone } = this.#options;
    const seconds = recent.seconds();
    if (!isTable("rate")) this.#rate.show([seconds.startMs, seconds.peaks10ms, seconds.events], seconds);
    const buckets = recent.buckets();
    if (!isTable("recent")) this.#buckets.show([buckets.startMs, buckets.events], buckets);
    this.#summarize();
    const label = `Start, ${zoneLabel(seconds.toMs, zone())}`;
    if (isTable("rate")) {
      const rows = seconds.startMs.map(
        (ms, at) => [this.#clock(ms), seconds.events[at] ?? null, seconds.peaks10ms[at] ?? null] as const,
      );
      const columns = [label, "events", "in the fullest 10 ms"];
      showTable(byId("rate-table", HTMLElement), {
        caption: "Seconds, the newest first.",
        columns,
        rows: rows.toReversed(),
      });
    }
    if (isTable("recent")) {
      const rows = buckets.startMs.map(
        (ms, at) => [formatClock(ms, zone(), "ms"), buckets.events[at] ?? null] as const,
      );
      const content = {
        caption: "Buckets of 10 ms, the newest first.",
        columns: [label, "events"],
        rows: rows.toReversed(),
      };
      showTable(byId("recent-table", HTMLElement), content);
    }
  }

  #summarize(): void {
    const { recent, zone } = this.#options;
    const { startMs, events, peaks10ms } = recent.seconds();
    const total = sumOf(events);
    const busy = events.filter((value) => value !== null && value > 0).length;
    const at = indexOfMax(events);
    const peakAt = indexOfMax(peaks10ms);
    const fullest =
      total === 0
        ? ""
        : `; most in a second: ${formatCount(events[at] ?? 0)} at ${this.#clock(startMs[at] ?? 0)}, most in 10 ms: ${formatCount(peaks10ms[peakAt] ?? 0)} at ${this.#clock(startMs[peakAt] ?? 0)}`;
    const average = `${formatCount(total / Math.max(1, busy))} a second on average`;
    const text =
      total === 0 ? "No events." : `${formatCount(total)} events in the ${busy} s that had any, ${average}${fullest}.`;
    sayAt("rate-summary", text);
    const buckets = recent.buckets();
    const most = indexOfMax(buckets.events);
    const shown = buckets.events.filter((value) => value !== null);
    const empty = shown.filter((value) => value === 0).length;
    sayAt(
      "recent-summary",
      `${formatCount(sumOf(shown))} events in ${shown.length} buckets up to ${formatClock(buckets.toMs, zone(), "ms")}; most in one: ${formatCount(buckets.events[most] ?? 0)}; ${empty} without any.`,
    );
  }

  #sayPoint(name: "rate" | "recent", at: number | null): void {
    const { recent, zone } = this.#options;
    if (at === null) {
      sayAt(`${name}-readout`, "");
    } else if (name === "rate") {
      const { startMs, events, peaks10ms } = recent.seconds();
      const peak = peaks10ms[at] ?? 0;
      const text = `${this.#clock(startMs[at] ?? 0)}: ${formatCount(events[at] ?? 0)} events; fullest 10 ms ${formatCount(peak)}`;
      sayAt("rate-readout", text);
    } else {
      const { startMs, events } = recent.buckets();
      sayAt("recent-readout", `${formatClock(startMs[at] ?? 0, zone(), "ms")}: ${formatCount(events[at] ?? 0)} events`);
    }
  }

  #clock(ms: number): string {
    return formatClock(ms, this.#options.zone(), "second");
  }

  async #save(name: "rate" | "recent", period: "1s" | "10ms", { fromMs, toMs }: Range): Promise<void> {
    try {
      const { rows } = await this.#options.ask(period, { fromMs, toMs });
      download(csvName(period, fromMs), toCsv(rows));
    } catch (error) {
      sayAt(`${name}-readout`, `No CSV: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

function sumOf(values: readonly (number | null)[]): number {
  return values.reduce<number>((sum, value) => sum + (value ?? 0), 0);
}

function indexOfMax(values: readonly (number | null)[]): number {
  let found = 0;
  for (const [at, value] of values.entries()) if ((value ?? 0) > (values[found] ?? 0)) found = at;
  return found;
}
