import { expect, test } from "bun:test";
import { SseParser } from "./sse.ts";

const TEXT = 'event: snapshot\ndata: {"a":1}\n\n: a comment\n\nevent: tick\ndata: x\ndata: y\n\n';
const MESSAGES = [
  { event: "snapshot", data: '{"a":1}' },
  { event: "tick", data: "x\ny" },
];

test("messages come out whole wherever the text is cut", () => {
  for (let cut = 0; cut <= TEXT.length; cut++) {
    const parser = new SseParser();
    expect([...parser.push(TEXT.slice(0, cut)), ...parser.push(TEXT.slice(cut))]).toEqual(MESSAGES);
  }
});

test("one character at a time, with lines that end in \\r\\n", () => {
  const parser = new SseParser();
  const messages = TEXT.replaceAll("\n", "\r\n")
    .split("")
    .flatMap((char) => parser.push(char));
  expect(messages).toEqual(MESSAGES);
});

test.each([
  ["an event without data is none", "event: tick\n\n", []],
  ["without a name it is a message", "data: 1\n\n", [{ event: "message", data: "1" }]],
  ["only the first space goes", "data:  1\n\n", [{ event: "message", data: " 1" }]],
  ["a field without a colon has no value", "data\n\n", [{ event: "message", data: "" }]],
  ["what is not ended yet is kept back", "data: 1\n", []],
  ["other fields are passed over", "id: 7\nretry: 10\ndata: 1\n\n", [{ event: "message", data: "1" }]],
])("%s", (_name, text, messages) => {
  expect(new SseParser().push(text)).toEqual(messages);
});

test("a line without an end is an error, not a full memory", () => {
  const parser = new SseParser();
  const push = () => parser.push("x".repeat(1_000_000));
  for (let times = 0; times < 4; times++) push();
  expect(push).toThrow("no end");
});
