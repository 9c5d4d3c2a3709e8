// The report for a terminal: sentences, then tables of aligned columns. Pure.

import type { Report } from "./model.ts";
import { sectionsOf, type Table } from "./sections.ts";

const COLUMNS = 110;

export function formatText(report: Report): string {
  const sections = sectionsOf(report).filter(({ says, tables }) => says.length + tables.length > 0);
  const parts = sections.map(({ title, says, tables }) =>
    [
      `${title}\n${"-".repeat(title.length)}\n`,
      ...says.map((one) => `${wrapped(one)}\n`),
      ...tables.map(tableText),
    ].join(""),
  );
  return parts.join("\n");
}

function wrapped(sentence: string): string {
  const lines = [""];
  for (const word of sentence.split(" ")) {
    const line = lines.at(-1) ?? "";
    if (line !== "" && line.length + word.length + 1 > COLUMNS) lines.push(word);
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
  }
  return lines.join("\n");
}

/** The first column and those of words to the left, numbers to the right. */
function tableText({ caption, head, rows }: Table): string {
  const widths = head.map((_, at) => Math.max(...[head, ...rows].map((row) => (row[at] ?? "").length)));
  const isNumber = head.map((_, at) => at > 0 && rows.every((row) => /^[-\d(]/.test(row[at] ?? "")));
  const lines = [head, ...rows].map((row) =>
    row
      .map((cell, at) => (isNumber[at] === true ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
  return `\n  ${caption}\n${lines.map((line) => `    ${line}\n`).join("")}`;
}
