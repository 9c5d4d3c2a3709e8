// What Logstash would refuse in our pipelines, or take in another way than it is meant: options that there are not, and those
// that belong together. Options as of Logstash 9.5.2: input-file 4.4.7, input-dead_letter_queue 2.0.1, filter-mutate 3.5.8,
// output-elasticsearch 12.1.6, output-file 4.3.0 (their sources); settings: PIPELINE_SETTINGS_WHITE_LIST of
// https://github.com/elastic/logstash/blob/v9.5.2/logstash-core/lib/logstash/settings.rb

import { basename } from "node:path";
import {
  optionText,
  optionTexts,
  parsePipeline,
  pluginsOf,
  SECTIONS,
  substitute,
  type PipelineConfig,
  type Plugin,
  type Section,
} from "./logstash-config.ts";

const COMMON = {
  input: ["id", "enable_metric", "codec", "add_field", "tags", "type"],
  filter: ["id", "enable_metric", "add_field", "add_tag", "remove_field", "remove_tag"],
  output: ["id", "enable_metric", "codec", "workers"],
};
const PLUGINS: Record<Section, Record<string, string>> = {
  input: {
    file:
      "path exclude mode start_position sincedb_path sincedb_clean_after sincedb_write_interval stat_interval discover_interval " +
      "close_older ignore_older max_open_files delimiter file_chunk_count file_chunk_size file_sort_by file_sort_direction " +
      "file_completed_action file_completed_log_path check_archive_validity exit_after_read ecs_compatibility",
    dead_letter_queue: "path pipeline_id sincedb_path commit_offsets clean_consumed start_timestamp",
  },
  filter: {
    mutate:
      "rename update replace convert copy gsub join lowercase merge split strip tag_on_failure uppercase capitalize coerce",
  },
  output: {
    file: "path flush_interval gzip create_if_deleted dir_mode file_mode filename_failure stale_cleanup_interval write_behavior",
    elasticsearch:
      "hosts user password api_key cloud_id cloud_auth action index document_id routing pipeline version version_type " +
      "manage_template template template_name template_overwrite template_api ilm_enabled ilm_pattern ilm_policy ilm_rollover_alias " +
      "data_stream data_stream_type data_stream_dataset data_stream_namespace data_stream_sync_fields data_stream_auto_routing " +
      "ecs_compatibility silence_errors_in_log ssl_enabled ssl_certificate_authorities ssl_verification_mode timeout pool_max " +
      "compression_level retry_initial_interval retry_max_interval retry_on_conflict custom_headers sniffing dlq_custom_codes " +
      "dlq_on_failed_indexname_interpolation",
  },
};
const CODECS = ["json", "json_lines", "plain", "line"];

const SETTINGS =
  "pipeline.id path.config config.string pipeline.workers pipeline.ordered pipeline.batch.size pipeline.batch.delay pipeline.ecs_compatibility " +
  "queue.type queue.max_bytes queue.max_events queue.page_capacity queue.checkpoint.acks queue.checkpoint.writes queue.drain path.queue " +
  "dead_letter_queue.enable dead_letter_queue.max_bytes dead_letter_queue.storage_policy dead_letter_queue.retain.age " +
  "dead_letter_queue.flush_interval path.dead_letter_queue";

/** One entry of pipelines.yml. */
export type PipelineSettings = Record<string, unknown>;

/** All that is wrong; `files` are the texts of the pipelines by their names. */
export function problemsOf(pipelinesYml: string, files: ReadonlyMap<string, string>): string[] {
  const pipelines = parsed("pipelines.yml", () => Bun.YAML.parse(pipelinesYml));
  if (!Array.isArray(pipelines.value)) return pipelines.problems;
  const problems: string[] = [];
  const ids = new Set<string>();
  const sincedbs = new Set<string>();
  for (const settings of pipelines.value as PipelineSettings[]) {
    problems.push(...settingProblems(settings, ids, files));
    const name = basename(String(settings["path.config"]));
    const text = files.get(name);
    if (text === undefined) continue;
    const config = parsed(name, () => parsePipeline(text));
    problems.push(...config.problems);
    if (config.value) problems.push(...configProblems(config.value, sincedbs).map((problem) => `${name}: ${problem}`));
  }
  return problems;
}

function parsed<T>(name: string, parse: () => T): { value: T | undefined; problems: string[] } {
  try {
    return { value: parse(), problems: [] };
  } catch (error) {
    return { value: undefined, problems: [`${name}: ${(error as Error).message}`] };
  }
}

