// The page that GET / shows a browser, in a real one, served by the executable: what it shows is what `reto3 count` says, soon, and after
// a restart too. Its history is in page-history.test.ts, its states in page-states.test.ts, how it looks and whom it serves in
// page-looks.test.ts.

import { expect, test } from "bun:test";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { connectionIs, countCsv, numberIn, says, tableRows, withChromium } from "./support/browser.ts";
import { startLoad } from "./support/load.ts";
import { reto3, serve, temporaryFolder, until } from "./support/reto3.ts";
import { testStores } from "./support/stores.ts";

const RUN_MS = 60_000;
const HOUR_MS = 3_600_000;

const iso = (ms: number) => new Date(ms).toISOString();

withChromium((open) => {
  test.each(testStores.filter(({ available }) => available))(
    "what arrives under load is on the page within two seconds, and is what was counted: $name",
    async ({ name, open: openStore }) => {
      await using resources = new AsyncDisposableStack();
      const { address: store, dispose } = openStore();
      resources.defer(async () => void (await dispose()));
      await using server = await serve(store, name === "cassandra" ? ["--workers", "2"] : []);
      await using visit = await open(`${server.url}/?view=rate`);
      const { page } = visit;
      await connectionIs(page, "open");
      const running = startLoad(server.url, ["--rps", "2000"]);
      const seen = await newestSeconds(page, 5);
      await running.stop();
      // One may be late where the machine is; were the page slow, or falling behind, both of the last two would be. Browser and server have one clock here.
      expect(Math.min(...seen.slice(-2).map(({ startMs, shownMs }) => shownMs - startMs))).toBeLessThan(2_000);
      expect(new Set(seen.map(({ startMs }) => startMs)).size).toBe(seen.length);
      // A second that is just over may still grow: a flush of it is on its way.
      const [first, last] = [seen[0]?.startMs ?? 0, seen.at(-1)?.startMs ?? 0];
      const csv = await countCsv(store, "1s", iso(first), iso(last + 1_000), ["--zeros"]);
      const counted = csv
        .trimEnd()
        .split("\n")
        .slice(1)
        .map((line) => `${line.slice(11, 19)} ${line.split(",")[1]}`);
      expect(counted).toHaveLength((last - first) / 1_000 + 1);
      await until(async () => {
        const rows = await tableRows(page, "#rate-table");
        const shown = new Set(rows.map(([time, events = ""]) => `${time} ${events.replaceAll(",", "")}`));
        return counted.every((line) => shown.has(line));
      });
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

interface Seen {
  startMs: number;
  /** When it was seen there, by the clock that the server goes by too. */
  shownMs: number;
}

/** The newest second of the table whenever that is another one, `count` times, from the first one with events on. */
async function newestSeconds(page: Page, count: number): Promise<Seen[]> {
  const seen: Seen[] = [];
  let before = "";
  await until(async () => {
    const [time = "", shown = ""] = (await page.locator("#rate-table tbody tr").first().innerText()).split("\t");
    if (time === before || (seen.length === 0 && shown === "0")) return false;
    before = time;
    const shownMs = Date.now();
    // The table tells no date.
    const ofToday = Date.parse(`${iso(shownMs).slice(0, 10)}T${time}Z`);
    const startMs = ofToday > shownMs ? ofToday - 24 * HOUR_MS : ofToday;
    return seen.push({ startMs, shownMs }) === count;
  });
  return seen;
}
