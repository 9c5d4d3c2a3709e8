// `reto3 import`: copies a store into another, for those who began with one file and go on with a cluster.

import { systemClock } from "../src/clock.ts";
import { messageOf, Reto3Error } from "../src/errors.ts";
import type { Retention, Store, StoreInfo } from "../src/store/store.ts";
import { importStore, type ImportResult } from "../src/transfer/import.ts";
import { defineCommand, oneOf, text, type Values } from "./flags.ts";
import { log, print, progress } from "./output.ts";
import { formatLifetime } from "./retention.ts";
import { openStoreAt, rawLayoutFlag, storeFlag } from "./store-flag.ts";

const flags = {
  "from-store": text("address", { description: "the store to copy, which is only read; in the same form as --store" }),
  store: storeFlag,
  "raw-layout": rawLayoutFlag,
  format: oneOf(["text", "json"], { default: "text", description: "how to print the result" }),
};

export const command = defineCommand({
  name: "import",
  summary: "Copies all counts, and the raw events that are kept, from another store into this one",
  flags,
  notes: `Creates what --store lacks. Copies what is not there yet: repeat it after an interruption, or when the source has grown.
Each minute of each writer appears in the copy when it is whole, and not before. What a running server is still
writing is copied as far as it has come; a later import completes it.
The target's lifetimes hold for the copy: in Cassandra raw events and 10 ms counts live in full anew, in SQLite they go
when they are that old. Merged minutes are not copied; serve makes them again.

Examples:
  reto3 import --from-store sqlite:reto3.db --store 'cassandra://127.0.0.1:9042/reto3?dc=datacenter1'
  reto3 import --from-store sqlite:old.db --store sqlite:new.db --format json`,
  run: importInto,
});

async function importInto(values: Values<typeof flags>): Promise<number> {
  const from = values["from-store"];
  if (from === undefined) throw new Reto3Error("USAGE", "--from-store is missing; want the store to copy");
  // Interrupted, it says how far it has come; a second signal ends at once.
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort());
  const source = await openStoreAt(from, { mode: "read" });
  try {
    const target = await openStoreAt(values.store, {
      mode: "serve",
      rawLayout: values["raw-layout"],
      log: (line) => log.info(line),
    });
    try {
      return await copy(source, target, values.format, stop.signal);
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

async function copy(source: Store, target: Store, format: "text" | "json", signal: AbortSignal): Promise<number> {
  log.info(`from ${source.info.location} to ${target.info.location}`);
  for (const warning of shorterLifetimes(source.info.retention, target.info)) log.warn(warning);
  const clock = systemClock();
  let lastProblem = "";
  const result = await importStore(source, target, {
    nowUs: () => clock.nowUs(),
    signal,
    onProgress: ({ partitions, events }) =>
      progress(`${partitions.copied} partitions copied, ${partitions.skipped} skipped, ${events} events`),
    onRetry(error) {
      const problem = messageOf(error);
      if (problem !== lastProblem) log.warn(`trying again: ${problem}`);
      lastProblem = problem;
    },
  }).finally(() => progress(""));
  await print(format === "json" ? `${JSON.stringify(result)}\n` : textResult(result));
  if (result.partitions.open > 0) log.info("import again when the open partitions are sealed, to complete them");
  if (!signal.aborted) return 0;
  log.error("interrupted; the same import again goes on from here");
  return 1;
}

function textResult({ partitions, events, rawEvents }: ImportResult): string {
  const { copied, skipped, open } = partitions;
  return [
    `partitions:  ${copied} copied, ${skipped} skipped (already there), ${open} still open in the source\n`,
    `events:      ${events} in the counts copied\n`,
    `raw events:  ${rawEvents.copied} copied, ${rawEvents.missing} had expired in the source or were not kept\n`,
  ].join("");
}

/** What the target would lose of what the source keeps; said before anything is copied. */
function shorterLifetimes(source: Retention, { location, retention }: StoreInfo): string[] {
  const tables = { events: ["raw events", "--raw-ttl"], "10ms": ["10 ms counts", "--ttl-10ms"] } as const;
  return (["events", "10ms"] as const).flatMap((table) => {
    const [here, there] = [source[table], retention[table]];
    if (there === null || (here !== null && here <= there)) return [];
    const [what, flag] = tables[table];
    return [
      `the target keeps ${what} for ${formatLifetime(there)}, the source ${here === null ? "for good" : `for ${formatLifetime(here)}`}: ` +
        `to keep what is older, first start 'reto3 serve --store ${location} ${flag} ...'`,
    ];
  });
}
