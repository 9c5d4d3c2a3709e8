// A chart of lines, bands, bars and points over two axes, as SVG. Pure: what is drawn is decided elsewhere.
// d3-scale has the arithmetic of axes, d3-shape that of paths.

import { scaleLinear, scaleLog, scaleUtc } from "d3-scale";
import { area, curveStepAfter, line } from "d3-shape";
import { colour, element, escapeMarkup } from "./svg.ts";

export type Point = readonly [x: number, y: number];

/** What is drawn, in this order; `name` puts it into the legend. A gap in a line is a point whose y is NaN. */
export type Mark = { colour: number; name?: string } & (
  | { kind: "line"; points: readonly Point[]; dashed?: boolean; steps?: boolean }
  | { kind: "band"; points: readonly (readonly [x: number, low: number, high: number])[] }
  | { kind: "bars"; points: readonly Point[]; width: number }
  | { kind: "points"; points: readonly Point[] }
  /** A line across. */
  | { kind: "level"; y: number }
);

export interface Axis {
  label: string;
  /** `utc`: microseconds since 1970. */
  scale: "linear" | "log" | "utc";
  /** What is to be seen at least. */
  from?: number;
  to?: number;
  /** In place of those that fit the scale. */
  ticks?: readonly (readonly [value: number, label: string])[];
}

export interface Chart {
  /** The name of its file, without ending. */
  id: string;
  title: string;
  /** What it shows, in a sentence or two, for those who do not see it. */
  description: string;
  x: Axis;
  y: Axis;
  marks: readonly Mark[];
}

const WIDTH = 760;
const HEIGHT = 320;
const PLOT = { left: 68, right: 30, top: 52, bottom: 48 };
/** What touched the edge of a logarithmic scale would be hard to see. */
const LOG_MARGIN = 1.1;

const X_TICKS = 7;
const Y_TICKS = 5;

interface Scale {
  (value: number): number;
  ticks: readonly (readonly [value: number, label: string])[];
}

export function drawChart(chart: Chart): string {
  const [right, bottom] = [WIDTH - PLOT.right, HEIGHT - PLOT.bottom];
  const extent = extentOf(chart.marks);
  const x = scaleOf(chart.x, extent.x, [PLOT.left, right], X_TICKS);
  const y = scaleOf(chart.y, extent.y, [bottom, PLOT.top], Y_TICKS);
  const id = `chart-${chart.id}`;
  const clip = element("clipPath", { id: `${id}-clip` }, plotArea(right, bottom));
  return element(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      class: "reto3",
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      role: "img",
      "aria-labelledby": `${id}-title ${id}-description`,
    },
    element("title", { id: `${id}-title` }, escapeMarkup(chart.title)),
    element("desc", { id: `${id}-description` }, escapeMarkup(chart.description)),
    element("defs", {}, clip),
    element("rect", { class: "ground", width: WIDTH, height: HEIGHT }),
    element("text", { class: "heading", x: PLOT.left, y: 20 }, escapeMarkup(chart.title)),
    legend(chart.marks),
    axes(chart, x, y, right, bottom),
    element(
      "g",
      { "clip-path": `url(#${id}-clip)` },
      ...chart.marks.map((mark) => drawMark(mark, x, y, right, bottom)),
    ),
  );
}

function plotArea(right: number, bottom: number): string {
  const { left, top } = PLOT;
  return element("rect", { x: left, y: top - 2, width: right - left, height: bottom - top + 3 });
}

function extentOf(marks: readonly Mark[]): { x: number[]; y: number[] } {
  const [x, y]: [number[], number[]] = [[], []];
  for (const mark of marks) {
    if (mark.kind === "level") y.push(mark.y);
    else
      for (const [at, ...values] of mark.points) {
        x.push(at);
        y.push(...values);
        if (mark.kind === "bars") x.push(at + mark.width);
      }
  }
  return { x: x.filter(Number.isFinite), y: y.filter(Number.isFinite) };
}

function scaleOf(axis: Axis, values: readonly number[], range: [number, number], ticks: number): Scale {
  const seen = axis.scale === "log" ? values.filter((value) => value > 0) : values;
  let low = seen.reduce((least, value) => Math.min(least, value), axis.from ?? Number.POSITIVE_INFINITY);
  let high = seen.reduce((most, value) => Math.max(most, value), axis.to ?? Number.NEGATIVE_INFINITY);
  if (!Number.isFinite(low)) [low, high] = axis.scale === "log" ? [1, 10] : [0, 1];
  if (low === high) [low, high] = axis.scale === "log" ? [low / 2, high * 2] : [low - 1, high + 1];
  if (axis.scale === "utc") {
    const scale = scaleUtc([new Date(low / 1_000), new Date(high / 1_000)], range);
    const place = (value: number) => scale(new Date(value / 1_000));
    return Object.assign(place, {
      ticks: scale.ticks(ticks).map((tick) => [tick.getTime() * 1_000, timeLabel(tick, high - low)] as const),
    });
  }
  const isLog = axis.scale === "log";
  const scale = isLog ? scaleLog([low / LOG_MARGIN, high * LOG_MARGIN], range) : scaleLinear([low, high], range).nice();
  const shown = isLog ? logTicks(scale.ticks(ticks)) : scale.ticks(ticks);
  return Object.assign((value: number) => scale(isLog ? Math.max(value, low / LOG_MARGIN) : value), {
    ticks: axis.ticks ?? shown.map((tick) => [tick, numberLabel(tick)] as const),
  });
}

