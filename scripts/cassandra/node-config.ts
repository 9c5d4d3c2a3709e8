// What a node is told: cassandra.yaml, logback.xml and the command line of java. Pure: settings in, text out.
// Where Cassandra's built-in default differs from the cassandra.yaml it is shipped with, the value is written here.

import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { ProbeTls } from "./cql-probe.ts";

/**
 * When the commit log is synced. batch and group: before a write is acknowledged, so that kill -9 loses nothing that
 * was acknowledged. periodic, the shipped default, acknowledges first and is here for benchmarks only.
 */
export type CommitlogSync = "batch" | "group" | "periodic";

export interface NodeSettings {
  /** The node's own folder: configuration, log, data and all temporary files. */
  readonly folder: string;
  /** The address that it listens at, for clients and other nodes. */
  readonly host: string;
  readonly nativePort: number;
  readonly storagePort: number;
  readonly jmxPort: number;
  readonly seedHost: string;
  readonly heapMb: number;
  readonly commitlogSync: CommitlogSync;
  readonly commitlogSegmentMb: number;
  /** What stands in cassandra.yaml beside, or in place of, the rest. */
  readonly yaml: Readonly<Record<string, unknown>>;
  /** How to ask the node whether it has started, where it does not answer plain text. */
  readonly probeTls: ProbeTls | undefined;
}

const commitlogSyncSettings: Record<CommitlogSync, object> = {
  batch: { commitlog_sync: "batch" },
  group: { commitlog_sync: "group", commitlog_sync_group_window: "10ms" },
  periodic: { commitlog_sync: "periodic", commitlog_sync_period: "10000ms" },
};

export function cassandraYaml(settings: NodeSettings): string {
  const { folder, host, storagePort } = settings;
  const config = {
    cluster_name: "reto3-throw-away",
    num_tokens: 16,
    partitioner: "org.apache.cassandra.dht.Murmur3Partitioner",
    endpoint_snitch: "SimpleSnitch",
    seed_provider: [
      {
        class_name: "org.apache.cassandra.locator.SimpleSeedProvider",
        parameters: [{ seeds: `${settings.seedHost}:${storagePort}` }],
      },
    ],
    listen_address: host,
    rpc_address: host,
    storage_port: storagePort,
    start_native_transport: true,
    native_transport_port: settings.nativePort,
    ...commitlogSyncSettings[settings.commitlogSync],
    commitlog_segment_size: `${settings.commitlogSegmentMb}MiB`,
    disk_failure_policy: "stop",
    commit_failure_policy: "stop",
    hinted_handoff_enabled: true,
    // A node that joins an empty ring has nothing to copy. Bootstrapping waits for cassandra.ring_delay_ms, twice: 30 s by
    // default, and at 1 s every fourth three-node start failed with "Unable to contact any seeds".
    auto_bootstrap: false,
    auto_snapshot: false,
    memtable: {
      configurations: {
        skiplist: { class_name: "SkipListMemtable" },
        trie: { class_name: "TrieMemtable" },
        default: { inherits: "trie" },
      },
    },
    sstable: { selected_format: "bti" },
    storage_compatibility_mode: "NONE",
    data_file_directories: [join(folder, "data")],
    commitlog_directory: join(folder, "commitlog"),
    saved_caches_directory: join(folder, "saved_caches"),
    hints_directory: join(folder, "hints"),
    cdc_raw_directory: join(folder, "cdc_raw"),
    ...settings.yaml,
  };
  return `${Bun.YAML.stringify(config, null, 2)}\n`;
}

/** Without the flushes and compactions of Cassandra's own tables, which would be most of the log. */
export const logbackXml = `<configuration>
  <appender name="console" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%date{HH:mm:ss.SSS} %-5level [%thread] %logger{0}: %msg%n</pattern></encoder>
  </appender>
  <logger name="org.apache.cassandra.db" level="WARN"/>
  <logger name="org.apache.cassandra.io.sstable" level="WARN"/>
  <root level="INFO"><appender-ref ref="console"/></root>
</configuration>
`;

/** Java's arguments for a node whose jars are in `lib`. */
export function javaArguments(settings: NodeSettings, lib: string): string[] {
  const { folder, heapMb } = settings;
  const tmp = join(folder, "tmp");
  return [
    ...exportedPackages.map((name) => `--add-exports=${name}=ALL-UNNAMED`),
    ...openedPackages.map((name) => `--add-opens=${name}=ALL-UNNAMED`),
    `-Xms${heapMb}M`,
    `-Xmx${heapMb}M`,
    "-Xss256k",
    // As Cassandra ships for Java 17. Serial and parallel start no faster, and benchmarks run on this.
    "-XX:+UseG1GC",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-HeapDumpOnOutOfMemoryError",
    `-XX:ErrorFile=${join(folder, "java-crash.log")}`,
    // These three keep a killed node from leaving files in the system's temporary folder or the home folder.
    "-XX:+PerfDisableSharedMem",
    `-Djava.io.tmpdir=${tmp}`,
    `-Djna.tmpdir=${tmp}`,
    "-Djava.net.preferIPv4Stack=true",
    "-Djdk.attach.allowAttachSelf=true",
    `-Dcassandra.config=${pathToFileURL(join(folder, "cassandra.yaml")).href}`,
    `-Dcassandra.storagedir=${folder}`,
    `-Dlogback.configurationFile=${join(folder, "logback.xml")}`,
    `-Dcassandra.jmx.local.port=${settings.jmxPort}`,
    // Otherwise it closes its output when it has started, and the log ends there.
    "-Dcassandra-foreground=yes",
    // Lets a test ask what one replica has, whatever the others have.
    "-Dcassandra.enable_nodelocal_queries=true",
    // The waits that a production ring needs and a node that is alone, or has two quick neighbours, does not.
    "-Dcassandra.skip_wait_for_gossip_to_settle=0",
    "-Dcassandra.superuser_setup_delay_ms=0",
    "-cp",
    join(lib, "*"),
    "org.apache.cassandra.service.CassandraDaemon",
  ];
}

const exportedPackages = [
  "java.base/jdk.internal.misc",
  "java.base/jdk.internal.ref",
  "java.base/sun.nio.ch",
  "java.management.rmi/com.sun.jmx.remote.internal.rmi",
  "java.rmi/sun.rmi.registry",
  "java.rmi/sun.rmi.server",
  "java.rmi/sun.rmi.transport.tcp",
  "java.sql/java.sql",
  "jdk.attach/sun.tools.attach",
  "jdk.unsupported/sun.misc",
];

const openedPackages = [
  "java.base/java.io",
  "java.base/java.lang",
  "java.base/java.lang.module",
  "java.base/java.lang.reflect",
  "java.base/java.nio",
  "java.base/java.util",
  "java.base/java.util.concurrent",
  "java.base/java.util.concurrent.atomic",
  "java.base/jdk.internal.loader",
  "java.base/jdk.internal.math",
  "java.base/jdk.internal.module",
  "java.base/jdk.internal.ref",
  "java.base/jdk.internal.reflect",
  "java.base/jdk.internal.util.jar",
  "java.base/sun.nio.ch",
  "java.rmi/sun.rmi.transport.tcp",
  "jdk.management/com.sun.management.internal",
];
