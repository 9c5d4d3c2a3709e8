// Plays the shipped Logstash pipelines: reads the monitors' logs as the file input does, does what the .conf files say, and sends
// the documents to a real server with _bulk. For tests where Logstash itself cannot run.

import { readFileSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { DATASETS, type DatasetName } from "../../src/monitor/documents.ts";
import {
  fieldPath,
  optionText,
  optionTexts,
  parsePipeline,
  pluginsOf,
  substitute,
  type Block,
  type Condition,
  type Operand,
  type PipelineConfig,
  type Plugin,
} from "./logstash-config.ts";

const FOLDER = join(import.meta.dir, "../../ops/logstash");
const BULK_DOCUMENTS = 2_000;
const HOUR_MS = 3_600_000;

interface Fields {
  [name: string]: unknown;
}

export interface ReplayResult {
  indexed: number;
  /** Documents that were there already. */
  conflicts: number;
  /** What the server refused otherwise: this goes to the dead letters. */
  errors: string[];
  /** What went into the file of unreadable lines. */
  unreadable: Fields[];
}

export class LogstashReplay {
  readonly #url: string;
  readonly #env: Record<string, string>;
  readonly #pipelines = new Map<DatasetName, PipelineConfig>();
  /** By inode, how far a file was read: the sincedb. */
  readonly #positions = new Map<number, number>();

  constructor({ logs, url }: { logs: string; url: string }) {
    this.#url = url;
    this.#env = { RETO3_LOGS: logs };
    for (const name of Object.keys(DATASETS) as DatasetName[]) {
      this.#pipelines.set(name, parsePipeline(readFileSync(join(FOLDER, `${name}.conf`), "utf8")));
    }
  }

  /** All lines that are whole and were not read yet, each pipeline's in the order of their files. */
  async run(): Promise<ReplayResult> {
    const result: ReplayResult = { indexed: 0, conflicts: 0, errors: [], unreadable: [] };
    for (const config of this.#pipelines.values()) {
      let actions: object[] = [];
      for (const line of this.#newLines(config)) {
        const event = eventOf(line);
        run(config.filter, event, (plugin) => mutate(plugin, event));
        run(config.output, event, (plugin) => {
          if (plugin.name === "file") result.unreadable.push(event);
          else actions.push(...bulkAction(plugin, event));
        });
        if (actions.length >= 2 * BULK_DOCUMENTS) await this.#send(actions.splice(0), result);
      }
      if (actions.length > 0) await this.#send(actions, result);
      actions = [];
    }
    return result;
  }

  /** Reads all files from the beginning the next time, as after a lost sincedb. */
  forget(): void {
    this.#positions.clear();
  }

  *#newLines(config: PipelineConfig): Generator<string> {
    for (const input of pluginsOf(config.input)) {
      const globs = optionTexts(input, "path").map((path) => new Bun.Glob(substitute(path, this.#env)));
      const paths = globs.flatMap((glob) => Array.from(glob.scanSync({ absolute: true })));
      // As file_sort_by, last_modified, ascending.
      const files = paths.map((path) => fileAt(path)).sort((a, b) => a.modifiedMs - b.modifiedMs);
      for (const { path, inode, modifiedMs } of files) {
        const bytes = readFileSync(path);
        const [, hours] = /^(\d+) hours$/.exec(optionText(input, "ignore_older") ?? "") ?? [];
        const isIgnored = hours !== undefined && modifiedMs < Date.now() - Number(hours) * HOUR_MS;
        const from = this.#positions.get(inode) ?? (isIgnored ? bytes.length : 0);
        const end = bytes.lastIndexOf("\n") + 1;
        if (end <= from) continue;
        this.#positions.set(inode, end);
        yield* bytes
          .subarray(from, end - 1)
          .toString()
          .split("\n")
          .filter((line) => line !== "");
      }
    }
  }

  async #send(actions: object[], result: ReplayResult): Promise<void> {
    const body = `${actions.map((one) => JSON.stringify(one)).join("\n")}\n`;
    const headers = { "Content-Type": "application/x-ndjson" };
    const response = await fetch(`${this.#url}/_bulk`, { method: "POST", headers, body });
    if (!response.ok) throw new Error(`_bulk: ${response.status} ${await response.text()}`);
    const { items } = (await response.json()) as {
      items: Record<string, { status: number; error?: { type: string; reason: string } }>[];
    };
    for (const item of items) {
      const { status = 0, error } = Object.values(item)[0] ?? {};
      if (status === 409) result.conflicts++;
      else if (status < 300) result.indexed++;
      else result.errors.push(`${status} ${error?.type}: ${error?.reason}`);
    }
  }
}

function fileAt(path: string): { path: string; inode: number; modifiedMs: number } {
  const { ino, mtimeMs } = statSync(path);
  return { path, inode: ino, modifiedMs: mtimeMs };
}

/** As the json codec makes it of a line, with what the file input adds. */
function eventOf(line: string): Fields {
  let fields: Fields;
  try {
    const parsed: unknown = JSON.parse(line);
    if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) throw new Error("no object");
    fields = parsed as Fields;
  } catch {
    fields = { message: line, tags: ["_jsonparsefailure"] };
  }
  const time = fields["@timestamp"];
  const isIso = typeof time === "string" && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(time);
  if (time !== undefined && !isIso) fields["tags"] = ["_timestampparsefailure"];
  if (!isIso) fields["@timestamp"] = new Date().toISOString();
  fields["@version"] = "1";
  addUnless(fields, ["event", "original"], line);
  addUnless(fields, ["log", "file", "path"], "a file");
  addUnless(fields, ["host", "name"], hostname());
  return fields;
}

function addUnless(fields: Fields, path: string[], value: unknown): void {
  if (get(fields, path) === undefined) set(fields, path, value);
}

function get(fields: Fields, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (at, name) => (typeof at === "object" && at !== null ? (at as Fields)[name] : undefined),
    fields,
  );
}

