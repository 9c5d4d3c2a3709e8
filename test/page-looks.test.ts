// Whom the page serves: who uses a keyboard or a screen reader, on a phone or a large screen, by day and by night, in any zone.
// In a real browser, served by the executable.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { source as axe } from "axe-core";
import type { Page } from "playwright-core";
import { connectionIs, historyIsShown, numberIn, says, tableRows, withChromium } from "./support/browser.ts";
import { load } from "./support/load.ts";
import { serve, until, type Server } from "./support/reto3.ts";

const RUN_MS = 60_000;
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

interface Violation {
  id: string;
  help: string;
  nodes: { target: string[] }[];
}

// Run in the page: what can be used and is shown, in order, by what tells one from another; and what has the focus, visibly.
const NAME_OF = "(one) => one.id || one.textContent.trim() || one.outerHTML";
const CONTROLS = `
  [...document.querySelectorAll("a[href], button, select, input, summary, [tabindex='0']")]
    .filter((one) => one.checkVisibility()).map(${NAME_OF})`;
const FOCUSED = `
  [document.querySelector(":focus-visible")]
    .map((one) => one && getComputedStyle(one).outlineStyle === "solid" ? (${NAME_OF})(one) : "nothing visible")[0]`;

/** What axe finds against these rules, a line each. */
async function violations(page: Page, rules: readonly string[]): Promise<string[]> {
  const found = await page.evaluate<{ violations: Violation[] }>(`axe.run({ runOnly: ${JSON.stringify(rules)} })`);
  return found.violations.map(
    ({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ target }) => target).join(" ")}`,
  );
}

withChromium((open) => {
  let empty: Server;
  let busy: Server;
  beforeAll(async () => {
    [empty, busy] = await Promise.all([serve("memory:"), serve("memory:")]);
    await load(busy.url, ["--rps", "300", "--duration", "1s"]);
  }, RUN_MS);
  afterAll(async () => {
    await Promise.all([empty[Symbol.asyncDispose](), busy[Symbol.asyncDispose]()]);
  }, RUN_MS);

  test.each([
    ["charts", () => busy.url],
    ["tables", () => `${busy.url}/?view=table`],
    ["an empty store", () => empty.url],
  ] as const)(
    "%s: axe finds nothing against WCAG 2.2 AA, in light and dark colours",
    async (_, url) => {
      // Half-way from one colour to the other none is as it was chosen.
      await using visit = await open(url(), { colorScheme: "light", reducedMotion: "reduce" });
      const { page } = visit;
      await connectionIs(page, "open");
      await historyIsShown(page);
      // By the debugger's way in, which the page's own policy does not bind.
      await page.evaluate(axe);
      expect(await violations(page, RULES)).toEqual([]);
      await page.emulateMedia({ colorScheme: "dark" });
      expect(await violations(page, ["color-contrast"])).toEqual([]);
    },
    RUN_MS,
  );

  test(
    "every control is reached with Tab, in the order in which they stand, and shows that it is",
    async () => {
      await using visit = await open(busy.url);
      const { page } = visit;
      await historyIsShown(page);
      const controls = await page.evaluate<string[]>(CONTROLS);
      expect(controls.length).toBeGreaterThan(25);
      const reached: string[] = [];
      while (reached.length < controls.length) {
        await page.keyboard.press("Tab");
        reached.push(await page.evaluate<string>(FOCUSED));
      }
      expect(reached).toEqual(controls);
    },
    RUN_MS,
  );

  test.each([
    ["a phone", { width: 360, height: 800 }, true],
    ["a tablet", { width: 820, height: 1180 }, true],
    ["a desktop", { width: 1440, height: 900 }, false],
  ] as const)(
    "on %s nothing is wider than the screen, and the rate is on it without scrolling",
    async (_, viewport, hasTouch) => {
      await using visit = await open(busy.url, { viewport, hasTouch, isMobile: hasTouch });
      const { page } = visit;
      await historyIsShown(page);
      for (const id of ["now-rate", "now-state", "now-total"]) {
        const box = await page.locator(`#${id}`).boundingBox();
        expect([id, (box?.y ?? Infinity) + (box?.height ?? 0) < viewport.height]).toEqual([id, true]);
      }
      expect(await page.evaluate<number>("document.documentElement.scrollWidth")).toBe(viewport.width);
      await page.locator("#history-table-button").click();
      await page.locator("#history details summary").click();
      await page.locator("#exact-form").waitFor();
      expect(await page.evaluate<number>("document.documentElement.scrollWidth")).toBe(viewport.width);
    },
    RUN_MS,
  );

  test(
    "in another zone the times are others and the counts are not, and the choice is kept",
    async () => {
      // Half an hour off UTC, so that no hour looks right by chance.
      await using visit = await open(`${busy.url}/?last=15m&view=history`, { timezoneId: "Asia/Kolkata" });
      const { page } = visit;
      await historyIsShown(page);
      const inUtc = await tableRows(page, "#history-table");
      await says(page, "#history-table thead", "Start, UTC");
      await page.locator("#zone").selectOption("local");
      await says(page, "#history-table thead", "Start, UTC+05:30");
      await says(page, "#history-range", "UTC+05:30");
      const local = await tableRows(page, "#history-table");
      expect(local.map(([, ...values]) => values)).toEqual(inUtc.map(([, ...values]) => values));
      const later = (time = "") => new Date(Date.parse(`${time.replace(" ", "T")}Z`) + 5.5 * 3_600_000).toISOString();
      expect(local.map(([time]) => time)).toEqual(inUtc.map(([time]) => later(time).replace("T", " ").slice(0, 19)));
      expect(inUtc.length).toBeGreaterThan(0);
      await page.waitForURL(/tz=local/);
      await page.goto(busy.url);
      await says(page, "#history-range", "UTC+05:30");
    },
    RUN_MS,
  );

  test(
    "the colours are the system's until others are chosen, which is kept",
    async () => {
      await using visit = await open(busy.url, { colorScheme: "dark" });
      const { page } = visit;
      await connectionIs(page, "open");
      const ground = () => page.evaluate<string>("getComputedStyle(document.body).backgroundColor");
      const dark = await ground();
      await page.locator("#theme").selectOption("light");
      const light = await ground();
      expect(light).not.toBe(dark);
      await page.reload();
      await connectionIs(page, "open");
      expect(await ground()).toBe(light);
      await page.locator("#theme").selectOption("system");
      expect(await ground()).toBe(dark);
    },
    RUN_MS,
  );

  test(
    "what is paused stands still while another page goes on, until it goes on too",
    async () => {
      await using server = await serve("memory:");
      const post = () => fetch(server.url, { method: "POST", body: "value=2016-05-28+11:11:11.123456" });
      await post();
      await using still = await open(server.url);
      await using other = await open(server.url);
      for (const { page } of [still, other]) await until(async () => (await numberIn(page, "#now-total")) === 1);
      await still.page.locator("#pause").click();
      await says(still.page, '[data-notice="paused"]', "Paused");
      await post();
      await until(async () => (await numberIn(other.page, "#now-total")) === 2);
      expect(await numberIn(still.page, "#now-total")).toBe(1);
      await still.page.locator("#pause").click();
      await until(async () => (await numberIn(still.page, "#now-total")) === 2);
    },
    RUN_MS,
  );
});
