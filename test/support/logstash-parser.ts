// Logstash's pipeline language, as far as ops/logstash uses it, into a tree. What the language has and we do not use (regular
// expressions, xor, nand, method calls) is refused like anything else that is not known.
// The language: logstash-core/lib/logstash/config/grammar.treetop of elastic/logstash, 9.5.
//
//     section    input|filter|output { statement ... }
//     statement  plugin { name => value ... }   |   if condition { ... } else if condition { ... } else { ... }
//     value      string, number, bareword, [ value, ... ], { key => value ... }, plugin { ... }

/** Both from 1. */
export interface Place {
  line: number;
  column: number;
}

export type Value =
  | { kind: "string" | "number" | "bareword"; text: string; at: Place }
  | { kind: "array"; items: Value[]; at: Place }
  | { kind: "hash"; entries: { key: string; value: Value }[]; at: Place }
  | { kind: "plugin"; plugin: Plugin; at: Place };

export interface Attribute {
  name: string;
  value: Value;
  at: Place;
}

export interface Plugin {
  kind: "plugin";
  name: string;
  attributes: Attribute[];
  at: Place;
}

/** The first arm whose condition holds; that of `else` is null. */
export interface Branch {
  kind: "branch";
  arms: { condition: Condition | null; body: Statement[] }[];
}

export type Statement = Plugin | Branch;

export type SectionName = "input" | "filter" | "output";

export interface Section {
  name: SectionName;
  body: Statement[];
}

export type Condition =
  | { kind: "and" | "or"; left: Condition; right: Condition }
  | { kind: "not"; of: Condition }
  | { kind: "==" | "!=" | "in" | "not in"; left: Operand; right: Operand }
  | { kind: "truthy"; of: Operand };

export type Operand =
  | { kind: "field"; path: string[] }
  | { kind: "string"; text: string }
  | { kind: "number"; number: number }
  | { kind: "array"; items: Operand[] };

/** Throws an error that begins with `file:line:column:` and says what was wanted there. */
export function parseLogstash(text: string, file: string): Section[] {
  return new Parser(text, file).config();
}

/** All plugins of a tree, in the order of the text; codecs are not among them. */
export function pluginsOf(statements: readonly Statement[]): Plugin[] {
  return statements.flatMap((statement) =>
    statement.kind === "plugin" ? [statement] : statement.arms.flatMap(({ body }) => pluginsOf(body)),
  );
}

const SECTION_NAMES: readonly SectionName[] = ["input", "filter", "output"];

class Parser {
  readonly #text: string;
  readonly #file: string;
  #offset = 0;

  constructor(text: string, file: string) {
    this.#text = text;
    this.#file = file;
  }