function settingProblems(settings: PipelineSettings, ids: Set<string>, files: ReadonlyMap<string, string>): string[] {
  const id = String(settings["pipeline.id"]);
  const problems = unknownAmong(Object.keys(settings), SETTINGS.split(" "), "setting");
  if (ids.has(id)) problems.push("its id is given twice");
  ids.add(id);
  const name = basename(String(settings["path.config"]));
  const text = files.get(name);
  if (text === undefined) problems.push(`there is no ${name}`);
  // The file input does not know what was sent: only a queue on disk keeps what a killed Logstash had read.
  if (/^ {2}file \{/m.test(text?.split("filter {")[0] ?? "") && settings["queue.type"] !== "persisted")
    problems.push('queue.type must be "persisted": it reads files');
  return problems.map((problem) => `pipelines.yml: ${id}: ${problem}`);
}

function configProblems(config: PipelineConfig, sincedbs: Set<string>): string[] {
  return SECTIONS.flatMap((section) =>
    [...pluginsOf(config[section])].flatMap((plugin) => {
      const known = PLUGINS[section][plugin.name];
      const problems =
        known === undefined
          ? unknownAmong([plugin.name], Object.keys(PLUGINS[section]), `${section} plugin`)
          : [
              ...unknownAmong(
                plugin.options.map(({ name }) => name),
                [...known.split(" "), ...COMMON[section]],
                "option",
              ),
              ...codecProblems(plugin),
              ...ruleProblems(section, plugin, sincedbs),
            ];
      return problems.map((problem) => `line ${plugin.line}: ${plugin.name}: ${problem}`);
    }),
  );
}

function codecProblems(plugin: Plugin): string[] {
  return unknownAmong(optionTexts(plugin, "codec"), CODECS, "codec");
}

function ruleProblems(section: Section, plugin: Plugin, sincedbs: Set<string>): string[] {
  if (section === "input" && plugin.name === "file") return fileInputProblems(plugin, sincedbs);
  if (section === "output" && plugin.name === "elasticsearch") return elasticsearchProblems(plugin);
  return optionTexts(plugin, "path").flatMap(relativeProblems);
}

function fileInputProblems(plugin: Plugin, sincedbs: Set<string>): string[] {
  const problems = optionTexts(plugin, "path").flatMap(relativeProblems);
  if (optionText(plugin, "start_position") !== "beginning")
    problems.push('start_position must be "beginning": by default it leaves out what a file has when it is found');
  const sincedb = optionText(plugin, "sincedb_path");
  if (sincedb === undefined)
    problems.push("sincedb_path must be given: by default it does not survive a new container");
  else if (sincedbs.has(sincedb)) problems.push(`sincedb_path ${sincedb} is another input's already`);
  else problems.push(...relativeProblems(sincedb));
  sincedbs.add(sincedb ?? "");
  return problems;
}

function relativeProblems(path: string): string[] {
  return substitute(path).startsWith("/") ? [] : [`path ${path} is not absolute`];
}

function elasticsearchProblems(plugin: Plugin): string[] {
  const has = (name: string) => plugin.options.some((option) => option.name === name);
  const problems: string[] = [];
  const dataStream = optionText(plugin, "data_stream");
  const ofIndices = ["index", "manage_template", "ilm_enabled", "template", "version"].filter(has);
  const ofStreams = ["data_stream_type", "data_stream_dataset", "data_stream_namespace"].filter(has);
  if (dataStream === undefined)
    problems.push('data_stream must be "true" or "false": without it Logstash chooses by itself');
  if (dataStream === "true" && ofIndices.length > 0)
    problems.push(`${ofIndices.join(", ")} cannot go with data_stream`);
  if (dataStream === "true" && optionText(plugin, "action") !== "create") problems.push('action must be "create"');
  if (dataStream === "true" && ofStreams.length < 3)
    problems.push(
      "data_stream_type, data_stream_dataset and data_stream_namespace must be given: the defaults are another stream",
    );
  if (dataStream === "false" && ofStreams.length > 0) problems.push(`${ofStreams.join(", ")} want data_stream`);
  if (dataStream === "false" && !has("index")) problems.push("index must be given");
  if (!has("document_id")) problems.push("document_id must be given: lines are read more than once");
  return problems;
}

function unknownAmong(names: string[], known: string[], what: string): string[] {
  return names
    .filter((name) => !known.includes(name))
    .map((name) => {
      const [nearest = ""] = known.toSorted((a, b) => distance(name, a) - distance(name, b));
      return `there is no ${what} ${name}; did you mean ${nearest}?`;
    });
}

/** How many letters must be put in, taken out or changed (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (const [i, letter] of a.split("").entries()) {
    const next = [i + 1];
    for (const [j, other] of b.split("").entries()) {
      next.push(Math.min((next[j] ?? 0) + 1, (row[j + 1] ?? 0) + 1, (row[j] ?? 0) + (letter === other ? 0 : 1)));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
