// docs/openapi.yaml is what the server does: the same paths and methods, and Schemathesis, which asks a real serve some hundred odd questions
// of its own making, finds nothing that the document does not say. Only ever asks 127.0.0.1.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../src/clock.ts";
import { createRoutes, type RouteContext } from "../src/http/routes.ts";
import { memoryStore } from "../src/store/memory.ts";
import { read, root, withTool } from "./support/containers.ts";
import { load } from "./support/load.ts";
import { serve, temporaryFolder, type Server } from "./support/reto3.ts";

const RUN_MS = 240_000;
const EXAMPLES_MAX = 20;
const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"];

interface Operation {
  security?: Record<string, string[]>[];
  parameters?: { name: string }[];
  responses: Record<string, unknown>;
}
interface Description {
  paths: Record<string, Record<string, Operation>>;
}
const description = Bun.YAML.parse(read("docs/openapi.yaml")) as Description;
const operations = Object.entries(description.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
);

test("the description has the server's paths, and no other", () => {
  const context = { store: memoryStore(), clock: systemClock() } as unknown as RouteContext;
  expect(Object.keys(description.paths)).toEqual(Object.keys(createRoutes(context).routes));
});

test("the description for people names every path, parameter and status of it", () => {
  const text = read("docs/http.md");
  const requests = operations.map(({ path, method }) => `${method} ${path}`);
  const parameters = operations.flatMap(({ operation }) => operation.parameters ?? []);
  const statuses = operations.flatMap(({ operation }) => Object.keys(operation.responses));
  const names = [...requests, ...parameters.map(({ name }) => `\`${name}\``), ...statuses];
  expect(names.filter((name) => !text.includes(name))).toEqual([]);
});

describe("a serve", () => {
  const folder = temporaryFolder();
  const [writeToken, readToken] = ["w".repeat(32), "r".repeat(32)];
  let open: Server;
  let locked: Server;
  beforeAll(async () => {
    for (const file of ["schemathesis.toml", "hooks.py"])
      copyFileSync(join(root, "test/schemathesis", file), join(folder.path, file));
    const tokenFile = (name: string, token: string) => {
      const file = join(folder.path, name);
      writeFileSync(file, `${token}\n`, { mode: 0o600 });
      return file;
    };
    const store = (name: string) => `sqlite:${join(folder.path, name)}`;
    const write = ["--token-file", tokenFile("write-tokens", writeToken)];
    const readers = ["--read-token-file", tokenFile("read-tokens", readToken)];
    open = await serve(store("open.db"));
    locked = await serve(store("locked.db"), [...write, ...readers]);
    await load(open.url, ["--rps", "500", "--duration", "2s"]);
    await load(locked.url, ["--rps", "500", "--duration", "1s", ...write, ...readers]);
  }, RUN_MS);
  afterAll(async () => {
    await open[Symbol.asyncDispose]();
    await locked[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  }, RUN_MS);

  test.each(Object.entries(description.paths))("at %s allows the methods that are described", async (path, item) => {
    const described = Object.keys(item).map((method) => method.toUpperCase());
    for (const method of METHODS.filter((one) => !described.includes(one))) {
      const answer = await fetch(open.url + path, { method });
      const allowed = answer.headers.get("allow")?.split(", ").sort();
      expect([method, answer.status, allowed]).toEqual([method, 405, [...described, "HEAD"].sort()]);
    }
  });

  withTool("Schemathesis", (schemathesis) => {
    /** Throws what it found, if anything. */
    function ask(server: Server, schema: string, args: string[] = [], config = "schemathesis.toml"): void {
      expect(new URL(server.url).hostname).toBe("127.0.0.1");
      const target = ["--url", server.url, "--max-redirects", "0"];
      const extent = ["--checks", "all", "--max-examples", `${EXAMPLES_MAX}`];
      const [code, output] = schemathesis(
        ["--no-color", "--config-file", config, "run", schema, ...target, ...extent, ...args],
        folder.path,
      );
      if (code !== 0) throw new Error(output);
      expect(output).toMatch(/\d+ generated, \d+ passed/);
    }
    const briefly = ["--phases", "examples,coverage", "--mode", "positive"];
    const yaml = join(root, "docs/openapi.yaml");

    test("that is open to all does what is described, whatever it is asked", () => ask(open, yaml), RUN_MS);

    test.each(["text/plain", "text/csv"])(
      "writes %s as it is described",
      (type) => ask(open, yaml, ["--include-path", "/counts", "--header", `Accept: ${type}`, ...briefly]),
      RUN_MS,
    );

    test(
      "has a page for browsers as it is described",
      () => ask(open, yaml, ["--include-operation-id", "getHome", "--header", "Accept: text/html", ...briefly]),
      RUN_MS,
    );

    test(
      "that wants tokens lets nobody in without",
      () => {
        const strict = structuredClone(description);
        for (const operation of Object.values(strict.paths).flatMap((item) => Object.values(item)))
          operation.security = operation.security?.filter((one) => Object.keys(one).length > 0) ?? [];
        writeFileSync(join(folder.path, "strict.json"), JSON.stringify(strict));
        const auth = `[auth.openapi]\nwriteToken.bearer = "${writeToken}"\nreadToken.bearer = "${readToken}"\n`;
        writeFileSync(join(folder.path, "tokens.toml"), read("test/schemathesis/schemathesis.toml") + auth);
        ask(locked, "strict.json", [], "tokens.toml");
      },
      RUN_MS,
    );
  });
});
