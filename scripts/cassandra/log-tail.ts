// The end of a log file, for error messages. Knows nothing of whose log it is.

const tailBytes = 64 * 1024;
// Cassandra prints its whole configuration as one line of 15 KB.
const lineCharsMax = 300;

/** The last lines of a file, indented; "(no output)" when there is none. */
export async function readLastLines(path: string, linesMax = 20): Promise<string> {
  const text = await readEnd(path);
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  if (lines.length === 0) return "  (no output)";
  const shown = lines.slice(-linesMax);
  return shown.map((line) => `  ${line.length > lineCharsMax ? `${line.slice(0, lineCharsMax)}...` : line}`).join("\n");
}

async function readEnd(path: string): Promise<string> {
  try {
    const file = Bun.file(path);
    const { size } = await file.stat();
    return await file.slice(Math.max(0, size - tailBytes)).text();
  } catch {
    return "";
  }
}
