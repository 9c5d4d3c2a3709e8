// The command line of `npm run cassandra`, without starting anything.

import { join } from "node:path";
import { expect, test } from "bun:test";
import { type ParsedArgs, parseOptions, usage } from "./options.ts";

type StartOptions = Extract<ParsedArgs, { kind: "start" }>;

test.each<[string, string[], Omit<StartOptions, "kind">]>([
  [
    "no flags: one node where clients expect it",
    [],
    { nodes: 1, nativePort: 9042, heapMb: 512, commitlogSync: "batch" },
  ],
  ["three nodes", ["--nodes", "3"], { nodes: 3, nativePort: 9042, heapMb: 512, commitlogSync: "batch" }],
  [
    "values after =, a heap in G",
    ["--port=0", "--heap=2G"],
    { nodes: 1, nativePort: 0, heapMb: 2048, commitlogSync: "batch" },
  ],
  [
    "a heap in M, small letter",
    ["--heap", "768m"],
    { nodes: 1, nativePort: 9042, heapMb: 768, commitlogSync: "batch" },
  ],
  ["another commit log", ["--sync", "group"], { nodes: 1, nativePort: 9042, heapMb: 512, commitlogSync: "group" }],
])("%s", (_, args, wanted) => {
  expect(parseOptions(args)).toEqual({ kind: "start", ...wanted });
});

test.each([
  ["an unknown flag", ["--node", "3"], "--node"],
  ["a value that is missing", ["--nodes"], "--nodes"],
  ["a word that is no flag", ["3"], "3"],
  ["no node at all", ["--nodes", "0"], '--nodes "0": not a whole number from 1 to 9'],
  ["more nodes than addresses", ["--nodes", "10"], '--nodes "10": not a whole number from 1 to 9'],
  ["half a node", ["--nodes", "1.5"], '--nodes "1.5": not a whole number from 1 to 9'],
  ["a port out of range", ["--port", "65536"], '--port "65536": not a whole number from 0 to 65535'],
  ["a heap without a unit", ["--heap", "512"], '--heap "512": not a size of 256M or more, such as 512M or 2G'],
  ["a heap too small to start", ["--heap", "64M"], '--heap "64M": not a size of 256M or more, such as 512M or 2G'],
  ["an unknown commit log", ["--sync", "always"], '--sync "always": not one of batch, group, periodic'],
])("%s is refused", (_, args, problem) => {
  expect(parseOptions(args)).toEqual({ kind: "wrong", problem: expect.stringContaining(problem) });
});

test("a wrong flag ends the command with 2, and the usage goes to stderr", async () => {
  expect(await runCommand("--nope")).toEqual({
    code: 2,
    stdout: "",
    stderr: expect.stringMatching(/--nope[^]*usage: npm run cassandra/),
  });
});

test("--help prints the usage on stdout and ends with 0", async () => {
  expect(await runCommand("--help")).toEqual({ code: 0, stdout: usage, stderr: "" });
});

async function runCommand(...args: string[]) {
  const command = Bun.spawn([process.execPath, join(import.meta.dir, "main.ts"), ...args], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, code] = await Promise.all([command.stdout.text(), command.stderr.text(), command.exited]);
  return { code, stdout, stderr };
}
