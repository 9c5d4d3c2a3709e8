import { describe, expect, test } from "bun:test";
import { Reto3Error } from "../src/errors.ts";
import { defineCommand, duration, list, oneOf, parseFlags, text, toggle, whole, wholeOrAuto } from "./flags.ts";

const flags = {
  name: text("name", { description: "a name" }),
  rps: whole("number", 1, 100, { default: "50", env: "RETO3_RPS", description: "a rate" }),
  wait: duration({ default: "10s", description: "a duration" }),
  format: oneOf(["text", "json"], { default: "text", description: "a choice" }),
  zeros: toggle("a switch"),
  many: wholeOrAuto("number", 1, 64, { default: "1", description: "a number, or what fits" }),
};

const parse = (argv: string[], env: Record<string, string> = {}) => parseFlags(flags, argv, env);

describe("flags", () => {
  test("have their defaults", () => {
    expect(parse([])).toEqual({ name: undefined, rps: 50, wait: 10_000, format: "text", zeros: false, many: 1 });
  });

  test("reach the command, in both forms", () => {
    expect(parse(["--name", "x", "--rps=7", "--wait", "1m", "--format", "json", "--zeros", "--many", "4"])).toEqual({
      name: "x",
      rps: 7,
      wait: 60_000,
      format: "json",
      zeros: true,
      many: 4,
    });
    expect(parse(["--many", "auto"]).many).toBe("auto");
  });

  test("may be given several times where they are a list", async () => {
    const several = { file: list("file", "a file") };
    expect(parseFlags(several, [], {}).file).toEqual([]);
    expect(parseFlags(several, ["--file", "a", "--file=b"], {}).file).toEqual(["a", "b"]);
    const command = defineCommand({ name: "x", summary: "", flags: several, notes: "", run: async () => 0 });
    expect(await command.help()).toContain("(may be given several times)");
  });

  test("go before variables, and those before defaults", () => {
    expect(parse([], { RETO3_RPS: "60" }).rps).toBe(60);
    expect(parse(["--rps", "70"], { RETO3_RPS: "60" }).rps).toBe(70);
    expect(parse([], { RETO3_RPS: "" }).rps).toBe(50);
  });

  test.each([
    ["an unknown flag", ["--nope"], {}],
    ["a misspelled flag", ["--rp", "5"], {}],
    ["a missing value", ["--rps"], {}],
    ["a flag for a value", ["--rps", "--zeros"], {}],
    ["a number out of range", ["--rps", "101"], {}],
    ["a number that is none", ["--rps", "five"], {}],
    ["a fraction", ["--rps", "1.5"], {}],
    ["a duration without a unit", ["--wait", "10"], {}],
    ["no time at all where there must be some", ["--wait", "0s"], {}],
    ["a choice that is none", ["--format", "xml"], {}],
    ["a value for a switch", ["--zeros=1"], {}],
    ["a number that is neither one nor auto", ["--many", "all"], {}],
    ["no process at all", ["--many", "0"], {}],
    ["an argument", ["extra"], {}],
    ["an empty value", ["--name", ""], {}],
    ["a variable that does not parse", [], { RETO3_RPS: "fast" }],
  ])("are refused: %s", (_, argv, env) => {
    let failure: unknown;
    try {
      parse(argv, env);
    } catch (error) {
      failure = error;
    }
    expect((failure as Reto3Error).code).toBe("USAGE");
  });

  test("a variable that does not parse is named in the error", () => {
    expect(() => parse([], { RETO3_RPS: "fast" })).toThrow(
      'RETO3_RPS: "fast" is not accepted; want a whole number from 1 to 100',
    );
  });
});

test.each([
  ["without its flag", ["cassandra://ann:pass/word@h/k"]],
  ["where a number belongs", ["--rps", "cassandra://ann:pass/word@h/k"]],
])("an address %s is an error that does not show its password", (_, argv) => {
  expect(() => parseFlags(flags, argv, {})).toThrow("cassandra://***@h/k");
  expect(() => parseFlags(flags, argv, {})).not.toThrow("word");
});

test("the help has every flag with its default and its variable, and the notes", async () => {
  const command = defineCommand({ name: "x", summary: "does x", flags, notes: "Example: x", run: async () => 0 });
  const help = Bun.stripANSI(await command.help());
  for (const part of ["--name=<name>", "--rps=<number>", "(Default: 50)", "[RETO3_RPS]", "--zeros", "Example: x"]) {
    expect(help).toContain(part);
  }
});
