import { afterEach, expect, test } from "bun:test";
import { formatClock, formatField, formatRange, formatTime, parseField, tickLabels, zoneLabel } from "./zone.ts";

const zoneBefore = process.env["TZ"];
afterEach(() => {
  process.env["TZ"] = zoneBefore ?? "UTC";
});

const WINTER = Date.UTC(2026, 0, 15, 23, 30, 5, 7);
const SUMMER = Date.UTC(2026, 6, 15, 23, 30, 5, 7);

test("UTC is UTC wherever the browser is", () => {
  process.env["TZ"] = "Asia/Kolkata";
  expect(formatTime(WINTER, "utc", "ms")).toBe("2026-01-15 23:30:05.007");
  expect(formatClock(WINTER, "utc", "minute")).toBe("23:30");
  expect(zoneLabel(WINTER, "utc")).toBe("UTC");
});

test.each([
  ["Europe/Madrid", WINTER, "2026-01-16 00:30:05", "UTC+01:00"],
  ["Europe/Madrid", SUMMER, "2026-07-16 01:30:05", "UTC+02:00"],
  ["Asia/Kolkata", WINTER, "2026-01-16 05:00:05", "UTC+05:30"],
  ["America/St_Johns", WINTER, "2026-01-15 20:00:05", "UTC−03:30"],
  ["UTC", WINTER, "2026-01-15 23:30:05", "UTC"],
])("local time in %s at %p", (name, ms, text, label) => {
  process.env["TZ"] = name;
  expect(formatTime(ms, "local", "second")).toBe(text);
  expect(zoneLabel(ms, "local")).toBe(label);
});

test("what a field shows is read back as the same moment, in either zone", () => {
  process.env["TZ"] = "America/New_York";
  for (const zone of ["utc", "local"] as const) {
    for (const ms of [WINTER, SUMMER]) expect(parseField(formatField(ms, zone), zone)).toBe(ms);
  }
  expect(parseField("", "utc")).toBeNull();
});

test("a range says its date once, unless it goes over midnight", () => {
  expect(formatRange(WINTER, WINTER + 5_000, "utc", "second")).toBe("2026-01-15 23:30:05 – 23:30:10");
  expect(formatRange(WINTER, WINTER + 3_600_000, "utc", "minute")).toBe("2026-01-15 23:30 – 2026-01-16 00:30");
});

test("the labels of an axis name the date first and where it changes", () => {
  const start = Date.UTC(2026, 0, 15, 23, 0);
  const ticks = [start, start + 1_800_000, start + 3_600_000];
  expect(tickLabels(ticks, 1_800_000, "utc")).toEqual(["23:00\n2026-01-15", "23:30", "00:00\n2026-01-16"]);
  expect(tickLabels([start, start + 50], 50, "utc")).toEqual(["23:00:00.000\n2026-01-15", "23:00:00.050"]);
});
