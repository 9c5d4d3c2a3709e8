// `reto3 store`: what is in a store. Reads it; changes nothing.

import { openStore } from "../src/store/open.ts";
import type { Store, TableSize } from "../src/store/store.ts";
import { HOUR_US, MINUTE_US } from "../src/period.ts";
import { formatBytes, formatIso, formatTimestamp } from "../src/units.ts";
import { defineCommand, oneOf, type Values } from "./flags.ts";
import { print } from "./output.ts";
import { formatLifetime } from "./retention.ts";
import { storeFlag } from "./store-flag.ts";

const flags = {
  store: storeFlag,
  format: oneOf(["text", "json"], { default: "text", description: "how to print" }),
};

export const command = defineCommand({
  name: "store",
  summary: "Shows what is in a store: range, rows and bytes of each table, lifetimes, schema version, writers",
  flags,
  notes: `Rows and bytes are what the store can tell at once. Cassandra: bytes over all nodes in whole MiB, flushed data
only; rows of events and counts_1m from the claims. SQLite: rows of events are counted by partition. A "-"
is not known.

Examples:
  reto3 store
  reto3 store --store 'cassandra://127.0.0.1:9042/reto3?dc=datacenter1' --format json`,
  run,
});

interface Claims {
  minutes: number;
  writers: number;
  open: number;
  events: number;
  firstUs: number | null;
  lastUs: number | null;
}

async function run(values: Values<typeof flags>): Promise<number> {
  const store = await openStore(values.store, { mode: "read" });
  try {
    const claims = await claimsOf(store);
    const sizes = await store.sizes();
    await print(values.format === "json" ? jsonReport(store, claims, sizes) : textReport(store, claims, sizes));
    return 0;
  } finally {
    await store.close();
  }
}

/** Writers are counted by minute: one that goes on for an hour has claimed sixty. */
async function claimsOf(store: Store): Promise<Claims> {
  const claims: Claims = { minutes: 0, writers: 0, open: 0, events: 0, firstUs: null, lastUs: null };
  for (const hourUs of await store.claimedHours()) {
    const writers = new Set<string>();
    for await (const page of store.claims(hourUs, hourUs + HOUR_US)) {
      for (const { minuteUs, writer, sealedEvents } of page) {
        claims.firstUs ??= minuteUs;
        if (claims.lastUs !== minuteUs) claims.minutes++;
        claims.lastUs = minuteUs;
        writers.add(writer);
        if (sealedEvents === null) claims.open++;
        claims.events += sealedEvents ?? 0;
      }
    }
    claims.writers += writers.size;
  }
  return claims;
}

function textReport({ info }: Store, claims: Claims, sizes: readonly TableSize[]): string {
  const { retention } = info;
  const { firstUs, lastUs, minutes, writers, open, events } = claims;
  const lifetimes: Record<string, number | null> = {
    events: retention.events,
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
    formatLifetime(lifetimes[name] ?? null),
  ]);
  const limit = retention.rawBytesMax === null ? "" : `, raw events ${formatBytes(retention.rawBytesMax)} at most`;
  const range =
    firstUs === null || lastUs === null
      ? "empty"
      : `${formatTimestamp(firstUs)} to ${formatTimestamp(lastUs + MINUTE_US)} (UTC), ${minutes} minutes with events`;
  return [
    `store:   ${info.location}`,
    `schema:  ${info.schema}`,
    `a 2xx:   ${info.durability}`,
    `range:   ${range}`,
    `sealed:  ${events} events; ${open} partitions are open`,
    `writers: ${writers} (one that goes on into another hour counts again)`,
    "",
    ...[["table", "rows", "bytes", `kept${limit}`], ...rows].map(
      ([name = "", count = "", bytes = "", kept = ""]) =>
        `${name.padEnd(12)} ${count.padStart(14)} ${bytes.padStart(10)}   ${kept}`,
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
