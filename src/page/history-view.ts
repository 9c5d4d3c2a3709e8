// The history's charts, its controls and its texts. What is asked and when is history.ts.

import { questionOf, type Ask } from "./ask.ts";
import { Chart } from "./chart.ts";
import { columnsOf, overlaid, rowsIn, summaryOf, type Columns, type Counts, type Row } from "./counts.ts";
import { csvName, toCsv } from "./csv.ts";
import { byId, download, oncePerFrame, say, sayAt } from "./dom.ts";
import { HistoryControls, type HistoryControlsOptions } from "./history-controls.ts";
import { formatCount, formatMs, formatSpan } from "./numbers.ts";
import type { Recent } from "./recent.ts";
import { aligned, periodMs, type Range } from "./span.ts";
import { showTable } from "./table.ts";
import { detailFor, detailOf, formatRange, formatTime, zoneLabel } from "./zone.ts";

const PERIOD_WORDS = { "10ms": "10 ms", "1s": "second", "1m": "minute" } as const;

export interface HistoryViewOptions extends HistoryControlsOptions {
  recent: Recent;
  ask: Ask;
  base: string;
  isTable: () => boolean;
}

export class HistoryView {
  readonly #options: HistoryViewOptions;
  readonly #events: Chart;
  readonly #lag: Chart;
  readonly #controls: HistoryControls;
  #columns: { of: Counts; columns: Columns } | undefined;
  #shown: Counts | null = null;
  #tableOf = "";
  /** Draws before the next frame. */
  readonly draw = oncePerFrame(() => this.#drawNow());

  constructor(options: HistoryViewOptions) {
    this.#options = options;
    this.#controls = new HistoryControls(options);
    const common = {
      zone: options.zone,
      syncKey: "history",
      onSelect: (range: Range) => this.#controls.show(range),
      onPoint: (at: number | null) => this.#sayPoint(at),
    };
    const [plot, lagPlot] = [byId("history-plot", HTMLElement), byId("history-lag-plot", HTMLElement)];
    this.#events = new Chart({ ...common, element: plot, series: [{ colour: "one", form: "bars" }] });
    this.#lag = new Chart({
      ...common,
      element: lagPlot,
      series: [
        { colour: "two", form: "dots" },
        { colour: "one", form: "line" },
      ],
      formatValue: formatMs,
    });
    this.#controls.watch(byId("history-chart", HTMLElement), this.#events);
    byId("history-csv", HTMLElement).addEventListener("click", () => void this.#save());
  }

  restyle(): void {
    this.#events.restyle();
    this.#lag.restyle();
    this.#controls.restyle();
    this.#tableOf = "";
    this.draw();
  }

