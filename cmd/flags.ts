// Flags: one table a command, from which come its parsing, its RETO3_* variables, its defaults and its help.
// Parsing is node:util's strict parseArgs (unknown flags and missing values are errors); citty renders the help.

import { parseArgs } from "node:util";
import { renderUsage, type ArgsDef } from "citty";
import { messageOf, quote, Reto3Error } from "../src/errors.ts";
import { RETENTION_MAX_MS } from "../src/config.ts";
import { formatDurationMs, parseBytes, parseDurationMs, parseWhole } from "../src/units.ts";

/** A flag with a value. `parse` returns undefined for text that it does not accept. */
export interface ValueFlag<T> {
  kind: "value";
  description: string;
  /** What stands for the value in the help. */
  hint: string;
  /** As it would be written; absent: the flag has no value unless given one. */
  default?: string;
  /** The variable that is read when the flag is not given. */
  env?: `RETO3_${string}`;
  wanted: string;
  parse: (text: string) => T | undefined;
}

export interface SwitchFlag {
  kind: "switch";
  description: string;
}

/** A flag that may be given several times; without it: none. */
export interface ListFlag {
  kind: "list";
  description: string;
  hint: string;
}

export type Flags = Record<string, ValueFlag<unknown> | SwitchFlag | ListFlag>;

type ValueOf<F> = F extends SwitchFlag
  ? boolean
  : F extends ListFlag
    ? readonly string[]
    : F extends ValueFlag<infer T>
      ? F extends { default: string }
        ? T
        : T | undefined
      : never;
export type Values<F extends Flags> = { [K in keyof F]: ValueOf<F[K]> };

export interface Definition<F extends Flags> {
  name: string;
  summary: string;
  flags: F;
  /** What follows the flags in the help: examples, and what is worth knowing. */
  notes: string;
  /** Gets typed values; returns the exit status. */
  run: (values: Values<F>) => Promise<number>;
}

/** A command as the executable sees it. */
export interface Command {
  help(): Promise<string>;
  /** All flags in a few lines, for after an error. */
  synopsis(): string;
  /** Throws USAGE for arguments or variables that do not parse; nothing was done then. Resolves to the exit status. */
  run(argv: string[], env: Record<string, string | undefined>): Promise<number>;
}

export function defineCommand<F extends Flags>(definition: Definition<F>): Command {
  return {
    help: () => helpOf(definition),
    synopsis: () => synopsisOf(definition),
    run: async (argv, env) => definition.run(parseFlags(definition.flags, argv, env)),
  };
}

/** The values that arguments and environment give; throws USAGE for anything that does not parse. */
export function parseFlags<F extends Flags>(
  flags: F,
  argv: string[],
  env: Record<string, string | undefined>,
): Values<F> {
  const given = strictArgs(flags, argv);
  const values: Record<string, unknown> = {};
  for (const [name, flag] of Object.entries(flags)) {
    if (flag.kind === "switch") {
      values[name] = given[name] === true;
      continue;
    }
    if (flag.kind === "list") {
      values[name] = given[name] ?? [];
      continue;
    }
    const fromEnv = flag.env && env[flag.env] !== "" ? env[flag.env] : undefined;
    const argument = given[name];
    const written = typeof argument === "string" ? argument : (fromEnv ?? flag.default);
    const value = written === undefined ? undefined : flag.parse(written);
    if (written !== undefined && value === undefined) {
      const origin = typeof argument !== "string" && fromEnv !== undefined ? flag.env : `--${name}`;
      throw new Reto3Error(
        "USAGE",
        `${origin}: ${quote(withoutPassword(written))} is not accepted; want ${flag.wanted}`,
      );
    }
    values[name] = value;
  }
  return values as Values<F>;
}

