import { describe, expect, test } from "bun:test";
import { Tokens } from "./tokens.ts";

const FIRST = "0123456789abcdef+/-._~==";
const SECOND = "fedcba9876543210";

describe("a header is accepted", () => {
  test.each([
    ["with the one token", [FIRST], `Bearer ${FIRST}`],
    ["with the first of two", [FIRST, SECOND], `Bearer ${FIRST}`],
    ["with the second of two", [FIRST, SECOND], `Bearer ${SECOND}`],
    ["whatever the scheme's case", [FIRST], `bEARER ${FIRST}`],
    ["with several spaces", [FIRST], `Bearer   ${FIRST} `],
  ])("%s", (_, tokens, header) => expect(new Tokens(tokens).accepts(header)).toBe(true));
});

describe("a header is not accepted", () => {
  test.each([
    ["that is not there", null],
    ["that is empty", ""],
    ["with another token", `Bearer ${SECOND.replace("f", "0")}`],
    ["with a token in another case", `Bearer ${FIRST.toUpperCase()}`],
    ["with the beginning of a token", `Bearer ${FIRST.slice(0, -1)}`],
    ["with more than a token", `Bearer ${FIRST}=`],
    ["with two tokens", `Bearer ${FIRST} ${FIRST}`],
    ["sent twice, as a server joins them", `Bearer ${FIRST}, Bearer ${FIRST}`],
    ["without a scheme", FIRST],
    ["of another scheme", `Basic ${FIRST}`],
    ["with a word before the scheme", `x Bearer ${FIRST}`],
    ["without a space", `Bearer${FIRST}`],
    ["without a token", "Bearer "],
    ["with a line more", `Bearer ${FIRST}\n`],
  ])("%s", (_, header) => expect(new Tokens([FIRST, SECOND]).accepts(header)).toBe(false));

  test("where there are no tokens", () => expect(new Tokens([]).accepts(`Bearer ${FIRST}`)).toBe(false));
});
