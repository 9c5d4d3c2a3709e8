// Who gets in: tokens and TLS, by the executable. And that no token is in anything that it prints.

import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openConnection } from "../src/load/connection.ts";
import { canMakeCertificates, makeCertificate } from "./support/certificate.ts";
import { countEveryWay, load } from "./support/load.ts";
import { reto3, serve, temporaryFolder } from "./support/reto3.ts";

const EVENT = "value=2016-05-28+11:11:11.123456";

const newToken = () => randomBytes(32).toString("base64");
const [WRITE, WRITE_TOO, READ, OTHER] = [newToken(), newToken(), newToken(), newToken()];

/** A file that its owner alone may read. */
function secret(folder: string, name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}

/** Files and flags, the same for serve and for load. */
function tokenFiles(folder: string): { write: string[]; read: string[] } {
  const text = `# of the old client\n${WRITE}\n\n  # of the new one\r\n${WRITE_TOO}\r\n`;
  return {
    write: ["--token-file", secret(folder, "tokens", text)],
    read: ["--read-token-file", secret(folder, "read-tokens", READ)],
  };
}

function expectNoTokenIn(said: string): void {
  expect(said.length).toBeGreaterThan(0);
  for (const token of [WRITE, WRITE_TOO, READ, OTHER]) expect(said).not.toContain(token);
}

