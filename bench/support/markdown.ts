// A result as Markdown: when and of what, then each table with medians and the span of all values. Pure.

import type { Result, Row, Value } from "./result.ts";

export function markdownOf(result: Result): string {
  const { date, version, commit, machine, flags, tables } = result;
  const given = Object.entries(flags).map(([name, value]) => `--${name} ${value === "" ? "''" : value}`);
  const head = `${date}, version ${version} (${commit}). ${machine}. \`${given.join(" ")}\`. Medians (lowest to highest).`;
  return [
    head,
    ...tables.filter(({ rows }) => rows.length > 0).map(({ title, rows }) => `${title}:\n\n${table(rows)}`),
  ].join("\n\n");
}

function table(rows: readonly Row[]): string {
  const labels = [...new Set(rows.flatMap(({ of }) => Object.keys(of)))];
  const names = [...new Set(rows.flatMap(({ values }) => Object.keys(values)))];
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [
    line([...labels, ...names]),
    line([...labels, ...names].map(() => "---")),
    ...rows.map(({ of, values }) =>
      line([...labels.map((label) => String(of[label] ?? "")), ...names.map((name) => cell(values[name]))]),
    ),
  ].join("\n");
}

function cell(value: Value | undefined): string {
  if (!value) return "";
  const [low, high] = [Math.min(...value.all), Math.max(...value.all)];
  const spread = low === high ? "" : ` (${figure(low)} to ${figure(high)})`;
  return `${figure(value.median)}${spread}`;
}

/** Three digits that mean something; whole numbers from 100 on. */
function figure(value: number): string {
  return Math.abs(value) >= 100 ? Math.round(value).toLocaleString("en-US") : String(Number(value.toPrecision(3)));
}
