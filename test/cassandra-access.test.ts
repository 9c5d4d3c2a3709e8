// A Cassandra that lets in only whom it knows: passwords, rights, TLS and certificates both ways, on a node of this test's own.
// It is started three times on the same data: with TLS, with TLS that asks clients for a certificate, and without TLS.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Client } from "cassandra-driver";
import { startCassandra, type RunningCassandra } from "../scripts/cassandra/cluster.ts";
import { whyNoJava } from "../scripts/cassandra/provide.ts";
import { countEveryWay, load } from "./support/load.ts";
import { executable, reto3, serve, temporaryFolder, until, type Ended } from "./support/reto3.ts";

const START_MS = 180_000;
const CASE_MS = 60_000;

/** Its authenticator and its certificates are changed, so a container or somebody else's Cassandra does not do. */
const problem = (await whyNoJava()) ?? (Bun.which("openssl") === null ? "no openssl was found" : undefined);

const KEYSPACE = "reto3_access";
/** Of all users: with all that an address must write differently. */
const PASSWORD = "S3cret+ %/@:?#w";
const WRONG = "S3cret-that-is-wrong";

interface Refusal {
  user?: string;
  /** Parameters of the address. */
  ways?: string;
  host?: string;
  keyspace?: string;
  env?: Record<string, string>;
  says: string[];
}