describe("tokens", () => {
  test("decide who gets in where, and are in no answer and no log", async () => {
    using folder = temporaryFolder();
    const { write, read } = tokenFiles(folder.path);
    await using server = await serve("memory:", [...write, ...read]);
    const rows: [string, string, string, string | null, number][] = [
      ["an event without a token", "POST", "/", null, 401],
      ["an event with the first token", "POST", "/", `Bearer ${WRITE}`, 200],
      ["an event with the second token", "POST", "/", `Bearer ${WRITE_TOO}`, 200],
      ["an event with a token of the other file", "POST", "/", `Bearer ${READ}`, 401],
      ["an event with a token of no file", "POST", "/", `Bearer ${OTHER}`, 401],
      ["an event with the scheme in another case", "POST", "/", `BEARER ${WRITE}`, 200],
      ["an event with the token in another case", "POST", "/", `Bearer ${swapCase(WRITE)}`, 401],
      ["an event with the token of another scheme", "POST", "/", `Basic ${WRITE}`, 401],
      ["an event with a comment's words", "POST", "/", "Bearer # of the old client", 401],
      ["counts without a token", "GET", "/counts?last=1m", null, 401],
      ["counts with a token", "GET", "/counts?last=1m", `bearer ${READ}`, 200],
      ["counts with a token for events", "GET", "/counts?last=1m", `Bearer ${WRITE}`, 401],
      ["the head of counts without a token", "HEAD", "/counts?last=1m", null, 401],
      ["counts by another name", "GET", "/counts/", null, 404],
      ["metrics without a token", "GET", "/metrics", null, 401],
      ["metrics with a token", "GET", "/metrics", `Bearer ${READ}`, 200],
      ["metrics with a token for events", "GET", "/metrics", `Bearer ${WRITE_TOO}`, 401],
      ["what balancers ask, without a token", "GET", "/readyz", null, 200],
      ["the same, of its life", "GET", "/healthz", null, 200],
      ["the same, of its home", "GET", "/", null, 200],
    ];
    const said: string[] = [];
    const got: typeof rows = [];
    for (const [what, method, path, header] of rows) {
      const response = await fetch(server.url + path, {
        method,
        headers: header === null ? {} : { authorization: header },
        ...(method === "POST" && { body: EVENT }),
      });
      said.push(await response.text(), JSON.stringify(response.headers));
      const challenge = response.headers.get("www-authenticate");
      expect([what, challenge]).toEqual([what, response.status === 401 ? "Bearer" : null]);
      got.push([what, method, path, header, response.status]);
    }
    expect(got).toEqual(rows);
    const metrics = await (
      await fetch(`${server.url}/metrics`, { headers: { authorization: `Bearer ${READ}` } })
    ).text();
    expect(metrics).toContain('reto3_requests_refused_total{reason="unauthorized"} 6\n');
    expect(metrics).toContain("reto3_reads_unauthorized_total 5\n");
    expect(metrics).toContain("reto3_events_accepted_total 3\n");
    expectNoTokenIn(said.join("") + metrics + server.said());
  });

  test("for reading alone leave the sending open, and the other way round", async () => {
    using folder = temporaryFolder();
    const { write, read } = tokenFiles(folder.path);
    const statuses = async (args: string[]) => {
      await using server = await serve("memory:", args);
      const answers = [fetch(server.url, { method: "POST", body: EVENT }), fetch(`${server.url}/counts`)];
      return (await Promise.all(answers)).map((answer) => answer.status);
    };
    expect([await statuses([]), await statuses(write), await statuses(read)]).toEqual([
      [200, 200],
      [401, 200],
      [200, 401],
    ]);
  });

  test.each([
    ["is not there", undefined, "it cannot be read: ENOENT"],
    ["is empty", "", "there is no token in it; want one a line"],
    ["has comments alone", "# none\n\n", "there is no token in it; want one a line"],
    ["has a short token", `${OTHER}\nhunter2hunter2h\n`, "line 2: the token has 15 characters; want 16 at least"],
    [
      "has a token with a space",
      `# ours\n\nhunter2 hunter2 hunter2`,
      "line 3: the token has a character that none may",
    ],
    ["has a token with a quote", `"hunter2hunter2hunter2"`, "line 1: the token has a character that none may have"],
    ["has = before the end", "hunter2=hunter2hunter2", "line 1: the token has a character that none may have"],
    ["has too many", "hunter2hunter2hunter2\n".repeat(101), "there are 101 tokens in it; want 100 at most"],
  ])("whose file %s are an error at the start that shows nothing of it", async (_, text, problem) => {
    using folder = temporaryFolder();
    const file = text === undefined ? join(folder.path, "none") : secret(folder.path, "tokens", text);
    for (const flag of ["--token-file", "--read-token-file"]) {
      const store = ["--store", `sqlite:${join(folder.path, "reto3.db")}`];
      const { code, stdout, stderr } = await reto3(["serve", ...store, flag, file]);
      expect([code, stdout]).toEqual([2, ""]);
      expect(stderr).toContain(`reto3: ${flag} ${file}: ${problem}`);
      expect(stderr).not.toContain("hunter2");
      expectNoTokenIn(stderr);
    }
  });

  test("that do not fit are an error that says how to make one", async () => {
    using folder = temporaryFolder();
    const { stderr } = await reto3(["serve", "--token-file", secret(folder.path, "tokens", "short")]);
    expect(stderr).toContain("hint: make one with: openssl rand -base64 32");
  });

  test("in a file that everybody may read are worth a warning, others are not", async () => {
    using folder = temporaryFolder();
    const { write } = tokenFiles(folder.path);
    const open = join(folder.path, "open");
    writeFileSync(open, READ, { mode: 0o644 });
    await using server = await serve("memory:", [...write, "--read-token-file", open]);
    await server.says(`--read-token-file ${open}: everybody`);
    server.kill("SIGTERM");
    await server.exited;
    expect(server.said().match(/everybody on this machine may read it/g)).toHaveLength(1);
  });

  test("are asked for and TLS too where others than this machine may come, not on loopback", async () => {
    using folder = temporaryFolder();
    const { write, read } = tokenFiles(folder.path);
    const warnings = async (args: string[]) => {
      await using server = await serve("memory:", args);
      await fetch(`${server.url}/healthz`);
      server.kill("SIGTERM");
      await server.exited;
      return [/whoever reaches 127\.1 may send events/, /tokens reach 127\.1 in clear text/].map((one) =>
        one.test(server.said()),
      );
    };
    // Loopback by an odd name, which is not known for it: so nobody else can come in.
    const odd = ["--host", "127.1"];
    expect(await warnings(odd)).toEqual([true, false]);
    expect(await warnings([...odd, ...write])).toEqual([false, true]);
    expect(await warnings([...odd, ...read])).toEqual([true, true]);
    expect(await warnings([])).toEqual([false, false]);
    expect(await warnings(write)).toEqual([false, false]);
  }, 20_000);
});

