// One uPlot for a stretch of time: colours from the style sheet, size from its element, no more than one drawing a frame.
// What is drawn and what a selection means is said by whoever makes one.

import uPlot from "uplot";
import { oncePerFrame } from "./dom.ts";
import { formatShort } from "./numbers.ts";
import type { Range } from "./span.ts";
import { tickLabels, type Zone } from "./zone.ts";

export interface SeriesOptions {
  /** Which of the two colours of the style sheet. */
  colour: "one" | "two";
  /** `bars`: each bucket fills its time. */
  form: "line" | "dots" | "bars";
  /** It has an axis of its own, on the right. */
  isRight?: boolean;
}

export interface ChartOptions {
  element: HTMLElement;
  series: readonly SeriesOptions[];
  /** Of the numbers on the left axis. */
  formatValue?: (value: number) => string;
  zone: () => Zone;
  /** A stretch was drawn over. */
  onSelect?: (range: Range) => void;
  /** The pointer is on that bucket; null: on none. */
  onPoint?: (index: number | null) => void;
  /** Charts of the same key have their pointers at the same time. */
  syncKey?: string;
}

type Values = readonly (number | null)[];

/** Between two numbers of an axis: events are whole. */
const WHOLE_STEPS = Array.from({ length: 36 }, (_none, at) => ([1, 2, 5][at % 3] ?? 1) * 10 ** Math.floor(at / 3));
const FINE_STEPS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, ...WHOLE_STEPS];

/** Less wide is a click, not a selection. */
const SELECT_PIXELS_MIN = 4;

export class Chart {
  readonly #options: ChartOptions;
  #plot: uPlot;
  #columns: [readonly number[], ...Values[]] = [[]];
  #range: Range = { fromMs: Date.now() - 300_000, toMs: Date.now() };
  readonly #draw = oncePerFrame(() => this.#drawNow());
  #widthBefore = 0;
  readonly #hidden = new Set<number>();

  constructor(options: ChartOptions) {
    this.#options = options;
    this.#plot = this.#make();
    new ResizeObserver(() => this.#resize()).observe(options.element);
  }

  /** `columns`: the starts of the buckets, ascending, and for each series their values. */
  show(columns: [readonly number[], ...Values[]], range: Range): void {
    const isSame =
      range.fromMs === this.#range.fromMs &&
      range.toMs === this.#range.toMs &&
      columns.every((values, at) => values === this.#columns[at]);
    if (isSame) return;
    this.#columns = columns;
    this.#range = range;
    this.#draw();
  }

  showSeries(index: number, isShown: boolean): void {
    if (isShown) this.#hidden.delete(index);
    else this.#hidden.add(index);
    this.#plot.setSeries(index + 1, { show: isShown });
  }

  /** Another theme, another zone. */
  restyle(): void {
    this.#plot.destroy();
    this.#plot = this.#make();
    this.#drawNow();
  }

  /** Where the axes end: the time at a point of the window, and pixels as a share of what is in view. */
  timeAt(clientX: number): number {
    const { left } = this.#plot.over.getBoundingClientRect();
    return this.#plot.posToVal(clientX - left, "x");
  }

  shareOf(pixels: number): number {
    return pixels / (this.#plot.over.clientWidth || 1);
  }

  /** While it is not shown, for there is a table in its place, the one that it had. */
  get #width(): number {
    return this.#options.element.clientWidth || this.#widthBefore;
  }

  get #hasRightAxis(): boolean {
    return this.#options.series.some(({ isRight }) => isRight);
  }

  #drawNow(): void {
    // uPlot changes none of it.
    this.#plot.setData(this.#columns as unknown as uPlot.AlignedData, true);
  }

