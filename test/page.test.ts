// The page that GET / shows a browser, in a real one, served by the executable: what it shows is what `reto3 count` says, soon, and after
// a restart too. Its states are in page-states.test.ts, how it looks and whom it serves in page-looks.test.ts.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { openStore } from "../src/store/open.ts";
import { countCsv, historyIsShown, isConnected, numberIn, says, tableRows, withChromium } from "./support/browser.ts";
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
  });

  test(
    "what arrives under load is on the page within two seconds, and is what was counted",
    async () => {
      using folder = temporaryFolder();
      const store = `sqlite:${join(folder.path, "reto3.db")}`;
      await using server = await serve(store);
      await using visit = await open(`${server.url}/?view=rate`);
      const { page } = visit;
      await isConnected(page);
      const running = startLoad(server.url, ["--rps", "2000"]);
      const seen = await newestSeconds(page, 9);
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
});

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
void [reto3, says];
