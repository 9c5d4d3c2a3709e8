// What the page says when it is not as usual: an empty store, a token, a server that is silent or full, a store that is held up, clocks
// that differ, counts that have expired, no JavaScript. In a real browser, served by the executable.

import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { VIEWERS_MAX } from "../src/config.ts";
import { openStore } from "../src/store/open.ts";
import { historyIsShown, connectionIs, numberIn, says, tableRows, withChromium } from "./support/browser.ts";
import { canMakeCertificates, makeCertificate } from "./support/certificate.ts";
import { PAST_US, writePast } from "./support/past.ts";
import { reto3, serve, temporaryFolder, until } from "./support/reto3.ts";

const RUN_MS = 60_000;
const EVENT = "value=2016-05-28+11:11:11.123456";
const TOKEN = randomBytes(32).toString("hex");

const iso = (us: number) => new Date(us / 1_000).toISOString();

withChromium((open) => {
  test(
    "an empty store: how to send the first event, which then appears",
    async () => {
      await using server = await serve("memory:");
      await using visit = await open(server.url);
      const { page } = visit;
      await page.locator("#empty").waitFor();
      const [, body = "", url = ""] =
        /^curl -d '(.*)' (\S+)$/.exec(await page.locator("#empty-curl").innerText()) ?? [];
      expect(await page.locator("#empty-load").innerText()).toStartWith(`reto3 load --url ${url} `);
      expect((await fetch(url, { method: "POST", body })).status).toBe(200);
      await page.locator("#empty").waitFor({ state: "hidden" });
      // Where it stays.
      expect(await page.locator("#about-send").innerText()).toBe(`curl -d '${body}' ${url}`);
      await until(async () => (await numberIn(page, "#now-total")) === 1);
    },
    RUN_MS,
  );

  test(
    "a store that is young is shown fifteen minutes of, also after the link to the history",
    async () => {
      await using server = await serve("memory:");
      await fetch(server.url, { method: "POST", body: EVENT });
      await using visit = await open(server.url);
      const { page } = visit;
      await says(page, "#history-range", "the last 15 min");
      await page.locator("a.skip").focus();
      await page.keyboard.press("Enter");
      await page.waitForURL(/last=15m.*#history$/);
    },
    RUN_MS,
  );

  describe("a server that wants a token", () => {
    const withToken = async (folder: string, args: string[] = []) => {
      const file = join(folder, "read-tokens");
      writeFileSync(file, TOKEN, { mode: 0o600 });
      return serve("memory:", ["--read-token-file", file, ...args]);
    };

    test(
      "is shown to who has one, for as long as the tab is there; it is in no address",
      async () => {
        using folder = temporaryFolder();
        await using server = await withToken(folder.path);
        // Chromium tells of each 401.
        await using visit = await open(server.url, { expected: /status of 401/ });
        const { page } = visit;
        const asked: string[] = [];
        page.on("request", (request) => asked.push(request.url()));
        await page.locator("#token-form").waitFor();
        await connectionIs(page, "unauthorized");
        await page.locator("#token").fill("no token of this server");
        await page.keyboard.press("Enter");
        await says(page, "#token-error", "not accepted");
        await page.locator("#token").fill(TOKEN);
        await page.keyboard.press("Enter");
        await connectionIs(page, "open");
        await page.locator("#token-form").waitFor({ state: "hidden" });
        await historyIsShown(page);
        await page.reload();
        await connectionIs(page, "open");
        expect(await page.locator("#token").inputValue()).toBe("");
        expect(asked.filter((url) => url.endsWith("/live")).length).toBeGreaterThan(2);
        expect([...asked, page.url()].filter((url) => url.includes(TOKEN))).toEqual([]);
        const kept = await page.context().storageState();
        expect(JSON.stringify(kept)).not.toContain(TOKEN);
        // A new tab starts without it.
        const other = await page.context().newPage();
        await other.goto(server.url);
        await other.locator("#token-form").waitFor();
      },
      RUN_MS,
    );

    test.skipIf(!canMakeCertificates)(
      "is shown over HTTPS too",
      async () => {
        using folder = temporaryFolder();
        const { certFile, keyFile } = makeCertificate(folder.path, "IP:127.0.0.1");
        await using server = await withToken(folder.path, ["--tls-cert", certFile, "--tls-key", keyFile]);
        expect(server.url).toStartWith("https:");
        await using visit = await open(server.url, { expected: /status of 401/, ignoreHTTPSErrors: true });
        const { page } = visit;
        await page.locator("#token").fill(TOKEN);
        await page.keyboard.press("Enter");
        await connectionIs(page, "open");
        await historyIsShown(page);
      },
      RUN_MS,
    );
  });

  test(
    "a server that has as many viewers as it takes: its words, and the page when there is room",
    async () => {
      await using server = await serve("memory:");
      const leaving = new AbortController();
      const viewers = await Promise.all(
        Array.from({ length: VIEWERS_MAX }, () => fetch(`${server.url}/live`, { signal: leaving.signal })),
      );
      await using visit = await open(server.url, { expected: /status of 503/ });
      const { page } = visit;
      await connectionIs(page, "turned-away");
      await says(page, '[data-notice="connection"]', `${VIEWERS_MAX} look on already`);
      // Read until now: a viewer that nobody refers to any more is collected, and gone.
      expect(viewers.filter(({ ok }) => ok)).toHaveLength(VIEWERS_MAX);
      leaving.abort();
      await connectionIs(page, "open");
      expect(await page.locator('[data-notice="connection"]').count()).toBe(0);
    },
    RUN_MS,
  );

  test(
    "a server that stands still: the connection is lost, although no end of it comes",
    async () => {
      await using server = await serve("memory:");
      await using visit = await open(server.url, { expected: /net::ERR_/ });
      const { page } = visit;
      await connectionIs(page, "open");
      server.pause();
      await connectionIs(page, "lost");
      await says(page, "#as-of", "as of");
      server.resume();
      await connectionIs(page, "open");
      // The same start of the server as before.
      expect(await page.locator("[data-notice]").allInnerTexts()).toEqual([]);
    },
    RUN_MS,
  );

  test(
    "a store that is held up: that no events are taken, why, and how many were refused",
    async () => {
      using folder = temporaryFolder();
      const file = join(folder.path, "reto3.db");
      await using server = await serve(`sqlite:${file}`, ["--ack-timeout", "100ms"]);
      await using visit = await open(server.url);
      const { page } = visit;
      await says(page, "#now-state", "Yes");
      const other = new Database(file);
      other.run("BEGIN IMMEDIATE");
      expect((await fetch(server.url, { method: "POST", body: EVENT })).status).toBe(504);
      await says(page, '[data-notice="taken"][data-level="problem"]', "the store does not take events in time");
      await says(page, "#now-state", "No");
      await says(page, "#now-queue", "1 events");
      await says(page, "#now-refused", /^1/);
      await says(page, "#about-refused", "timeout 1");
      other.run("ROLLBACK");
      other.close();
      await says(page, "#now-state", "Yes");
      await page.locator('[data-notice="taken"]').waitFor({ state: "detached" });
    },
    RUN_MS,
  );

  test.each([
    [-3_600_000, "1 h behind the server's"],
    [5_400_000, "1 h 30 min ahead of the server's"],
  ])(
    "a clock that is %i ms off: that is said, and the server's times are shown",
    async (offMs, words) => {
      await using server = await serve("memory:");
      await fetch(server.url, { method: "POST", body: EVENT });
      await using visit = await open(`${server.url}/?last=1m`, {
        prepare: async (page) => {
          await page.addInitScript(`const now = Date.now; Date.now = () => now() + ${offMs}`);
        },
      });
      const { page } = visit;
      await says(page, '[data-notice="skew"]', words);
      await until(async () => (await numberIn(page, "#now-total")) === 1);
      const shown = await page.locator("#as-of").innerText();
      const shownMs = Date.parse(`${new Date().toISOString().slice(0, 10)}T${shown.slice(0, 8)}Z`);
      // A minute, and around midnight a day, does not matter here.
      expect(Math.abs(Math.abs(Date.now() - shownMs) % 86_400_000)).toBeLessThan(60_000);
    },
    RUN_MS,
  );

  test(
    "10 ms that have expired: seconds in their place, and words that say so",
    async () => {
      using folder = temporaryFolder();
      const store = `sqlite:${join(folder.path, "reto3.db")}`;
      const past = await openStore(store, { mode: "serve", retention: { "10ms": null } });
      const events = await writePast(past, 2, 1, 8);
      await past.close();
      await using server = await serve(store, ["--ttl-10ms", "1d"]);
      const range = `from=${iso(PAST_US)}&to=${iso(PAST_US + 15_000_000)}`;
      await until(async () => (await fetch(`${server.url}/counts?period=10ms&${range}`)).status === 410);
      await using visit = await open(`${server.url}/?${range}&view=history`, { expected: /status of 410/ });
      const { page } = visit;
      await says(page, "#history-note", "Counts in each 10 ms of this time have expired: shown in each second.");
      await historyIsShown(page);
      // At 0, 7 and 14 s.
      expect(await tableRows(page, "#history-table")).toHaveLength(3);
      expect(await numberIn(page, "#now-total")).toBe(3);
      await page.locator("#zoom-out").click();
      await page.locator("#zoom-out").click();
      await says(page, "#history-summary", /^6 events/);
      expect(await page.locator("#history-note").innerText()).toBe("");
      const { stdout } = await reto3([
        "count",
        "--store",
        store,
        "--from",
        "2026-10-01",
        "--to",
        "2026-10-02",
        "--format",
        "json",
      ]);
      expect(JSON.parse(stdout)).toMatchObject({ events });
    },
    RUN_MS,
  );

  test(
    "no JavaScript: what to ask instead",
    async () => {
      await using server = await serve("memory:");
      await using visit = await open(server.url, { javaScriptEnabled: false });
      const { page } = visit;
      expect(await page.locator("noscript p").innerText()).toStartWith("This page needs JavaScript");
      const links = await page.locator("noscript a").evaluateAll((all) => all.map(String));
      for (const link of links) expect((await fetch(link)).status).toBe(200);
      expect(links.length).toBeGreaterThan(1);
    },
    RUN_MS,
  );
});
