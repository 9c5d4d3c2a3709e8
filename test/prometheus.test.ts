// What Prometheus reads, and what it says of it: the metrics of a real serve, the shipped configuration, every alert, every query of the
// Grafana dashboard, by the real Prometheus and promtool. Grafana itself cannot run here.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import dashboard from "../ops/grafana/dashboards/reto3.json";
import { read, withTool } from "./support/containers.ts";
import { load } from "./support/load.ts";
import { startPrometheus, type RunningPrometheus } from "./support/prometheus.ts";
import { serve, temporaryFolder, until, type Server } from "./support/reto3.ts";

const RUN_MS = 90_000;

interface Rule {
  alert: string;
  expr: string;
  for: string;
  annotations: Record<string, string>;
}
const RULES = (Bun.YAML.parse(read("ops/prometheus/alerts.yml")) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  ({ rules }) => rules,
);

/** A minute is twelve scrapes. Of each alert: series that do not set it off, and series that do after `minutes`. */
const CASES: Record<string, { quiet: string[]; firing: string[]; minutes?: number }> = {
  Reto3Down: { quiet: ['up{job="reto3"} 1x60'], firing: ['up{job="reto3"} 0x60'] },
  Reto3Absent: { quiet: ['up{job="reto3"} 0x60'], firing: ['up{job="node"} 1x60'] },
  TargetsMissing: {
    quiet: ['up{job="reto3",instance="a"} 1x60', 'up{job="reto3",instance="b"} _x20 1x40'],
    firing: ['up{job="reto3",instance="a"} 1x60', 'up{job="reto3",instance="b"} 1x20 stale'],
  },
  Reto3NotReady: { quiet: ["reto3_ready 1x60"], firing: ["reto3_ready 0x60"] },
  Reto3EventsRefused: {
    quiet: [
      'reto3_requests_refused_total{reason="invalid"} 0+9x60',
      'reto3_requests_refused_total{reason="queue_full"} 7x60',
    ],
    firing: ['reto3_requests_refused_total{reason="queue_full"} 0+1x60'],
  },
  Reto3OutcomeUnknown: {
    quiet: ['reto3_requests_refused_total{reason="timeout"} 3x60'],
    firing: ['reto3_requests_refused_total{reason="timeout"} 0+1x60'],
  },
  Reto3EventsGivenUp: {
    quiet: ['reto3_events_given_up_total{outcome="unknown"} 5x60'],
    firing: ['reto3_events_given_up_total{outcome="unknown"} 0x30 5x30'],
  },
  Reto3InvalidEvents: {
    quiet: ['reto3_requests_refused_total{reason="invalid"} 0+10x300', "reto3_events_accepted_total 0+5000x300"],
    firing: ['reto3_requests_refused_total{reason="invalid"} 0+500x300', "reto3_events_accepted_total 0+5000x300"],
    minutes: 20,
  },
  Reto3QueueFilling: {
    quiet: ["reto3_queue_events 400x60", "reto3_queue_events_max 1000x60"],
    firing: ["reto3_queue_events 600x60", "reto3_queue_events_max 1000x60"],
  },
  Reto3AckSlow: {
    quiet: [
      'reto3_ack_latency_seconds_bucket{le="0.5"} 0+100x60',
      'reto3_ack_latency_seconds_bucket{le="+Inf"} 0+100x60',
    ],
    firing: [
      'reto3_ack_latency_seconds_bucket{le="1"} 0+50x60',
      'reto3_ack_latency_seconds_bucket{le="5"} 0+100x60',
      'reto3_ack_latency_seconds_bucket{le="+Inf"} 0+100x60',
    ],
  },
  Reto3FlushStuck: { quiet: ["reto3_flush_age_seconds 2x60"], firing: ["reto3_flush_age_seconds 6x60"] },
  Reto3StoreErrors: {
    quiet: ['reto3_store_errors_total{kind="unknown"} 0x30 3x30'],
    firing: ['reto3_store_errors_total{kind="unknown"} 0+1x60'],
  },
  Reto3WriterRetired: {
    quiet: ["reto3_writers_retired_total 1x60"],
    firing: ["reto3_writers_retired_total 0x30 1x30"],
  },
  Reto3SealsLost: { quiet: ["reto3_seals_lost_total 1x60"], firing: ["reto3_seals_lost_total 0x30 1x30"] },
  Reto3UnsealedClaims: {
    quiet: ["reto3_unsealed_claim_age_seconds 14400x60"],
    firing: ["reto3_unsealed_claim_age_seconds 18000+5x60"],
    minutes: 8,
  },
  Reto3UndecidedPartitions: {
    quiet: ["reto3_undecided_partitions 0x60"],
    firing: ["reto3_undecided_partitions 1x60"],
  },
  Reto3UpkeepFails: {
    quiet: ["reto3_upkeep_failures_total 0x30 3x30"],
    firing: ["reto3_upkeep_failures_total 0+1x60"],
  },
  Reto3ClockOffset: {
    quiet: ["reto3_store_clock_offset_seconds -0.004x120"],
    firing: ["reto3_store_clock_offset_seconds -0.02x120"],
    minutes: 8,
  },
  Reto3NotSynced: { quiet: ["reto3_store_synced 1x60"], firing: ["reto3_store_synced 0x60"] },
  Reto3LogGrows: {
    quiet: ["reto3_store_log_bytes 64000000x120"],
    firing: ["reto3_store_log_bytes 300000000x120"],
    minutes: 8,
  },
  Reto3DiskFilling: {
    quiet: ["reto3_store_disk_free_bytes 100000000000-1000000x900"],
    firing: ["reto3_store_disk_free_bytes 100000000000-100000000x900"],
    minutes: 70,
  },
  HostDiskFilling: {
    quiet: ['node_filesystem_avail_bytes{fstype="ext4"} 20x120', 'node_filesystem_size_bytes{fstype="ext4"} 100x120'],
    firing: ['node_filesystem_avail_bytes{fstype="ext4"} 5x120', 'node_filesystem_size_bytes{fstype="ext4"} 100x120'],
    minutes: 8,
  },
  Reto3EventLoopBlocked: {
    quiet: [
      'reto3_event_loop_delay_seconds_bucket{le="0.01"} 0+100x200',
      'reto3_event_loop_delay_seconds_bucket{le="+Inf"} 0+100x200',
    ],
    firing: [
      'reto3_event_loop_delay_seconds_bucket{le="0.1"} 0+50x200',
      'reto3_event_loop_delay_seconds_bucket{le="1"} 0+100x200',
      'reto3_event_loop_delay_seconds_bucket{le="+Inf"} 0+100x200',
    ],
    minutes: 14,
  },
  Reto3WorkerDied: {
    quiet: ["reto3_worker_restarts_total 3x60"],
    firing: ["reto3_worker_restarts_total 0x30 1x30"],
  },
  HaproxyServerDown: {
    quiet: [
      'haproxy_server_status{proxy="reto3",server="a",state="UP"} 1x60',
      'haproxy_server_status{proxy="reto3",server="a",state="MAINT"} 0x60',
      'haproxy_server_status{proxy="reto3",server="b",state="UP"} 0x60',
      'haproxy_server_status{proxy="reto3",server="b",state="MAINT"} 1x60',
    ],
    firing: [
      'haproxy_server_status{proxy="reto3",server="a",state="UP"} 0x60',
      'haproxy_server_status{proxy="reto3",server="a",state="MAINT"} 0x60',
    ],
  },
};

