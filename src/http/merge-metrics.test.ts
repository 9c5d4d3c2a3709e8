import { expect, test } from "bun:test";
import { systemClock } from "../clock.ts";
import { memoryStore } from "../store/memory.ts";
import { emptyStats } from "../upkeep/upkeep.ts";
import { Writer } from "../writer/writer.ts";
import { counter, gauge, histogram, labels } from "./exposition.ts";
import { GAUGES, mergeMetrics } from "./merge-metrics.ts";
import { workersMetrics } from "./metrics.ts";
import { startServer } from "./server.ts";
import { Histogram } from "../histogram.ts";

test("what each of two processes says adds up or stays, by what it means", () => {
  const latency = (values: number[]) => {
    const all = new Histogram();
    for (const value of values) all.record(value);
    return histogram("reto3_ack_latency_seconds", "How long", all, [1_000, 5_000], 1);
  };
  const one = (queued: number, refused: number, ready: number, values: number[]) =>
    [
      gauge("reto3_build_info", "What runs", [[labels({ store: "a store of two words" }), 1]]),
      gauge("reto3_ready", "Whether", ready),
      gauge("reto3_queue_events", "Waiting", queued),
      gauge("reto3_flush_age_seconds", "Age", queued / 10),
      gauge("reto3_store_log_bytes", "None here", null),
      counter("reto3_requests_refused_total", "Refused", [
        [labels({ reason: "invalid" }), refused],
        [labels({ reason: "timeout" }), 0],
      ]),
      latency(values),
    ].join("");
  expect(mergeMetrics([one(3, 1, 1, [500, 4_000]), one(5, 10, 0, [500, 64_000, 4_500])])).toBe(
    one(8, 11, 0, [500, 4_000, 500, 64_000, 4_500]).replace("age_seconds 0.8", "age_seconds 0.5"),
  );
});

test("what only one of them knows is what all of them say", () => {
  const clock = (offset: number | null) => gauge("reto3_store_clock_offset_seconds", "Offset", offset);
  expect(mergeMetrics([clock(null), clock(-0.25), clock(null)])).toBe(clock(-0.25));
});

test("one that has ended leaves what it counted, and no gauge", () => {
  const text = (stored: number, queued: number) =>
    counter("reto3_events_stored_total", "Stored", stored) + gauge("reto3_queue_events", "Waiting", queued);
  expect(mergeMetrics([text(5, 2)], [text(100, 7), text(20, 7)])).toBe(text(125, 2));
  const ended = mergeMetrics([], [mergeMetrics([], ["", text(100, 7)]), text(20, 7)]);
  expect(mergeMetrics([text(5, 2)], [ended])).toBe(text(125, 2));
});

test("every gauge of a server has its place in the table, and the table has no other", async () => {
  const [store, clock] = [memoryStore(), systemClock()];
  const writer = new Writer({ store, clock });
  const server = startServer({
    host: "127.0.0.1",
    port: 0,
    store,
    writer,
    clock,
    version: "1.2.3",
    commit: "",
    clockOffsetUs: () => 0,
    upkeep: emptyStats(),
    keep: "events",
    onError: () => {},
  });
  const { metrics } = await server.report("metrics");
  await server.stop();
  await writer.close(100);
  // Of one alone nothing changes: what Prometheus takes of one it takes of several.
  expect(mergeMetrics([metrics])).toBe(metrics);
  const text = metrics + workersMetrics({ workers: 1, restarts: 0, ready: true });
  const gauges = [...text.matchAll(/^# TYPE (\S+) gauge$/gm)].map(([, name]) => name);
  expect([...new Set(gauges)].toSorted()).toEqual(Object.keys(GAUGES).toSorted());
});
