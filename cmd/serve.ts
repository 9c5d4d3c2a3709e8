// `reto3 serve`: its help, and whether this process takes events itself, alone or as a worker, or supervises those that do.

import { availableParallelism } from "node:os";
import { DEFAULT_PORT, WORKERS_MAX } from "../src/config.ts";
import { defineCommand } from "./flags.ts";
import { readAccess } from "./access.ts";
import { flags, type ServeValues } from "./serve-flags.ts";
import { serveOne } from "./serve-one.ts";
import { serveWorkers } from "./serve-workers.ts";
import { joinSupervisor } from "./supervised.ts";

export const command = defineCommand({
  name: "serve",
  summary: "Takes events over HTTP; answers 200 only when the event is durable",
  flags,
  notes: `One event a request:
  curl -d 'value=2016-05-28 11:11:11.123456' http://127.0.0.1:${DEFAULT_PORT}/
See them live: open http://127.0.0.1:${DEFAULT_PORT}/ in a browser
Also: GET /counts?period=1s&last=60s, /live (what that page is told, as a stream), /healthz, /readyz, /metrics

(*) What is not given stays as the store has it; a new one keeps raw events 1h, 10 ms counts 7d, the others
for good ("forever"). 'reto3 store' shows it. On Cassandra a new lifetime holds for what comes from then on; on
SQLite for all that is there: what is older than a shorter one goes at once.

Tokens: openssl rand -base64 32 > tokens; chmod 600 tokens. Clients send "Authorization: Bearer TOKEN". Several in a file are
good at the same time; lines with # are left out. /healthz, /readyz and GET / are open; the page at GET / asks
for a token of --read-token-file. Files are read at the start.

User and password of a Cassandra may stand in RETO3_CASSANDRA_USER and RETO3_CASSANDRA_PASSWORD_FILE (or RETO3_CASSANDRA_PASSWORD)
instead; an address that has its own wins. One that cannot be reached is waited for (--store-wait), any other problem ends the start.

Examples:
  reto3 serve
  reto3 serve --raw-ttl 24h --raw-max-bytes 20GB
  reto3 serve --keep summary
  reto3 serve --store sqlite:/var/lib/reto3/events.db --port 9000
  reto3 serve --store 'cassandra://127.0.0.1:9042/reto3?dc=datacenter1'
  reto3 serve --store 'cassandra://reto3@10.0.0.11/reto3?dc=dc1&password_file=/run/secrets/cassandra&tls=on&ca=/etc/reto3/ca.pem'
  reto3 serve --store 'cassandra://127.0.0.1:9042/reto3?dc=datacenter1' --workers 4
  reto3 serve --host 0.0.0.0 --token-file tokens --read-token-file read-tokens --tls-cert cert.pem --tls-key key.pem

SIGTERM or SIGINT: after --drain-delay takes no more, answers all that was taken, exit 0; 1 if that was not possible in time.
A second signal ends at once.

--workers N: more events than one core takes. A supervisor starts N processes and starts again what dies. Each has the flags, the queue
and the limits of one; /readyz and /metrics speak for all, whichever answers. The kernel deals connections out, and those stay where they are:
want many times N of them. Only Linux does so; elsewhere one process may get them all. SQLite has one writer at a time: there it is an error.`,
  run: serve,
});

async function serve(values: ServeValues): Promise<number> {
  // Before anything is started: what is wrong there is said once.
  const access = readAccess(values);
  const supervisor = joinSupervisor();
  if (supervisor) return serveOne({ ...values, port: supervisor.port }, access, supervisor);
  const count = values.workers === "auto" ? Math.min(availableParallelism(), WORKERS_MAX) : values.workers;
  return count === 1 ? serveOne(values, access) : serveWorkers(values, count);
}
