// What the node is told: opensearch.yml, log4j2.properties and the command line of java. Pure: settings in, text out.

import { join } from "node:path";

export interface NodeSettings {
  /** The node's own folder: configuration, log, data and all temporary files. */
  readonly folder: string;
  /** The folder with the jars. */
  readonly lib: string;
  readonly heapMb: number;
}

export const opensearchYaml = `${Bun.YAML.stringify(
  {
    "network.host": "127.0.0.1",
    "transport.port": "0",
    "discovery.type": "single-node",
    // A developer's disk is often nearly full: without this the node would refuse to make indices, or to write.
    "cluster.routing.allocation.disk.threshold_enabled": false,
  },
  null,
  2,
)}\n`;

export const log4jProperties = `status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss.SSS} %-5level [%c{1}] %msg%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
logger.deprecation.name = org.opensearch.deprecation
logger.deprecation.level = warn
`;

/** Java's arguments. */
export function javaArguments({ folder, lib, heapMb }: NodeSettings): string[] {
  const tmp = join(folder, "tmp");
  return [
    `-Xms${heapMb}M`,
    `-Xmx${heapMb}M`,
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-HeapDumpOnOutOfMemoryError",
    `-XX:ErrorFile=${join(folder, "java-crash.log")}`,
    // These keep a killed node from leaving files in the system's temporary folder or the home folder.
    "-XX:+PerfDisableSharedMem",
    `-Djava.io.tmpdir=${tmp}`,
    `-Djna.tmpdir=${tmp}`,
    "-Djava.net.preferIPv4Stack=true",
    "-cp",
    join(lib, "*"),
    "org.codelibs.opensearch.runner.OpenSearchRunner",
    "-basePath",
    folder,
    "-confPath",
    join(folder, "config"),
    "-numOfNode",
    "1",
    // The runner adds the node's number, 1, and takes no port above 9299. 0 lets the system choose one that is free.
    "-baseHttpPort",
    "-1",
    "-clusterName",
    "reto3-throw-away",
    "-useLogger",
  ];
}

/** The port for HTTP, which the node's log names once it listens. */
export function httpPortIn(log: string): number | undefined {
  const line = log.split("\n").find((one) => one.includes("[AbstractHttpServerTransport]"));
  const port = /publish_address \{127\.0\.0\.1:(\d+)\}/.exec(line ?? "")?.[1];
  return port === undefined ? undefined : Number(port);
}
