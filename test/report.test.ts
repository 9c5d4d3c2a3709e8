// The report, end to end: a server, a load and its records; and figures that are those of `reto3 count`.

import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../src/clock.ts";
import { MINUTE_US } from "../src/period.ts";
import type { Report } from "../src/report/model.ts";
import { openStore } from "../src/store/open.ts";
import { FlushSequence } from "../src/writer/sequence.ts";
import { load } from "./support/load.ts";
import { reto3, serve, temporaryFolder, until } from "./support/reto3.ts";
import { testStores } from "./support/stores.ts";

async function report(args: string[]): Promise<Report> {
  const { code, stdout, stderr } = await reto3(["report", "--format", "json", ...args]);
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Report;
}

/** Three minutes of two writers each, a while ago; a stretch of silence in the middle. */
async function fill(folder: string): Promise<{ store: string; range: string[] }> {
  const store = `sqlite:${join(folder, "events.db")}`;
  const opened = await openStore(store, { mode: "serve", retention: { events: null } });
  const firstUs = Math.floor(Date.now() / 60_000 - 20) * MINUTE_US;
  for (let minute = 0; minute < 3; minute++) {
    for (let writer = 0; writer < 2; writer++) {
      const minuteUs = firstUs + minute * MINUTE_US;
      const clock: Clock = { nowUs: () => minuteUs + MINUTE_US, epoch: 0 };
      const sequence = new FlushSequence({ store: opened, clock, signal: new AbortController().signal });
      const receivedUs = Array.from(
        { length: 2_000 },
        (_, at) => minuteUs + at * 25_000 + writer * 7_000 + ((at * 7) % 13) * 900,
      );
      await sequence.flush({ minuteUs, epoch: 0, receivedUs, createdUs: receivedUs.map((us) => BigInt(us - 3_000)) });
      await sequence.close();
    }
  }
  await opened.close();
  const iso = (us: number) => new Date(us / 1_000).toISOString().slice(0, 19);
  return { store, range: ["--from", iso(firstUs), "--to", iso(firstUs + 3 * MINUTE_US)] };
}

/** Events of each bucket, as `count` prints them. */
async function counted(store: string, period: string, range: string[]): Promise<number[]> {
  const { stdout, code } = await reto3(["count", "--store", store, "--period", period, "--zeros", ...range]);
  expect(code).toBe(0);
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => Number(line.split(", ")[1]));
}