describe("load", () => {
  test("without a token for reading sends nothing and says what is wanted", async () => {
    using folder = temporaryFolder();
    const { write, read } = tokenFiles(folder.path);
    await using server = await serve("memory:", [...write, ...read]);
    const ask = (args: string[]) => reto3(["load", "--url", server.url, "--duration", "1s", ...args]);
    const none = await ask(write);
    expect([none.code, none.stdout]).toEqual([1, ""]);
    expect(none.stderr).toContain("the server wants a token\n  hint: want a file with a token");
    const wrong = await ask([...write, "--read-token-file", secret(folder.path, "wrong", OTHER)]);
    expect(wrong.stderr).toContain("it does not accept the token of --read-token-file");
    expectNoTokenIn(none.stderr + wrong.stderr);
  });

  test("without a token for events ends at the first answer and says what is wanted", async () => {
    using folder = temporaryFolder();
    const { write, read } = tokenFiles(folder.path);
    await using server = await serve("memory:", [...write, ...read]);
    // Longer than the test.
    const ask = (args: string[]) => reto3(["load", "--url", server.url, "--duration", "1m", ...read, ...args]);
    const none = await ask([]);
    expect(none.code).toBe(1);
    expect(none.stdout).toContain("x status 401: the server wants a token: --token-file\n");
    expect(none.stdout).toMatch(/^sent \d+, acked 0, counted 0$/m);
    const wrong = await ask(["--token-file", secret(folder.path, "wrong", OTHER)]);
    expect(wrong.stdout).toContain("x status 401: the server does not accept the token of --token-file\n");
    expectNoTokenIn(none.stdout + none.stderr + wrong.stdout + wrong.stderr + server.said());
  }, 20_000);

  test("does not take an address with a password in it, and does not show it", async () => {
    for (const command of ["load", "health"]) {
      const { code, stderr } = await reto3([command, "--url", `http://:${OTHER}@127.0.0.1:1/`]);
      expect([code, stderr]).toEqual([2, expect.stringContaining("--url: an address with a user or password")]);
      expectNoTokenIn(stderr);
    }
  });

  test("does not take certificates to trust for a server without TLS", async () => {
    for (const command of ["load", "health"]) {
      const { code, stderr } = await reto3([command, "--url", "http://127.0.0.1:1/", "--ca", "ca.pem"]);
      expect([code, stderr]).toEqual([
        2,
        expect.stringContaining("--ca: there is no certificate at http://127.0.0.1:1"),
      ]);
    }
  });
});