function set(fields: Fields, path: readonly string[], value: unknown): void {
  let at = fields;
  for (const name of path.slice(0, -1)) {
    const below = at[name];
    at = typeof below === "object" && below !== null ? (below as Fields) : (at[name] = {});
  }
  at[path.at(-1) ?? ""] = value;
}

function run(block: Block, event: Fields, act: (plugin: Plugin) => void): void {
  for (const one of block) {
    if (one.kind === "plugin") act(one);
    else {
      const taken = one.cases.find(({ condition }) => condition === null || holds(condition, event));
      if (taken) run(taken.body, event, act);
    }
  }
}

function holds(condition: Condition, event: Fields): boolean {
  if (condition.is === "present") return !isFalsy(get(event, condition.field));
  if (condition.is === "not") return !holds(condition.of, event);
  if ("all" in condition) {
    const holdsHere = (one: Condition) => holds(one, event);
    return condition.is === "and" ? condition.all.every(holdsHere) : condition.all.some(holdsHere);
  }
  const [left, right] = [valueOf(condition.left, event), valueOf(condition.right, event)];
  if (condition.is === "==" || condition.is === "!=") return (left === right) === (condition.is === "==");
  return (Array.isArray(right) && right.includes(left)) === (condition.is === "in");
}

function isFalsy(value: unknown): boolean {
  return value === undefined || value === null || value === false;
}

function valueOf(operand: Operand, event: Fields): unknown {
  if ("field" in operand) return get(event, operand.field);
  return "value" in operand ? operand.value : operand.values;
}

function mutate(plugin: Plugin, event: Fields): void {
  for (const reference of optionTexts(plugin, "remove_field")) {
    const path = fieldPath(reference);
    const above = path.length === 1 ? event : get(event, path.slice(0, -1));
    if (typeof above === "object" && above !== null) delete (above as Fields)[path.at(-1) ?? ""];
  }
  const tags = optionTexts(plugin, "add_tag");
  const there = event["tags"];
  if (tags.length > 0) event["tags"] = [...(Array.isArray(there) ? (there as unknown[]) : []), ...tags];
}

/** `%{[a][b]}`, and `%{+YYYY.MM.dd}` of the event's time in UTC; a field that is not there stays as it is written. */
function sprintf(text: string, event: Fields): string {
  const time = String(event["@timestamp"]);
  const date: Record<string, string> = { YYYY: time.slice(0, 4), MM: time.slice(5, 7), dd: time.slice(8, 10) };
  return text.replaceAll(/%\{([^}]+)\}/g, (whole, inner: string) => {
    if (inner.startsWith("+")) return inner.slice(1).replaceAll(/YYYY|MM|dd/g, (part) => date[part] ?? part);
    const value = get(event, fieldPath(inner));
    return typeof value === "string" || typeof value === "number" ? String(value) : whole;
  });
}

function bulkAction(plugin: Plugin, event: Fields): object[] {
  const option = (name: string) => sprintf(optionText(plugin, name) ?? "", event);
  const { tags: _, ...document } = event;
  if (optionText(plugin, "data_stream") === "true") {
    const stream = {
      type: option("data_stream_type"),
      dataset: option("data_stream_dataset"),
      namespace: option("data_stream_namespace"),
    };
    const _index = `${stream.type}-${stream.dataset}-${stream.namespace}`;
    return [{ create: { _index, _id: option("document_id") } }, { ...document, data_stream: stream }];
  }
  const target = { _index: option("index"), _id: option("document_id") };
  const version = { version: option("version"), version_type: option("version_type") };
  return [
    { [option("action")]: optionText(plugin, "version") === undefined ? target : { ...target, ...version } },
    document,
  ];
}
