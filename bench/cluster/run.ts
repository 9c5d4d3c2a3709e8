// One run: a load, and the CPU time that each kind of process spent meanwhile.

import { loadInto } from "../support/load.ts";
import { cpuSeconds } from "../support/process.ts";
import type { System } from "./system.ts";

export interface Run {
  p50Ms: number;
  p99Ms: number;
  /** Microseconds of CPU time for each event, of all processes of a kind. */
  cpuUs: { reto3: number; haproxy: number; cassandra: number; load: number };
  /** All that was sent was acked and counted. */
  whole: boolean;
}

/** `instances`: "direct" is the first server without a balancer; "2" is the balancer before the first two. */
export async function run(system: System, instances: string, rps: number, seconds: number): Promise<Run> {
  const count = instances === "direct" ? 0 : Number(instances);
  const url = count === 0 ? system.servers[0]?.url : system.balancers[count - 1]?.url;
  if (url === undefined) throw new Error(`no such setup: ${instances}`);
  // What is compiled and connected only when it is used, before anything counts.
  await loadInto(url, rps, 3);
  const before = await spent(system, count);
  const { report, cpuSeconds: loadSeconds } = await loadInto(url, rps, seconds);
  const after = await spent(system, count);
  const perEvent = (kind: keyof typeof before) => ((after[kind] - before[kind]) * 1e6) / report.sent;
  return {
    p50Ms: report.latencyMs.fromSchedule.p50,
    p99Ms: report.latencyMs.fromSchedule.p99,
    cpuUs: {
      reto3: perEvent("reto3"),
      haproxy: perEvent("haproxy"),
      cassandra: perEvent("cassandra"),
      load: (loadSeconds * 1e6) / report.sent,
    },
    whole: report.holds && report.acked === report.sent && report.counted === report.sent,
  };
}

/** CPU seconds so far of what a setup of `count` instances uses; 0: the first instance and no balancer. */
async function spent(system: System, count: number): Promise<{ reto3: number; haproxy: number; cassandra: number }> {
  const servers = system.servers.slice(0, Math.max(1, count));
  const seconds = await Promise.all(servers.map((server) => server.metric("process_cpu_seconds_total")));
  const balancer = system.balancers[count - 1];
  return {
    reto3: seconds.reduce((sum, one) => sum + one, 0),
    haproxy: balancer ? cpuSeconds(balancer.pid) : 0,
    cassandra: system.cassandraCpuSeconds(),
  };
}
