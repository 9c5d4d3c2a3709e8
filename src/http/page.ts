// The page that GET / shows a browser: one file, with all that may run in it named by hash in its Content-Security-Policy.
// Knows nothing of what the page does. https://www.w3.org/TR/CSP3/

import { hash } from "node:crypto";
import type { BunRequest } from "bun";

/** `html`: whole in itself, with inline scripts and styles. */
export function createPage(html: string): (request: BunRequest, more: Record<string, string>) => Response {
  const tag = `"${digestOf(html)}"`;
  const headers = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": [
      "default-src 'none'",
      `script-src ${hashesOf(html, "script")}`,
      `style-src ${hashesOf(html, "style")}`,
      "connect-src 'self'",
      "img-src data:",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ].join("; "),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    // Asked for again each time, and answered 304 where it is still the same.
    "Cache-Control": "no-cache",
    ETag: tag,
    Vary: "Accept",
  };
  return (request, more) => {
    const isKnown = request.headers.get("if-none-match")?.includes(tag) === true;
    const head = { status: isKnown ? 304 : 200, headers: { ...headers, ...more } };
    return new Response(isKnown ? null : html, head);
  };
}

/** Whether it is a browser that somebody looks at: other clients take anything, or do not say. */
export function wantsPage(request: BunRequest): boolean {
  return request.headers.get("accept")?.toLowerCase().includes("text/html") === true;
}

function hashesOf(html: string, element: "script" | "style"): string {
  const blocks = html.matchAll(new RegExp(`<${element}[^>]*>(.*?)</${element}>`, "gs"));
  const hashes = [...blocks].map(([, text = ""]) => `'sha256-${digestOf(text)}'`);
  return hashes.join(" ") || "'none'";
}

function digestOf(text: string): string {
  return hash("sha256", text, "base64");
}