  #resize(): void {
    const { clientWidth, clientHeight } = this.#options.element;
    if (clientWidth === 0 || (clientWidth === this.#plot.width && clientHeight === this.#plot.height)) return;
    this.#plot.setSize({ width: clientWidth, height: clientHeight });
    this.#widthBefore = clientWidth;
  }

  #make(): uPlot {
    const { element, series, syncKey, onSelect, onPoint } = this.#options;
    const [text, grid] = [colour(element, "--faint"), colour(element, "--grid")];
    const cursor: uPlot.Cursor = {
      y: false,
      drag: { x: onSelect !== undefined, y: false, setScale: false },
      bind: {
        dblclick: () => null,
        // With Shift it is moved (gestures.ts).
        mousedown: (_plot, _target, handler) => (event) => (event.shiftKey ? null : handler(event)),
      },
      points: { size: 7 },
      ...(syncKey && { sync: { key: syncKey } }),
    };
    return new uPlot(
      {
        width: this.#width || 600,
        height: element.clientHeight || 220,
        ms: 1,
        tzDate: (ms) => (this.#options.zone() === "utc" ? inUtc(ms) : new Date(ms)),
        legend: { show: false },
        padding: [8, this.#hasRightAxis ? 8 : 34, 0, 0],
        cursor,
        scales: {
          x: { time: true, range: () => [this.#range.fromMs, this.#range.toMs] },
          y: { range: fromZero },
          right: { range: fromZero },
        },
        axes: this.#axes(text, grid),
        series: [{}, ...series.map((options, at) => seriesOf(element, options, !this.#hidden.has(at)))],
        hooks: {
          setSelect: [
            (plot) => {
              const { left, width } = plot.select;
              if (width < SELECT_PIXELS_MIN || !onSelect) return;
              const range = { fromMs: plot.posToVal(left, "x"), toMs: plot.posToVal(left + width, "x") };
              plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
              onSelect(range);
            },
          ],
          setCursor: [
            (plot) =>
              onPoint?.(plot.cursor.left !== undefined && plot.cursor.left < 0 ? null : (plot.cursor.idx ?? null)),
          ],
        },
      },
      [[]] as unknown as uPlot.AlignedData,
      element,
    );
  }

  #axes(text: string, grid: string): uPlot.Axis[] {
    const { zone, formatValue = formatShort } = this.#options;
    const font = "12px system-ui, sans-serif";
    const common = { stroke: text, font, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 } };
    const axes: uPlot.Axis[] = [
      {
        ...common,
        // A label with milliseconds is wide.
        space: (_plot, _axis, min, max) => (max - min < 20_000 ? 100 : 56),
        values: (_plot, ticks, _axis, _space, stepMs) => tickLabels(ticks, stepMs, zone()),
      },
      {
        ...common,
        size: 64,
        incrs: formatValue === formatShort ? WHOLE_STEPS : FINE_STEPS,
        values: (_plot, ticks) => ticks.map((tick) => formatValue(tick)),
      },
    ];
    if (this.#hasRightAxis) {
      const values: uPlot.Axis.Values = (_plot, ticks) => ticks.map((tick) => formatShort(tick));
      // The enum is of the declarations alone: it has no value when this runs.
      // oxlint-disable-next-line typescript/no-unsafe-enum-assignment
      axes.push({ ...common, side: 1, scale: "right", size: 50, incrs: WHOLE_STEPS, grid: { show: false }, values });
    }
    return axes;
  }
}

function seriesOf(element: HTMLElement, options: SeriesOptions, show: boolean): uPlot.Series {
  const { colour: name, form, isRight } = options;
  const stroke = colour(element, `--${name}`);
  if (form === "bars") {
    const paths = uPlot.paths.bars?.({ size: [1, Infinity, 1], align: 1 });
    return { show, fill: stroke, width: 0, points: { show: false }, ...(paths && { paths }) };
  }
  const dotted = form === "dots" ? { dash: [2, 3], width: 1.5 } : { width: 2 };
  return { show, stroke, ...dotted, points: { show: false }, ...(isRight && { scale: "right" }) };
}

/** Heights can be compared; a lag may be negative, where a client's clock is ahead. */
function fromZero(_plot: uPlot, min: number | null, max: number | null): [number, number] {
  return spanOf(Math.min(0, min ?? 0), Math.max(0, max ?? 0));
}

/** A little air above; of nothing at all an axis that says so. */
function spanOf(min: number, max: number): [number, number] {
  if (min === 0 && max === 0) return [0, 10];
  const air = (max - min) * 0.06;
  return [min === 0 ? 0 : min - air, max === 0 ? 0 : max + air];
}

/** A variable of the style sheet as the canvas wants it: without light-dark(). */
function colour(element: HTMLElement, variable: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${variable})`;
  element.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

/** A date whose local fields are those of UTC. */
function inUtc(ms: number): Date {
  return new Date(ms + new Date(ms).getTimezoneOffset() * 60_000);
}
