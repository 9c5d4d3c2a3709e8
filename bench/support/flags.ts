// The flags of a bench: each has a usual value, and --short takes smaller ones for a quick look whose result is not kept.

import { parseArgs } from "node:util";

export interface BenchFlags<Name extends string> {
  readonly values: Readonly<Record<Name, string>>;
  /** A quick look: its result is printed and not kept. */
  readonly short: boolean;
  number(name: Name): number;
  /** Of "5000,10000". */
  numbers(name: Name): number[];
  /** Of "events,summary". */
  words(name: Name): string[];
}

export function benchFlags<Name extends string>(
  usual: Readonly<Record<Name, string>>,
  short: Readonly<Partial<Record<Name, string>>>,
): BenchFlags<Name> {
  const names = Object.keys(usual) as Name[];
  const text = Object.fromEntries(names.map((name) => [name, { type: "string" as const }]));
  const toggles = { short: { type: "boolean" as const }, help: { type: "boolean" as const } };
  const { values: given } = parseArgs({ options: { ...text, ...toggles } });
  const isShort = given.short === true;
  if (given.help === true) {
    for (const name of names)
      console.log(`  --${name} ${usual[name]}${name in short ? ` (--short: ${short[name]})` : ""}`);
    process.exit(0);
  }
  const values = { ...usual, ...(isShort && short), ...given } as Record<Name, string>;
  const number = (value: string, name: Name) => {
    const parsed = value.trim() === "" ? Number.NaN : Number(value);
    if (Number.isNaN(parsed)) throw new Error(`--${name} ${JSON.stringify(value)}: not a number`);
    return parsed;
  };
  const words = (name: Name) => values[name].split(",").filter((word) => word !== "");
  return {
    values: Object.fromEntries(names.map((name) => [name, values[name]])) as Record<Name, string>,
    short: isShort,
    number: (name) => number(values[name], name),
    numbers: (name) => words(name).map((word) => number(word, name)),
    words,
  };
}
