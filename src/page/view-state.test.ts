import { expect, test } from "bun:test";
import { DEFAULT_LAST_MS, formatView, parseView, type ViewState } from "./view-state.ts";

const FROM = Date.UTC(2026, 10, 26, 2, 0, 0, 10);

const VIEWS: [string, ViewState, string][] = [
  ["the default needs no query", { range: { lastMs: DEFAULT_LAST_MS }, zone: null, tables: new Set() }, ""],
  ["following", { range: { lastMs: 900_000 }, zone: "utc", tables: new Set() }, "?last=15m&tz=utc"],
  ["an odd span", { range: { lastMs: 1_234 }, zone: null, tables: new Set() }, "?last=1234ms"],
  [
    "a range that stays",
    { range: { fromMs: FROM, toMs: FROM + 200 }, zone: "local", tables: new Set(["history"]) },
    "?from=2026-11-26T02:00:00.010Z&to=2026-11-26T02:00:00.210Z&tz=local&view=history",
  ],
  [
    "all as tables",
    { range: { lastMs: DEFAULT_LAST_MS }, zone: null, tables: new Set(["rate", "recent", "history"]) },
    "?view=table",
  ],
  [
    "two as tables",
    { range: { lastMs: DEFAULT_LAST_MS }, zone: null, tables: new Set(["rate", "history"]) },
    "?view=rate,history",
  ],
];

test.each(VIEWS)("%s: to an address and back", (_name, view, query) => {
  expect(formatView(view)).toBe(query);
  expect(parseView(query)).toEqual(view);
});

test.each([
  ["?last=soon", DEFAULT_LAST_MS],
  ["?last=0s", DEFAULT_LAST_MS],
  ["?last=1ms", 200],
  ["?last=900d", 7 * 86_400_000],
  ["?from=yesterday&to=today", DEFAULT_LAST_MS],
  ["?from=2026-11-26T03:00&to=2026-11-26T02:00", DEFAULT_LAST_MS],
  ["?from=2026-11-26", DEFAULT_LAST_MS],
  ["?tz=mars&view=pie&utm_source=mail", DEFAULT_LAST_MS],
])("what is not understood is at its default: %s", (query, lastMs) => {
  expect(parseView(query)).toEqual({ range: { lastMs }, zone: null, tables: new Set() });
});

test("times are read as `reto3 count` reads them", () => {
  const { range } = parseView("?from=2026-11-26&to=2026-11-26 12:00");
  expect(range).toEqual({ fromMs: Date.UTC(2026, 10, 26), toMs: Date.UTC(2026, 10, 26, 12) });
});
