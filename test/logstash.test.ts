// The shipped Logstash pipelines: nothing that Logstash would refuse, what they do with lines, and the checker that says so.
// Logstash itself cannot run here: `docker compose run --rm logstash -t` is what is left to whoever has its image.

import { appendFileSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { LOG_KEEP_MIN_MS } from "../src/config.ts";
import { COUNT_INDICES, DATA_STREAMS, DATASETS, ndjsonLine } from "../src/monitor/documents.ts";
import { LogFile } from "../src/monitor/log-file.ts";
import { PERIOD_NAMES, type PeriodName } from "../src/period.ts";
import { problemsOf } from "./support/logstash-check.ts";
import { optionText, parsePipeline, pluginsOf, substitute } from "./support/logstash-config.ts";
import { LogstashReplay } from "./support/logstash-replay.ts";
import { hasOpensearch, sharedOpensearch } from "./support/opensearch.ts";
import { temporaryFolder } from "./support/reto3.ts";

const RUN_MS = 300_000;
const FOLDER = join(import.meta.dir, "../ops/logstash");
const read = (name: string) => readFileSync(join(FOLDER, name), "utf8");
const CONFIGS = readdirSync(FOLDER).filter((name) => name.endsWith(".conf"));
const shipped = () => new Map(CONFIGS.map((name) => [name, read(name)]));
const pluginIn = (name: string, section: "input" | "output", plugin: string) =>
  [...pluginsOf(parsePipeline(read(name))[section])].filter((one) => one.name === plugin);

describe("the shipped pipelines", () => {
  test("have nothing that Logstash refuses or takes in another way", () => {
    expect(problemsOf(read("pipelines.yml"), shipped())).toEqual([]);
  });

  test("are one a log, and one for the dead letters of all of them", () => {
    const ids = (Bun.YAML.parse(read("pipelines.yml")) as Record<string, string>[]).map((one) => one["pipeline.id"]);
    expect(ids).toEqual([...Object.keys(DATASETS), "dead-letters"]);
    const letters = pluginIn("dead-letters.conf", "input", "dead_letter_queue");
    expect(letters.map((plugin) => optionText(plugin, "pipeline_id"))).toEqual(Object.keys(DATASETS));
    expect(CONFIGS.sort()).toEqual(ids.map((id) => `${id}.conf`).sort());
  });

  test("keep what they have read on the disk until it is sent, the dead letters' too", () => {
    const all = Bun.YAML.parse(read("pipelines.yml")) as Record<string, unknown>[];
    expect(all.map((settings) => settings["queue.type"])).toEqual(all.map(() => "persisted"));
  });

  test.each(Object.keys(DATASETS))(
    "forget a file of %s before the monitor may remove it, and no sample that they would read again",
    (name) => {
      const [input] = pluginIn(`${name}.conf`, "input", "file");
      const hours = (option: string) => Number(/^(\d+) hours$/.exec((input && optionText(input, option)) ?? "")?.[1]);
      expect(hours("sincedb_clean_after") * 3_600_000).toBeLessThan(LOG_KEEP_MIN_MS);
      // A file may be written on for a day after it was last read.
      if (name !== "counts") expect(hours("ignore_older") + 24).toBeLessThan(hours("sincedb_clean_after"));
    },
  );

  test.each(["host", "pipeline"] as const)("send %s to the data stream of documents.ts", (name) => {
    const [output] = pluginIn(`${name}.conf`, "output", "elasticsearch");
    const parts = ["type", "dataset", "namespace"].map((part) => output && optionText(output, `data_stream_${part}`));
    expect(parts.join("-")).toBe(DATA_STREAMS[name]);
  });

  test.each(PERIOD_NAMES)("send counts per %s to the indices of documents.ts", (period) => {
    const { prefix, datePattern } = COUNT_INDICES[period];
    const wanted = `${prefix}%{+${datePattern.replace("yyyy", "YYYY")}}`;
    const indices = pluginIn("counts.conf", "output", "elasticsearch").map((output) => optionText(output, "index"));
    expect(indices).toContain(wanted);
  });
});

describe("a pipeline with a fault", () => {
  const change = (name: string, from: string | RegExp, to: string) => {
    const files = shipped();
    const text = files.get(name) ?? "";
    expect(text).toMatch(from);
    return problemsOf(read("pipelines.yml"), files.set(name, text.replace(from, to)));
  };
  const inSettings = (from: string | RegExp, to: string) => {
    expect(read("pipelines.yml")).toMatch(from);
    return problemsOf(read("pipelines.yml").replace(from, to), shipped());
  };

  test.each([
    ["a brace that is missing", /\}\n$/, "", "line 58, column 1: expected a plugin, if, or }; found the end"],
    ["= for =>", 'mode => "tail"', 'mode = "tail"', 'line 7, column 10: expected =>; found "= \\"tail\\"\\n   "'],
    ["a section of another name", "filter {", "filters {", "line 24, column 1: expected input, filter or output"],
    ["else without if", /\} else \{\n {4}mutate/, "} or {\n    mutate", "line 29, column 12: expected =>"],
    ["and mixed with or", "[tags] and [event][id]", "[tags] or [event][id]", "expected one of and and or alone"],
    ["a string that does not end", '"reto.host" {', '"reto.host {', "expected"],
    [
      "an option that is misspelt",
      "start_position",
      "start_positon",
      "no option start_positon; did you mean start_position?",
    ],
    ["a plugin that is misspelt", /file \{/, "fyle {", "no input plugin fyle; did you mean file?"],
    ["a codec that is misspelt", "codec => json\n", "codec => jason\n", "no codec jason; did you mean json?"],
    ["a relative path", '"${RETO3_LOGS:/var/log/reto3}/', '"${RETO3_LOGS:logs}/', "is not absolute"],
    ["no start position", /start_position .*\n/, "", 'start_position must be "beginning"'],
    ["no sincedb", /sincedb_path .*\n/, "", "sincedb_path must be given"],
    ["the sincedb of another", "sincedb-host", "sincedb-pipeline", "is another input's already"],
    ["data_stream left out", /data_stream => .*\n/, "", "Logstash chooses by itself"],
    [
      "an index with a data stream",
      'action => "create"',
      'action => "create" index => "a"',
      "index cannot go with data_stream",
    ],
    ["another action with a data stream", 'action => "create"', 'action => "index"', 'action must be "create"'],
    ["another stream by default", /data_stream_type .*\n/, "", "the defaults are another stream"],
    ["no document id", /document_id .*\n/, "", "lines are read more than once"],
  ])("is told of: %s", (_, from, to, problem) => {
    expect(change("host.conf", from, to).join("\n")).toContain(problem);
  });

  test.each([
    ["an index that is missing", / index => .*\n/, "\n", "index must be given"],
    ["parts of a data stream without one", "ilm_enabled", 'data_stream_type => "logs" ilm_enabled', "want data_stream"],
  ])("of counts is told of: %s", (_, from, to, problem) => {
    expect(change("counts.conf", from, to).join("\n")).toContain(problem);
  });

  test.each([
    ["a setting that is misspelt", "queue.type", "queue.typ", "no setting queue.typ; did you mean queue.type?"],
    ["an id twice", "pipeline.id: pipeline", "pipeline.id: host", "its id is given twice"],
    ["a file that is not there", "counts.conf", "count.conf", "there is no count.conf"],
    ["a queue in memory", "queue.type: persisted", "queue.type: memory", "it reads files"],
    ["YAML that is none", "- pipeline.id: host", "- pipeline.id: [host", "pipelines.yml"],
  ])("has settings with a fault: %s", (_, from, to, problem) => {
    expect(inSettings(from, to).join("\n")).toContain(problem);
  });
});

test("a variable is put in, or what stands for it", () => {
  expect(substitute("${A:/x}/y ${B:}", { B: "b" })).toBe("/x/y b");
});

describe.skipIf(!hasOpensearch)("lines on their way through the pipelines", () => {
  let url: string;
  beforeAll(async () => void ({ url } = await sharedOpensearch()), RUN_MS);
  const folder = temporaryFolder();
  afterAll(() => folder[Symbol.dispose]());

  const T0 = Date.UTC(2001, 1, 28, 23, 59, 59) * 1_000;
  let made = 0;
  /** A folder of logs of its own, and what writes and reads them. */
  function open() {
    const logs = join(folder.path, String(made++));
    mkdirSync(logs);
    const log = (name: string) => new LogFile({ folder: logs, name, bytesMax: 1_000, keepMs: 1e12, warn: () => {} });
    return { logs, log, replay: new LogstashReplay({ logs, url }) };
  }
  let writtenMs = 1_000;
  const bucket = (period: PeriodName, bucketUs: number, count: number) =>
    ndjsonLine(
      "counts",
      { timestampUs: bucketUs, id: `${period}-${bucketUs / 1_000}`, hostName: "here", failures: 0 },
      { "reto.granularity": period, "reto.count": count, "reto.written_ms": writtenMs++ },
    );
  async function documents(index: string): Promise<{ _index: string; _id: string; _source: object }[]> {
    await fetch(`${url}/${index}/_refresh`, { method: "POST" });
    const answer = await fetch(`${url}/${index}/_search?size=1000&sort=@timestamp`);
    return ((await answer.json()) as { hits: { hits: { _index: string; _id: string; _source: object }[] } }).hits.hits;
  }

  test("counts go into the index of their own time; a bucket that comes again takes the place of what was there", async () => {
    const { log, replay } = open();
    const counts = log("counts");
    counts.append([bucket("10ms", T0, 5), bucket("1s", T0, 5), bucket("10ms", T0 + 1_000_000, 7)], Date.now());
    expect(await replay.run()).toEqual({ indexed: 3, conflicts: 0, errors: [], unreadable: [] });
    // Over several files: the later line wins.
    counts.append(
      [bucket("1m", T0 - 59_000_000, 12), ...[6, 8, 9].map((count) => bucket("10ms", T0, count))],
      Date.now(),
    );
    const again = await replay.run();
    expect(again).toMatchObject({ indexed: 4, errors: [], unreadable: [] });
    const there = async () =>
      (await documents("reto-count-*-2001*")).map(({ _index, _id, _source }) => [_index, _id, _source]);
    const before = await there();
    expect(before.map(([index, id]) => [index, id])).toEqual([
      ["reto-count-1m-2001", `1m-${T0 / 1_000 - 59_000}`],
      ["reto-count-10ms-2001.02.28", `10ms-${T0 / 1_000}`],
      ["reto-count-1s-2001.02", `1s-${T0 / 1_000}`],
      ["reto-count-10ms-2001.03.01", `10ms-${T0 / 1_000 + 1_000}`],
    ]);
    expect(before[1]?.[2]).toMatchObject({ reto: { count: 9 } });
    // What is a line and no more: nothing of what Logstash puts beside it.
    expect(before[1]?.[2]).toMatchObject({ ...(JSON.parse(bucket("10ms", T0, 9)) as object), reto: { count: 9 } });
    expect(Object.keys(before[1]?.[2] ?? {}).sort()).toEqual(["@timestamp", "ecs", "event", "host", "reto", "service"]);
    replay.forget();
    expect(await replay.run()).toMatchObject({ errors: [], unreadable: [] });
    expect(await there()).toEqual(before);
  });

  test("an earlier line of a bucket that comes again after a later one, from another file, changes nothing; a lower count that is later does", async () => {
    const { logs, log, replay } = open();
    const at = T0 - 20_000_000;
    const [early, late] = [bucket("1s", at, 5), bucket("1s", at, 9)];
    writeFileSync(join(logs, "counts-2001-02-27.ndjson"), early);
    await replay.run();
    writeFileSync(join(logs, "counts-2001-02-28.ndjson"), late);
    await replay.run();
    // Logstash has forgotten the older file alone, and reads it again.
    writeFileSync(join(logs, "counts-2001-02-27.1.ndjson"), early);
    const count = async () => {
      const found = (await documents("reto-count-1s-2001*")).find(({ _id }) => _id === `1s-${at / 1_000}`);
      return (found?._source as { reto?: { count?: number } })?.reto?.count;
    };
    expect(await replay.run()).toMatchObject({ indexed: 0, conflicts: 1 });
    expect(await count()).toBe(9);
    log("counts").append([bucket("1s", at, 4)], Date.now());
    await replay.run();
    expect(await count()).toBe(4);
  });

  test("samples of a file that was forgotten are not sent a second time", async () => {
    const { logs, replay } = open();
    const file = join(logs, "pipeline-2001-02-27.ndjson");
    const head = { timestampUs: T0, id: `old-${T0}`, hostName: "here", failures: 0 };
    writeFileSync(file, ndjsonLine("pipeline", head, { "reto.tps": 1 }));
    const agoSeconds = Date.now() / 1_000 - 25 * 3_600;
    utimesSync(file, agoSeconds, agoSeconds);
    expect(await replay.run()).toEqual({ indexed: 0, conflicts: 0, errors: [], unreadable: [] });
  });

  test("what is no line of a monitor goes into a file; what is not whole yet is left for later", async () => {
    const { logs, replay } = open();
    const file = join(logs, "counts-2001-02-28.ndjson");
    const odd = JSON.stringify({
      "@timestamp": "2001-02-28T00:00:00.000Z",
      event: { id: "a", dataset: "reto.counts" },
    });
    const untimed = odd.replace("2001-02-28T00:00:00.000Z", "yesterday");
    writeFileSync(file, `{"half\n${odd}\n${untimed}\n[1]\n${bucket("1s", T0 - 9_000_000, 1)}{"@timest`);
    const { indexed, unreadable } = await replay.run();
    expect(indexed).toBe(1);
    expect(unreadable.map(({ tags }) => tags)).toEqual([
      ["_jsonparsefailure", "unreadable"],
      ["unreadable"],
      ["_timestampparsefailure", "unreadable"],
      ["_jsonparsefailure", "unreadable"],
    ]);
    appendFileSync(file, "amp\n");
    expect((await replay.run()).unreadable).toMatchObject([{ message: '{"@timestamp' }]);
    expect(await replay.run()).toEqual({ indexed: 0, conflicts: 0, errors: [], unreadable: [] });
  });
});
