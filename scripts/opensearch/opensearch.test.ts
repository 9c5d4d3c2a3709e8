// A real OpenSearch: that it is healthy on loopback alone, the ways in which it ends, and that nothing stays behind.

import { existsSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "bun:test";
import { hasOpensearch } from "../../test/support/opensearch.ts";
import { makeTempFolder } from "../cassandra/temp-folder.ts";
import { isRunning, startOwner, until } from "../cassandra/test-support.ts";
import { httpPortIn } from "./node-config.ts";
import { startOpensearch } from "./opensearch.ts";
import { provideOpensearch } from "./provide.ts";

const startTimeoutMs = 120_000;
const isGiven = (process.env["RETO3_TEST_OPENSEARCH"] ?? "") !== "";

/** The start of a script that is an owner of one. */
const imports = `
import { startOpensearch } from ${JSON.stringify(join(import.meta.dir, "opensearch.ts"))};
import { whyNoOpensearch } from ${JSON.stringify(join(import.meta.dir, "provide.ts"))};
`;

test.skipIf(!hasOpensearch || isGiven)(
  "it is healthy on loopback, does not look at how full the disk is, and ends with a killed owner, its data too",
  async () => {
    const { owner, firstLine } = await startOwner([
      "-e",
      `${imports}
      const { url, pid, logFile } = await startOpensearch();
      console.log(JSON.stringify({ url, pid, logFile }));
      setInterval(() => {}, 1000);`,
    ]);
    const { url, pid, logFile } = JSON.parse(firstLine) as { url: string; pid: number; logFile: string };
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    const health = await (await fetch(`${url}/_cluster/health`)).json();
    expect(health).toMatchObject({ cluster_name: "reto3-throw-away", number_of_nodes: 1, status: "green" });
    const watermark = "cluster.routing.allocation.disk.threshold_enabled";
    const settings = await (await fetch(`${url}/_nodes/settings?flat_settings=true`)).json();
    expect(Object.values((settings as { nodes: object }).nodes)).toMatchObject([
      { settings: { [watermark]: "false" } },
    ]);
    expect(existsSync(logFile)).toBe(true);

    owner.kill("SIGKILL");
    await until("java is gone", () => !isRunning(pid));
    await until("its folder is gone", () => !existsSync(dirname(logFile)));
  },
  startTimeoutMs,
);

test.skipIf(!hasOpensearch || isGiven)(
  "a java that does not start is an error with the end of its log; nothing stays",
  async () => {
    const temp = await makeTempFolder(join(tmpdir(), "reto3-start-test-"));
    const before = process.env["TMPDIR"];
    process.env["TMPDIR"] = temp.path;
    try {
      // Less than the smallest heap that java takes.
      await expect(startOpensearch({ heapMb: 1 })).rejects.toThrow(
        /cannot start OpenSearch: it ended with exit code 1.*\n {2}.*heap/s,
      );
      expect(readdirSync(temp.path)).toEqual([]);
    } finally {
      if (before === undefined) delete process.env["TMPDIR"];
      else process.env["TMPDIR"] = before;
      await temp.remove();
    }
  },
);

test("without Java it says what to install", async () => {
  const { firstLine } = await startOwner(["-e", `${imports} console.log(await whyNoOpensearch());`], {
    PATH: "/nowhere",
    JAVA_HOME: "",
    RETO3_TEST_OPENSEARCH: "",
  });
  expect(firstLine).toMatch(/^OpenSearch needs Java 17 and Maven \(.*\); no java was found$/);
});

test("the one that the environment names is taken as it is", async () => {
  const before = process.env["RETO3_TEST_OPENSEARCH"];
  process.env["RETO3_TEST_OPENSEARCH"] = "http://10.0.0.1:9200/";
  try {
    expect(await provideOpensearch()).toEqual({ kind: "given", url: "http://10.0.0.1:9200" });
  } finally {
    if (before === undefined) delete process.env["RETO3_TEST_OPENSEARCH"];
    else process.env["RETO3_TEST_OPENSEARCH"] = before;
  }
});

test("the port is that of HTTP, not that between nodes, and none before the log has it", () => {
  const between = "10:00:00.000 INFO  [TransportService] publish_address {127.0.0.1:4001}, bound_addresses {...}\n";
  expect(httpPortIn(between)).toBeUndefined();
  expect(
    httpPortIn(`${between}10:00:00.100 INFO  [AbstractHttpServerTransport] publish_address {127.0.0.1:4002}, ...\n`),
  ).toBe(4002);
});
