// Buckets as rows: what a chart shows, for who cannot see it or wants the figures.

import { formatCount } from "./numbers.ts";

export interface TableContent {
  caption: string;
  columns: readonly string[];
  rows: readonly (readonly [name: string, ...values: (number | null)[]])[];
}

/** A browser takes a while for more; the CSV has them all. */
const ROWS_MAX = 2_000;

/** Puts the table into `container`, in the place of what was there. */
export function showTable(container: HTMLElement, { caption, columns, rows }: TableContent): void {
  const table = document.createElement("table");
  const shown = rows.slice(0, ROWS_MAX);
  table.createCaption().textContent =
    shown.length < rows.length
      ? `${caption} The first ${formatCount(ROWS_MAX)} of ${formatCount(rows.length)}; the CSV has all.`
      : caption;
  const head = table.createTHead().insertRow();
  for (const name of columns) head.append(headerCell(name, "col"));
  const body = table.createTBody();
  for (const [name, ...values] of shown) {
    const row = body.insertRow();
    row.append(headerCell(name, "row"));
    for (const value of values) row.insertCell().textContent = value === null ? "–" : formatValue(value);
  }
  const { scrollTop } = container;
  container.replaceChildren(table);
  container.scrollTop = scrollTop;
}

function headerCell(text: string, scope: string): HTMLTableCellElement {
  const cell = document.createElement("th");
  cell.scope = scope;
  cell.textContent = text;
  return cell;
}

function formatValue(value: number): string {
  return Number.isInteger(value) ? formatCount(value) : value.toFixed(3);
}
