// `reto3 monitor host`: processors, memory, disks and network of this machine and its containers, a few lines an interval.

import { ndjsonLine } from "../src/monitor/documents.ts";
import { HostSampler } from "../src/monitor/host.ts";
import { defineCommand, duration, text, type Values } from "./flags.ts";
import { monitorFlags, runMonitor, type Monitor } from "./monitor-flags.ts";
import { log } from "./output.ts";

const flags = {
  ...monitorFlags,
  interval: duration({ default: "5s", minMs: 100, description: "how often the lines are written" }),
  "host-root": text("folder", {
    default: "/",
    env: "RETO3_HOST_ROOT",
    description: "where the host's root is; in a container: where that is mounted",
  }),
};

export const command = defineCommand({
  name: "monitor host",
  summary: "Writes processors, memory, disks and network of this machine and its containers into a log (Linux)",
  flags,
  notes: `Some lines an interval, in host-YYYY-MM-DD.ndjson; ratios are 0..1, sizes bytes. One for the machine:
  system.cpu.*.norm.pct     of all cores: total (all but idle and waiting for disks), user (with nice), system
                            (with interrupts), iowait, steal (taken by the machine that this one runs in)
  system.load.*             of 1, 5, 15 minutes; norm.1: a core
  system.memory.*           total, actual.used (total minus available, as free has it), swap
  host.disk.*, host.network.*, reto.io.*   bytes since the line before, and a second; of whole disks, and of
                            interfaces to the world
One for each file system on a disk (system.filesystem.*; used.pct as df has it); network file systems are left out.
One for each container (container.id, docker.*), of cgroup v2 or v1; the processor's share is of its quota, or of all
cores; container.name is its first process. Without --host-root, one for the container that this is, if it is limited.

What cannot be read is left out and counted in reto.monitor.failures of the lines after it.

In a container, for the machine that it runs on (user 0: some hosts show their disks to root alone):
  docker run -d --user 0 -v /:/hostfs:ro,rslave -v reto3-logs:/logs IMAGE \\
    monitor host --host-root /hostfs --log-dir /logs --host-name "$(hostname)"
On Docker Desktop (macOS, Windows) that machine is Docker's virtual one. Without rslave, disks that are mounted later
are not seen.

Examples:
  reto3 monitor host
  reto3 monitor host --interval 1s --log-dir /var/log/reto3
  tail -f logs/host-*.ndjson | jq -c 'select(.system.cpu) | [."@timestamp", .system.cpu.total.norm.pct]'`,
  run: monitorHost,
});

async function monitorHost(values: Values<typeof flags>): Promise<number> {
  const sampler = new HostSampler({ root: values["host-root"], onHidden: (line) => log.warn(line) });
  const what = `processors, memory, disks and network of ${values["host-name"]}`;
  return runMonitor("host", what, values, (monitor) =>
    monitor.run(async (nowMs) => {
      // At the start, or after a round that took long: differences over so short a time would be noise.
      if (sampler.ageMs >= values.interval / 2) await sampleInto(monitor, sampler, nowMs);
    }),
  );
}

async function sampleInto(monitor: Monitor, sampler: HostSampler, nowMs: number): Promise<void> {
  const { hostName, stats } = monitor;
  const { samples, problems } = await sampler.sample();
  const lines = samples.map(({ idSuffix, fields }) => {
    const id = `${hostName}-${nowMs}${idSuffix}`;
    return ndjsonLine("host", { timestampUs: nowMs * 1_000, id, hostName, failures: stats.failures }, fields);
  });
  monitor.log.append(lines, nowMs);
  if (problems.length > 0) throw new Error(problems.join("; "));
}
