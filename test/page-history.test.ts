// The history of the page in a real browser, served by the executable: what it shows is what `reto3 count` says, down to 10 ms, however one
// gets there, and the address that is sent to somebody shows the same.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { openStore } from "../src/store/open.ts";
import { connectionIs, countCsv, historyIsShown, numberIn, says, tableRows, withChromium } from "./support/browser.ts";
import { load } from "./support/load.ts";
import { writeAt } from "./support/past.ts";
import { serve, temporaryFolder, until, type Server } from "./support/reto3.ts";

const RUN_MS = 60_000;
const HOUR_MS = 3_600_000;

const iso = (ms: number) => new Date(ms).toISOString();

/** Three hours of events that lie some seconds apart, up to half an hour ago: what `/counts` and the page have to agree on. */
function pastTimes(nowMs: number): number[] {
  const times: number[] = [];
  for (let ms = nowMs - 3.5 * HOUR_MS; ms < nowMs - HOUR_MS / 2; ms += 1_300 + (times.length % 7) * 530) {
    times.push(Math.round(ms * 1_000));
    // Some buckets have several.
    if (times.length % 5 === 0) times.push(Math.round(ms * 1_000) + 900);
  }
  return times;
}

/** A row of a table of the history as its line of the CSV, without its time. */
function asCsv([, events = "", ...lagsMs]: string[]): string {
  const us = lagsMs.map((ms) => Math.round(Number(ms.replaceAll(",", "")) * 1_000));
  return [events.replaceAll(",", ""), ...us].join(",");
}

