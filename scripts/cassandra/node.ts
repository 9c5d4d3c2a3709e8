// One Cassandra node as a process of this machine: start, wait until it answers, signals, stop, start again on its data.
// Knows nothing of other nodes, nor who removes its folder.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type GuardedProcess, type ProcessSignal, startGuarded } from "./guarded-process.ts";
import { cassandraYaml, javaArguments, logbackXml, type NodeSettings } from "./node-config.ts";
import { requireFreePort } from "./ports.ts";
import { waitForCql } from "./readiness.ts";

export const startTimeoutMsDefault = 120_000;
const stopGraceMsDefault = 15_000;

export interface NodeProgram {
  /** Path of the java executable. */
  readonly java: string;
  /** The folder with Cassandra's jars. */
  readonly lib: string;
  /** How long a start may take. Default: 120 s. */
  readonly startTimeoutMs?: number;
}

export class CassandraNode {
  readonly host: string;
  readonly nativePort: number;
  readonly jmxPort: number;
  /** "127.0.0.1:9042", as the driver takes it. */
  readonly contactPoint: string;
  /** All that java prints, over all starts. */
  readonly logFile: string;
  readonly #settings: NodeSettings;
  readonly #program: NodeProgram;
  #process: GuardedProcess | undefined;

  constructor(settings: NodeSettings, program: NodeProgram) {
    this.host = settings.host;
    this.nativePort = settings.nativePort;
    this.jmxPort = settings.jmxPort;
    this.contactPoint = `${settings.host}:${settings.nativePort}`;
    this.logFile = join(settings.folder, "node.log");
    this.#settings = settings;
    this.#program = program;
  }

  /** The pid of java itself; undefined while the node is down. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Resolves with java's exit code when the present process ends, for whatever reason; at once when the node is down. */
  get exited(): Promise<number | undefined> {
    return this.#process?.exited ?? Promise.resolve(undefined);
  }

  /** Starts the node on what its folder holds; resolves when it answers CQL. Otherwise nothing of it is left running. */
  async start(): Promise<void> {
    if (this.#process) throw new Error(`node ${this.contactPoint} runs already, as process ${this.#process.pid}`);
    const { folder, host, nativePort, storagePort, jmxPort, probeTls: tls } = this.#settings;
    for (const port of [nativePort, storagePort])
      requireFreePort(host, port, "stop what listens there or take another");
    requireFreePort("127.0.0.1", jmxPort, "stop what listens there");

    await mkdir(join(folder, "tmp"), { recursive: true });
    await Bun.write(join(folder, "cassandra.yaml"), cassandraYaml(this.#settings));
    await Bun.write(join(folder, "logback.xml"), logbackXml);
    const command = [this.#program.java, ...javaArguments(this.#settings, this.#program.lib)];
    const started = await startGuarded(command, { folder, logFile: this.logFile });
    this.#process = started;
    void started.exited.then(() => {
      if (this.#process === started) this.#process = undefined;
    });
    const timeoutMs = this.#program.startTimeoutMs ?? startTimeoutMsDefault;
    await waitForCql({ process: started, host, port: nativePort, tls, timeoutMs, logFile: this.logFile });
  }

  /**
   * Sends java a signal. After SIGKILL it resolves once java is gone, after the others at once.
   * SIGSTOP makes a node that hangs without being down (some milliseconds later); SIGCONT lets it go on.
   */
  async kill(signal: ProcessSignal = "SIGKILL"): Promise<void> {
    const target = this.#process;
    if (!target?.signal(signal)) throw new Error(`cannot send ${signal} to node ${this.contactPoint}: it is down`);
    if (signal === "SIGKILL") await target.exited;
  }

  /** Ends java: SIGTERM (it drains, which takes some 5 s), and SIGKILL after `graceMs`. Harmless when the node is down. */
  async stop(graceMs = stopGraceMsDefault): Promise<void> {
    await this.#process?.end(graceMs);
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }
}
