// The records of a load run (`reto3 load --record`), as a stream: a file of hundreds of megabytes is never in memory as a whole.

import { messageOf, quote, Reto3Error } from "../errors.ts";
import type { LoadRecord } from "../load/result.ts";
import { DAY_US } from "../period.ts";

/** A record has some 120; without a limit a file of something else would be read into memory as one line. */
const LINE_CHARACTERS_MAX = 100_000;

/** A request that took longer is none: whoever counts by second would count for long. */
const REQUEST_MAX_US = DAY_US;

const OUTCOMES: ReadonlySet<unknown> = new Set(["acked", "refused", "unknown", "unsent"]);

export interface RecordPortion {
  records: LoadRecord[];
  /** How much of the file has been read, 0 to 1. */
  share: number;
}

/**
 * In the order of the file: as the requests ended. A last line that was cut off, as by a kill, is left out and told to
 * `onCut`. Throws USAGE for a file that cannot be read or holds anything else.
 */
export async function* readRecords(path: string, onCut: () => void): AsyncGenerator<RecordPortion> {
  const file = Bun.file(path);
  const decoder = new TextDecoder();
  let rest = "";
  let line = 1;
  let bytes = 0;
  try {
    for await (const chunk of file.stream()) {
      bytes += chunk.length;
      const text = rest + decoder.decode(chunk, { stream: true });
      const end = text.lastIndexOf("\n") + 1;
      rest = text.slice(end);
      if (rest.length > LINE_CHARACTERS_MAX) {
        if (end > 0) line += parseLines(text.slice(0, end), path, line).length;
        throw notARecord(path, line, rest);
      }
      if (end === 0) continue;
      const records = parseLines(text.slice(0, end), path, line);
      line += records.length;
      yield { records, share: Math.min(1, bytes / file.size) };
    }
  } catch (error) {
    if (error instanceof Reto3Error) throw error;
    throw new Reto3Error("USAGE", `${quote(path, 200)} cannot be read: ${messageOf(error)}`, { cause: error });
  }
  if (rest === "") return;
  if (isJson(rest)) yield { records: parseLines(`${rest}\n`, path, line), share: 1 };
  else onCut();
}

/** Whole lines. As one array they parse several times faster than one by one. */
function parseLines(text: string, path: string, firstLine: number): LoadRecord[] {
  let records: unknown[];
  try {
    records = JSON.parse(`[${text.slice(0, -1).replaceAll("\n", ",")}]`) as unknown[];
  } catch {
    const lines = text.split("\n");
    const at = lines.findIndex((one) => !isJson(one));
    throw notARecord(path, firstLine + Math.max(0, at), lines[at] ?? "");
  }
  const at = records.findIndex((record) => !isRecord(record));
  if (at !== -1) throw notARecord(path, firstLine + at, JSON.stringify(records[at]));
  return records as LoadRecord[];
}

function notARecord(path: string, line: number, found: string): Reto3Error {
  return new Reto3Error("USAGE", `${quote(path, 200)}, line ${line}: ${quote(found)} is not a record of a load run`, {
    hint: "want a file that 'reto3 load --record FILE' wrote",
  });
}

function isRecord(value: unknown): value is LoadRecord {
  if (typeof value !== "object" || value === null) return false;
  const { dueUs, sentUs, doneUs, outcome, status } = value as Record<string, unknown>;
  return (
    Number.isSafeInteger(dueUs) &&
    Number.isSafeInteger(doneUs) &&
    (sentUs === null || Number.isSafeInteger(sentUs)) &&
    Math.abs(Number(doneUs) - Number(dueUs)) < REQUEST_MAX_US &&
    Math.abs(Number(sentUs ?? dueUs) - Number(dueUs)) < REQUEST_MAX_US &&
    OUTCOMES.has(outcome) &&
    (status === null || Number.isInteger(status))
  );
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
