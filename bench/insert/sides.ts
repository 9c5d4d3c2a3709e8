// What writes the same batches: reto3 in each layout of its raw events, and loops that do nothing else, in three languages.

import { join } from "node:path";
import { findJava } from "../../scripts/cassandra/java.ts";
import { ensureJars } from "../../scripts/jars.ts";
import { parseCassandraUrl } from "../../src/store/cassandra/url.ts";
import { openStore } from "../../src/store/open.ts";
import { executable } from "../../test/support/reto3.ts";
import { CLIENT_CORE, finish, pinned } from "../support/process.ts";

export interface Setting {
  store: string;
  batch: number;
  writers: number;
  seconds: number;
}

export interface Side {
  name: string;
  /** Whether it can have several batches in flight, each of a writer of its own. */
  severalWriters: boolean;
  rowsPerSec(setting: Setting): Promise<number>;
}

const rust = join(import.meta.dir, "rust");

const javaDriver = {
  name: "the Java driver",
  folderName: "java-driver",
  version: "4.19.0",
  artifact: { groupId: "org.apache.cassandra", artifactId: "java-driver-core", version: "4.19.0" },
  mainJar: "java-driver-core-4.19.0.jar",
  megabytes: 13,
};

/** How each side is made ready: built, downloaded. Undefined where this version of reto3 does not have it. */
export const sides: Record<string, () => Promise<Side | undefined>> = {
  bare: async () => ({
    name: "bare loop (Bun)",
    severalWriters: false,
    rowsPerSec: ({ store, batch, seconds }) =>
      runOnClientCore([process.execPath, join(import.meta.dir, "bare-loop.ts"), store, String(batch), String(seconds)]),
  }),
  rows: () => reto3("reto3, a row an event", "rows"),
  packed: () => reto3("reto3, a row a flush", "packed"),
  async rust() {
    await finish(["cargo", "build", "--release", "--quiet", "--manifest-path", join(rust, "Cargo.toml")]);
    return inScratchKeyspace("bare loop (Rust)", [join(rust, "target/release/insert-loop")]);
  },
  async java() {
    const java = await findJava();
    if (java.path === undefined) throw new Error(java.problem);
    const lib = await ensureJars(javaDriver);
    const program = join(import.meta.dir, "java/Insert.java");
    return inScratchKeyspace("bare loop (Java)", [java.path, "-cp", join(lib, "*"), program]);
  },
};

/** bench-insert makes a keyspace of its own. A version without layouts has rows. */
async function reto3(name: string, layout: "rows" | "packed"): Promise<Side | undefined> {
  const { stdout: help } = await finish([executable, "bench-insert", "--help"]);
  const hasLayouts = help.includes("--raw-layout");
  if (layout !== "rows" && !hasLayouts) return undefined;
  const layoutFlags = hasLayouts ? ["--raw-layout", layout] : [];
  return {
    name,
    severalWriters: true,
    rowsPerSec({ store, batch, writers, seconds }) {
      const size = ["--batch", String(batch), "--writers", String(writers), "--duration", `${seconds}s`];
      const rest = ["--warmup", "1s", "--format", "json", ...layoutFlags];
      return runOnClientCore([executable, "bench-insert", "--store", store, ...size, ...rest]);
    },
  };
}

/** A program that takes HOST:PORT KEYSPACE BATCH SECONDS, with tables that the product makes, so that they are the same. */
function inScratchKeyspace(name: string, program: readonly string[]): Side {
  return {
    name,
    severalWriters: false,
    async rowsPerSec({ store: address, batch, seconds }) {
      const store = await openStore(address, { mode: "scratch" });
      try {
        const { hosts, port, keyspace } = parseCassandraUrl(store.info.location);
        return await runOnClientCore([...program, `${hosts[0]}:${port}`, keyspace, String(batch), String(seconds)]);
      } finally {
        await store.close();
      }
    },
  };
}

async function runOnClientCore(command: readonly string[]): Promise<number> {
  const { stdout } = await finish(pinned(CLIENT_CORE, command));
  return (JSON.parse(stdout) as { rowsPerSec: number }).rowsPerSec;
}
