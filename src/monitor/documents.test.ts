import { expect, test } from "bun:test";
import { ndjsonLine } from "./documents.ts";

const head = { timestampUs: 1_795_583_471_120_999, id: "a-1", hostName: "here", failures: 0 };

test("a line is one JSON object with what all lines have, nested by the parts of the names, and ends", () => {
  const line = ndjsonLine("counts", head, { "reto.granularity": "10ms", "reto.count": 52, "reto.lag.min_ms": 0.5 });
  expect(line).toEndWith("}\n");
  expect(line.indexOf("\n")).toBe(line.length - 1);
  expect(JSON.parse(line)).toEqual({
    "@timestamp": "2026-11-25T05:11:11.120Z",
    ecs: { version: "9.4.0" },
    event: { id: "a-1", module: "reto", dataset: "reto.counts", kind: "metric" },
    host: { name: "here" },
    service: { name: "reto3" },
    reto: { granularity: "10ms", count: 52, lag: { min_ms: 0.5 }, monitor: { failures: 0 } },
  });
});

test("what is no number is left out", () => {
  const line = ndjsonLine("host", head, { "system.load.1": 0 / 0, "system.load.5": 1 / 0, "system.load.15": 2 });
  expect(JSON.parse(line)).toMatchObject({ system: { load: { 15: 2 } } });
  expect(line).not.toContain("null");
});
