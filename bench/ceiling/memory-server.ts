// reto3's HTTP and writer, wired as `serve` does it, before a store that keeps nothing: what is left when the database is free.
//
//   bun bench/ceiling/memory-server.ts events|summary

import { systemClock } from "../../src/clock.ts";
import { startServer } from "../../src/http/server.ts";
import { memoryStore } from "../../src/store/memory.ts";
import { Writer } from "../../src/writer/writer.ts";

const store = { ...memoryStore(), write: async () => {} };
const clock = systemClock();
const keep = process.argv[2] === "summary" ? "summary" : "events";
const writer = new Writer({ store, clock, keep });
const server = startServer({
  host: "127.0.0.1",
  port: 0,
  store,
  writer,
  clock,
  version: "bench",
  commit: "",
  clockOffsetUs: () => null,
  upkeep: {
    mergedMinutes: 0,
    settledPartitions: 0,
    undecided: { size: 0 },
    unsealedClaims: 0,
    unsealedSinceUs: null,
    failures: 0,
  },
  keep,
  onError: (error) => console.error(error),
});
console.error(`listening on ${server.url}`);
