// `reto3 store`: what is in a store. Reads it; changes nothing.

import { expectedEvents } from "../src/counts/raw.ts";
import type { Store, TableSize } from "../src/store/store.ts";
import { HOUR_US, MINUTE_US } from "../src/period.ts";
import { formatBytes, formatIso, formatTimestamp } from "../src/units.ts";
import { defineCommand, oneOf, type Values } from "./flags.ts";
import { print } from "./output.ts";
import { formatLifetime } from "./retention.ts";
import { openStoreAt, storeFlag } from "./store-flag.ts";

const flags = {
  store: storeFlag,
  format: oneOf(["text", "json"], { default: "text", description: "how to print" }),
};

export const command = defineCommand({
  name: "store",
  summary: "Shows what is in a store: range, rows and bytes of each table, lifetimes, schema version, writers",
  flags,
  notes: `Rows and bytes are what the store can tell at once. Cassandra: bytes over all nodes in whole MiB, flushed data
only; raw events and counts_1m from the claims. SQLite: raw events are counted by partition; rows of event_batches are the events in them. A "-"
is not known.

Examples:
  reto3 store
  reto3 store --store 'cassandra://127.0.0.1:9042/reto3?dc=datacenter1' --format json`,
  run,
});

/** What the claims say. */
interface Claims {
  /** Minutes with events, writers by hour, events in all. */
  minutes: number;
  writers: number;
  events: number;
  /** Partitions that their writers have not sealed, as those of the current minute. */
  open: number;
  firstUs: number | null;
  lastUs: number | null;
}

async function run(values: Values<typeof flags>): Promise<number> {
  const store = await openStoreAt(values.store, { mode: "read" });
  try {
    const claims = await claimsOf(store);
    const sizes = await store.sizes();
    await print(values.format === "json" ? jsonReport(store, claims, sizes) : textReport(store, claims, sizes));
    return 0;
  } finally {
    await store.close();
  }
}

/** A writer that goes on for a day is counted in each of its hours: ids of a month are too many to remember. */
async function claimsOf(store: Store): Promise<Claims> {
  const claims: Claims = { minutes: 0, writers: 0, open: 0, events: 0, firstUs: null, lastUs: null };
  for (const hourUs of await store.claimedHours()) {
    const writers = new Set<string>();
    for await (const page of store.claims(hourUs, hourUs + HOUR_US)) {
      for (const claim of page) {
        if (claim.sealedEvents === null) claims.open++;
        const events = await expectedEvents(store, claim);
        // A minute is claimed ahead, and may stay empty.
        if (events === 0) continue;
        claims.firstUs ??= claim.minuteUs;
        if (claims.lastUs !== claim.minuteUs) claims.minutes++;
        claims.lastUs = claim.minuteUs;
        writers.add(claim.writer);
        claims.events += events;
      }
    }
    claims.writers += writers.size;
  }
  return claims;
}

function textReport({ info }: Store, claims: Claims, sizes: readonly TableSize[]): string {
  const { retention } = info;
  const limit = retention.rawBytesMax === null ? "" : `, ${formatBytes(retention.rawBytesMax)} at most`;
  const { firstUs, lastUs, minutes, writers, open, events } = claims;
  const lifetimes: Record<string, number | null> = {
    events: retention.events,
    event_batches: retention.events,
    counts_10ms: retention["10ms"],
    counts_1s: retention["1s"],
    counts_1m: retention["1m"],
    claims: null,
    merged_1s: retention["1s"],
    merged_1m: retention["1m"],
  };
  const rows = sizes.map(({ name, rows: count, bytes }) => [
    name,
    count === null ? "-" : String(count),
    bytes === null ? "-" : formatBytes(bytes),
    formatLifetime(lifetimes[name] ?? null) + (name.startsWith("event") ? limit : ""),
  ]);
  const range =
    firstUs === null || lastUs === null
      ? "empty"
      : `${formatTimestamp(firstUs)} to ${formatTimestamp(lastUs + MINUTE_US)} (UTC), minutes with events: ${minutes}`;
  return [
    `store:   ${info.location}`,
    `schema:  ${info.schema}`,
    `a 2xx:   ${info.durability}`,
    `range:   ${range}`,
    `events:  ${events}; partitions (a minute of a writer) that are not sealed: ${open}`,
    `writers: ${writers} (one that goes on into another hour counts again)`,
    "",
    ...[["table", "rows", "bytes", "kept"], ...rows].map(
      ([name = "", count = "", bytes = "", kept = ""]) =>
        `${name.padEnd(13)} ${count.padStart(14)} ${bytes.padStart(10)}   ${kept}`,
    ),
    "",
  ].join("\n");
}

function jsonReport({ info }: Store, { firstUs, lastUs, ...claims }: Claims, tables: readonly TableSize[]): string {
  const { location, schema, durability, retention } = info;
  const from = firstUs === null ? null : formatIso(firstUs);
  const to = lastUs === null ? null : formatIso(lastUs + MINUTE_US);
  return `${JSON.stringify({ location, schema, durability, retention, from, to, ...claims, tables })}\n`;
}
