// The flags of `npm run cassandra`: what they are, their defaults, the help text. Pure: arguments in, options out.

import { parseArgs } from "node:util";
import { cassandraVersion } from "./artifacts.ts";
import { heapMbDefault, nodesMax } from "./cluster.ts";
import type { CommitlogSync } from "./node-config.ts";

const nativePortDefault = 9042;
const heapMbMin = 256;
const portMax = 65_535;
const syncModes: readonly CommitlogSync[] = ["batch", "group", "periodic"];

export const usage = `Starts a throw-away Apache Cassandra ${cassandraVersion} on this machine; Ctrl-C ends it and removes its data.

usage: npm run cassandra [-- FLAGS]

  --nodes N     nodes, 1 to ${nodesMax}, at 127.0.0.1, 127.0.0.2, ...          default 1
  --port PORT   the port for clients; 0 takes one that is free      default ${nativePortDefault}
  --heap SIZE   Java's heap for each node, such as 512M or 2G       default ${heapMbDefault}M
  --sync MODE   the commit log's: batch, group or periodic          default batch
  --help        this text

examples:
  npm run cassandra
  npm run cassandra -- --nodes 3
  npm run cassandra -- --port 0 --heap 1G

It needs Java 17 and Maven, which downloads Cassandra the first time (about 70 MB, kept in RETO3_CACHE_DIR or
~/.cache/reto3), or else Docker, which runs one node.
`;

export type ParsedArgs =
  | { readonly kind: "help" }
  | { readonly kind: "wrong"; readonly problem: string }
  | {
      readonly kind: "start";
      readonly nodes: number;
      readonly nativePort: number;
      readonly heapMb: number;
      readonly commitlogSync: CommitlogSync;
    };

export function parseOptions(args: readonly string[]): ParsedArgs {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        nodes: { type: "string", default: "1" },
        port: { type: "string", default: String(nativePortDefault) },
        heap: { type: "string", default: `${heapMbDefault}M` },
        sync: { type: "string", default: "batch" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) return { kind: "help" };
    return {
      kind: "start",
      nodes: parseWhole("--nodes", values.nodes, 1, nodesMax),
      nativePort: parseWhole("--port", values.port, 0, portMax),
      heapMb: parseHeapMb(values.heap),
      commitlogSync: parseSync(values.sync),
    };
  } catch (error) {
    return { kind: "wrong", problem: error instanceof Error ? error.message : String(error) };
  }
}

function parseWhole(flag: string, text: string, min: number, max: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max) return value;
  throw new Error(`${flag} ${JSON.stringify(text)}: not a whole number from ${min} to ${max}`);
}

function parseHeapMb(text: string): number {
  const match = /^(\d+)([MG])$/i.exec(text);
  const heapMb = Number(match?.[1]) * (match?.[2]?.toUpperCase() === "G" ? 1024 : 1);
  if (heapMb >= heapMbMin) return heapMb;
  throw new Error(`--heap ${JSON.stringify(text)}: not a size of ${heapMbMin}M or more, such as 512M or 2G`);
}

function parseSync(text: string): CommitlogSync {
  const mode = syncModes.find((one) => one === text);
  if (mode) return mode;
  throw new Error(`--sync ${JSON.stringify(text)}: not one of ${syncModes.join(", ")}`);
}