  #columnsOf(held: Counts): Columns {
    if (this.#columns?.of !== held) {
      this.#columns = { of: held, columns: columnsOf(held, this.#options.firstMs()) };
    }
    return this.#columns.columns;
  }

  #drawNow(): void {
    const { past, recent, isTable } = this.#options;
    const { range } = past;
    const held = past.held && past.isFollowing ? overlaid(past.held, recent.seconds()) : past.held;
    this.#shown = held;
    const { startMs, events, lagAvgMs, lagMaxMs } = held ? this.#columnsOf(held) : columnsOfNothing();
    if (!isTable()) {
      this.#events.show([startMs, events], range);
      this.#lag.show([startMs, lagMaxMs, lagAvgMs], range);
    }
    this.#sayState(range);
    const counts = past.period.used === held?.period && held.fromMs <= range.fromMs ? held : null;
    this.#sayCounts(range, counts);
    if (isTable() && counts && !past.isAsking) this.#fillTable(range, counts);
  }

  #sayState(range: Range): void {
    const { past, zone, base } = this.#options;
    const { wanted, used } = past.period;
    const spanMs = range.toMs - range.fromMs;
    const follows = past.isFollowing ? `the last ${formatSpan(spanMs)}: ` : "";
    const detail = detailOf(range.fromMs, range.toMs);
    sayAt(
      "history-range",
      `${follows}${formatRange(range.fromMs, range.toMs, zone(), detail)} ${zoneLabel(range.toMs, zone())}`,
    );
    sayAt("history-period", PERIOD_WORDS[past.held?.period ?? used]);
    this.#controls.press();
    const state = byId("history-state", HTMLElement);
    state.dataset["state"] = past.error ? "error" : past.isAsking && !past.isFollowing ? "asking" : "shown";
    say(state, past.error ? `✕ ${past.error.message}` : state.dataset["state"] === "asking" ? "asking …" : "");
    const gone =
      wanted === used
        ? ""
        : `Counts in each ${PERIOD_WORDS[wanted]} of this time have expired: shown in each ${PERIOD_WORDS[used]}.`;
    sayAt("history-note", gone);
    const asked = new URL(questionOf(used, aligned(range, used)), base).href;
    sayAt("history-question", `curl '${asked}'`);
  }

  #sayCounts(range: Range, counts: Counts | null): void {
    const { past, zone } = this.#options;
    const spanMs = range.toMs - range.fromMs;
    sayAt(
      "now-total-of",
      past.isFollowing ? `in the last ${formatSpan(spanMs)}` : `in ${formatSpan(spanMs)} of the past`,
    );
    if (!counts) {
      sayAt("now-total", past.error ? "–" : "…");
      sayAt("history-summary", "");
      return;
    }
    const word = PERIOD_WORDS[counts.period];
    const { events, fullest, lagUs } = summaryOf(rowsIn(counts, aligned(range, counts.period)));
    sayAt("now-total", formatCount(events));
    const most = fullest
      ? `; most in one ${word}: ${formatCount(fullest.events)} at ${this.#time(fullest.startMs)}`
      : "";
    const lag = lagUs ? `; LAG ${formatMs(lagUs.avg / 1_000)} on average, ${formatMs(lagUs.max / 1_000)} at most` : "";
    const isComplete = counts.completeMs >= range.toMs;
    const sealed = formatTime(counts.completeMs, zone(), "second").slice(11);
    const until = isComplete ? "Complete" : `Complete up to ${sealed}; what is newer may still grow`;
    sayAt("history-summary", `${formatCount(events)} events${most}${lag}. ${until}.`);
  }

  #fillTable(range: Range, counts: Counts): void {
    const { zone } = this.#options;
    const key = [counts.nowMs, counts.period, range.fromMs, range.toMs, zone()].join();
    if (key === this.#tableOf) return;
    this.#tableOf = key;
    const ms = (us: number | undefined) => (us === undefined ? null : us / 1_000);
    const rows = rowsIn(counts, aligned(range, counts.period)).map(
      ({ startMs, events, lagUs }: Row) =>
        [this.#time(startMs), events, ms(lagUs?.min), ms(lagUs?.avg), ms(lagUs?.max)] as const,
    );
    const columns = [`Start, ${zoneLabel(range.toMs, zone())}`, "events", "least LAG, ms", "average", "greatest"];
    const caption = `Each ${PERIOD_WORDS[counts.period]} that has events, the newest first.`;
    showTable(byId("history-table", HTMLElement), { caption, columns, rows: rows.toReversed() });
  }

  #sayPoint(at: number | null): void {
    const held = this.#shown;
    const columns = held && this.#columnsOf(held);
    const startMs = at === null ? undefined : columns?.startMs[at];
    if (at === null || !columns || startMs === undefined) {
      sayAt("history-readout", "");
      return;
    }
    const [avg, max] = [columns.lagAvgMs[at], columns.lagMaxMs[at]];
    const lag =
      typeof avg === "number" && typeof max === "number"
        ? `; LAG ${formatMs(avg)} on average, ${formatMs(max)} at most`
        : "";
    sayAt("history-readout", `${this.#time(startMs)}: ${formatCount(columns.events[at] ?? 0)} events${lag}`);
  }

  #time(ms: number): string {
    const { past, zone } = this.#options;
    return formatTime(ms, zone(), detailFor(periodMs(past.held?.period ?? "1m")));
  }

  /** Asks once more: what is shown may have been pieced together. */
  async #save(): Promise<void> {
    const { past, ask } = this.#options;
    const { used } = past.period;
    const range = aligned(past.range, used);
    try {
      download(csvName(used, range.fromMs), toCsv((await ask(used, range)).rows));
    } catch (error) {
      sayAt("history-readout", `No CSV: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

function columnsOfNothing(): Columns {
  return { startMs: [], events: [], lagAvgMs: [], lagMaxMs: [] };
}