/** Powers of ten where there are several; else of 1, 2, 3 ... 9 times such a power those that lie far enough apart. */
function logTicks(all: readonly number[]): number[] {
  const powers = all.filter(isPowerOfTen);
  if (powers.length >= 3) return powers;
  return all.length <= 6 ? [...all] : all.filter((tick) => [1, 2, 5].includes(Number(tick.toExponential()[0])));
}

function isPowerOfTen(value: number): boolean {
  const power = Math.log10(value);
  return Math.abs(power - Math.round(power)) < 1e-9;
}

function numberLabel(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e6) return `${Number((value / 1e6).toPrecision(4))} M`;
  return size >= 1e4 ? `${Number((value / 1e3).toPrecision(4))} k` : String(Number(value.toPrecision(6)));
}

/** UTC. */
function timeLabel(time: Date, spanUs: number): string {
  const iso = time.toISOString();
  const [date, clock] = [iso.slice(5, 10), iso.slice(11, 19)];
  if (spanUs > 3 * 86_400e6) return date;
  if (spanUs < 7e6) return iso.slice(14, 23);
  if (clock === "00:00:00") return date;
  return time.getUTCSeconds() === 0 && spanUs > 600e6 ? clock.slice(0, 5) : clock;
}

function axes(chart: Chart, x: Scale, y: Scale, right: number, bottom: number): string {
  const { left, top } = PLOT;
  const parts: string[] = [];
  for (const [value, label] of y.ticks) {
    const at = y(value);
    parts.push(element("path", { class: "grid", d: `M${left},${at.toFixed(1)}H${right}` }));
    parts.push(element("text", { class: "tick", x: left - 7, y: at + 4, "text-anchor": "end" }, label));
  }
  for (const [value, label] of x.ticks) {
    const at = x(value);
    if (at < left - 1 || at > right + 1) continue;
    parts.push(element("path", { class: "axis", d: `M${at.toFixed(1)},${bottom}v5` }));
    parts.push(element("text", { class: "tick", x: at, y: bottom + 18, "text-anchor": "middle" }, label));
  }
  parts.push(element("path", { class: "axis", d: `M${left},${bottom}H${right}` }));
  const labelX = { class: "tick", x: (left + right) / 2, y: HEIGHT - 8, "text-anchor": "middle" };
  parts.push(element("text", labelX, escapeMarkup(chart.x.label)));
  const turned = `rotate(-90 14 ${(top + bottom) / 2})`;
  const labelY = { class: "tick", x: 14, y: (top + bottom) / 2, "text-anchor": "middle", transform: turned };
  parts.push(element("text", labelY, escapeMarkup(chart.y.label)));
  return parts.join("");
}

function legend(marks: readonly Mark[]): string {
  let x = PLOT.left;
  const parts: string[] = [];
  for (const mark of marks) {
    if (mark.name === undefined) continue;
    const fill = colour(mark.colour);
    const isStroke = mark.kind === "line" || mark.kind === "level";
    const isDashed = mark.kind === "level" || (mark.kind === "line" && mark.dashed === true);
    parts.push(
      isStroke
        ? element("path", { class: `line${isDashed ? " dashed" : ""}`, stroke: fill, d: `M${x},34h18` })
        : mark.kind === "points"
          ? element("circle", { cx: x + 9, cy: 34, r: 4, fill })
          : element("rect", { class: mark.kind === "band" ? "area" : "", x, y: 29, width: 18, height: 10, fill }),
      element("text", { x: x + 24, y: 38 }, escapeMarkup(mark.name)),
    );
    // No metrics of the font are at hand: a letter has some 6.3 pixels.
    x += 24 + mark.name.length * 6.3 + 18;
  }
  return parts.join("");
}

function drawMark(mark: Mark, x: Scale, y: Scale, right: number, bottom: number): string {
  const stroke = colour(mark.colour);
  switch (mark.kind) {
    case "level":
      return element("path", { class: "line dashed", stroke, d: `M${PLOT.left},${y(mark.y).toFixed(1)}H${right}` });
    case "line": {
      const path = line<Point>(
        ([at]) => tenth(x(at)),
        ([, value]) => tenth(y(value)),
      );
      path.defined(([, value]) => Number.isFinite(value));
      if (mark.steps === true) path.curve(curveStepAfter);
      const className = mark.dashed === true ? "line dashed" : "line";
      return element("path", { class: className, stroke, d: path([...mark.points]) ?? "" });
    }
    case "band": {
      const path = area<readonly [number, number, number]>()
        .x(([at]) => tenth(x(at)))
        .y0(([, low]) => tenth(y(low)))
        .y1(([, , high]) => tenth(y(high)))
        .defined(([, low, high]) => Number.isFinite(low) && Number.isFinite(high));
      return element("path", { class: "area", fill: stroke, d: path([...mark.points]) ?? "" });
    }
    case "bars":
      return mark.points
        .map(([at, value]) => {
          const [from, to, top] = [x(at), x(at + mark.width), y(value)];
          const width = Math.max(0.6, to - from - (to - from > 4 ? 1 : 0));
          return element("rect", { x: from, y: top, width, height: Math.max(0, bottom - top), fill: stroke });
        })
        .join("");
    case "points":
      return mark.points
        .map(([at, value]) => element("circle", { cx: x(at), cy: y(value), r: 2.2, fill: stroke, "fill-opacity": 0.6 }))
        .join("");
    default:
      return mark satisfies never;
  }
}

/** Of a pixel. */
function tenth(value: number): number {
  return Math.round(value * 10) / 10;
}