describe("reto3 report", () => {
  test("has the figures of reto3 count", async () => {
    using folder = temporaryFolder();
    const { store, range } = await fill(folder.path);
    const { rate, store: section } = await report(["--store", store, ...range]);
    const bySecond = await counted(store, "1s", range);
    const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
    expect(section?.events).toBe(sum(bySecond));
    expect(section?.isComplete).toBeTrue();
    // The range ends in a silence, which belongs to the range and not to the stream.
    const lastAt = bySecond.findLastIndex((events) => events > 0);
    const whole = bySecond.slice(0, lastAt);
    expect(rate?.levels[1]).toMatchObject({ period: "1s", buckets: whole.length, max: Math.max(...whole), min: 0 });
    expect(rate?.meanPerSec).toBeCloseTo(sum(whole) / whole.length, 2);
    expect(rate?.silentSeconds).toBe(whole.filter((events) => events === 0).length);
    const fine = (await counted(store, "10ms", range)).slice(0, 12_000);
    expect(rate?.levels[0]).toMatchObject({ period: "10ms", buckets: 12_000, max: Math.max(...fine) });
    expect(rate?.levels[0]?.mean).toBeCloseTo(sum(fine) / fine.length, 5);
    const byMinute = await counted(store, "1m", range);
    expect(rate?.levels[2]).toMatchObject({ period: "1m", buckets: 2, max: Math.max(...byMinute.slice(0, 2)) });
  }, 20_000);

  test("compares two ranges of a store", async () => {
    using folder = temporaryFolder();
    const { store, range } = await fill(folder.path);
    const [from = "", to = ""] = [range[1], range[3]];
    const middle = new Date(Date.parse(`${from}Z`) + 60_000).toISOString().slice(0, 19);
    const { comparison } = await report(["--store", store, "--from", middle, "--to", to, "--against-last", "1m"]);
    expect(comparison?.differences.map(({ what, verdict }) => [what, verdict])).toEqual([
      ["rate", "no difference seen"],
      ["LAG p50", "no difference seen"],
      ["LAG p99", "no difference seen"],
    ]);
  });

  test("of a store without events is a report, and no error", async () => {
    using folder = temporaryFolder();
    const store = `sqlite:${join(folder.path, "empty.db")}`;
    await (await openStore(store, { mode: "serve" })).close();
    const { code, stdout } = await reto3(["report", "--store", store]);
    expect(code).toBe(0);
    expect(stdout).toContain("There are no events");
  });

  test.each([
    ["a record that is not there", ["--record", "missing.ndjson"], '"missing.ndjson" cannot be read'],
    ["a record that is none", ["--record", "none.ndjson"], '"none.ndjson", line 1'],
    ["an end without a start", ["--store", "sqlite:events.db", "--against-to", "2026-11-23"], "--against-to goes with"],
    ["a sample of nothing", ["--minutes-10ms", "0"], '--minutes-10ms: "0" is not accepted'],
    ["two ends of one range", ["--last", "1h", "--from", "2026-11-23"], "exclude each other"],
  ])("%s is wrong usage", async (_, args, message) => {
    using folder = temporaryFolder();
    writeFileSync(join(folder.path, "none.ndjson"), "none\n");
    await (await openStore(`sqlite:${join(folder.path, "events.db")}`, { mode: "serve" })).close();
    const { code, stderr } = await reto3(["report", ...args], {}, folder.path);
    expect(stderr).toContain(message);
    expect(code).toBe(2);
    expect(existsSync(join(folder.path, "reto3.db"))).toBeFalse();
  });
});

describe.each(testStores)("on $name", ({ available, open }) => {
  test.skipIf(!available)(
    "a report holds what a load run sent against what was counted",
    async () => {
      const { address: store, dispose } = open();
      using folder = temporaryFolder();
      const record = join(folder.path, "run.ndjson");
      {
        await using server = await serve(store);
        const sent = await load(server.url, ["--rps", "400", "--duration", "3s", "--record", record]);
        expect(sent).toMatchObject({ acked: 1_200, holds: true });
        server.kill("SIGTERM");
        await server.exited;
      }
      const args = ["--store", store, "--record", record];
      // Until it is certain that nothing of the run can come any more.
      let found = await report(args);
      await until(async () => (found = await report(args)).store?.isComplete === true);
      expect(found.sentAgainstCounted).toMatchObject({
        sent: 1_200,
        acked: 1_200,
        unknown: 0,
        counted: 1_200,
        holds: true,
      });
      expect(found.sentAgainstCounted?.secondsOutside).toBe(0);
      expect(found.store?.events).toBe(1_200);
      expect(found.runs[0]).toMatchObject({
        requests: 1_200,
        outcomes: { acked: 1_200, refused: 0, unknown: 0, unsent: 0 },
      });
      expect(Math.round(found.runs[0]?.askedPerSec ?? 0)).toBe(400);
      expect(found.health?.held?.askedPerSec).toBe(400);
      expect(found.rate?.levels.map(({ period }) => period)).toContain("10ms");

      const alone = await report(["--record", record, "--against-record", record]);
      expect(alone.store).toBeNull();
      expect(alone.comparison?.differences.map(({ verdict }) => verdict)).toEqual([
        "no difference seen",
        "no difference seen",
      ]);

      const page = join(folder.path, "report.html");
      const charts = join(folder.path, "charts");
      const written = ["report", ...args, "--format", "html", "--output", page, "--charts", charts];
      expect(await reto3(written)).toMatchObject({ code: 0, stdout: "" });
      expect(readFileSync(page, "utf8")).toStartWith("<!doctype html>");
      expect(readdirSync(charts)).toContain("sent.svg");
      expect((await reto3(written)).stderr).toContain("is there already; --force replaces it");
      expect((await reto3([...written, "--force"])).code).toBe(0);
      await dispose();
    },
    60_000,
  );
});
