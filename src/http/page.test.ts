import type { BunRequest } from "bun";
import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { createPage, wantsPage } from "./page.ts";

const STYLE = "body { color: #123 }";
const SCRIPT = 'if (1 < 2) document.title = "$& \u00e4";\n';
const HTML = `<!doctype html><style>${STYLE}</style><p>x</p><script type="module">${SCRIPT}</script>`;

const asking = (headers: Record<string, string>) => new Request("http://x/", { headers }) as BunRequest;
const hashOf = (text: string) => `'sha256-${createHash("sha256").update(text, "utf8").digest("base64")}'`;

test.each([
  ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true],
  ["application/json, Text/HTML", true],
  ["*/*", false],
  ["text/*", false],
  ["text/plain", false],
  ["", false],
])("who accepts %p is shown the page: %p", (accept, expected) => {
  expect(wantsPage(asking(accept === "" ? {} : { accept }))).toBe(expected);
});

test("the page may run what is in it, ask its own server, and nothing else", async () => {
  const answer = createPage(HTML)(asking({}), { Connection: "close" });
  expect([answer.status, await answer.text(), answer.headers.get("connection")]).toEqual([200, HTML, "close"]);
  expect(answer.headers.get("content-security-policy")?.split("; ")).toEqual([
    "default-src 'none'",
    `script-src ${hashOf(SCRIPT)}`,
    `style-src ${hashOf(STYLE)}`,
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ]);
  expect(Object.fromEntries(answer.headers)).toMatchObject({
    "content-type": "text/html; charset=utf-8",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
    vary: "Accept",
  });
});

test("a page without scripts may run none", () => {
  const policy = createPage("<p>x</p>")(asking({}), {}).headers.get("content-security-policy");
  expect(policy).toContain("script-src 'none'; style-src 'none'");
});

test("who has this page is told so, who has another one gets this", async () => {
  const tag = createPage(HTML)(asking({}), {}).headers.get("etag") ?? "";
  const again = createPage(HTML)(asking({ "if-none-match": `W/"other", ${tag}` }), {});
  expect([again.status, await again.text(), again.headers.get("etag")]).toEqual([304, "", tag]);
  expect(createPage(`${HTML} `)(asking({ "if-none-match": tag }), {}).status).toBe(200);
});