function strictArgs(flags: Flags, argv: string[]): ReturnType<typeof parseArgs>["values"] {
  const options = Object.fromEntries(
    Object.entries(flags).map(([name, flag]) => [
      name,
      { type: flag.kind === "switch" ? "boolean" : "string", multiple: flag.kind === "list" } as const,
    ]),
  );
  try {
    return parseArgs({ args: argv, options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new Reto3Error("USAGE", withoutPassword(messageOf(error)));
  }
}

/** An address where a number belongs, or without its flag, is not to be seen either. */
function withoutPassword(message: string): string {
  return message.replaceAll(/\/\/[^\s'"]*@/g, "//***@");
}

function synopsisOf({ name: command, flags }: Omit<Definition<Flags>, "run">): string {
  const words = Object.entries(flags).map(([name, flag]) =>
    flag.kind === "switch" ? `[--${name}]` : `[--${name} <${flag.hint}>]`,
  );
  const lines = [`usage: reto3 ${command}`];
  for (const word of words) {
    if ((lines.at(-1) ?? "").length + word.length + 1 <= SYNOPSIS_COLUMNS) lines.push(`${lines.pop()} ${word}`);
    else lines.push(`         ${word}`);
  }
  return `${lines.join("\n")}\n       reto3 ${command} --help explains them\n`;
}

async function helpOf({ name: command, summary, flags, notes }: Omit<Definition<Flags>, "run">): Promise<string> {
  const args: ArgsDef = {};
  for (const [name, flag] of Object.entries(flags)) {
    if (flag.kind === "switch") {
      args[name] = { type: "boolean", description: flag.description };
      continue;
    }
    if (flag.kind === "list") {
      args[name] = {
        type: "string",
        description: `${flag.description} (may be given several times)`,
        valueHint: flag.hint,
      };
      continue;
    }
    const description = flag.env ? `${flag.description} [${flag.env}]` : flag.description;
    args[name] = {
      type: "string",
      description,
      valueHint: flag.hint,
      ...(flag.default !== undefined && { default: flag.default }),
    };
  }
  const meta = { name: `reto3 ${command}`, description: summary };
  const usage = await renderUsage({ meta, args });
  return `${usage.replaceAll(/ +$/gm, "")}\n${notes}\n`;
}

const SYNOPSIS_COLUMNS = 90;

/** The parts of a flag that its uses differ in; a default given here is known to the types. */
type Given<D extends { default?: string }> = { description: string; env?: `RETO3_${string}` } & D;

export function text<D extends { default?: string }>(hint: string, given: Given<D>) {
  return { kind: "value" as const, hint, wanted: "some text", parse: (value: string) => value || undefined, ...given };
}

export function whole<D extends { default?: string }>(hint: string, min: number, max: number, given: Given<D>) {
  const wanted = `a whole number from ${min} to ${max}`;
  return { kind: "value" as const, hint, wanted, parse: (value: string) => parseWhole(value, min, max), ...given };
}

/** The same, or "auto" for what fits the machine. */
export function wholeOrAuto<D extends { default?: string }>(hint: string, min: number, max: number, given: Given<D>) {
  const wanted = `a whole number from ${min} to ${max}, or "auto"`;
  const parse = (value: string) => (value === "auto" ? ("auto" as const) : parseWhole(value, min, max));
  return { kind: "value" as const, hint: `${hint}|auto`, wanted, parse, ...given };
}

/** Milliseconds, from `minMs` to `maxMs`. */
export function duration<D extends { default?: string; minMs?: number; maxMs?: number }>(given: Given<D>) {
  const { minMs = 1, maxMs = Number.POSITIVE_INFINITY } = given;
  const least = minMs > 1 ? `, at least ${formatDurationMs(minMs)}` : minMs === 0 ? ", or 0s" : "";
  const most = Number.isFinite(maxMs) ? `, at most ${formatDurationMs(maxMs)}` : "";
  const wanted = `a duration such as 500ms, 10s, 5m, 24h${least}${most}`;
  const parse = (value: string) => {
    const ms = value === "0s" ? 0 : parseDurationMs(value);
    return ms !== undefined && ms >= minMs && ms <= maxMs ? ms : undefined;
  };
  return { kind: "value" as const, hint: "duration", wanted, parse, ...given };
}

/** Seconds that something is kept, `minMs` at least; null: for good. */
export function lifetime<D extends { default?: string; minMs: number }>(given: Given<D>) {
  const { minMs } = given;
  const [shortest, longest] = [formatDurationMs(minMs), formatDurationMs(RETENTION_MAX_MS)];
  const wanted = `a duration of whole seconds such as 24h, 7d, from ${shortest} to ${longest}, or "forever"`;
  const parse = (value: string) => {
    if (value === "forever") return null;
    const ms = parseDurationMs(value);
    const fits = ms !== undefined && ms % 1_000 === 0 && ms >= minMs && ms <= RETENTION_MAX_MS;
    return fits ? ms / 1_000 : undefined;
  };
  return { kind: "value" as const, hint: "duration", wanted, parse, ...given };
}

/** Bytes. */
export function bytes<D extends { default?: string }>(given: Given<D>) {
  return { kind: "value" as const, hint: "size", wanted: "a size such as 500MB, 1.5GiB", parse: parseBytes, ...given };
}

/** Bytes; null: no limit. */
export function bytesMax<D extends { default?: string }>(given: Given<D>) {
  const wanted = 'a size such as 500MB, 20GB, 1.5GiB, or "none"';
  const parse = (value: string) => (value === "none" ? null : parseBytes(value));
  return { kind: "value" as const, hint: "size", wanted, parse, ...given };
}

export function oneOf<T extends string, D extends { default?: string }>(options: readonly T[], given: Given<D>) {
  const wanted = `one of ${options.join(", ")}`;
  const parse = (value: string) => options.find((option) => option === value);
  return { kind: "value" as const, hint: options.join("|"), wanted, parse, ...given };
}

/** Several of one kind. */
export function list(hint: string, description: string): ListFlag {
  return { kind: "list", hint, description };
}

export function toggle(description: string): SwitchFlag {
  return { kind: "switch", description };
}
