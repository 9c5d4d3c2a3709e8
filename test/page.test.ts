// The page that GET / shows a browser, in a real one, served by the executable: what it shows is what `reto3 count` says, soon, and after
// a restart too. Its states are in page-states.test.ts, how it looks and whom it serves in page-looks.test.ts.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { openStore } from "../src/store/open.ts";
import { countCsv, historyIsShown, connectionIs, numberIn, says, tableRows, withChromium } from "./support/browser.ts";
import { load, startLoad } from "./support/load.ts";
import { writeAt } from "./support/past.ts";
import { reto3, serve, temporaryFolder, until, type Server } from "./support/reto3.ts";

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
  describe("counts", () => {
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
      "of a range by %s are those of `reto3 count`: each row of the table, the total, every byte of the CSV",
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
      "are zoomed to 10 ms with the keyboard, and whoever is sent the address sees the same",
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
      "are zoomed to 10 ms by drawing over them, and Back leads out again",
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
          const query = new URL(page.url()).searchParams;
          const [drawnMs, endMs] = [Date.parse(query.get("from") ?? ""), Date.parse(query.get("to") ?? "")];
          // As good as pixels are.
          expect(Math.abs(drawnMs - (fromMs + 0.4 * spanMs)) / spanMs).toBeLessThan(0.005);
          expect(Math.abs(endMs - (fromMs + 0.45 * spanMs)) / spanMs).toBeLessThan(0.005);
          [fromMs, spanMs] = [drawnMs, endMs - drawnMs];
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
  });

  test(
    "what arrives under load is on the page within two seconds, and is what was counted",
    async () => {
      using folder = temporaryFolder();
      const store = `sqlite:${join(folder.path, "reto3.db")}`;
      await using server = await serve(store);
      await using visit = await open(`${server.url}/?view=rate`);
      const { page } = visit;
      await connectionIs(page, "open");
      const running = startLoad(server.url, ["--rps", "2000"]);
      const seen = await newestSeconds(page, 7);
      await running.stop();
      // The first second of a load is not whole. Browser and server have one clock here.
      const agesMs = seen.map(({ startMs, shownMs }) => shownMs - startMs).toSorted((a, b) => a - b);
      expect(agesMs[Math.floor(agesMs.length / 2)]).toBeLessThan(2_000);
      expect(new Set(seen.map(({ startMs }) => startMs)).size).toBe(seen.length);
      const [first, last] = [seen[0]?.startMs ?? 0, seen.at(-1)?.startMs ?? 0];
      const csv = await countCsv(store, "1s", iso(first), iso(last + 1_000));
      const counted = new Map(csv.split("\n").map((line) => [line.split(",")[0], line.split(",")[1]]));
      for (const { startMs, events } of seen)
        expect([iso(startMs), events]).toEqual([iso(startMs), counted.get(iso(startMs)) ?? "none"]);
      expect(Number(seen.at(-1)?.events)).toBeGreaterThan(1_000);
      // However long it runs, five minutes are kept.
      expect(await tableRows(page, "#rate-table")).toHaveLength(300);
    },
    RUN_MS,
  );

  test.each(["SIGTERM", "SIGKILL"] as const)(
    "a server that ends by %s and is started again: that is said, and the counts go on",
    async (signal) => {
      using folder = temporaryFolder();
      const store = `sqlite:${join(folder.path, "reto3.db")}`;
      await using server = await serve(store);
      await post(server.url, 300);
      // Of each attempt to reach a server that is away Chromium tells.
      await using visit = await open(`${server.url}/?last=15m`, { expected: /net::ERR_/ });
      const { page } = visit;
      await until(async () => (await numberIn(page, "#now-total")) === 300);
      server.kill(signal);
      await server.exited;
      await connectionIs(page, "lost");
      await says(page, '[data-notice="connection"][data-level="problem"]', "No connection to the server");
      await using _ = await serve(store, [], server.port);
      await connectionIs(page, "open");
      await says(page, '[data-notice="restarted"]', "The server was started again");
      expect(await page.locator('[data-notice="connection"]').count()).toBe(0);
      await post(server.url, 200);
      const { stdout } = await reto3(["count", "--store", store, "--last", "15m", "--format", "json"]);
      expect(JSON.parse(stdout)).toMatchObject({ events: 500 });
      await until(async () => (await numberIn(page, "#now-total")) === 500);
    },
    RUN_MS,
  );
});

async function post(url: string, events: number): Promise<void> {
  const body = "value=2016-05-28+11:11:11.123456";
  const answers = await Promise.all(Array.from({ length: events }, () => fetch(url, { method: "POST", body })));
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(events);
}

/** Presses the mouse at one share of the history's width and lets go at another. */
async function drawOver(page: Page, from: number, to: number): Promise<void> {
  const plot = page.locator("#history-plot .u-over");
  await plot.scrollIntoViewIfNeeded();
  const { x, y, width, height } = (await plot.boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };
  await page.mouse.move(x + from * width, y + height / 2);
  await page.mouse.down();
  await page.mouse.move(x + to * width, y + height / 2, { steps: 4 });
  await page.mouse.up();
}

interface Seen {
  startMs: number;
  events: string;
  /** When it was seen there, by the clock that the server goes by too. */
  shownMs: number;
}

/** The newest second of the table whenever that is another one, `count` times, from the first one with events on. */
async function newestSeconds(page: Page, count: number): Promise<Seen[]> {
  const seen: Seen[] = [];
  let before = "";
  await until(async () => {
    const [time = "", shown = ""] = (await page.locator("#rate-table tbody tr").first().innerText()).split("\t");
    const events = shown.replaceAll(",", "");
    if (time === before || (seen.length === 0 && Number(events) === 0)) return false;
    before = time;
    const shownMs = Date.now();
    // The table tells no date.
    const ofToday = Date.parse(`${iso(shownMs).slice(0, 10)}T${time}Z`);
    const startMs = ofToday > shownMs ? ofToday - 24 * HOUR_MS : ofToday;
    return seen.push({ startMs, events, shownMs }) === count;
  });
  return seen;
}
