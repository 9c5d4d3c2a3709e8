import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { LogFile } from "./log-file.ts";

const DAY_MS = 86_400_000;
const NOON = Date.UTC(2026, 10, 25, 12);

describe("a log in daily files", () => {
  let folder: string;
  const warnings: string[] = [];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "reto3-log-"));
    warnings.length = 0;
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const open = (bytesMax = 1_000_000) =>
    new LogFile({ folder, name: "a", bytesMax, keepMs: 2 * DAY_MS, warn: (line) => void warnings.push(line) });
  const text = (file: string) => readFileSync(join(folder, file), "utf8");
  const all = async (log: LogFile, ...from: Parameters<LogFile["linesFrom"]>) => {
    const lines: string[] = [];
    for await (const line of log.linesFrom(...from)) lines.push(line);
    return lines;
  };

  test("has a file a day, by UTC", () => {
    const log = open();
    log.append(["1\n", "2\n"], Date.UTC(2026, 10, 24, 23, 59, 59, 999));
    log.append(["3\n"], Date.UTC(2026, 10, 25));
    expect(log.files()).toEqual(["a-2026-11-24.ndjson", "a-2026-11-25.ndjson"]);
    expect([text("a-2026-11-24.ndjson"), text("a-2026-11-25.ndjson")]).toEqual(["1\n2\n", "3\n"]);
  });

  test("goes on in the next file when one is full, also after a new start, and past the ninth", () => {
    for (let at = 0; at < 12; at++) {
      const log = open(4);
      log.append(["one\n", "two\n"], NOON);
      log.close();
    }
    const files = open().files();
    expect(files).toHaveLength(24);
    expect([files[0], files[1], files[10], files[23]]).toEqual(
      ["", ".1", ".10", ".23"].map((number) => `a-2026-11-25${number}.ndjson`),
    );
    expect(files.map(text)).toEqual(Array.from({ length: 24 }, (_, at) => (at % 2 === 0 ? "one\n" : "two\n")));
  });

  test("goes on in the file that is there, and never in the middle of a line that was cut off", async () => {
    open().append(["1\n"], NOON);
    appendFileSync(join(folder, "a-2026-11-25.ndjson"), '{"half');
    const log = open();
    log.append(["2\n", "3\n"], NOON);
    expect(text("a-2026-11-25.ndjson")).toBe('1\n{"half\n2\n3\n');
    expect(await all(log, null)).toEqual(["1", '{"half', "2", "3"]);
  });

  test("is read from a position on, over files, and from its oldest file where that position has gone", async () => {
    const log = open(6);
    log.append(["1\n", "2\n"], NOON);
    const position = log.end();
    log.append(["3\n", "4\n", "5\n"], NOON);
    expect(await all(log, position)).toEqual(["3", "4", "5"]);
    expect(await all(open(6), log.end())).toEqual([]);
    rmSync(join(folder, "a-2026-11-25.ndjson"));
    expect(await all(log, position)).toEqual(["4", "5"]);
    expect(open().end()).toEqual(log.end());
  });

  test("has no position and no lines before its folder is there", async () => {
    const log = new LogFile({
      folder: join(folder, "not/yet"),
      name: "a",
      bytesMax: 1_000,
      keepMs: DAY_MS,
      warn: (line) => void warnings.push(line),
    });
    expect(log.end()).toBeNull();
    expect(await all(log, null)).toEqual([]);
    log.append(["1\n"], NOON);
    expect(text("not/yet/a-2026-11-25.ndjson")).toBe("1\n");
  });

  test("loses its files when nothing was written to them for long enough, and leaves others alone", () => {
    const ages: [string, number][] = [
      ["a-2026-11-20.ndjson", 1.9],
      ["a-2026-11-21.ndjson", 2.1],
      ["a-2026-11-21.1.ndjson", 2.1],
      ["a-b-2026-11-21.ndjson", 9],
      ["ab-2026-11-21.ndjson", 9],
      ["a-2026-11-21.ndjson.gz", 9],
      ["a.state.json", 9],
    ];
    for (const [file, days] of ages) {
      writeFileSync(join(folder, file), "old\n");
      const seconds = (Date.now() - days * DAY_MS) / 1_000;
      utimesSync(join(folder, file), seconds, seconds);
    }
    open().append(["1\n"], NOON);
    expect(ages.filter(([file]) => !existsSync(join(folder, file)))).toEqual([
      ["a-2026-11-21.ndjson", 2.1],
      ["a-2026-11-21.1.ndjson", 2.1],
    ]);
  });

  test("goes on in its newest file where the clock was set back, also after a new start: later lines come later", async () => {
    const yesterday = NOON - DAY_MS;
    const log = open(4);
    log.append(["one\n"], NOON);
    const position = log.end();
    log.append(["two\n"], yesterday);
    log.close();
    open(4).append(["six\n"], yesterday);
    expect(log.files()).toEqual(["a-2026-11-25.ndjson", "a-2026-11-25.1.ndjson", "a-2026-11-25.2.ndjson"]);
    expect(await all(log, position)).toEqual(["two", "six"]);
  });

  test("an old file that cannot be removed is told of, and is in nobody's way", () => {
    mkdirSync(join(folder, "a-2026-11-20.ndjson"));
    utimesSync(join(folder, "a-2026-11-20.ndjson"), 1, 1);
    open().append(["1\n"], NOON);
    expect(text("a-2026-11-25.ndjson")).toBe("1\n");
    expect(warnings).toEqual([expect.stringMatching(/^cannot remove the old log .*a-2026-11-20.ndjson/)]);
  });

  test("says what is wrong where it cannot be written, and goes on when it can", () => {
    rmSync(folder, { recursive: true });
    writeFileSync(folder, "a file in its place");
    const log = open();
    expect(() => log.append(["1\n"], NOON)).toThrow(`cannot write the log ${join(folder, "a-*.ndjson")}`);
    rmSync(folder);
    mkdirSync(folder);
    log.append(["2\n"], NOON);
    expect(text("a-2026-11-25.ndjson")).toBe("2\n");
  });
});
