// How the raw events of a flush are cut into rows: as few as SQLite can lay side by side on its pages. Pure.

import { encodeEvents } from "../event-batch.ts";
import type { Flush } from "../store.ts";
import type { PackedFlush } from "./writing.ts";

/** As many as mostly have some 700 bytes. */
const BATCH_EVENTS_MAX = 200;

/**
 * From 1,003 bytes on, the other columns included, SQLite gives a row pages of its own, which are mostly empty then
 * (payload in an index b-tree: https://sqlite.org/fileformat.html). Clients whose clocks differ by minutes need more bytes.
 */
const CELL_BYTES_MAX = 960;

export function packed(flush: Flush): PackedFlush {
  const { minuteUs, writer, counts } = flush;
  const batches: PackedFlush["batches"][number][] = [];
  const pack = (from: number, to: number) => {
    const cell = encodeEvents(flush, from, to);
    if (cell.length <= CELL_BYTES_MAX) {
      batches.push({ seq: flush.firstSeq + from, events: to - from, cell });
      return;
    }
    const middle = Math.floor((from + to) / 2);
    pack(from, middle);
    pack(middle, to);
  };
  const events = flush.receivedUs.length;
  for (let from = 0; from < events; from += BATCH_EVENTS_MAX) pack(from, Math.min(from + BATCH_EVENTS_MAX, events));
  return { minuteUs, writer, counts, batches };
}
