// The real HAProxy with the shipped configuration before servers of the test's choice. Ends with the test.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startGuarded } from "../../scripts/cassandra/guarded-process.ts";
import { chooseFreePort } from "../../scripts/cassandra/ports.ts";
import { toolPath } from "./containers.ts";
import { temporaryFolder, until } from "./reto3.ts";

export const haproxyFolder = join(import.meta.dir, "../../ops/haproxy");

const haproxy = Bun.which("haproxy", { PATH: toolPath });

export const hasHaproxy = haproxy !== null;

const taken = new Set<number>();

export interface Balancer extends AsyncDisposable {
  /** Where events go. */
  readonly url: string;
  /** Statistics, metrics, readiness. */
  readonly adminUrl: string;
  readonly pid: number;
  /** All that it has said so far. */
  said(): string;
  /** Resolves when `servers` are up, no more and no fewer. */
  untilUp(servers: number): Promise<void>;
}

/** `servers`: host:port of each. Resolves when HAProxy listens; which servers are up it finds out by then or later. */
export async function startBalancer(servers: readonly string[]): Promise<Balancer> {
  const folder = temporaryFolder();
  const list = join(folder.path, "servers.cfg");
  const lines = servers.map((address, at) => `    server reto3-${at + 1} ${address}\n`);
  writeFileSync(list, `backend reto3 from servers\n${lines.join("")}`);
  const logFile = join(folder.path, "haproxy.log");
  writeFileSync(logFile, "");
  const [port, adminPort] = [chooseFreePort(["127.0.0.1"], taken), chooseFreePort(["127.0.0.1"], taken)];
  const binds = [`RETO3_BALANCER_BIND=127.0.0.1:${port}`, `RETO3_BALANCER_ADMIN_BIND=127.0.0.1:${adminPort}`];
  const command = [haproxy ?? "haproxy", "-db", "-f", join(haproxyFolder, "haproxy.cfg"), "-f", list];
  const child = await startGuarded(["env", ...binds, ...command], { folder: folder.path, logFile });
  const adminUrl = `http://127.0.0.1:${adminPort}`;
  let ended = false;
  void child.exited.then(() => (ended = true));
  const said = () => readFileSync(logFile, "utf8");
  const upServers = async () => {
    const csv = await (await fetch(`${adminUrl}/;csv`)).text();
    const server = /^reto3,reto3-\d+,/;
    return csv.split("\n").filter((line) => server.test(line) && line.split(",")[17] === "UP").length;
  };
  await until(async () => {
    if (ended) throw new Error(`haproxy ended:\n${said()}`);
    return fetch(adminUrl).then(
      () => true,
      () => false,
    );
  });
  return {
    url: `http://127.0.0.1:${port}`,
    adminUrl,
    pid: child.pid,
    said,
    untilUp: (wanted) => until(async () => (await upServers()) === wanted),
    async [Symbol.asyncDispose]() {
      await child.end(1_000);
      folder[Symbol.dispose]();
    },
  };
}
