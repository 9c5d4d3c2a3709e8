import { afterEach, expect, test } from "bun:test";
import { authorization, keepReadToken } from "./settings.ts";

afterEach(() => keepReadToken(""));

test("without a token nothing is sent along", () => {
  expect(authorization()).toEqual({});
});

test.each([
  ["a token", "ab+/9._~-=", "Bearer ab+/9._~-="],
  ["one that was pasted with a character that is not seen", "ab\u200bcd", "Bearer ab?cd"],
  ["words", "… that one", "Bearer ??that?one"],
])("%s can be sent along, so that the server says whether it is good", (_, token, expected) => {
  keepReadToken(token);
  expect(new Headers(authorization()).get("authorization")).toBe(expected);
});