describe.skipIf(problem !== undefined)("a Cassandra with users and TLS", () => {
  const folder = temporaryFolder();
  const file = (name: string) => join(folder.path, name);
  const tls = {
    enabled: true,
    optional: false,
    require_client_auth: false,
    ssl_context_factory: { class_name: "org.apache.cassandra.security.PEMBasedSslContextFactory" },
    keystore: file("by-address.store"),
    truststore: file("authority.crt"),
  };
  let cluster: RunningCassandra | undefined;

  beforeAll(async () => {
    await makeCertificates(folder.path);
    writeFileSync(file("password"), `${PASSWORD}\nwhat follows is of no interest\n`);
    writeFileSync(file("wrong"), WRONG);
    writeFileSync(file("empty"), "\n");
    cluster = await startCassandra({
      yaml: {
        authenticator: "PasswordAuthenticator",
        authorizer: "CassandraAuthorizer",
        client_encryption_options: tls,
      },
      probeTls: { cert: readFileSync(file("client.crt"), "utf8"), key: readFileSync(file("client.key"), "utf8") },
    });
    await asSuperuser([
      ...["maker", "worker", "onlooker", "nobody"].map(
        (role) => `CREATE ROLE ${role} WITH LOGIN = true AND PASSWORD = '${PASSWORD}'`,
      ),
      "GRANT CREATE ON ALL KEYSPACES TO maker",
      ...["maker", "worker", "onlooker"].map((role) => `GRANT SELECT ON KEYSPACE system_views TO ${role}`),
    ]);
  }, START_MS);
  afterAll(async () => {
    await cluster?.stop();
    folder[Symbol.dispose]();
  }, START_MS);

  function theNode() {
    const node = cluster?.nodes[0];
    if (!node) throw new Error("no node was started");
    return node;
  }

  /** It reads what `tls` says then. */
  async function startAnew(changed: Partial<typeof tls>): Promise<void> {
    Object.assign(tls, changed);
    await theNode().kill();
    await theNode().start();
  }

  /** The first one is made some time after the first start. */
  async function asSuperuser(statements: readonly string[]): Promise<void> {
    const { host, nativePort } = theNode();
    const connect = async () => {
      const client = new Client({
        contactPoints: [host],
        protocolOptions: { port: nativePort },
        localDataCenter: "datacenter1",
        credentials: { username: "cassandra", password: "cassandra" },
        sslOptions: { ca: [readFileSync(file("authority.crt"), "utf8")], rejectUnauthorized: true },
      });
      try {
        await client.connect();
        return client;
      } catch {
        await client.shutdown();
        return undefined;
      }
    };
    let client: Client | undefined;
    await until(async () => (client = await connect()) !== undefined);
    for (const statement of statements) await client?.execute(statement);
    await client?.shutdown();
  }

  const byPassword = () => `password_file=${file("password")}`;
  const checked = () => `tls=on&ca=${file("authority.crt")}`;

  function address({
    user,
    ways = "",
    host = "127.0.0.1",
    keyspace = KEYSPACE,
  }: Omit<Refusal, "says" | "env">): string {
    const who = user === undefined ? "" : `${user}@`;
    return `cassandra://${who}${host}:${theNode().nativePort}/${keyspace}?dc=datacenter1${ways && `&${ways}`}`;
  }

  const worker = () => address({ user: "worker", ways: `${byPassword()}&${checked()}` });

  function expectNoSecret(...texts: string[]): void {
    for (const text of texts) {
      for (const secret of ["S3cret", encodeURIComponent(PASSWORD), "PRIVATE KEY"]) expect(text).not.toContain(secret);
    }
  }

  async function refused({ env = {}, says, ...where }: Refusal): Promise<void> {
    const child = Bun.spawn([executable, "serve", "--port", "0", "--store", address(where)], {
      env,
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
    const decoder = new TextDecoder();
    let said = "";
    for await (const bytes of child.stderr) {
      said += decoder.decode(bytes, { stream: true });
      // One that is let in would never end.
      if (said.includes("listening on")) child.kill("SIGKILL");
    }
    expectNoSecret(said);
    for (const text of says) expect(said).toContain(text);
    expect(await child.exited).toBe(1);
  }

  async function counts(store: string, env: Record<string, string> = {}): Promise<Ended> {
    const ended = await reto3(["count", "--store", store, "--last", "30m"], env);
    expectNoSecret(ended.stdout, ended.stderr);
    return ended;
  }

  test(
    "a user that may create keyspaces makes the store",
    async () => {
      await using server = await serve(address({ user: "maker", ways: `${byPassword()}&${checked()}` }));
      await server.says(`/${KEYSPACE}?dc=datacenter1&tls=on\n`);
      expectNoSecret(server.said(), await (await fetch(`${server.url}/metrics`)).text());
      server.kill("SIGTERM");
      expect(await server.exited).toBe(0);
      expectNoSecret(server.said());
    },
    CASE_MS,
  );

  test(
    "without SELECT a server is told which GRANT it needs, then without MODIFY",
    async () => {
      const onlooker = { user: "onlooker", ways: `${byPassword()}&${checked()}` };
      await asSuperuser([`GRANT MODIFY ON KEYSPACE ${KEYSPACE} TO onlooker`]);
      await refused({ ...onlooker, says: [`GRANT SELECT ON KEYSPACE ${KEYSPACE} TO onlooker; docs/deploy.md`] });
      await asSuperuser([
        `REVOKE MODIFY ON KEYSPACE ${KEYSPACE} FROM onlooker`,
        `GRANT SELECT ON KEYSPACE ${KEYSPACE} TO onlooker`,
      ]);
      // A node remembers rights for two seconds.
      await until(async () => (await counts(address(onlooker))).code === 0);
      await refused({ ...onlooker, says: [`GRANT MODIFY ON KEYSPACE ${KEYSPACE} TO onlooker; docs/deploy.md`] });
    },
    CASE_MS,
  );

  test(
    "a user that may only read and write takes a load of which all is counted",
    async () => {
      await asSuperuser(["SELECT", "MODIFY"].map((right) => `GRANT ${right} ON KEYSPACE ${KEYSPACE} TO worker`));
      await using server = await serve(worker());
      const report = await load(server.url, ["--rps", "500", "--duration", "2s", "--settle", "20s"]);
      expect(report).toMatchObject({ holds: true, acked: 1_000, counted: 1_000 });
      expect(await countEveryWay(worker())).toBe(1_000);
      expectNoSecret(server.said());
    },
    CASE_MS,
  );

  test.each<[string, (store: string) => string, () => Record<string, string>]>([
    ["in the address", (store) => store.replace("://", `://worker:${encodeURIComponent(PASSWORD)}@`), () => ({})],
    ["in variables", (store) => store, () => ({ RETO3_CASSANDRA_USER: "worker", RETO3_CASSANDRA_PASSWORD: PASSWORD })],
    [
      "in a file that a variable names",
      (store) => store,
      () => ({ RETO3_CASSANDRA_USER: "worker", RETO3_CASSANDRA_PASSWORD_FILE: file("password") }),
    ],
    [
      "in the address, whatever the variables say",
      (store) => store.replace("://", `://worker:${encodeURIComponent(PASSWORD)}@`),
      () => ({ RETO3_CASSANDRA_USER: "nobody", RETO3_CASSANDRA_PASSWORD: WRONG }),
    ],
  ])("user and password may stand %s", async (_, written, env) => {
    const { code, stderr } = await counts(written(address({ ways: checked() })), env());
    expect(stderr).toContain("1000 events");
    expect(code).toBe(0);
  });

  test.each<[string, () => Refusal]>([
    [
      "a wrong password",
      () => ({
        user: "worker",
        ways: `password_file=${file("wrong")}&${checked()}`,
        says: ["worker and/or password are incorrect", `check the user and the password in ${file("wrong")}`],
      }),
    ],
    [
      "a wrong password in a variable",
      () => ({
        user: "worker",
        ways: checked(),
        env: { RETO3_CASSANDRA_PASSWORD: WRONG },
        says: ["worker and/or password are incorrect", "hint: check the user and the password"],
      }),
    ],
    [
      "no password",
      () => ({ ways: checked(), says: ["requires authentication", "the server wants a user and a password"] }),
    ],
    [
      "a file for the password that is not there",
      () => ({
        user: "worker",
        ways: `password_file=${file("nowhere")}&${checked()}`,
        says: [`the file "${file("nowhere")}" cannot be read (ENOENT)`, "want a file with the password"],
      }),
    ],
    [
      "a file for the password that is empty",
      () => ({
        user: "worker",
        ways: `password_file=${file("empty")}&${checked()}`,
        says: [`the file "${file("empty")}" is empty`, "want a file with the password"],
      }),
    ],
    [
      "an authority that did not sign the server's certificate",
      () => ({
        user: "worker",
        ways: `${byPassword()}&tls=on&ca=${file("stranger.crt")}`,
        says: ["cannot connect", `an authority in ${file("stranger.crt")}`],
      }),
    ],
    [
      "an authority that the system does not know",
      () => ({
        user: "worker",
        ways: `${byPassword()}&tls=on`,
        says: ["cannot connect", "an authority in the system's list", "ca=FILE"],
      }),
    ],
    [
      "a file of authorities that is a key",
      () => ({
        user: "worker",
        ways: `${byPassword()}&tls=on&ca=${file("client.key")}`,
        says: [`the file "${file("client.key")}" holds no usable certificate`],
      }),
    ],
    [
      "a name, where the certificate is for the address",
      () => ({
        user: "worker",
        host: "localhost",
        ways: `${byPassword()}&${checked()}`,
        says: ['its certificate is for "IP Address:127.0.0.1", not for localhost', "subjectAltName"],
      }),
    ],
    ["plain text", () => ({ user: "worker", ways: byPassword(), says: ["the server takes TLS only: write tls=on"] })],
    [
      "a certificate of a client without its own key",
      () => ({
        user: "worker",
        ways: `${byPassword()}&${checked()}&cert=${file("client.crt")}&key=${file("stranger.key")}`,
        says: [`the file "${file("stranger.key")}" is not the key of the certificate`],
      }),
    ],
    [
      "a user with no rights at all",
      () => ({
        user: "nobody",
        ways: `${byPassword()}&${checked()}`,
        says: ["no SELECT permission", "GRANT SELECT ON KEYSPACE system_views TO nobody; docs/deploy.md"],
      }),
    ],
    [
      "a user that may not create the keyspace",
      () => ({
        user: "worker",
        keyspace: "reto3_another",
        ways: `${byPassword()}&${checked()}`,
        says: ["no CREATE permission", "GRANT CREATE ON ALL KEYSPACES TO worker; docs/deploy.md"],
      }),
    ],
  ])("refused: %s", (_, refusal) => refused(refusal()), CASE_MS);

  test(
    "a server that asks for certificates takes a known one and no other; names count where they lead to the address",
    async () => {
      await startAnew({ require_client_auth: true, keystore: file("by-name.store") });
      const client = (name: string) => `&cert=${file(`${name}.crt`)}&key=${file(`${name}.key`)}`;
      const localhost = { user: "worker", host: "localhost", ways: `${byPassword()}&${checked()}` };
      expect(await counts(address({ ...localhost, ways: localhost.ways + client("client") }))).toMatchObject({
        code: 0,
      });
      await refused({ ...localhost, says: ["the server wants a certificate of its clients", "cert=FILE&key=FILE"] });
      await refused({
        ...localhost,
        ways: localhost.ways + client("stranger"),
        says: [`the server does not accept the certificate in ${file("stranger.crt")}`],
      });
      await refused({
        ...localhost,
        host: "127.0.0.1",
        ways: localhost.ways + client("client"),
        says: ['its certificate is for "DNS:localhost", not for 127.0.0.1'],
      });
    },
    START_MS,
  );

  test(
    "a server without TLS is refused where TLS is wanted",
    async () => {
      await startAnew({ enabled: false });
      await refused({
        user: "worker",
        ways: `${byPassword()}&${checked()}`,
        says: ["cannot connect", "the server does not speak TLS at this port"],
      });
    },
    START_MS,
  );
});

/**
 * What the tests name, in `folder`: `authority` signs the certificates of the node, by its address and by its name (each as a
 * store, with the key), and that of `client`; nobody knows `stranger`.
 */
async function makeCertificates(folder: string): Promise<void> {
  const openssl = async (...args: string[]) => {
    const child = Bun.spawn(["openssl", ...args], { cwd: folder, stdin: "ignore", stdout: "ignore", stderr: "pipe" });
    const stderr = await child.stderr.text();
    if ((await child.exited) !== 0) throw new Error(`openssl ${args.join(" ")}:\n${stderr}`);
  };
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const newKey = (name: string) => [...curve, "-keyout", `${name}.key`, "-subj", `/CN=${name}`];
  const text = (name: string) => readFileSync(join(folder, name), "utf8");
  for (const name of ["authority", "stranger"])
    await openssl("req", "-x509", "-days", "2", "-out", `${name}.crt`, ...newKey(name));
  const signed = { "by-address": "IP:127.0.0.1", "by-name": "DNS:localhost", client: "DNS:client" };
  for (const [name, subject] of Object.entries(signed)) {
    writeFileSync(join(folder, `${name}.ext`), `subjectAltName=${subject}\n`);
    await openssl("req", "-out", `${name}.csr`, ...newKey(name));
    const by = ["-CA", "authority.crt", "-CAkey", "authority.key", "-CAcreateserial"];
    const from = ["-in", `${name}.csr`, "-extfile", `${name}.ext`];
    await openssl("x509", "-req", "-days", "2", ...from, ...by, "-out", `${name}.crt`);
    writeFileSync(join(folder, `${name}.store`), text(`${name}.key`) + text(`${name}.crt`) + text("authority.crt"));
  }
}
