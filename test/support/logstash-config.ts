// The language of Logstash's pipelines, as far as ours use it: sections, plugins, options, conditions. Text in, tree out.
// Grammar: https://github.com/elastic/logstash/blob/v9.5.2/logstash-core/lib/logstash/compiler/lscl/lscl_grammar.treetop

export type Value =
  | { kind: "text"; text: string }
  | { kind: "array"; values: Value[] }
  | { kind: "hash"; entries: [string, Value][] };

export interface Plugin {
  kind: "plugin";
  name: string;
  line: number;
  options: { name: string; line: number; value: Value }[];
}

export interface Branch {
  kind: "branch";
  /** if, else if ..., and else, whose condition is null. */
  cases: { condition: Condition | null; body: Block }[];
}

export type Block = (Plugin | Branch)[];
export const SECTIONS = ["input", "filter", "output"] as const;
export type Section = (typeof SECTIONS)[number];
export type PipelineConfig = Record<Section, Block>;

/** A field is its path: `[event][id]` is ["event", "id"]. */
export type Operand = { field: string[] } | { value: string } | { values: string[] };
export type Condition =
  | { is: "present"; field: string[] }
  | { is: "not"; of: Condition }
  | { is: "and" | "or"; all: Condition[] }
  | { is: "==" | "!=" | "in" | "not in"; left: Operand; right: Operand };

export class ConfigError extends Error {}