  config(): Section[] {
    const sections: Section[] = [];
    this.#skip();
    while (sections.length === 0 || this.#offset < this.#text.length) {
      const name = SECTION_NAMES.find((one) => this.#take(one));
      if (!name) this.#fail(sections.length === 0 ? "input, filter or output" : "input, filter, output or the end");
      this.#want("{");
      sections.push({ name, body: this.#statements() });
    }
    return sections;
  }

  /** Up to the closing brace, and that too. */
  #statements(): Statement[] {
    const statements: Statement[] = [];
    while (!this.#take("}")) statements.push(this.#takeWord("if") ? this.#branch() : this.#plugin());
    return statements;
  }

  #branch(): Branch {
    const arms: Branch["arms"] = [{ condition: this.#condition(), body: this.#block() }];
    while (this.#takeWord("else")) {
      const condition = this.#takeWord("if") ? this.#condition() : null;
      arms.push({ condition, body: this.#block() });
      if (!condition) break;
    }
    return { kind: "branch", arms };
  }

  #block(): Statement[] {
    this.#want("{");
    return this.#statements();
  }

  #plugin(): Plugin {
    const at = this.#place();
    const name = this.#match(/[A-Za-z0-9_-]+/y) ?? this.#fail('the name of a plugin, "if" or "}"');
    this.#want("{");
    return { kind: "plugin", name, attributes: this.#attributes(), at };
  }

  #attributes(): Attribute[] {
    const attributes: Attribute[] = [];
    while (!this.#take("}")) {
      const at = this.#place();
      const name = this.#match(/[A-Za-z0-9_-]+/y) ?? this.#fail('the name of an option or "}"');
      this.#want("=>");
      attributes.push({ name, value: this.#value(), at });
    }
    return attributes;
  }

  #value(): Value {
    const at = this.#place();
    const text = this.#string();
    if (text !== undefined) return { kind: "string", text, at };
    if (this.#take("[")) return { kind: "array", items: this.#items(), at };
    if (this.#take("{")) return { kind: "hash", entries: this.#entries(), at };
    const number = this.#match(/-?[0-9]+(\.[0-9]*)?/y);
    if (number !== undefined) return { kind: "number", text: number, at };
    const word = this.#match(/[A-Za-z_][A-Za-z0-9_]+/y) ?? this.#fail("a value");
    if (!this.#take("{")) return { kind: "bareword", text: word, at };
    return { kind: "plugin", plugin: { kind: "plugin", name: word, attributes: this.#attributes(), at }, at };
  }

  #items(): Value[] {
    const items: Value[] = [];
    if (this.#take("]")) return items;
    do items.push(this.#value());
    while (this.#take(","));
    this.#want("]", '"," or "]"');
    return items;
  }

  /** Without commas between them: in this language they stand in arrays only. */
  #entries(): { key: string; value: Value }[] {
    const entries: { key: string; value: Value }[] = [];
    while (!this.#take("}")) {
      const key = this.#string() ?? this.#match(/[A-Za-z_][A-Za-z0-9_]+|-?[0-9]+(\.[0-9]*)?/y);
      if (key === undefined) this.#fail('a key or "}"');
      this.#want("=>");
      entries.push({ key, value: this.#value() });
    }
    return entries;
  }

  /** `and` binds tighter than `or`. */
  #condition(): Condition {
    let left = this.#conjunction();
    while (this.#takeWord("or")) left = { kind: "or", left, right: this.#conjunction() };
    return left;
  }

  #conjunction(): Condition {
    let left = this.#expression();
    while (this.#takeWord("and")) left = { kind: "and", left, right: this.#expression() };
    return left;
  }

  #expression(): Condition {
    if (this.#take("(")) return this.#parenthesised();
    if (this.#text[this.#offset] === "!" && this.#take("!")) {
      if (this.#take("(")) return { kind: "not", of: this.#parenthesised() };
      return { kind: "not", of: { kind: "truthy", of: this.#field() ?? this.#fail('a field or "("') } };
    }
    const left = this.#operand();
    const operator = this.#match(/==|!=|in\b|not\s+in\b/y);
    if (operator === undefined) return { kind: "truthy", of: left };
    const kind = operator.startsWith("not") ? "not in" : (operator as "==" | "!=" | "in");
    return { kind, left, right: this.#operand() };
  }

  #parenthesised(): Condition {
    const condition = this.#condition();
    this.#want(")");
    return condition;
  }

  #operand(): Operand {
    const field = this.#field();
    if (field) return field;
    const text = this.#string();
    if (text !== undefined) return { kind: "string", text };
    const number = this.#match(/-?[0-9]+(\.[0-9]*)?/y);
    if (number !== undefined) return { kind: "number", number: Number(number) };
    if (!this.#take("[")) this.#fail("a field, a string, a number or an array");
    const items: Operand[] = [];
    do items.push(this.#operand());
    while (this.#take(","));
    this.#want("]", '"," or "]"');
    return { kind: "array", items };
  }

  /** `[a][b]`; an array of strings is none. */
  #field(): Operand | undefined {
    const text = this.#match(/(\[[^\][,"'\s]+\])+/y);
    return text === undefined ? undefined : { kind: "field", path: fieldPath(text) };
  }

  /** What stands between the quotes, as it is: a backslash is a backslash. */
  #string(): string | undefined {
    const quoted = this.#match(/"(\\"|[^"])*"|'(\\'|[^'])*'/y);
    if (quoted === undefined && /["']/.test(this.#text[this.#offset] ?? "")) this.#fail("the end of a string");
    return quoted?.slice(1, -1);
  }

  #takeWord(word: string): boolean {
    return this.#match(new RegExp(`${word}\\b`, "y")) !== undefined;
  }

  #want(text: string, wanted = `"${text}"`): void {
    if (!this.#take(text)) this.#fail(wanted);
  }

  #take(text: string): boolean {
    if (!this.#text.startsWith(text, this.#offset)) return false;
    this.#offset += text.length;
    this.#skip();
    return true;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#offset;
    const found = pattern.exec(this.#text)?.[0];
    if (found === undefined) return undefined;
    this.#offset += found.length;
    this.#skip();
    return found;
  }

  /** Spaces and comments. */
  #skip(): void {
    const pattern = /(\s|#[^\r\n]*)*/y;
    pattern.lastIndex = this.#offset;
    this.#offset += pattern.exec(this.#text)?.[0].length ?? 0;
  }

  #place(): Place {
    const before = this.#text.slice(0, this.#offset).split("\n");
    return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
  }

  #fail(wanted: string): never {
    const { line, column } = this.#place();
    const rest = this.#text.slice(this.#offset).split("\n", 1)[0] ?? "";
    const found = this.#offset === this.#text.length ? "the end of the file" : JSON.stringify(rest.slice(0, 30));
    throw new Error(`${this.#file}:${line}:${column}: want ${wanted}, got ${found}`);
  }
}

/** The names in `[a][b]`, or in `a`. */
export function fieldPath(reference: string): string[] {
  return reference.startsWith("[") ? reference.slice(1, -1).split("][") : [reference];
}
