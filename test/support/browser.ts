// A real Chromium for the tests of the page. Whatever a page complains of fails its test: errors and warnings of its own, what its
// content security policy forbade, requests that failed, requests to another server.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chromium, type Browser, type BrowserContextOptions, type Page } from "playwright-core";
import { reto3 } from "./reto3.ts";

const file = Bun.which("chromium") ?? Bun.which("chromium-browser") ?? Bun.which("google-chrome");

/** A start beside other tests. */
const LAUNCH_MS = 60_000;

/** Nothing that a page says of itself takes longer, on a busy machine too. */
const SAYS_MS = 30_000;

export interface VisitOptions extends BrowserContextOptions {
  /** Complaints that belong to the case: the browser tells of each answer that is not 2xx, and of each server that is away. */
  expected?: RegExp;
  /** Before the page is asked for. */
  prepare?: (page: Page) => Promise<void>;
}

/** Its end closes the context, and throws if the page complained. To be ended before the server is. */
export interface Visit extends AsyncDisposable {
  readonly page: Page;
}

/** Opens `url` in a context of its own, which shares nothing with any other. */
export type Visitor = (url: string, options?: VisitOptions) => Promise<Visit>;

/** Cases that need Chromium. Without it they are skipped; where CI=true that is a failure. One browser serves them all. */
export function withChromium(cases: (open: Visitor) => void): void {
  const problem = "Chromium is missing; .ci/tools installs it";
  if (!file && process.env["CI"] === "true") test("Chromium is installed", () => expect.unreachable(problem));
  if (!file) console.error(`skipped: ${problem}`);
  describe.skipIf(!file)("in Chromium", () => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await launchChromium();
    }, LAUNCH_MS);
    afterAll(() => browser.close(), LAUNCH_MS);
    cases(async (url, { expected, prepare, ...options } = {}) => {
      const context = await browser.newContext(options);
      context.setDefaultTimeout(SAYS_MS);
      const page = await context.newPage();
      const complaints: string[] = [];
      watch(page, new URL(url).origin, (text) => expected?.test(text) || complaints.push(text));
      await prepare?.(page);
      await page.goto(url);
      return {
        page,
        async [Symbol.asyncDispose]() {
          const said = [...complaints];
          await context.close();
          expect(said).toEqual([]);
        },
      };
    });
  });
}

/** Throws where there is none. */
export function launchChromium(): Promise<Browser> {
  // It has no sandbox for root, as whom containers run.
  const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  return chromium.launch({ ...(file && { executablePath: file }), args });
}

function watch(page: Page, origin: string, complain: (text: string) => void): void {
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complain(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => complain(`error: ${error.stack ?? error.message}`));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.origin !== origin && !["data:", "blob:"].includes(url.protocol)) complain(`request to ${url.href}`);
  });
  page.on("requestfailed", (request) => {
    const why = request.failure()?.errorText ?? "";
    // What the page itself gave up: somebody moved on.
    if (why !== "net::ERR_ABORTED") complain(`request failed: ${request.url()}: ${why}`);
  });
}

/** Resolves when the text of `selector` matches. */
export async function says(page: Page, selector: string, text: string | RegExp): Promise<void> {
  await page.locator(selector, { hasText: text }).waitFor({ state: "attached" });
}

/** Resolves when the page says of its connection that it is so: src/page/index.html has the words. */
export async function connectionIs(page: Page, state: "open" | "lost" | "turned-away" | "unauthorized"): Promise<void> {
  await page.locator(`html[data-connection="${state}"]`).waitFor({ state: "attached" });
}

/** The number that an element shows; NaN where it shows none. */
export async function numberIn(page: Page, selector: string): Promise<number> {
  return Number((await page.locator(selector).innerText()).replaceAll(",", "") || Number.NaN);
}

/** The rows of a table as they are shown, the first one first. */
export async function tableRows(page: Page, selector: string): Promise<string[][]> {
  const rows = await page.locator(`${selector} tbody tr`).allInnerTexts();
  return rows.map((row) => row.split("\t"));
}

/** Resolves when the history shows the answer for what is in view. */
export async function historyIsShown(page: Page): Promise<void> {
  await page.locator('#history-state[data-state="shown"]').waitFor({ state: "attached" });
  await says(page, "#history-summary", /events/);
}

/** What `reto3 count` prints of a range. */
export async function countCsv(
  store: string,
  period: string,
  from: string,
  to: string,
  more: readonly string[] = [],
): Promise<string> {
  const range = ["--period", period, "--from", from, "--to", to, ...more];
  const { code, stdout, stderr } = await reto3(["count", "--store", store, "--format", "csv", ...range]);
  expect([code, stderr]).toEqual([0, expect.stringContaining("events;")]);
  return stdout;
}
