// The command line of `reto3 setup elastic`: what it refuses before it asks anybody, and that no secret is ever shown.

import { join } from "node:path";
import { expect, test } from "bun:test";

const SECRET = "a-secret-of-ours";

/** Runs the command with this environment alone; what it printed, in both streams. */
async function setup(args: string[], env: Record<string, string> = {}) {
  const run = Bun.spawn([process.execPath, join(import.meta.dir, "reto3.ts"), "setup", "elastic", ...args], {
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out, err] = await Promise.all([run.stdout.text(), run.stderr.text()]);
  return { status: await run.exited, out, err };
}

test.each([
  {
    what: "a password in an address",
    args: ["--elasticsearch", `http://elastic:${SECRET}@127.0.0.1:1`],
    error: "--elasticsearch: an address with a user or password is not accepted",
  },
  {
    what: "a password in an address that the environment gives",
    env: { RETO3_KIBANA: `http://elastic:${SECRET}@127.0.0.1:1` },
    error: "--kibana: an address with a user or password is not accepted",
  },
  {
    what: "an address that is none",
    args: ["--elasticsearch", "localhost:9200"],
    error: '--elasticsearch: "localhost:9200" is not accepted; want http://HOST:PORT or https://HOST:PORT',
  },
  {
    what: "a user without a password",
    args: ["--user", "elastic"],
    error: '--user "elastic": want its password in RETO3_ELASTIC_PASSWORD',
  },
  {
    what: "a password without a user",
    env: { RETO3_ELASTIC_PASSWORD: SECRET },
    error: "RETO3_ELASTIC_PASSWORD is set: want its user as --user or RETO3_ELASTIC_USER",
  },
  {
    what: "a key beside a user",
    args: ["--user", "elastic"],
    env: { RETO3_ELASTIC_API_KEY: SECRET },
    error: "want RETO3_ELASTIC_API_KEY or --user (RETO3_ELASTIC_USER), not both",
  },
  {
    what: "a lifetime below an hour",
    args: ["--keep-10ms", "5m"],
    error: '--keep-10ms: "5m" is not accepted; want a duration of whole seconds such as 24h',
  },
] as { what: string; args?: string[]; env?: Record<string, string>; error: string }[])(
  "$what is refused, and nothing is done",
  async ({ args = [], env = {}, error }) => {
    const { status, out, err } = await setup(args, env);
    expect(err).toStartWith(`reto3: ${error}`);
    expect(status).toBe(2);
    expect(out + err).not.toContain(SECRET);
  },
);

test("user and password go to the server, and into nothing that is printed, whatever goes wrong", async () => {
  const headers: (string | null)[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request) {
      headers.push(request.headers.get("authorization"));
      return Response.json({ error: { reason: "who are you" }, status: 401 }, { status: 401 });
    },
  });
  try {
    const args = ["--elasticsearch", `http://127.0.0.1:${server.port}/`, "--user", "elastic"];
    const { status, out, err } = await setup(args, { RETO3_ELASTIC_PASSWORD: SECRET });
    expect(status).toBe(1);
    expect(err).toContain("refuses GET / with this user or key: 401, who are you\n  hint: want a user with");
    const basic = Buffer.from(`elastic:${SECRET}`).toString("base64");
    expect(headers).toEqual([`Basic ${basic}`]);
    expect(out + err).not.toContain(SECRET);
    expect(out + err).not.toContain(basic);
  } finally {
    await server.stop(true);
  }
});

test("lifetimes and copies are those of the flags", async () => {
  const { out } = await setup(["--print", "requests", "--keep-samples", "30d", "--keep-1m", "366d", "--replicas", "1"]);
  const requests = out
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { method: string; path: string; body: object });
  const bodyOf = (path: string) => requests.find((request) => request.path === path)?.body;
  expect(bodyOf("/_component_template/reto3-sample-lifecycle")).toMatchObject({
    template: { lifecycle: { data_retention: "30d" } },
  });
  expect(bodyOf("/_ilm/policy/reto3-count-1m")).toMatchObject({ policy: { phases: { delete: { min_age: "732d" } } } });
  expect(bodyOf("/_component_template/reto3-count-settings")).toMatchObject({
    template: { settings: { index: { number_of_replicas: "1" } } },
  });
  expect(new Set(requests.map((request) => request.method))).toEqual(new Set(["PUT"]));
});
