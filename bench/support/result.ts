// What a bench has measured: kept as JSON, all values and their medians, and printed as the tables that docs/benchmarks.md shows.

import { join } from "node:path";
import type { BenchFlags } from "./flags.ts";
import { builtFrom, describeMachine } from "./machine.ts";
import { markdownOf } from "./markdown.ts";
import { median } from "./rounds.ts";

export interface Value {
  median: number;
  all: number[];
}

/** What was measured of one side; `of` says which: { store: "sqlite", keep: "events" }. */
export interface Row {
  of: Record<string, string | number>;
  values: Record<string, Value>;
}

export interface Result {
  name: string;
  date: string;
  version: string;
  commit: string;
  machine: string;
  flags: Record<string, string>;
  tables: { title: string; rows: Row[] }[];
}

export const resultsFolder = join(import.meta.dir, "../results");

/** Collects values round by round: those of the same side come into one row. */
export class Measured {
  readonly title: string;
  readonly #rows = new Map<string, { of: Row["of"]; values: Record<string, number[]> }>();

  constructor(title: string) {
    this.title = title;
  }

  add(of: Row["of"], values: Readonly<Record<string, number | readonly number[]>>): void {
    const key = JSON.stringify(of);
    const row = this.#rows.get(key) ?? { of, values: {} };
    this.#rows.set(key, row);
    for (const [name, value] of Object.entries(values)) (row.values[name] ??= []).push(...[value].flat());
    console.error(`  ${JSON.stringify(values)}`);
  }

  /** All values so far. */
  of(side: Row["of"], name: string): number[] {
    return this.#rows.get(JSON.stringify(side))?.values[name] ?? [];
  }

  get rows(): Row[] {
    return [...this.#rows.values()].map(({ of, values }) => ({
      of,
      values: Object.fromEntries(
        Object.entries(values).map(([name, all]) => [name, { median: rounded(median(all)), all: all.map(rounded) }]),
      ),
    }));
  }
}

/** Prints the tables; keeps them in bench/results/NAME.json, but for a quick look. */
export async function report(name: string, flags: BenchFlags<string>, measured: readonly Measured[]): Promise<void> {
  const result: Result = {
    name,
    date: new Date().toISOString().slice(0, 10),
    ...(await builtFrom()),
    machine: describeMachine(),
    flags: flags.values,
    tables: measured.map(({ title, rows }) => ({ title, rows })),
  };
  console.log(markdownOf(result));
  if (flags.short) return;
  const file = join(resultsFolder, `${name}.json`);
  // All values of a row on one line.
  const text = JSON.stringify(result, null, 1).replace(/\[[-\d\s.,e+]+\]/g, (list) => list.replace(/\s+/g, ""));
  await Bun.write(file, `${text}\n`);
  console.error(`kept in ${file}; 'npm run bench -- render' puts it into docs/benchmarks.md`);
}

function rounded(value: number): number {
  return Number(value.toPrecision(5));
}
