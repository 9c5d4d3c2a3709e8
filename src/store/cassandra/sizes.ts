// What the tables of a keyspace hold, for people. Bytes from each node's system_views.disk_usage (whole MiB, flushed data
// only), rows from the claims where these tell. Reads; knows nothing of flushes.

import { types, type Client } from "cassandra-driver";
import { HOUR_US, SECOND_US } from "../../period.ts";
import type { TableSize } from "../store.ts";
import type { SchemaState } from "./schema.ts";

const MIB = 1024 * 1024;

/** Hours of claims that are added up at once. */
const HOURS_AT_ONCE = 24;

export async function sizesOf(
  client: Client,
  keyspace: string,
  hours: readonly number[],
  { retention, hasPacked }: Pick<SchemaState, "retention" | "hasPacked">,
  which: "all" | "raw",
): Promise<TableSize[]> {
  const eventsFromUs = retention.events === null ? 0 : Date.now() * 1_000 - retention.events * SECOND_US;
  const hasEvents = (hourUs: number) => hourUs + HOUR_US > eventsFromUs;
  const [bytes, { events, ...rest }] = await Promise.all([
    bytesOf(client, keyspace),
    rowsOf(client, keyspace, which === "all" ? hours : hours.filter(hasEvents), hasEvents),
  ]);
  const names = [
    "events",
    "event_batches",
    "counts_10ms",
    "counts_1s",
    "counts_1m",
    "claims",
    "merged_1s",
    "merged_1m",
  ];
  // Claims do not tell how the raw events of a partition lie.
  const counted: Record<string, number> = hasPacked ? { ...rest, event_batches: events } : { ...rest, events };
  const wanted = which === "all" ? names : names.slice(0, 2);
  return wanted.map((name) => ({ name, rows: counted[name] ?? null, bytes: bytes.get(name) ?? null }));
}

async function bytesOf(client: Client, keyspace: string): Promise<Map<string, number>> {
  const cql = "SELECT table_name, mebibytes FROM system_views.disk_usage WHERE keyspace_name = ?";
  const bytes = new Map<string, number>();
  for (const host of client.hosts.values()) {
    // What a node that is down has is not known; then neither is the sum.
    if (!host.isUp()) return new Map();
    const answer = await client.execute(cql, [keyspace], { host, consistency: types.consistencies.one });
    for (const row of answer.rows) {
      const name = String(row.get("table_name"));
      bytes.set(name, (bytes.get(name) ?? 0) + Number(row.get("mebibytes")) * MIB);
    }
  }
  return bytes;
}

async function rowsOf(
  client: Client,
  keyspace: string,
  hours: readonly number[],
  hasEvents: (hourUs: number) => boolean,
): Promise<{ events: number; counts_1m: number; claims: number }> {
  const cql = `SELECT count(*) AS claims, sum(CAST(sealed_events AS bigint)) AS events FROM ${keyspace}.claims WHERE hour = ?`;
  const rows = { events: 0, counts_1m: 0, claims: 0 };
  for (let at = 0; at < hours.length; at += HOURS_AT_ONCE) {
    const some = hours.slice(at, at + HOURS_AT_ONCE);
    const answers = await Promise.all(some.map((hour) => client.execute(cql, [hour])));
    answers.forEach((answer, index) => {
      const row = answer.first();
      rows.claims += Number(row?.get("claims"));
      rows.counts_1m += Number(row?.get("claims"));
      if (hasEvents(some[index] ?? 0)) rows.events += Number(row?.get("events") ?? 0);
    });
  }
  return rows;
}
