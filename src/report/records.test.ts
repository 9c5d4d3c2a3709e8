import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../../test/support/reto3.ts";
import type { LoadRecord } from "../load/result.ts";
import { readRecords } from "./records.ts";

const record = (at: number): LoadRecord => ({
  dueUs: at,
  sentUs: at + 10,
  doneUs: at + 900,
  outcome: "acked",
  status: 200,
});

async function read(content: string): Promise<{ records: LoadRecord[]; cuts: number }> {
  using folder = temporaryFolder();
  const file = join(folder.path, "run.ndjson");
  writeFileSync(file, content);
  const records: LoadRecord[] = [];
  let cuts = 0;
  for await (const portion of readRecords(file, () => cuts++)) records.push(...portion.records);
  return { records, cuts };
}

describe("records of a load run", () => {
  test("come back as they were written, however large the file", async () => {
    const all = Array.from({ length: 50_000 }, (_, at) => record(1_764_000_000_000_000 + at * 200));
    const { records, cuts } = await read(all.map((one) => `${JSON.stringify(one)}\n`).join(""));
    expect(records).toEqual(all);
    expect(cuts).toBe(0);
  });

  test("of an empty file are none", async () => {
    expect(await read("")).toEqual({ records: [], cuts: 0 });
  });

  test("whose last line is cut off are those before it", async () => {
    const text = `${JSON.stringify(record(1))}\n${JSON.stringify(record(2))}`;
    expect(await read(text.slice(0, -9))).toEqual({ records: [record(1)], cuts: 1 });
    expect(await read(text)).toEqual({ records: [record(1), record(2)], cuts: 0 });
  });

  test.each([
    ["text", "hello\n"],
    ["an empty line", "\n"],
    ["another object", '{"dueUs":1}\n'],
    ["two values on a line", "1,2\n"],
    ["an outcome that there is not", JSON.stringify({ ...record(1), outcome: "lost" }) + "\n"],
    ["a time that is none", JSON.stringify({ ...record(1), sentUs: "now" }) + "\n"],
    ["a request of years", JSON.stringify({ ...record(1), doneUs: 1e15 }) + "\n"],
  ])("%s is named with its line", async (_, line) => {
    const content = `${JSON.stringify(record(1))}\n${line}${JSON.stringify(record(2))}\n`;
    expect(read(content)).rejects.toThrow(/run\.ndjson", line 2: .* is not a record of a load run/);
  });

  test("are not looked for in a line without end", async () => {
    const content = `${JSON.stringify(record(1))}\n${"x".repeat(1_000_000)}`;
    expect(read(content)).rejects.toThrow(/line 2: "xxx.* is not a record of a load run/);
  });

  test("of a file that is not there are an error", async () => {
    const reading = readRecords("/nowhere/run.ndjson", () => {});
    expect(reading.next()).rejects.toThrow(/"\/nowhere\/run.ndjson" cannot be read/);
  });
});