describe.skipIf(!canMakeCertificates)("TLS", () => {
  /** A server with a certificate for `names`, in `folder`. */
  async function secure(folder: string, names: string, store = "memory:", args: string[] = []) {
    const files = makeCertificate(folder, names);
    const server = await serve(store, ["--tls-cert", files.certFile, "--tls-key", files.keyFile, ...args]);
    return { ...files, server };
  }

  test("with tokens: what load has acked is counted, and no token is printed", async () => {
    using folder = temporaryFolder();
    const { write, read } = tokenFiles(folder.path);
    const store = `sqlite:${join(folder.path, "reto3.db")}`;
    const { server, caFile } = await secure(folder.path, "IP:127.0.0.1", store, [...write, ...read]);
    await using _ = server;
    expect(server.url).toStartWith("https://127.0.0.1:");
    const args = ["--ca", caFile, ...write, ...read, "--rps", "1000", "--duration", "2s"];
    const report = await load(`${server.url}/`, [...args, "--requests-per-connection", "50"]);
    expect(report).toMatchObject({ code: 0, sent: 2_000, acked: 2_000, counted: 2_000, holds: true });
    expect(await countEveryWay(store)).toBe(2_000);
    expectNoTokenIn(JSON.stringify(report) + server.said());
    const text = await reto3(["load", "--url", `${server.url}/`, ...args, "--duration", "100ms"]);
    expect(text.code).toBe(0);
    expectNoTokenIn(text.stdout + text.stderr);
  }, 30_000);

  test("is refused by clients that do not know the authority, or want another name", async () => {
    using folder = temporaryFolder();
    const { write, read } = tokenFiles(folder.path);
    const { server, caFile } = await secure(folder.path, "DNS:localhost", "memory:", [...write, ...read]);
    await using _ = server;
    const byName = server.url.replace("127.0.0.1", "localhost");
    const ask = async (command: string, url: string, args: string[]) => {
      // No variable switches the check off.
      const env = { NODE_TLS_REJECT_UNAUTHORIZED: "0" };
      const { code, stderr } = await reto3([command, "--url", `${url}/`, ...args], env);
      expect(code).toBe(1);
      return stderr;
    };
    for (const [command, args] of Object.entries({ load: [...write, ...read], health: [] })) {
      expect(await ask(command, byName, args)).toContain("its certificate is not trusted");
      expect(await ask(command, server.url, [...args, "--ca", caFile])).toContain(
        "its certificate is for another name",
      );
      const plain = byName.replace("https:", "http:");
      expect(await ask(command, plain, args)).toContain("want https:// where it has --tls-cert");
    }
    expect((await reto3(["health", "--url", `${byName}/`, "--ca", caFile])).stdout).toBe("ready\n");
  }, 20_000);

  test("connections of load are made only to a server that is trusted, under the name that is asked for", async () => {
    using folder = temporaryFolder();
    using other = temporaryFolder();
    const { server, caFile } = await secure(folder.path, "DNS:localhost");
    await using _ = server;
    const [ca, otherCa] = [caFile, makeCertificate(other.path, "DNS:localhost").caFile].map((file) => Bun.file(file));
    const connect = async (host: string, tls: { ca?: string }) => {
      let closed = 0;
      try {
        (await openConnection({ host, port: Number(server.port), tls }, () => closed++)).close();
        return "connected";
      } catch (error) {
        expect(closed).toBe(0);
        return (error as Error).message;
      }
    };
    const trusted = { ca: await ca!.text() };
    expect(await connect("localhost", trusted)).toBe("connected");
    expect(await connect("127.0.0.1", trusted)).toContain("does not match");
    expect(await connect("localhost", {})).toContain("certificate");
    expect(await connect("localhost", { ca: await otherCa!.text() })).toContain("certificate");
  });

  test("with a certificate that has expired, or a key that everybody may read, is worth a warning", async () => {
    using folder = temporaryFolder();
    const { certFile, keyFile } = makeCertificate(folder.path, "IP:127.0.0.1", 0);
    chmodSync(keyFile, 0o644);
    await using server = await serve("memory:", pair(certFile, keyFile));
    await server.says(`--tls-cert ${certFile}: it has expired (`);
    await server.says(`--tls-key ${keyFile}: everybody on this machine may read it; want chmod o-r`);
  });

  test("is an error at the start where a file is missing, or is not what it should be", async () => {
    using folder = temporaryFolder();
    using other = temporaryFolder();
    const { certFile, keyFile } = makeCertificate(folder.path, "IP:127.0.0.1");
    const otherKey = makeCertificate(other.path, "IP:127.0.0.1").keyFile;
    const words = secret(folder.path, "words", "some words");
    const none = join(folder.path, "none");
    const rows: [string, string[], string][] = [
      ["no key", ["--tls-cert", certFile], "--tls-cert is given; want its key as --tls-key, too"],
      ["no certificate", ["--tls-key", keyFile], "--tls-key is given; want its certificate as --tls-cert, too"],
      ["a key that is not there", pair(certFile, none), `--tls-key ${none}: it cannot be read: ENOENT`],
      ["a certificate that is not there", pair(none, keyFile), `--tls-cert ${none}: it cannot be read: ENOENT`],
      ["a certificate that is none", pair(words, keyFile), `--tls-cert ${words}: there is no certificate in PEM`],
      ["a key that is none", pair(certFile, words), `--tls-key ${words}: there is no private key in PEM`],
      ["the key of another", pair(certFile, otherKey), `--tls-key ${otherKey}: it is not the key of the certificate`],
    ];
    for (const [what, args, problem] of rows) {
      const { code, stderr } = await reto3(["serve", "--store", `sqlite:${join(folder.path, "x.db")}`, ...args]);
      expect([what, code, stderr]).toEqual([what, 2, expect.stringContaining(problem)]);
      expect(stderr).not.toContain("PRIVATE KEY-----\nM");
    }
    const ca = await reto3(["health", "--url", "https://127.0.0.1:1/", "--ca", words]);
    expect([ca.code, ca.stderr]).toEqual([2, expect.stringContaining(`--ca ${words}: there is no certificate in PEM`)]);
  }, 20_000);
});

function pair(certFile: string, keyFile: string): string[] {
  return ["--tls-cert", certFile, "--tls-key", keyFile];
}

function swapCase(text: string): string {
  return text.replace(/[a-z]/i, (letter) =>
    letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase(),
  );
}
