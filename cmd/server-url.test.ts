import { describe, expect, test } from "bun:test";
import { isLoopback, openableUrl, parseServerUrl } from "./server-url.ts";

describe("is reached from this machine alone", () => {
  test.each([
    ["127.0.0.1", true],
    ["127.0.0.53", true],
    ["localhost", true],
    ["::1", true],
    ["[::1]", true],
    ["0.0.0.0", false],
    ["::", false],
    ["10.0.0.127", false],
    ["127.0.0.1.example.org", false],
    ["localhost.example.org", false],
  ])("%s: %p", (host, expected) => expect(isLoopback(host)).toBe(expected));
});

test.each([
  ["http://0.0.0.0:8080", "http://localhost:8080"],
  ["https://[::]:8443", "https://localhost:8443"],
  ["http://127.0.0.1:8080", "http://127.0.0.1:8080"],
  ["http://10.0.0.0:8080", "http://10.0.0.0:8080"],
  ["http://[::1]:8080", "http://[::1]:8080"],
])("in a browser %s is opened as %s", (url, expected) => expect(openableUrl(url)).toBe(expected));

test.each([
  "localhost",
  "ftp://127.0.0.1/",
  "http://127.0.0.1/counts",
  "https://127.0.0.1/?x=1",
  "https://ann@127.0.0.1/",
])("%s is no address of a serve", (url) => {
  expect(() => parseServerUrl(url)).toThrow("want http://HOST:PORT/ or https://HOST:PORT/");
});
