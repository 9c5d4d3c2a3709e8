// The container files (Dockerfile, .dockerignore, compose files, .env.example, HAProxy's configuration) as far as they can be
// checked without a Docker engine: by the tools that read them, and against what they promise. `.ci/tools` installs the tools.

import { beforeAll, describe, expect, test } from "bun:test";
import { cpSync, readdirSync, symlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { devDependencies, version } from "../package.json";
import { DEFAULT_RETENTION, DRAIN_DELAY_MS, DRAIN_TIMEOUT_MS } from "../src/config.ts";
import { formatDurationMs } from "../src/units.ts";
import {
  COMPOSE_FILES,
  NODE_SETTINGS,
  PASSWORDS,
  composeFolder,
  filesOf,
  isInContext,
  lastStageOf,
  read,
  root,
  servicesOf,
  settingsOf,
  topLevelOf,
  variablesOf,
  withTool,
  type Service,
} from "./support/containers.ts";
import { reto3, temporaryFolder } from "./support/reto3.ts";

/** A tool takes a second at most, where the machine has nothing else to do. */
const RUN_MS = 60_000;

type ComposeFile = (typeof COMPOSE_FILES)[number];
const ONE: ComposeFile[] = ["docker-compose.yml"];
const CLUSTER: ComposeFile[] = [...ONE, "compose.cluster.yml"];
const MACHINE: ComposeFile[] = ["compose.node.yml"];
const MONITORING: ComposeFile[] = [...ONE, "compose.monitoring.yml"];
const SECURE: ComposeFile[] = [...MONITORING, "compose.monitoring.secure.yml"];
const PROMETHEUS: ComposeFile[] = [...ONE, "compose.prometheus.yml"];
const ALL: ComposeFile[] = [...CLUSTER, "compose.monitoring.yml", "compose.prometheus.yml"];
const EXAMPLE = read(".env.example");
const EVERY_SETTING = EXAMPLE.replaceAll(/^#(?=\w+=)/gm, "");

// --- Compose -----------------------------------------------------------------------------------------------------------------

for (const tool of ["Compose v2", "Compose 1.29"] as const)
  withTool(tool, (compose) => {
    test.each([
      ["one node, without a .env", ONE, ""],
      ["the cluster, without a .env", CLUSTER, ""],
      ["one node, with every setting of .env.example", ONE, EVERY_SETTING],
      ["the cluster, with every setting of .env.example", CLUSTER, EVERY_SETTING],
      ["what COMPOSE_FILE of .env.example names", [], EVERY_SETTING],
      ["one machine of three", MACHINE, NODE_SETTINGS],
      ["one machine of three, with every setting of .env.example", MACHINE, EVERY_SETTING + NODE_SETTINGS],
      ["monitoring, without a .env", MONITORING, ""],
      ["monitoring with passwords", SECURE, PASSWORDS],
      ["Prometheus and Grafana, without a .env", PROMETHEUS, ""],
      ["the cluster with all monitoring, with every setting of .env.example", ALL, EVERY_SETTING],
    ])(
      "accepts %s",
      (_, files, dotEnv) => {
        using folder = composeFolder(dotEnv);
        const args = files.flatMap((file) => ["-f", file]);
        expect(compose([...args, "config", "-q"], folder.path)).toEqual([0, ""]);
      },
      RUN_MS,
    );
  });

const ONE_SERVICES = ["cassandra", "load", "reto3"];
const MONITORS = ["monitor-counts", "monitor-host", "monitor-pipeline"];
const ELASTIC = ["elasticsearch", "kibana", "logstash", "setup-elastic", "setup-kibana"];

/** What is wanted of the services whose name fits. */
const RULES: [string, RegExp, (service: Service) => boolean | undefined][] = [
  [
    "publishes ports on this machine alone",
    /./,
    ({ ports = [] }) => ports.every((port) => port.host_ip === "127.0.0.1"),
  ],
  ["is started again when it dies", /^(?!load$|setup-)/, ({ restart }) => restart === "unless-stopped"],
  ["has logs that do not grow for good", /./, ({ logging }) => isRotated(logging)],
  ["has a memory limit", /^(?!load$)/, ({ mem_limit }) => Number(mem_limit) > 0],
  ["cannot gain rights", /./, ({ security_opt }) => security_opt?.includes("no-new-privileges:true")],
  [
    "writes nothing into its image",
    /^(reto3|load|haproxy|monitor-|setup-(elastic|kibana)|prometheus|node-exporter)/,
    ({ read_only }) => read_only,
  ],
  [
    "has no rights beyond a plain user's",
    /^(reto3|load|haproxy|monitor-|setup-|prometheus|node-exporter|grafana)/,
    ({ cap_drop }) => cap_drop?.includes("ALL"),
  ],
  ["has time to answer all that it took", /^reto3/, (service) => graceMs(service) > drainMs(service)],
  ["names a tag of its image, and not latest", /./, ({ image }) => isPinned(image)],
  ["syncs its commit log before it answers", /^cassandra/, ({ environment }) => isSynced(environment)],
];

withTool("Compose v2", (compose) => {
  describe.each([
    ["one node", ONE, ["cassandra", "load", "reto3"]],
    ["the cluster", CLUSTER, [1, 2, 3, 4].flatMap(nodes).concat("haproxy", "load").sort()],
    ["one machine of three", MACHINE, ["cassandra", "haproxy", "reto3"]],
    ["monitoring", MONITORING, [...ONE_SERVICES, ...MONITORS, ...ELASTIC].sort()],
    ["monitoring with passwords", SECURE, [...ONE_SERVICES, ...MONITORS, ...ELASTIC, "setup-users"].sort()],
    ["Prometheus and Grafana", PROMETHEUS, [...ONE_SERVICES, "grafana", "node-exporter", "prometheus"].sort()],
  ])("%s: every service", (_, files, names) => {
    let services: Record<string, Service> = {};
    beforeAll(() => {
      services = servicesOf(compose, files);
    }, RUN_MS);

    test("is one of those that these tests know", () => {
      expect(Object.keys(services).sort()).toEqual(names);
    });

    test.each(RULES)("%s", (_rule, name, isKept) => {
      const concerned = Object.entries(services).filter(([one]) => name.test(one));
      expect(concerned).not.toBeEmpty();
      expect(concerned.filter(([, service]) => !isKept(service)).map(([one]) => one)).toEqual([]);
    });

    test("has ports and an address of its own", () => {
      const all = Object.values(services);
      const ports = all.flatMap((service) => service.ports ?? []).map((port) => port.published);
      const networks = all.flatMap((service) => Object.values(service.networks ?? {}));
      const addresses = networks.flatMap((network) => network?.ipv4_address ?? []);
      for (const taken of [ports, addresses]) expect(taken.sort()).toEqual([...new Set(taken)].sort());
    });
  });

  describe("the cluster: each node is like the first, but for", () => {
    let services: Record<string, Service> = {};
    beforeAll(() => {
      services = servicesOf(compose, CLUSTER);
    }, RUN_MS);

    test.each([
      ["reto3", "reto3-2", "its port, no volume, and not being built again", ["ports", "volumes", "build"]],
      ["reto3", "reto3-3", "the same", ["ports", "volumes", "build"]],
      ["reto3", "reto3-4", "the same, and its profile", ["ports", "volumes", "build", "profiles"]],
      ["cassandra", "cassandra2", "its rack, address, volume and turn", ["volumes", "depends_on"]],
      ["cassandra", "cassandra3", "the same", ["volumes", "depends_on"]],
      ["cassandra", "cassandra4", "the same, and its profile", ["volumes", "depends_on", "profiles"]],
    ])("%s, %s: %s", (first, other, _, but) => {
      expect(alike(services[other], but)).toEqual(alike(services[first], but));
    });

    test("HAProxy reads files that are shipped", () => {
      const files = services["haproxy"]?.command?.filter((word) => word.endsWith(".cfg")) ?? [];
      expect(files).not.toBeEmpty();
      expect(readdirSync(join(root, "ops/haproxy"))).toEqual(
        expect.arrayContaining(files.map((file) => basename(file))),
      );
    });
  });
});

test.each([...COMPOSE_FILES])("%s leaves the project's name to the folder, and has no version", (file) => {
  expect(Object.keys(topLevelOf(file))).not.toContainAnyValues(["name", "version"]);
});

describe(".env.example", () => {
  const settings = settingsOf(EXAMPLE).filter(({ name }) => name !== "COMPOSE_FILE");
  const [one, cluster] = [variablesOf("docker-compose.yml"), variablesOf("compose.cluster.yml")];
  const machine = [...variablesOf("compose.node.yml").keys()];
  const secure = [...variablesOf("compose.monitoring.secure.yml").keys()];
  const [monitoring, prometheus] = [variablesOf("compose.monitoring.yml"), variablesOf("compose.prometheus.yml")];

  test("has every variable of the compose files, and no other", () => {
    const ofNodes = ["NODE_ADDRESS", "NODE_NETWORK", "NODE_RACK", "NODE_SEEDS", "NODES", "RETO3_BALANCER_BIND"];
    const passwords = PASSWORDS.split("\n").map((line) => line.replace(/=.*/, ""));
    const used = [one, cluster, monitoring, prometheus].flatMap((file) => Array.from(file.keys()));
    used.push(...machine.filter((name) => !ofNodes.includes(name)));
    used.push(...secure.filter((name) => !passwords.includes(name)));
    expect(settings.map(({ name }) => name).sort()).toEqual([...new Set(used)].sort());
    // What is a machine's own is in the head of compose.node.yml and in docs/deploy.md.
    for (const name of ofNodes) expect(`${read("compose.node.yml")}${read("docs/deploy.md")}`).toContain(name);
    expect(machine).toEqual(expect.arrayContaining(ofNodes));
    for (const name of passwords) expect(read("compose.monitoring.secure.yml")).toContain(name);
  });

  test("says the default that each has, alone and in the cluster", async () => {
    const { stdout } = await reto3(["serve", "--help"]);
    // An empty one leaves it to serve; its lifetimes are those of a new store.
    const serve = (name: string) =>
      LIFETIMES[name] ?? new RegExp(`\\[${name}\\] \\(Default: (.*)\\)`).exec(stdout)?.[1];
    const defaultIn = (name: string, ...files: Map<string, Set<string>>[]) => {
      const values = [...(files.map((file) => file.get(name)).find((found) => found !== undefined) ?? [])];
      return values.map((value) => value || (serve(name) ?? "")).join(" or ");
    };
    expect(settings).toEqual(
      settings.map(({ name }) => ({
        name,
        one: defaultIn(name, one, cluster, monitoring, prometheus),
        cluster: defaultIn(name, cluster, one, monitoring, prometheus),
      })),
    );
  });
});

// --- the image ---------------------------------------------------------------------------------------------------------------

withTool("hadolint", (hadolint) => {
  test(
    "finds nothing in the Dockerfile",
    () => {
      expect(hadolint(["--no-color", "--failure-threshold", "style", "Dockerfile"])).toEqual([0, ""]);
    },
    RUN_MS,
  );
});

describe("Dockerfile", () => {
  const dockerfile = read("Dockerfile");
  const last = lastStageOf(dockerfile);
  const argumentOf = (instruction: string) =>
    last.findLast((line) => line.startsWith(`${instruction} `))?.slice(instruction.length + 1);

  test("builds with the Bun of package.json", () => {
    expect(/^ARG BUN_VERSION=(.*)$/m.exec(dockerfile)?.[1]).toBe(devDependencies.bun);
  });
  test("says the version of package.json", () => {
    expect(argumentOf("LABEL")).toContain(`org.opencontainers.image.version="${version}"`);
  });
  test("builds on images with a tag, and not on latest", () => {
    const images = [...dockerfile.matchAll(/^FROM (?:--\S+ )?(\S+)/gm)].map(([, image = ""]) => image);
    expect(images).not.toBeEmpty();
    expect(images.filter((image) => !isPinned(image))).toEqual([]);
  });
  test("runs as a user by number, so that it can be seen not to be root", () => {
    expect(argumentOf("USER")).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  });
  test.each(["HEALTHCHECK", "ENTRYPOINT", "CMD"])("needs no shell for its %s", (instruction) => {
    const words: unknown = JSON.parse(argumentOf(instruction)?.replace(/^.*CMD /, "") ?? "");
    expect(words).toEqual(expect.arrayContaining([expect.any(String)]));
  });
});

describe(".dockerignore", () => {
  const dockerignore = read(".dockerignore");
  const files = filesOf(["node_modules", "dist", ".git", ".tools"]);
  const inContext = files.filter((file) => isInContext(file, dockerignore));

  test.each([
    ["settings", ".env"],
    ["settings of a registry", ".npmrc"],
    ["git's configuration", ".git/config"],
    ["history", ".git/objects/pack/pack-1.pack"],
    ["a work tree's secrets", ".git/modules/a/config"],
    ["what npm installed", "node_modules/bun/bin/bun.exe"],
    ["what was built", "dist/reto3"],
    ["tools of the tests", ".tools/bin/hadolint"],
    ["somebody's events", "reto3.db"],
    ["tests", "src/store/sqlite/sqlite.test.ts"],
    ["what else is done with it", "scripts/test.ts"],
    ["what stands beside it", "ops/haproxy/haproxy.cfg"],
  ])("leaves out %s: %s", (_, path) => {
    expect(isInContext(path, dockerignore)).toBe(false);
  });

  test.each(["HEAD", "packed-refs", "refs/heads/main"])("lets through which commit it is: .git/%s", (name) => {
    expect(isInContext(`.git/${name}`, dockerignore)).toBe(true);
  });

  test("lets through nothing else", () => {
    const needed = [
      /^(package(-lock)?\.json|bunfig\.toml|tsconfig\.json|LICENSE|scripts\/build\.ts|(cmd|src)\/.*\.ts)$/,
      /^src\/page\/(index\.html|page\.css|tsconfig\.json)$/,
    ];
    expect(inContext.filter((file) => !needed.some((form) => form.test(file)))).toEqual([]);
  });

  test("lets through all that is copied by name, and all that the executable is made of", () => {
    const copied = [...read("Dockerfile").matchAll(/^COPY (?!--from|\.)(.*) \S+$/gm)].flatMap(([, names = ""]) =>
      names.split(" "),
    );
    expect(inContext).toEqual(expect.arrayContaining([...copied, "scripts/build.ts"]));

    using context = temporaryFolder();
    for (const file of inContext) cpSync(join(root, file), join(context.path, file));
    symlinkSync(join(root, "node_modules"), join(context.path, "node_modules"));
    const command = ["scripts/build.ts", "--outfile", join(context.path, "out/reto3")];
    const built = Bun.spawnSync([process.execPath, ...command], { cwd: context.path });
    expect([built.exitCode, built.stderr.toString()]).toEqual([0, ""]);
  });
});

// --- HAProxy -----------------------------------------------------------------------------------------------------------------

withTool("HAProxy", (haproxy) => {
  const lists = readdirSync(join(root, "ops/haproxy")).filter((name) => name.startsWith("servers."));
  test.each(lists)("accepts its configuration with %s, without a warning", (list) => {
    const files = ["haproxy.cfg", list].flatMap((name) => ["-f", `ops/haproxy/${name}`]);
    const [code, output] = haproxy(["-c", "-dW", ...files]);
    expect([code, output]).toEqual([0, expect.not.stringMatching(/warning|alert/i)]);
  });
});

// --- helpers -----------------------------------------------------------------------------------------------------------------

/** A new store's, by the variable that sets them. */
const LIFETIMES: Record<string, string> = {
  RETO3_RAW_TTL: lifetime(DEFAULT_RETENTION.events),
  RETO3_TTL_10MS: lifetime(DEFAULT_RETENTION["10ms"]),
  RETO3_TTL_1S: lifetime(DEFAULT_RETENTION["1s"]),
  RETO3_TTL_1M: lifetime(DEFAULT_RETENTION["1m"]),
};

function lifetime(seconds: number | null): string {
  return seconds === null ? "forever" : formatDurationMs(seconds * 1_000);
}

function nodes(number: number): string[] {
  return number === 1 ? ["cassandra", "reto3"] : [`cassandra${number}`, `reto3-${number}`];
}

/** The service without what may differ; a rack and an address may always. */
function alike(service: Service | undefined, but: readonly string[]): unknown {
  return JSON.parse(JSON.stringify(service), (key, value: unknown) =>
    [...but, "CASSANDRA_RACK", "ipv4_address"].includes(key) ? undefined : value,
  );
}

function isPinned(image: string): boolean {
  return /:[^:/]+$/.test(image) && !image.endsWith(":latest");
}

function isRotated(logging: Service["logging"]): boolean {
  return logging?.driver === "json-file" && !!logging.options["max-size"] && Number(logging.options["max-file"]) > 0;
}

/** Batch without a wait, and the switch without which Cassandra does not look at these at all. */
function isSynced(environment: Service["environment"]): boolean {
  const options = environment?.["JVM_EXTRA_OPTS"]?.split(/\s+/) ?? [];
  const wanted = [
    "config.allow_system_properties=true",
    "settings.commitlog_sync=batch",
    "settings.commitlog_sync_period=0ms",
  ];
  return wanted.every((option) => options.includes(`-Dcassandra.${option}`));
}

function graceMs({ stop_grace_period = "10s" }: Service): number {
  return durationMs(stop_grace_period);
}

/** How long serve takes to stop: what compose tells it, or its own default. */
function drainMs({ environment = {} }: Service): number {
  const delay = environment["RETO3_DRAIN_DELAY"];
  return (delay ? durationMs(delay) : DRAIN_DELAY_MS) + DRAIN_TIMEOUT_MS;
}

/** Of `1m0s`, as Compose writes it. */
function durationMs(text: string): number {
  const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
  return [...text.matchAll(/(\d+)(ms|s|m|h)/g)].reduce(
    (sum, [, n, unit = ""]) => sum + Number(n) * (UNITS[unit] ?? 0),
    0,
  );
}