withChromium((open) => {
  const nowMs = Math.floor(Date.now() / 1_000) * 1_000;
  const folder = temporaryFolder();
  const store = `sqlite:${join(folder.path, "reto3.db")}`;
  let server: Server;
  beforeAll(async () => {
    const past = await openStore(store, { mode: "serve" });
    await writeAt(past, pastTimes(nowMs));
    await past.close();
    server = await serve(store);
    await load(server.url, ["--rps", "1000", "--duration", "1s"]);
  }, RUN_MS);
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  }, RUN_MS);

  test.each([
    ["1m", nowMs - 4 * HOUR_MS, nowMs + 60_000],
    ["1s", nowMs - 1.25 * HOUR_MS, nowMs - HOUR_MS],
    ["10ms", nowMs - HOUR_MS, nowMs - HOUR_MS + 15_000],
  ])(
    "counts of a range by %s are those of `reto3 count`: each row of the table, the total, every byte of the CSV",
    async (period, fromMs, toMs) => {
      await using visit = await open(`${server.url}/?from=${iso(fromMs)}&to=${iso(toMs)}&view=history`);
      const { page } = visit;
      await historyIsShown(page);
      const downloading = page.waitForEvent("download");
      await page.locator("#history-csv").click();
      const csv = readFileSync(await (await downloading).path(), "utf8");
      expect(csv).toBe(await countCsv(store, period, iso(fromMs), iso(toMs)));
      const lines = csv.trimEnd().split("\n").slice(1);
      expect(lines.length).toBeGreaterThan(4);
      const rows = (await tableRows(page, "#history-table")).toReversed();
      expect(rows.map(asCsv)).toEqual(lines.map((line) => line.slice(line.indexOf(",") + 1)));
      const times = rows.map(([time = ""]) => time);
      expect(lines.map((line) => line.replace("T", " ").slice(0, times[0]?.length))).toEqual(times);
      const total = lines.reduce((sum, line) => sum + Number(line.split(",")[1]), 0);
      expect(await numberIn(page, "#now-total")).toBe(total);
    },
    RUN_MS,
  );

  test(
    "counts are zoomed to 10 ms with the keyboard, and whoever is sent the address sees the same",
    async () => {
      await using visit = await open(server.url);
      const { page } = visit;
      await connectionIs(page, "open");
      await page.locator("#history-chart").focus();
      await page.keyboard.press("Home");
      await page.waitForURL(/from=.*&to=/);
      for (let step = 0; step < 8; step++) await page.keyboard.press("+");
      await says(page, "#history-period", "10 ms");
      await page.locator("#history-table-button").focus();
      await page.keyboard.press("Enter");
      await page.waitForURL(/view=history/);
      await historyIsShown(page);
      const rows = await tableRows(page, "#history-table");
      expect(rows.length).toBeGreaterThan(2);
      const range = await page.locator("#history-range").innerText();

      await using sent = await open(page.url());
      await historyIsShown(sent.page);
      expect(await sent.page.locator("#history-range").innerText()).toBe(range);
      expect(await tableRows(sent.page, "#history-table")).toEqual(rows);
      expect(await numberIn(sent.page, "#now-total")).toBe(await numberIn(page, "#now-total"));

      await page.locator("#follow").focus();
      await page.keyboard.press("Space");
      await says(page, "#history-range", /^the last/);
      await page.waitForURL((url) => !url.search.includes("from="));
    },
    RUN_MS,
  );

  test(
    "counts are zoomed to 10 ms by drawing over them, and Back leads out again",
    async () => {
      const startMs = nowMs - 2 * HOUR_MS;
      await using visit = await open(`${server.url}/?from=${iso(startMs)}&to=${iso(startMs + HOUR_MS)}`);
      const { page } = visit;
      await historyIsShown(page);
      let [fromMs, spanMs] = [startMs, HOUR_MS];
      for (const period of ["second", "10 ms"]) {
        const before = page.url();
        await drawOver(page, 0.4, 0.45);
        await page.waitForURL((url) => url.href !== before);
        await says(page, "#history-period", period);
        const drawn = rangeOf(page);
        // As good as pixels are.
        expect((drawn.fromMs - fromMs) / spanMs).toBeWithin(0.395, 0.405);
        expect((drawn.toMs - fromMs) / spanMs).toBeWithin(0.445, 0.455);
        [fromMs, spanMs] = [drawn.fromMs, drawn.toMs - drawn.fromMs];
      }
      await historyIsShown(page);
      expect(await numberIn(page, "#now-total")).toBeGreaterThan(0);
      await page.goBack();
      await says(page, "#history-period", "second");
      await page.goBack();
      await says(page, "#history-period", "minute");
      await says(page, "#history-range", iso(startMs).slice(11, 16));
      await page.goForward();
      await says(page, "#history-period", "second");
    },
    RUN_MS,
  );

  test(
    "an exact range that was filled in stays the same when the zone is another",
    async () => {
      const startMs = nowMs - 2 * HOUR_MS;
      const range = `?from=${iso(startMs)}&to=${iso(startMs + HOUR_MS)}`;
      await using visit = await open(`${server.url}/${range}`, { timezoneId: "Asia/Kolkata" });
      const { page } = visit;
      await historyIsShown(page);
      await page.locator("#history summary").click();
      await says(page, "#exact-zone", /^UTC$/);
      await page.locator("#zone").selectOption("local");
      await says(page, "#exact-zone", "UTC+05:30");
      const from = Date.parse(`${await page.locator("#from").inputValue()}+05:30`);
      const to = Date.parse(`${await page.locator("#to").inputValue()}+05:30`);
      expect([from, to]).toEqual([startMs, startMs + HOUR_MS]);
    },
    RUN_MS,
  );

  test(
    "counts are moved with a finger, and zoomed with two and with the wheel",
    async () => {
      const startMs = nowMs - 2 * HOUR_MS;
      const address = `${server.url}/?from=${iso(startMs)}&to=${iso(startMs + HOUR_MS)}`;
      await using visit = await open(address, { viewport: { width: 360, height: 800 }, hasTouch: true });
      const { page } = visit;
      await historyIsShown(page);
      const { x, y, width, height } = await plotBox(page);
      const debug = await page.context().newCDPSession(page);
      const touch = async (type: "touchStart" | "touchMove" | "touchEnd", ...shares: number[]) => {
        const touchPoints = shares.map((share, id) => ({ id, x: x + share * width, y: y + height / 2 }));
        await debug.send("Input.dispatchTouchEvent", { type, touchPoints });
      };
      await touch("touchStart", 0.2);
      for (const share of [0.3, 0.5, 0.7]) await touch("touchMove", share);
      await touch("touchEnd");
      // The address follows when nothing has moved for a moment, which may be between two touches.
      await until(async () => startMs - rangeOf(page).fromMs > 0.4 * HOUR_MS);
      const moved = rangeOf(page);
      expect(moved.toMs - moved.fromMs).toBe(HOUR_MS);
      expect((startMs - moved.fromMs) / HOUR_MS).toBeWithin(0.4, 0.55);

      await touch("touchStart", 0.4, 0.6);
      for (const by of [0.05, 0.15, 0.3]) await touch("touchMove", 0.4 - by, 0.6 + by);
      await touch("touchEnd");
      await until(async () => rangeOf(page).toMs - rangeOf(page).fromMs < 0.32 * HOUR_MS);
      const near = rangeOf(page);
      expect((near.toMs - near.fromMs) / HOUR_MS).toBeWithin(0.2, 0.32);
      expect(near.fromMs).toBeGreaterThan(moved.fromMs);
      expect(near.toMs).toBeLessThan(moved.toMs);

      await page.mouse.move(x + width / 2, y + height / 2);
      await page.mouse.wheel(0, 400);
      await page.waitForURL((url) => url.searchParams.get("from") !== iso(near.fromMs));
      const far = rangeOf(page);
      expect(far.toMs - far.fromMs).toBeGreaterThan(near.toMs - near.fromMs);
    },
    RUN_MS,
  );
});

/** Presses the mouse at one share of the history's width and lets go at another. */
async function drawOver(page: Page, from: number, to: number): Promise<void> {
  const { x, y, width, height } = await plotBox(page);
  await page.mouse.move(x + from * width, y + height / 2);
  await page.mouse.down();
  await page.mouse.move(x + to * width, y + height / 2, { steps: 4 });
  await page.mouse.up();
}

/** Where the history's chart is in the window, between its axes. */
async function plotBox(page: Page): Promise<{ x: number; y: number; width: number; height: number }> {
  const plot = page.locator("#history-plot .u-over");
  await plot.scrollIntoViewIfNeeded();
  const box = await plot.boundingBox();
  if (!box) throw new Error("the history has no chart");
  return box;
}

/** What the address says is looked at. */
function rangeOf(page: Page): { fromMs: number; toMs: number } {
  const query = new URL(page.url()).searchParams;
  return { fromMs: Date.parse(query.get("from") ?? ""), toMs: Date.parse(query.get("to") ?? "") };
}
