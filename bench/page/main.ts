// Takes pictures of the page of a server under load, at three sizes. The question: README.md.

import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { historyIsShown, connectionIs, launchChromium } from "../../test/support/browser.ts";
import { load, startLoad } from "../../test/support/load.ts";
import { serve, temporaryFolder } from "../../test/support/reto3.ts";
import { benchFlags } from "../support/flags.ts";

const flags = benchFlags({ seconds: "20", to: "docs/images" }, { seconds: "3" });
const seconds = flags.number("seconds");

/** One after another; the last goes on while the pictures are taken. */
const LOADS = [
  ["--rps", "1500", "--arrivals", "poisson"],
  ["--rps", "2500", "--arrivals", "bursty"],
  ["--rps", "900", "--arrivals", "poisson"],
  ["--rps", "3000", "--arrivals", "poisson"],
];

const PICTURES = [
  { name: "phone", viewport: { width: 360, height: 800 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
  { name: "tablet", viewport: { width: 820, height: 1180 }, colorScheme: "dark", hasTouch: true },
  { name: "desktop", viewport: { width: 1440, height: 900 } },
] as const;

/** What README.md can show without being slow. */
const PICTURE_BYTES_MAX = 300_000;

using folder = temporaryFolder();
await using server = await serve(`sqlite:${join(folder.path, "reto3.db")}`);
for (const args of LOADS.slice(0, -1)) {
  console.error(`reto3 load ${args.join(" ")}, ${seconds} s`);
  const { holds } = await load(server.url, [...args, "--duration", `${seconds}s`]);
  if (!holds) throw new Error("not every event was counted: no pictures");
}
const running = startLoad(server.url, LOADS.at(-1) ?? []);
await Bun.sleep(seconds * 1_000);
const browser = await launchChromium();
mkdirSync(flags.values.to, { recursive: true });
for (const { name, ...options } of PICTURES) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  await page.goto(`${server.url}/?last=${Math.ceil((seconds * LOADS.length) / 60) * 60}s`);
  await connectionIs(page, "open");
  await historyIsShown(page);
  // A few ticks, so that what is of the last ten seconds is there.
  await Bun.sleep(3_000);
  const path = join(flags.values.to, `page-${name}.png`);
  await page.screenshot({ path, fullPage: name !== "phone" });
  await context.close();
  const { size } = statSync(path);
  console.log(`${path}: ${Math.round(size / 1_000)} kB`);
  if (size > PICTURE_BYTES_MAX) throw new Error(`${path}: ${size} bytes; want ${PICTURE_BYTES_MAX} at most`);
}
await browser.close();
await running.stop();
