// Which plugins and options there are, and what they take: of the plugins that ops/logstash uses, all options.
// From the `config` lines of their sources, as Logstash 9.5 brings them along: logstash-input-file 4.4, -input-dead_letter_queue 2.0,
// -codec-json 3.1, -codec-line, -codec-json_lines, -filter-mutate 3.5, -output-elasticsearch 12.1, -output-file 4.3, and the base classes of
// elastic/logstash.

import type { Attribute, Place, Plugin, SectionName, Value } from "./logstash-parser.ts";

type Type =
  | "string"
  | "number"
  | "boolean"
  | "array"
  | "hash"
  | "codec"
  | "duration"
  | { oneOf: readonly string[] }
  | { obsolete: string };

const BASE = { id: "string", enable_metric: "boolean" } as const;
const CODEC = { ecs_compatibility: { oneOf: ["disabled", "v1", "v8"] } } as const;

const CODECS: Record<string, Record<string, Type>> = {
  json: { ...BASE, ...CODEC, charset: "string", target: "string" },
  json_lines: { ...BASE, ...CODEC, charset: "string", delimiter: "string", target: "string", decode_size_limit_bytes: "number" },
  line: { ...BASE, ...CODEC, charset: "string", delimiter: "string", format: "string" },
  plain: { ...BASE, ...CODEC, charset: "string", format: "string" },
};

const INPUT = { ...BASE, ...CODEC, add_field: "hash", codec: "codec", tags: "array", type: "string" } as const;
const FILTER = {
  ...BASE,
  add_field: "hash",
  add_tag: "array",
  remove_field: "array",
  remove_tag: "array",
  periodic_flush: "boolean",
} as const;
const OUTPUT = { ...BASE, ...CODEC, codec: "codec", workers: { obsolete: "set pipeline.workers" } } as const;