withTool("promtool", (promtool) => {
  test("takes the shipped configuration and its rules", () => {
    const [code, output] = promtool(["check", "config", "ops/prometheus/prometheus.yml"]);
    expect([code, output]).toEqual([0, expect.stringContaining(`${RULES.length} rules found`)]);
  });

  test("every alert has a case here, and says what it means", () => {
    expect(Object.keys(CASES)).toEqual(RULES.map(({ alert }) => alert));
    for (const { annotations } of RULES) {
      expect(annotations["summary"]?.length).toBeGreaterThan(10);
      expect(annotations["description"]?.length).toBeGreaterThan(40);
    }
  });

  test.each(Object.entries(CASES))(
    "%s goes off when it should, and only then",
    (alert, { quiet, firing, minutes = 4 }) => {
      using folder = temporaryFolder();
      writeFileSync(join(folder.path, "alerts.yml"), read("ops/prometheus/alerts.yml"));
      const series = (all: string[]) =>
        all.map((one) => {
          const at = one.lastIndexOf("} ") >= 0 ? one.lastIndexOf("} ") + 1 : one.indexOf(" ");
          return { series: one.slice(0, at), values: one.slice(at + 1) };
        });
      const group = (input: string[], value: number) => ({
        interval: "5s",
        input_series: series(input),
        promql_expr_test: [
          {
            expr: `count(ALERTS{alertname="${alert}",alertstate="firing"}) or vector(0)`,
            eval_time: `${minutes}m`,
            exp_samples: [{ labels: "{}", value }],
          },
        ],
      });
      const tests = [group(quiet, 0), group(firing, 1)];
      const rules = { rule_files: ["alerts.yml"], evaluation_interval: "5s", tests };
      const file = join(folder.path, "test.yml");
      writeFileSync(file, JSON.stringify(rules));
      const [code, output] = promtool(["test", "rules", file], folder.path);
      expect([code, output]).toEqual([0, expect.stringContaining("SUCCESS")]);
    },
    RUN_MS,
  );

  describe("a serve under load, scraped by Prometheus", () => {
    const folder = temporaryFolder();
    let server: Server;
    let prometheus: RunningPrometheus;
    let acked: number;
    beforeAll(async () => {
      server = await serve(`sqlite:${join(folder.path, "reto3.db")}`);
      // What takes longer than that to answer counts as gone.
      prometheus = await startPrometheus({ reto3: [new URL(server.url).host] }, "1s");
      await until(async () => (await prometheus.query("count_over_time(reto3_ready[1m]) > 5")).length > 0);
      ({ acked } = await load(server.url, ["--rps", "500", "--duration", "3s"]));
    }, RUN_MS);
    afterAll(async () => {
      await prometheus[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    }, RUN_MS);

    test("has metrics that promtool finds nothing to say of", async () => {
      const text = await (await fetch(`${server.url}/metrics`)).text();
      const file = join(folder.path, "metrics.txt");
      writeFileSync(file, text);
      const [code, output] = promtool(["check", "metrics"], undefined, readFileSync(file));
      expect([code, output]).toEqual([0, ""]);
    });

    test("has stored there what was acknowledged", async () => {
      const stored = async () => (await prometheus.query("reto3_events_stored_total"))[0]?.value;
      await until(async () => (await stored()) === acked);
      for (const name of ["reto3_lag_seconds_count", "reto3_ack_latency_seconds_count", "reto3_flush_events_sum"])
        expect((await prometheus.query(name))[0]?.value).toBe(acked);
    });

    test.each(dashboard.panels.flatMap((panel) => ("targets" in panel ? [[panel.title, panel.targets] as const] : [])))(
      "every question of the dashboard's %s is answered",
      async (_, targets = []) => {
        for (const { expr } of targets) {
          const asked = expr
            .replaceAll("$__rate_interval", "30s")
            .replaceAll("$__range", "5m")
            .replaceAll("$instance", ".*");
          const answers = await prometheus.query(asked);
          // Of hosts and HAProxy, and of a clock of its own that this store does not have, there is nothing here.
          const isHere = !/node_|haproxy_|clock_offset/.test(expr);
          if (isHere) expect([expr, answers.length]).not.toEqual([expr, 0]);
        }
      },
      RUN_MS,
    );
  });
});

describe("the Grafana dashboard", () => {
  const { panels } = dashboard;

  test("has panels with ids of their own that do not lie on each other, on 24 columns", () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, at) => `${x + (at % w)},${y + Math.floor(at / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(panels.every(({ gridPos: { x, w } }) => x >= 0 && x + w <= 24)).toBe(true);
  });

  test("asks the data source that is provisioned", () => {
    const provisioned = Bun.YAML.parse(read("ops/grafana/provisioning/datasources/prometheus.yml")) as {
      datasources: { uid: string; type: string }[];
    };
    const [{ uid, type } = { uid: "", type: "" }] = provisioned.datasources;
    const asked = panels.flatMap((panel) => ("targets" in panel ? (panel.targets ?? []) : []));
    expect(asked.length).toBeGreaterThan(20);
    for (const { datasource } of asked) expect(datasource).toEqual({ uid, type });
  });

  test("says of every panel what it shows", () => {
    for (const panel of panels) {
      if (panel.type !== "text")
        expect([panel.title, "description" in panel && panel.description !== ""]).toEqual([panel.title, true]);
    }
  });
});