/** Throws ConfigError, which says where and what was expected. */
export function parsePipeline(text: string): PipelineConfig {
  return new Parser(text).pipeline();
}

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    this.#skip();
  }

  pipeline(): PipelineConfig {
    const config: PipelineConfig = { input: [], filter: [], output: [] };
    while (this.#at < this.#text.length) {
      const section = SECTIONS.find((name) => this.#takes(new RegExp(`${name}\\b`, "y")) !== undefined);
      if (!section) this.#fail("input, filter or output");
      this.#expect("{");
      config[section].push(...this.#block());
    }
    return config;
  }

  #block(): Block {
    const block: Block = [];
    while (this.#takes(/\}/y) === undefined) {
      block.push(this.#takes(/if\b/y) === undefined ? this.#plugin() : this.#branch());
    }
    return block;
  }

  #branch(): Branch {
    const cases: Branch["cases"] = [{ condition: this.#condition(), body: this.#braced() }];
    while (this.#takes(/else\b/y) !== undefined) {
      const isLast = this.#takes(/if\b/y) === undefined;
      cases.push({ condition: isLast ? null : this.#condition(), body: this.#braced() });
      if (isLast) break;
    }
    return { kind: "branch", cases };
  }

  #braced(): Block {
    this.#expect("{");
    return this.#block();
  }

  #plugin(): Plugin {
    const { line } = this.#place();
    const name = this.#takes(/[A-Za-z0-9_-]+/y) ?? this.#fail("a plugin, if, or }");
    this.#expect("{");
    const options: Plugin["options"] = [];
    while (this.#takes(/\}/y) === undefined) {
      const place = this.#place();
      const option = this.#takes(/[A-Za-z0-9_-]+/y) ?? this.#fail("an option, or }");
      this.#expect("=>");
      options.push({ name: option, line: place.line, value: this.#value() });
    }
    return { kind: "plugin", name, line, options };
  }

  #value(): Value {
    if (this.#takes(/\[/y) !== undefined) {
      const values: Value[] = [];
      while (this.#takes(/\]/y) === undefined) {
        values.push(this.#value());
        if (this.#takes(/,/y) === undefined && this.#text[this.#at] !== "]") this.#fail(", or ]");
      }
      return { kind: "array", values };
    }
    if (this.#takes(/\{/y) !== undefined) {
      const entries: [string, Value][] = [];
      while (this.#takes(/\}/y) === undefined) {
        const name = this.#string() ?? this.#takes(/[\w-]+/y) ?? this.#fail("a name, or }");
        this.#expect("=>");
        entries.push([name, this.#value()]);
      }
      return { kind: "hash", entries };
    }
    const text = this.#string() ?? this.#takes(/[A-Za-z0-9_.-]+/y) ?? this.#fail("a value");
    return { kind: "text", text };
  }

  #condition(): Condition {
    const all = [this.#term()];
    let joined: "and" | "or" | undefined;
    for (let word; (word = this.#takes(/(?:and|or)\b/y)) !== undefined;) {
      joined ??= word as "and" | "or";
      if (word !== joined) this.#fail("one of and and or alone, or parentheses");
      all.push(this.#term());
    }
    const [only] = all;
    return joined === undefined && only ? only : { is: joined ?? "and", all };
  }

  #term(): Condition {
    if (this.#takes(/!(?=[[(\s])/y) !== undefined) return { is: "not", of: this.#term() };
    if (this.#takes(/\(/y) !== undefined) {
      const inner = this.#condition();
      this.#expect(")");
      return inner;
    }
    const left = this.#operand();
    const operator = this.#takes(/==|!=|not\s+in\b|in\b/y);
    if (operator === undefined) {
      if ("field" in left) return { is: "present", field: left.field };
      this.#fail("==, !=, in or not in");
    }
    const is = operator.replace(/\s+/, " ") as "==" | "!=" | "in" | "not in";
    return { is, left, right: this.#operand() };
  }

  #operand(): Operand {
    const field = this.#takes(/(?:\[[^\][,"']+\])+/y);
    if (field !== undefined) return { field: fieldPath(field) };
    if (this.#takes(/\[/y) !== undefined) {
      const values: string[] = [];
      while (this.#takes(/\]/y) === undefined) {
        values.push(this.#string() ?? this.#fail("a string, or ]"));
        this.#takes(/,/y);
      }
      return { values };
    }
    return { value: this.#string() ?? this.#takes(/\d+/y) ?? this.#fail("a field, a string or an array") };
  }

  #string(): string | undefined {
    const quoted = this.#takes(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/sy);
    return quoted?.slice(1, -1);
  }

  #expect(what: string): void {
    if (!this.#text.startsWith(what, this.#at)) this.#fail(what);
    this.#at += what.length;
    this.#skip();
  }

  #takes(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const [found] = pattern.exec(this.#text) ?? [];
    if (found === undefined) return undefined;
    this.#at += found.length;
    this.#skip();
    return found;
  }

  #skip(): void {
    const space = /(?:\s|#[^\n]*(?:\n|$))*/y;
    space.lastIndex = this.#at;
    this.#at += space.exec(this.#text)?.[0].length ?? 0;
  }

  #place(): { line: number; column: number } {
    const before = this.#text.slice(0, this.#at).split("\n");
    return { line: before.length, column: (before.at(-1) ?? "").length + 1 };
  }

  #fail(expected: string): never {
    const { line, column } = this.#place();
    const found = this.#at < this.#text.length ? JSON.stringify(this.#text.slice(this.#at, this.#at + 12)) : "the end";
    throw new ConfigError(`line ${line}, column ${column}: expected ${expected}; found ${found}`);
  }
}

/** `[a][b]` and `a` as paths. */
export function fieldPath(reference: string): string[] {
  return reference.startsWith("[") ? reference.slice(1, -1).split("][") : [reference];
}

/** All plugins of a block, those in its branches too. */
export function* pluginsOf(block: Block): Generator<Plugin> {
  for (const one of block) {
    if (one.kind === "plugin") yield one;
    else for (const { body } of one.cases) yield* pluginsOf(body);
  }
}

/** `${NAME:default}` as Logstash puts it in, from `env`. */
export function substitute(text: string, env: Record<string, string> = {}): string {
  return text.replaceAll(
    /\$\{(\w+)(?::([^}]*))?\}/g,
    (whole, name: string, value?: string) => env[name] ?? value ?? whole,
  );
}

/** The text of an option; undefined where it is not given. */
export function optionText(plugin: Plugin, name: string): string | undefined {
  const value = plugin.options.find((option) => option.name === name)?.value;
  return value?.kind === "text" ? value.text : undefined;
}

/** The texts of an option that is a list, or one text. */
export function optionTexts(plugin: Plugin, name: string): string[] {
  const value = plugin.options.find((option) => option.name === name)?.value;
  if (value?.kind === "text") return [value.text];
  return value?.kind === "array" ? value.values.flatMap((one) => (one.kind === "text" ? [one.text] : [])) : [];
}
