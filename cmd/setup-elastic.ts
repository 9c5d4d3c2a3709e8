// `reto3 setup elastic`: what Elasticsearch and Kibana must have before the monitors' logs come. Once, before Logstash starts; again at will.

import { quote, Reto3Error } from "../src/errors.ts";
import { dashboardNdjson } from "../src/elastic/dashboard.ts";
import type { Server } from "../src/elastic/server.ts";
import { setupElastic } from "../src/elastic/setup.ts";
import { templateRequests, type TemplateOptions } from "../src/elastic/templates.ts";
import { defineCommand, duration, lifetime, oneOf, text, whole, type Values } from "./flags.ts";
import { log, print } from "./output.ts";

const KEEP_MIN_MS = 3_600_000;
const REPLICAS_MAX = 10;

const flags = {
  elasticsearch: text("url", {
    default: "http://127.0.0.1:9200",
    env: "RETO3_ELASTICSEARCH",
    description: "where Elasticsearch is",
  }),
  kibana: text("url", {
    default: "http://127.0.0.1:5601",
    env: "RETO3_KIBANA",
    description: 'where Kibana is, with its base path where it has one; "none": no dashboard',
  }),
  user: text("name", {
    env: "RETO3_ELASTIC_USER",
    description: "who asks, with the password in RETO3_ELASTIC_PASSWORD",
  }),
  "keep-samples": lifetime({
    default: "7d",
    minMs: KEEP_MIN_MS,
    description: "how long samples of the host, TPS and LAG stay, at least",
  }),
  "keep-10ms": lifetime({
    default: "2d",
    minMs: KEEP_MIN_MS,
    description: "how long counts per 10 ms stay, at least; up to 8,640,000 documents a day",
  }),
  "keep-1s": lifetime({ default: "90d", minMs: KEEP_MIN_MS, description: "the same, per second" }),
  "keep-1m": lifetime({ default: "forever", minMs: KEEP_MIN_MS, description: "the same, per minute" }),
  replicas: whole("number", 0, REPLICAS_MAX, {
    default: "0",
    description: "copies of everything on other nodes; 1 where Elasticsearch has several",
  }),
  timeout: duration({ default: "5m", description: "how long to wait until both are up" }),
  print: oneOf(["requests", "dashboard"], {
    description:
      'asks nobody, and prints instead: "requests", what Elasticsearch would be asked, {method, path, body} a line; "dashboard", the file for Kibana',
  }),
};

export const command = defineCommand({
  name: "setup elastic",
  summary: "Prepares Elasticsearch and Kibana for the logs of reto3 monitor",
  flags,
  notes: `Waits until both are up, then puts how long what is kept, the fields' types and the indices they hold for into
Elasticsearch, and the dashboard "reto3" into Kibana. It says of each whether it was made, changed or already so, and
may be repeated. To be run before Logstash: what comes earlier is stored as Elasticsearch guesses.
Counts are deleted by whole indices: of a day (10 ms), a month (1 s), a year (1 m). A change of how long counts
and samples stay holds at once; other changes hold for what is written to new indices.

RETO3_ELASTIC_PASSWORD   the password of --user, for both; not a flag, as other users of a machine see flags
RETO3_ELASTIC_API_KEY    instead of user and password: an encoded API key
NODE_EXTRA_CA_CERTS      a file with the certificate of the authority that signed theirs, for https://

OpenSearch takes the same, without what deletes old documents, and without the dashboard: --kibana none.

Exit status: 0 done, 1 not.

Examples:
  reto3 setup elastic
  reto3 setup elastic --elasticsearch http://elasticsearch:9200 --kibana http://kibana:5601 --keep-1s forever
  RETO3_ELASTIC_PASSWORD=... reto3 setup elastic --user elastic --elasticsearch https://10.0.0.5:9200
  reto3 setup elastic --print dashboard > reto3.ndjson`,
  run,
});

async function run(values: Values<typeof flags>): Promise<number> {
  const templates: TemplateOptions = {
    replicas: values.replicas,
    keepSamples: values["keep-samples"],
    keepCounts: { "10ms": values["keep-10ms"], "1s": values["keep-1s"], "1m": values["keep-1m"] },
  };
  if (values.print === "requests") {
    await print(requestLines(templates));
    return 0;
  }
  if (values.print === "dashboard") {
    await print(dashboardNdjson());
    return 0;
  }
  const authorization = authorizationOf(values.user, process.env);
  const server = (name: Server["name"], flag: string, url: string): Server => ({
    name,
    url: addressIn(flag, url),
    authorization,
  });
  await setupElastic({
    elasticsearch: server("Elasticsearch", "--elasticsearch", values.elasticsearch),
    kibana: values.kibana === "none" ? null : server("Kibana", "--kibana", values.kibana),
    templates,
    dashboard: dashboardNdjson(),
    timeoutMs: values.timeout,
    say: (line) => log.info(line),
  });
  return 0;
}

function requestLines(templates: TemplateOptions): string {
  const lines = templateRequests(templates).map(({ path, body }) => JSON.stringify({ method: "PUT", path, body }));
  return `${lines.join("\n")}\n`;
}

/** `url` without a slash at the end. One with a password is not even quoted. */
function addressIn(flag: string, url: string): string {
  const parsed = URL.parse(url);
  if (url.includes("@")) {
    throw new Reto3Error("USAGE", `${flag}: an address with a user or password is not accepted`, {
      hint: "want --user, and the password in RETO3_ELASTIC_PASSWORD",
    });
  }
  const isHttp = parsed?.protocol === "http:" || parsed?.protocol === "https:";
  if (!parsed || !isHttp || parsed.search !== "" || parsed.hash !== "") {
    throw new Reto3Error("USAGE", `${flag}: ${quote(url)} is not accepted; want http://HOST:PORT or https://HOST:PORT`);
  }
  return parsed.href.replace(/\/+$/, "");
}

/** The header that says who asks; null: nobody in particular. */
function authorizationOf(user: string | undefined, env: Record<string, string | undefined>): string | null {
  const password = env["RETO3_ELASTIC_PASSWORD"];
  const apiKey = env["RETO3_ELASTIC_API_KEY"];
  if (apiKey) {
    if (user) throw new Reto3Error("USAGE", "want RETO3_ELASTIC_API_KEY or --user (RETO3_ELASTIC_USER), not both");
    return `ApiKey ${apiKey}`;
  }
  if (user && !password)
    throw new Reto3Error("USAGE", `--user ${quote(user)}: want its password in RETO3_ELASTIC_PASSWORD`);
  if (!user && password)
    throw new Reto3Error("USAGE", "RETO3_ELASTIC_PASSWORD is set: want its user as --user or RETO3_ELASTIC_USER");
  return user ? `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}` : null;
}
