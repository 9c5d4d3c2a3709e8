// Control groups, in which containers run: who they are, what they use, what they may use. Version 2, and version 1 as Docker uses it.
// Pure: gets the texts of files by name. https://docs.kernel.org/admin-guide/cgroup-v2.html, .../cgroup-v1/

export interface CgroupUsage {
  /** Microseconds of processor time so far, of all cores together. */
  cpuUs: number | undefined;
  /** How many cores it may use; undefined: all. */
  coresMax: number | undefined;
  /** Without what was read from files and not used lately: the kernel takes that back at once. */
  memoryBytes: number | undefined;
  /** Undefined: all. Version 1 writes a huge number for that, more than any machine has. */
  memoryMax: number | undefined;
}

/** The text of a file of the group, below `controller` in version 1; undefined where there is none. */
export type ReadCgroupFile = (controller: "cpu" | "cpuacct" | "memory", file: string) => string | undefined;

export function usageV2(read: ReadCgroupFile): CgroupUsage {
  const [quotaUs, periodUs] = (read("cpu", "cpu.max") ?? "").trim().split(" ").map(Number);
  return {
    cpuUs: valueIn(read("cpu", "cpu.stat"), "usage_usec"),
    coresMax: coresOf(quotaUs, periodUs),
    memoryBytes: workingSet(
      numberIn(read("memory", "memory.current")),
      valueIn(read("memory", "memory.stat"), "inactive_file"),
    ),
    memoryMax: numberIn(read("memory", "memory.max")),
  };
}

export function usageV1(read: ReadCgroupFile): CgroupUsage {
  const cpuNs = numberIn(read("cpuacct", "cpuacct.usage"));
  return {
    cpuUs: cpuNs === undefined ? undefined : cpuNs / 1_000,
    coresMax: coresOf(numberIn(read("cpu", "cpu.cfs_quota_us")), numberIn(read("cpu", "cpu.cfs_period_us"))),
    memoryBytes: workingSet(
      numberIn(read("memory", "memory.usage_in_bytes")),
      valueIn(read("memory", "memory.stat"), "total_inactive_file"),
    ),
    memoryMax: numberIn(read("memory", "memory.limit_in_bytes")),
  };
}

/**
 * The container whose group has this folder's name: `docker-ID.scope`, `libpod-ID.scope`, `cri-containerd-ID.scope` ..., or the id
 * alone, 64 hexadecimal digits; `libpod-payload-ID` below a unit of systemd. Not those of its helpers (`libpod-conmon-ID.scope`).
 */
export function containerIdOf(folder: string): string | undefined {
  return /^(?:(?:docker|libpod|libpod-payload|cri-containerd|crio|nerdctl)-)?([0-9a-f]{64})(?:\.scope)?$/.exec(
    folder,
  )?.[1];
}

/** The container that a process is in, by its /proc/PID/cgroup; the outermost where they lie in one another. */
export function containerIdIn(text: string): string | undefined {
  return text
    .split(/[/\n]/)
    .map(containerIdOf)
    .find((id) => id !== undefined);
}

/** /proc/PID/cgroup: the group's path by controller, and that of version 2 as "". */
export function parseCgroupPaths(text: string): Map<string, string> {
  const paths = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) continue;
    for (const controller of controllers.split(",")) paths.set(controller, path);
  }
  return paths;
}

function coresOf(quotaUs = Number.NaN, periodUs = Number.NaN): number | undefined {
  const cores = quotaUs / periodUs;
  return cores > 0 && Number.isFinite(cores) ? cores : undefined;
}

function workingSet(usedBytes: number | undefined, inactiveBytes = 0): number | undefined {
  return usedBytes === undefined ? undefined : Math.max(0, usedBytes - inactiveBytes);
}

/** The number that is the whole text; undefined for "max" and for -1, which mean none. */
function numberIn(text: string | undefined): number | undefined {
  const match = /^\d+\s*$/.exec(text ?? "");
  return match ? Number(match[0]) : undefined;
}

/** The number in the line `name NUMBER`. */
function valueIn(text: string | undefined, name: string): number | undefined {
  const line = text?.split("\n").find((one) => one.startsWith(`${name} `));
  return line === undefined ? undefined : numberIn(line.slice(name.length + 1));
}
