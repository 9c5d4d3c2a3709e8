// The image, built and run: needs a Docker engine that can have the base images. Without one it is skipped; what can be checked of the
// container files without an engine is in containers.test.ts.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { version } from "../package.json";
import { root } from "./support/containers.ts";
import { until } from "./support/reto3.ts";

const BUILD_MS = 600_000;
const RUN_MS = 60_000;
/** A container that is told to stop is killed after this; it must not come to that. */
const STOP_SECONDS = "20";

/** Where the machine has certificates of its own: the build needs them to reach a registry through a company's proxy. */
const CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt";

const image = `reto3:test-${crypto.randomUUID().slice(0, 8)}`;

function docker(...args: string[]): { code: number; said: string } {
  const { exitCode, stdout, stderr } = Bun.spawnSync(["docker", ...args], { cwd: root });
  return { code: exitCode, said: `${stdout.toString()}${stderr.toString()}`.trim() };
}

const hasEngine = Bun.which("docker") !== null && docker("version", "--format", "{{.Server.Version}}").code === 0;
if (!hasEngine) console.error("skipped: the tests of the image need a Docker engine, and none answers");

describe.skipIf(!hasEngine)("the image", () => {
  beforeAll(() => {
    const secrets = existsSync(CERTIFICATES) ? ["--secret", `id=ca,src=${CERTIFICATES}`] : [];
    const { code, said } = docker("build", ...secrets, "-t", image, ".");
    if (code !== 0) throw new Error(said);
  }, BUILD_MS);
  afterAll(() => void docker("image", "rm", image));

  /** `docker run` as the compose files run it; the container is removed at the end, with its data. */
  function start(...command: string[]) {
    const hardened = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"];
    const { code, said: id } = docker("run", "-d", ...hardened, "--health-interval", "1s", image, ...command);
    if (code !== 0) throw new Error(id);
    return {
      id,
      logs: () => docker("logs", id).said,
      inspect: (format: string) => docker("inspect", "-f", format, id).said,
      [Symbol.dispose]: () => void docker("rm", "-f", "-v", id),
    };
  }

  test(
    "is the executable of this version, with a commit, for a user without rights",
    () => {
      expect(docker("run", "--rm", image, "--version").said).toMatch(new RegExp(`^${version} \\([0-9a-f]{12}\\)$`));
      const config = docker("image", "inspect", "-f", "{{.Config.User}} {{json .Config.Entrypoint}}", image).said;
      expect(config).toBe('65532:65532 ["reto3"]');
      expect(docker("run", "--rm", "--entrypoint", "sh", image).code).not.toBe(0);
    },
    RUN_MS,
  );

  test(
    "serves on a read-only file system, becomes healthy by itself, and ends in order on SIGTERM as the first process",
    async () => {
      using container = start();
      await until(async () => container.inspect("{{.State.Health.Status}}") === "healthy");
      expect(docker("exec", container.id, "reto3", "health").said).toBe("ready");
      const load = ["reto3", "load", "--rps", "200", "--duration", "1s"];
      expect(docker("exec", container.id, ...load).said).toContain("sent 200, acked 200, counted 200");
      docker("stop", "-t", STOP_SECONDS, container.id);
      expect(container.inspect("{{.State.ExitCode}}")).toBe("0");
      expect(container.logs()).toContain("drained: 200 events stored, none left");
    },
    RUN_MS,
  );

  test(
    "health does not ask the proxy that Docker hands to containers",
    async () => {
      using container = start();
      await until(async () => container.logs().includes("listening on"));
      const proxies = ["-e", "HTTP_PROXY=http://127.0.0.1:9", "-e", "http_proxy=http://127.0.0.1:9"];
      expect(docker("exec", ...proxies, container.id, "reto3", "health").said).toBe("ready");
    },
    RUN_MS,
  );

  test(
    "a command that takes long ends on SIGINT as the first process",
    async () => {
      using container = start("bench-insert", "--store", "memory:", "--keep", "summary", "--duration", "10m");
      await until(async () => container.logs().includes("store: memory"));
      docker("kill", "-s", "INT", container.id);
      await until(async () => container.inspect("{{.State.Running}}") === "false");
      expect(container.logs()).toContain("rows/s:");
    },
    RUN_MS,
  );
});
