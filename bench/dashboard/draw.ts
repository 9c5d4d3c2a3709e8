// Draws the Grafana dashboard from a real run: see README.md.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import dashboard from "../../ops/grafana/dashboards/reto3.json";
import { load } from "../../test/support/load.ts";
import { startPrometheus, type Series } from "../../test/support/prometheus.ts";
import { serve, temporaryFolder } from "../../test/support/reto3.ts";

const [file = "docs/monitoring.svg"] = process.argv.slice(2);
const LOADS: [rps: number, seconds: number, stopped: boolean][] = [
  [1_000, 45, false],
  [3_000, 60, true],
  [2_000, 45, false],
];

/** Pixels of a column and a row of the dashboard's grid. */
const CELL = { x: 50, y: 24 };
const COLORS = ["#3274d9", "#56a64b", "#e0752d", "#e02f44", "#8f3bb8", "#0a9eb8", "#b5a300"];

const folder = temporaryFolder();
const startS = Date.now() / 1_000;
await using server = await serve(`sqlite:${join(folder.path, "reto3.db")}`);
await using prometheus = await startPrometheus({ reto3: [new URL(server.url).host] }, "1s");
for (const [rps, seconds, stopped] of LOADS) {
  console.error(`${rps} events/s for ${seconds} s`);
  const running = load(server.url, ["--rps", String(rps), "--duration", `${seconds}s`]);
  if (stopped) {
    await Bun.sleep(25_000);
    server.pause();
    await Bun.sleep(3_000);
    server.resume();
  }
  await running;
}
const endS = Date.now() / 1_000;
writeFileSync(file, await picture());
folder[Symbol.dispose]();

async function picture(): Promise<string> {
  const parts: string[] = [];
  let height = 0;
  for (const panel of dashboard.panels) {
    if (!("targets" in panel) || !panel.targets) continue;
    const { x, y, w, h } = panel.gridPos;
    const top = (y - 4) * CELL.y;
    const box = { x: x * CELL.x + 4, y: top + 4, width: w * CELL.x - 8, height: h * CELL.y - 8 };
    height = Math.max(height, top + h * CELL.y);
    const lines: { legend: string; series: Series }[] = [];
    for (const { expr, legendFormat } of panel.targets) {
      const asked = expr
        .replaceAll("$__rate_interval", "4s")
        .replaceAll("$__range", "3m")
        .replaceAll("$instance", ".*");
      for (const series of await prometheus.range(asked, startS, endS, 1)) {
        const legend = legendFormat.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => series.labels[name] ?? "");
        lines.push({ legend, series });
      }
    }
    const { unit } = panel.fieldConfig.defaults;
    parts.push(panelSvg(panel.title, unit, panel.type, box, lines));
  }
  const width = 24 * CELL.x;
  const style =
    "text{font:12px sans-serif;fill:#333}.title{font-weight:bold}.small{font-size:10px;fill:#666}.value{font-size:26px;fill:#3a7a33}";
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}"><style>${style}</style><rect width="${width}" height="${height}" fill="#f4f5f7"/>\n${parts.join("\n")}\n</svg>\n`;
}

interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

function panelSvg(
  title: string,
  unit: string,
  type: string,
  box: Box,
  lines: { legend: string; series: Series }[],
): string {
  const frame =
    `<rect x="${box.x}" y="${box.y}" width="${box.width}" height="${box.height}" rx="3" fill="#fff" stroke="#ddd"/>` +
    `<text class="title" x="${box.x + 8}" y="${box.y + 16}">${escaped(title)}</text>`;
  const values = lines
    .flatMap(({ series }) => series.values.map(([, value]) => value))
    .filter((value) => Number.isFinite(value));
  if (type === "stat") {
    const last = lines[0]?.series.values.at(-1)?.[1];
    return `${frame}<text class="value" x="${box.x + 8}" y="${box.y + 56}">${last === undefined ? "no data" : written(last, unit)}</text>`;
  }
  if (values.length === 0) return `${frame}<text class="small" x="${box.x + 8}" y="${box.y + 40}">no data</text>`;
  const highest = Math.max(...values, 0) || 1;
  const lowest = Math.min(...values, 0);
  const plot = { x: box.x + 56, y: box.y + 26, width: box.width - 66, height: box.height - 52 };
  const at = ([time, value]: readonly [number, number]) =>
    `${(plot.x + ((time - startS) / (endS - startS)) * plot.width).toFixed(1)},${(plot.y + plot.height - ((value - lowest) / (highest - lowest)) * plot.height).toFixed(1)}`;
  const drawn = lines.map(({ series }, index) => {
    const points = series.values.filter(([, value]) => Number.isFinite(value)).map(at);
    return `<polyline fill="none" stroke="${COLORS[index % COLORS.length]}" stroke-width="1.3" points="${points.join(" ")}"/>`;
  });
  let legendX = plot.x;
  const legends = lines.slice(0, 7).map(({ legend }, index) => {
    const text = `<text class="small" x="${legendX}" y="${box.y + box.height - 8}" style="fill:${COLORS[index % COLORS.length]}">${escaped(legend)}</text>`;
    legendX += 16 + legend.length * 6;
    return text;
  });
  const scale =
    `<path d="M${plot.x} ${plot.y}v${plot.height}h${plot.width}" fill="none" stroke="#bbb"/>` +
    `<text class="small" x="${box.x + 6}" y="${plot.y + 8}">${written(highest, unit)}</text>` +
    `<text class="small" x="${box.x + 6}" y="${plot.y + plot.height}">${written(lowest, unit)}</text>`;
  return [frame, scale, ...drawn, ...legends].join("");
}

function written(value: number, unit: string): string {
  const short = (number: number) =>
    Math.abs(number) >= 100 ? Math.round(number).toLocaleString("en-US") : String(Number(number.toPrecision(3)));
  if (unit === "percentunit") return `${short(value * 100)} %`;
  if (unit === "s") return Math.abs(value) < 1 ? `${short(value * 1_000)} ms` : `${short(value)} s`;
  if (unit === "bytes") return Math.abs(value) >= 1e9 ? `${short(value / 1e9)} GB` : `${short(value / 1e6)} MB`;
  return unit === "reqps" ? `${short(value)} /s` : short(value);
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
