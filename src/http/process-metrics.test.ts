import { expect, test } from "bun:test";
import { watchEventLoop } from "./process-metrics.ts";

test("an event loop that was held up for long has held up each tick of that time, not one", async () => {
  const loop = watchEventLoop();
  Bun.sleepSync(300);
  const { delayUs } = loop;
  while (delayUs.total === 0) await Bun.sleep(1);
  loop.stop();
  const above100ms = delayUs.total - delayUs.countUpTo(100_000);
  expect(above100ms).toBeGreaterThanOrEqual(8);
});
