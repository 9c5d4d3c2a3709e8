// The report as one page: sentences, charts, tables. No script, nothing loaded from elsewhere; light, dark, and on paper. Pure.

import { drawChart } from "./charts/chart.ts";
import { chartsOf } from "./charts/charts.ts";
import { CHART_STYLE, escapeMarkup } from "./charts/svg.ts";
import type { Report } from "./model.ts";
import { instant } from "./numbers.ts";
import { sectionsOf, type Section, type Table } from "./sections.ts";

const STYLE = `
:root { color-scheme: light dark; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.55 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 56rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0.5rem 0 0; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 0.4rem; padding-top: 0.8rem; border-top: 1px solid var(--grid); }
p { margin: 0.45rem 0; max-width: 46rem; }
p:first-of-type { font-size: 1.08rem; font-weight: 500; }
.about { color: var(--faint); }
nav ul { display: flex; flex-wrap: wrap; gap: 0.2rem 1.1rem; padding: 0; margin: 0.8rem 0 0; list-style: none; }
a { color: var(--c0); }
figure { margin: 1.1rem 0; overflow-x: auto; }
figure svg { display: block; box-sizing: border-box; width: 100%; min-width: 34rem; height: auto; border: 1px solid var(--grid); border-radius: 6px; }
.scroll { overflow-x: auto; margin: 1.1rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.92rem; }
caption { text-align: left; white-space: nowrap; color: var(--faint); padding-bottom: 0.3rem; }
th, td { padding: 0.22rem 0.9rem 0.22rem 0; text-align: right; border-bottom: 1px solid var(--grid); white-space: nowrap; }
thead th { font-weight: 500; color: var(--faint); }
th:first-child { text-align: left; font-weight: 500; }
@media print {
  body { font-size: 11pt; } nav { display: none; } main { max-width: none; padding: 0; }
  figure svg { min-width: 0; } figure, .scroll, tr { break-inside: avoid; } h2 { break-after: avoid; }
}
`;

export function formatHtml(report: Report): string {
  const charts = new Map(chartsOf(report).map((chart) => [chart.id, drawChart(chart)]));
  const sections = sectionsOf(report).filter(
    ({ says, tables, charts: ids }) => says.length + tables.length > 0 || ids.some((id) => charts.has(id)),
  );
  const title = titleOf(report);
  const links = sections.map(({ id, title: name }) => `<li><a href="#${id}">${escapeMarkup(name)}</a></li>`);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeMarkup(title)}</title>
<style>${CHART_STYLE}${STYLE}</style>
</head>
<body class="reto3">
<main>
<h1>${escapeMarkup(title)}</h1>
<p class="about">${escapeMarkup(about(report))}</p>
<nav aria-label="Sections"><ul>${links.join("")}</ul></nav>
${sections.map((section) => sectionHtml(section, charts)).join("\n")}
</main>
</body>
</html>
`;
}

function titleOf({ store, runs }: Report): string {
  if (store) return `Events from ${instant(store.from).slice(0, 16)} to ${instant(store.to).slice(0, 16)}`;
  return runs.length === 1 ? `Load run ${runs[0]?.name ?? ""}` : `${runs.length} load runs`;
}

function about({ store, writtenAt }: Report): string {
  const source = store ? ` of ${store.location}` : "";
  return `A report${source}, made by reto3 at ${instant(writtenAt).slice(0, 19)}. All times are UTC.`;
}

function sectionHtml({ id, title, says, tables, charts }: Section, drawn: ReadonlyMap<string, string>): string {
  const parts = [
    `<section aria-labelledby="${id}"><h2 id="${id}">${escapeMarkup(title)}</h2>`,
    ...says.map((sentence) => `<p>${escapeMarkup(sentence)}</p>`),
    ...charts.flatMap((chart) => (drawn.has(chart) ? [`<figure>${drawn.get(chart) ?? ""}</figure>`] : [])),
    ...tables.map(tableHtml),
    "</section>",
  ];
  return parts.join("\n");
}

function tableHtml({ caption, head, rows }: Table): string {
  const headings = head.map((name) => `<th scope="col">${escapeMarkup(name)}</th>`).join("");
  const lines = rows.map(
    ([name = "", ...cells]) =>
      `<tr><th scope="row">${escapeMarkup(name)}</th>${cells.map((cell) => `<td>${escapeMarkup(cell)}</td>`).join("")}</tr>`,
  );
  return `<div class="scroll" tabindex="0"><table><caption>${escapeMarkup(caption)}</caption><thead><tr>${headings}</tr></thead><tbody>${lines.join("")}</tbody></table></div>`;
}
