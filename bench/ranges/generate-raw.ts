// Fills a store with raw events and their counts, as one writer leaves them; for looking at the memory of what reads them all.
//
//   bun bench/ranges/generate-raw.ts STORE --events 100000000 --to 2026-11-01

import { parseArgs } from "node:util";
import { FLUSH_EVENTS_MAX } from "../../src/config.ts";
import { MINUTE_US } from "../../src/period.ts";
import { openStore } from "../../src/store/open.ts";
import { parseInstantUs } from "../../src/units.ts";
import { FlushSequence } from "../../src/writer/sequence.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    events: { type: "string", default: "100000000" },
    to: { type: "string", default: "2026-11-01" },
    writers: { type: "string", default: "4" },
  },
});
const EVENTS_PER_SEC = 5_000;
const FLUSHES_PER_MINUTE = (EVENTS_PER_SEC * 60) / FLUSH_EVENTS_MAX;

const minutes = Math.ceil(Number(values.events) / EVENTS_PER_SEC / 60);
const fromUs = (parseInstantUs(values.to) ?? Number.NaN) - minutes * MINUTE_US;
const store = await openStore(positionals[0] ?? "", { mode: "serve", retention: { events: null, "10ms": null } });
const clock = { nowUs: () => fromUs, epoch: 0 };
const started = performance.now();

// Each takes a share of the minutes: a minute has one writer.
const work = Array.from({ length: Number(values.writers) }, async (_, share) => {
  const sequence = new FlushSequence({ store, clock, signal: new AbortController().signal });
  for (let minute = share; minute < minutes; minute += Number(values.writers)) {
    const minuteUs = fromUs + minute * MINUTE_US;
    const stepUs = MINUTE_US / FLUSHES_PER_MINUTE / FLUSH_EVENTS_MAX;
    for (let flush = 0; flush < FLUSHES_PER_MINUTE; flush++) {
      const first = flush * FLUSH_EVENTS_MAX;
      const receivedUs = Array.from(
        { length: FLUSH_EVENTS_MAX },
        (__, at) => minuteUs + Math.floor((first + at) * stepUs),
      );
      const createdUs = receivedUs.map((at) => BigInt(at - 2_000 - (at % 977)));
      const { outcome, error } = await sequence.flush({ minuteUs, epoch: 0, createdUs, receivedUs });
      if (outcome !== "stored") throw error;
    }
  }
  await sequence.close();
});
await Promise.all(work);
console.error(`${minutes * 60 * EVENTS_PER_SEC} events in ${((performance.now() - started) / 1_000).toFixed(0)} s`);
await store.close();