const ELASTICSEARCH_SHARED: Record<string, Type> = {
  user: "string",
  password: "string",
  api_key: "string",
  cloud_auth: "string",
  cloud_id: "string",
  document_id: "string",
  path: "string",
  bulk_path: "string",
  parameters: "hash",
  ssl_enabled: "boolean",
  ssl_verification_mode: { oneOf: ["full", "none"] },
  ssl_certificate_authorities: "array",
  ca_trusted_fingerprint: "array",
  ssl_truststore_path: "string",
  ssl_truststore_type: { oneOf: ["pkcs12", "jks"] },
  ssl_truststore_password: "string",
  ssl_keystore_path: "string",
  ssl_keystore_type: { oneOf: ["pkcs12", "jks"] },
  ssl_keystore_password: "string",
  ssl_supported_protocols: "array",
  ssl_certificate: "string",
  ssl_key: "string",
  ssl_cipher_suites: "array",
  sniffing: "boolean",
  sniffing_delay: "number",
  sniffing_path: "string",
  proxy: "string",
  timeout: "number",
  silence_errors_in_log: "array",
  failure_type_logging_whitelist: { obsolete: "set silence_errors_in_log" },
  pool_max: "number",
  pool_max_per_route: "number",
  healthcheck_path: "string",
  resurrect_delay: "number",
  validate_after_inactivity: "number",
  http_compression: { obsolete: "set compression_level" },
  compression_level: { oneOf: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"] },
  custom_headers: "hash",
  hosts: "array",
  retry_initial_interval: "number",
  retry_max_interval: "number",
  dlq_custom_codes: "array",
  dlq_on_failed_indexname_interpolation: "boolean",
  ssl: { obsolete: "set ssl_enabled" },
  ssl_certificate_verification: { obsolete: "set ssl_verification_mode" },
  cacert: { obsolete: "set ssl_certificate_authorities" },
  truststore: { obsolete: "set ssl_truststore_path" },
  truststore_password: { obsolete: "set ssl_truststore_password" },
  keystore: { obsolete: "set ssl_keystore_path" },
  keystore_password: { obsolete: "set ssl_keystore_password" },
};

const DATA_STREAM: Record<string, Type> = {
  data_stream: { oneOf: ["true", "false", "auto"] },
  data_stream_type: { oneOf: ["logs", "metrics", "synthetics", "traces"] },
  data_stream_dataset: "string",
  data_stream_namespace: "string",
  data_stream_sync_fields: "boolean",
  data_stream_auto_routing: "boolean",
  action: "string",
  routing: "string",
  pipeline: "string",
  manage_template: "boolean",
};

const INDEX: Record<string, Type> = {
  index: "string",
  template_name: "string",
  template: "string",
  template_overwrite: "boolean",
  template_api: { oneOf: ["auto", "legacy", "composable"] },
  version: "string",
  version_type: { oneOf: ["internal", "external", "external_gt", "external_gte", "force"] },
  parent: "string",
  join_field: "string",
  upsert: "string",
  doc_as_upsert: "boolean",
  script: "string",
  script_type: { oneOf: ["inline", "indexed", "file"] },
  script_lang: "string",
  script_var_name: "string",
  scripted_upsert: "boolean",
  retry_on_conflict: "number",
  ilm_enabled: { oneOf: ["true", "false", "auto"] },
  ilm_rollover_alias: "string",
  ilm_pattern: "string",
  ilm_policy: "string",
};

/** What an output into a data stream refuses to start with. */
export const INDEX_OPTIONS = new Set(Object.keys(INDEX));

const PLUGINS: Record<SectionName, Record<string, Record<string, Type>>> = {
  input: {
    file: {
      ...INPUT,
      path: "array",
      exclude: "array",
      mode: { oneOf: ["tail", "read"] },
      start_position: { oneOf: ["beginning", "end"] },
      stat_interval: "duration",
      discover_interval: "number",
      sincedb_path: "string",
      sincedb_write_interval: "duration",
      sincedb_clean_after: "duration",
      delimiter: "string",
      ignore_older: "duration",
      close_older: "duration",
      max_open_files: "number",
      file_completed_action: { oneOf: ["delete", "log", "log_and_delete"] },
      file_completed_log_path: "string",
      file_chunk_size: "number",
      file_chunk_count: "number",
      file_sort_by: { oneOf: ["last_modified", "path"] },
      file_sort_direction: { oneOf: ["asc", "desc"] },
      exit_after_read: "boolean",
      check_archive_validity: "boolean",
    },
    dead_letter_queue: {
      ...INPUT,
      path: "string",
      pipeline_id: "string",
      sincedb_path: "string",
      commit_offsets: "boolean",
      clean_consumed: "boolean",
      start_timestamp: "string",
    },
  },
  filter: {
    mutate: {
      ...FILTER,
      rename: "hash",
      update: "hash",
      replace: "hash",
      convert: "hash",
      gsub: "array",
      uppercase: "array",
      lowercase: "array",
      capitalize: "array",
      split: "hash",
      join: "hash",
      strip: "array",
      merge: "hash",
      coerce: "hash",
      copy: "hash",
      tag_on_failure: "string",
    },
  },
  output: {
    elasticsearch: { ...OUTPUT, ...ELASTICSEARCH_SHARED, ...DATA_STREAM, ...INDEX },
    file: {
      ...OUTPUT,
      path: "string",
      flush_interval: "number",
      gzip: "boolean",
      filename_failure: "string",
      create_if_deleted: "boolean",
      dir_mode: "number",
      file_mode: "number",
      write_behavior: { oneOf: ["append", "overwrite"] },
    },
  },
};

export type Problem = (at: Place, text: string) => void;

/** Reports unknown plugins and options, options given twice, and values of the wrong type. */
export function checkOptions(section: SectionName, plugin: Plugin, problem: Problem): void {
  const options = PLUGINS[section][plugin.name];
  if (!options)
    return problem(plugin.at, `no ${section} plugin ${q(plugin.name)}${meant(plugin.name, PLUGINS[section])}`);
  checkAttributes(plugin, options, problem);
}

function checkAttributes(plugin: Plugin, options: Record<string, Type>, problem: Problem): void {
  const seen = new Set<string>();
  for (const { name, value, at } of plugin.attributes) {
    const type = options[name];
    if (seen.has(name)) problem(at, `${plugin.name}: ${q(name)} is given twice`);
    seen.add(name);
    if (!type) problem(at, `${plugin.name} has no option ${q(name)}${meant(name, options)}`);
    else checkValue(`${plugin.name}: ${name}`, value, type, problem);
  }
}

function checkValue(what: string, value: Value, type: Type, problem: Problem): void {
  if (type === "codec") return checkCodec(what, value, problem);
  if (typeof type === "object" && "obsolete" in type)
    return problem(value.at, `${what} is obsolete: ${type.obsolete} instead`);
  if (!isOfType(value, type)) problem(value.at, `${what}: ${shown(value)} is not accepted; want ${wantedOf(type)}`);
}

function checkCodec(what: string, value: Value, problem: Problem): void {
  const name = value.kind === "plugin" ? value.plugin.name : textOf(value);
  const options = name === undefined ? undefined : CODECS[name];
  if (!options) problem(value.at, `${what}: no codec ${shown(value)}${meant(name ?? "", CODECS)}`);
  else if (value.kind === "plugin") checkAttributes(value.plugin, options, problem);
}

/** Where a list is wanted, one value is one of one. */
function isOfType(value: Value, type: Exclude<Type, "codec" | { obsolete: string }>): boolean {
  const text = textOf(value);
  if (type === "hash") return value.kind === "hash";
  if (type === "array") return text !== undefined || (value.kind === "array" && value.items.every((one) => textOf(one)));
  if (text === undefined) return false;
  if (type === "number") return /^-?\d+(\.\d*)?$/.test(text);
  if (type === "boolean") return text === "true" || text === "false";
  if (type === "duration") return durationMs(text) !== undefined;
  return type === "string" || type.oneOf.includes(text);
}

function wantedOf(type: Exclude<Type, "codec" | { obsolete: string }>): string {
  if (typeof type === "object") return `one of ${type.oneOf.join(", ")}`;
  if (type === "boolean") return "true or false";
  if (type === "duration") return 'a duration such as "250 ms", "5 min", "1 day"';
  return { string: "a text", number: "a number", array: "a list of texts", hash: "a hash: { a => b c => d }" }[type];
}

/** What is written in a string, a number or a bareword. */
export function textOf(value: Value | undefined): string | undefined {
  return value && "text" in value ? value.text : undefined;
}

/** The options of a plugin by their names. */
export function optionsOf(plugin: Plugin): Record<string, Attribute | undefined> {
  return Object.fromEntries(plugin.attributes.map((attribute) => [attribute.name, attribute]));
}

/** Milliseconds of what the file input takes for a duration; a number alone is seconds. */
export function durationMs(text: string): number | undefined {
  const units: [RegExp, number][] = [
    [/^ms(ecs?)?$/, 1],
    [/^(s|secs?|seconds?|)$/, 1_000],
    [/^(m|mins?|minutes?)$/, 60_000],
    [/^h(ours?)?$/, 3_600_000],
    [/^d(ays?)?$/, 86_400_000],
    [/^w(eeks?)?$/, 604_800_000],
  ];
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s?([a-z]*)$/.exec(text) ?? [];
  const factor = units.find(([names]) => unit !== undefined && names.test(unit))?.[1];
  return factor === undefined ? undefined : Number(number) * factor;
}

function shown(value: Value): string {
  const text = textOf(value);
  return text === undefined ? (value.kind === "array" ? "a list" : `a ${value.kind}`) : q(text);
}

function q(text: string): string {
  return JSON.stringify(text);
}

/** A hint where the name is nearly one of those. */
export function meant(name: string, known: Record<string, unknown> | readonly string[]): string {
  const names = Array.isArray(known) ? (known as string[]) : Object.keys(known);
  const near = names.find((one) => distance(name, one) <= Math.max(1, Math.floor(one.length / 4)));
  return near === undefined ? `; there are: ${names.length > 8 ? "other ones" : names.join(", ")}` : `; did you mean ${q(near)}?`;
}

/** How many letters must be added, taken away or changed. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...b].entries())
      next.push(Math.min((row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1, (row[j] ?? 0) + (letter === other ? 0 : 1)));
    row = next;
  }
  return row.at(-1) ?? 0;
}
