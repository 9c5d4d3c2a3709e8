// Samples of the host: one of the machine itself, one of each file system, one of each container. Rates are of the time since the
// sample before. Knows the kernel's files and the names of fields; not where the samples go.

import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { messageOf, quote, Reto3Error } from "../errors.ts";
import type { Fields } from "./documents.ts";
import { ContainerSampler, type Machine } from "./host-containers.ts";
import { folderNames, readText } from "./host-files.ts";
import { FilesystemSampler } from "./host-filesystems.ts";
import * as proc from "./proc.ts";

export interface HostSample {
  /** What makes its id unique among those of one time: nothing, `-fs-/data`, `-container-0123456789ab`. */
  idSuffix: string;
  fields: Fields<"host">;
}

export interface HostSamples {
  samples: HostSample[];
  /** What could not be read, in words. The rest is there. */
  problems: string[];
}

/** What is counted since the machine came up, at one time. */
interface Counters {
  /** By a clock that only goes forward. */
  atMs: number;
  cpu: proc.CpuTimes | undefined;
  disks: Map<string, proc.Flow>;
  network: Map<string, proc.Flow>;
}

export interface HostSamplerOptions {
  /** Where the host's root is: "/", or where a container has it mounted. */
  root: string;
  /** Told once of each file system that cannot be seen from here. */
  onHidden: (line: string) => void;
}

export class HostSampler {
  readonly #root: string;
  readonly #onHidden: (line: string) => void;
  readonly #filesystems: FilesystemSampler;
  readonly #containers: ContainerSampler;
  readonly #toldHidden = new Set<string>();
  #before: Counters;

  /** Takes the first reading, with which the first sample is compared. Throws USAGE where there is no /proc of Linux. */
  constructor({ root: given, onHidden }: HostSamplerOptions) {
    const root = resolve(given);
    requireLinux(root);
    this.#root = root;
    this.#onHidden = onHidden;
    this.#filesystems = new FilesystemSampler(root);
    this.#containers = new ContainerSampler(root);
    this.#before = this.#readCounters([]);
    attempt([], "containers", () => this.#containers.sample(this.#machine(), this.#before.atMs));
  }

  /** Milliseconds since the last reading: rates are of that time. */
  get ageMs(): number {
    return performance.now() - this.#before.atMs;
  }

  async sample(): Promise<HostSamples> {
    const problems: string[] = [];
    const before = this.#before;
    const now = this.#readCounters(problems);
    this.#before = now;
    const cores = now.cpu?.cores ?? 1;
    const host = {
      ...cpuFields(before.cpu, now.cpu),
      ...attempt(problems, "load", () => loadFields(this.#text("proc/loadavg"), cores)),
      ...attempt(problems, "memory", () => memoryFields(this.#text("proc/meminfo"))),
      ...flowFields(before, now),
    };
    const containers = attempt(problems, "containers", () => this.#containers.sample(this.#machine(), now.atMs)) ?? [];
    const mounts = attempt(problems, "mounts", () => proc.parseMounts(this.#ofFirstProcess("mounts"))) ?? [];
    const { found, hidden, problems: silent } = await this.#filesystems.sample(mounts);
    this.#tellHidden(hidden);
    return {
      samples: [
        { idSuffix: "", fields: host },
        ...found.map(({ mountPoint, fields }) => ({ idSuffix: `-fs-${mountPoint}`, fields })),
        ...containers.map(({ shortId, fields }) => ({ idSuffix: `-container-${shortId}`, fields })),
      ],
      problems: [...problems, ...silent],
    };
  }

  #readCounters(problems: string[]): Counters {
    return {
      atMs: performance.now(),
      cpu: attempt(problems, "processor times", () => proc.parseCpuTimes(this.#text("proc/stat"))),
      disks: attempt(problems, "disk counters", () => this.#disks()) ?? new Map(),
      network: attempt(problems, "network counters", () => this.#network()) ?? new Map(),
    };
  }

  #disks(): Map<string, proc.Flow> {
    const flows = proc.withoutCountedPaths(proc.parseDiskstats(this.#text("proc/diskstats")));
    return chosen(flows, this.#real("sys/block"), proc.isWholeDisk);
  }

  #network(): Map<string, proc.Flow> {
    const flows = proc.parseNetDev(this.#ofFirstProcess("net/dev"));
    const interfaces = this.#real("sys/class/net").filter((name) => {
      // A virtual function below another interface (Azure): what passes it is counted there too.
      return !existsSync(join(this.#root, "sys/class/net", name, "master/device"));
    });
    return chosen(flows, interfaces, proc.isOutwardInterface);
  }

  /** The names in this folder of what stands for a piece of hardware, virtual machines' included. */
  #real(folder: string): string[] {
    const path = join(this.#root, folder);
    return folderNames(path).filter((name) => existsSync(join(path, name, "device")));
  }

  #machine(): Machine {
    return {
      cores: this.#before.cpu?.cores ?? 1,
      memoryBytes: proc.parseMeminfo(this.#text("proc/meminfo")).get("MemTotal") ?? Number.NaN,
    };
  }

  /** Mounts and network are the reader's own, unless they are read as those of the host's first process. */
  #ofFirstProcess(file: "mounts" | "net/dev"): string {
    return this.#text(this.#root === "/" ? `proc/${file}` : `proc/1/${file}`);
  }

  #text(path: string): string {
    const text = readText(join(this.#root, path));
    if (text === undefined) throw new Error(`there is no ${join(this.#root, path)}`);
    return text;
  }

  #tellHidden(hidden: ReadonlyMap<string, string>): void {
    for (const [mountPoint, why] of hidden) {
      if (this.#toldHidden.has(mountPoint)) continue;
      this.#toldHidden.add(mountPoint);
      this.#onHidden(`file system ${mountPoint} cannot be seen from here and is left out: ${why}`);
    }
  }
}

function requireLinux(root: string): void {
  const path = join(root, "proc/stat");
  if (proc.parseCpuTimes(readText(path) ?? "")) return;
  if (root !== "/") {
    throw new Reto3Error("USAGE", `--host-root: ${quote(root)} holds no /proc of a Linux host; want its root folder`, {
      hint: `in a container: docker run -v /:${root}:ro,rslave ...`,
    });
  }
  throw new Reto3Error("USAGE", `there is no ${path} here: monitor host reads what the Linux kernel tells`, {
    hint: "run it in a container (then it tells of Docker's virtual machine), or take a ready agent such as Metricbeat",
  });
}

/** What `read` returns; undefined, and a line more in `problems`, where it throws. */
function attempt<T>(problems: string[], what: string, read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    problems.push(`${what}: ${messageOf(error)}`);
    return undefined;
  }
}

/** Those of the names that stand for hardware; where none does (in a container), those that pass by their name. */
function chosen(
  flows: Map<string, proc.Flow>,
  real: readonly string[],
  passes: (name: string) => boolean,
): Map<string, proc.Flow> {
  const hardware = new Set(real.filter((name) => flows.has(name)));
  return new Map([...flows].filter(([name]) => (hardware.size > 0 ? hardware.has(name) : passes(name))));
}

function cpuFields(before: proc.CpuTimes | undefined, now: proc.CpuTimes | undefined): Fields<"host"> {
  if (!now) return {};
  if (!before) return { "system.cpu.cores": now.cores };
  // The kernel lets the times of waiting and of doing nothing go back a little, now and then.
  const since = (name: "user" | "system" | "iowait" | "idle" | "steal") => Math.max(0, now[name] - before[name]);
  const busy = since("user") + since("system") + since("steal");
  const all = busy + since("iowait") + since("idle");
  return {
    "system.cpu.cores": now.cores,
    "system.cpu.total.norm.pct": busy / all,
    "system.cpu.user.norm.pct": since("user") / all,
    "system.cpu.system.norm.pct": since("system") / all,
    "system.cpu.iowait.norm.pct": since("iowait") / all,
    "system.cpu.steal.norm.pct": since("steal") / all,
  };
}

function loadFields(text: string, cores: number): Fields<"host"> {
  const [one, five, fifteen] = proc.parseLoad(text) ?? [];
  if (one === undefined || five === undefined || fifteen === undefined) return {};
  return {
    "system.load.1": one,
    "system.load.5": five,
    "system.load.15": fifteen,
    "system.load.norm.1": one / cores,
  };
}

function memoryFields(text: string): Fields<"host"> {
  const sizes = proc.parseMeminfo(text);
  const size = (name: string) => sizes.get(name) ?? Number.NaN;
  const used = size("MemTotal") - size("MemAvailable");
  return {
    "system.memory.total": size("MemTotal"),
    "system.memory.actual.used.bytes": used,
    "system.memory.actual.used.pct": used / size("MemTotal"),
    "system.memory.swap.total": size("SwapTotal"),
    "system.memory.swap.used.bytes": size("SwapTotal") - size("SwapFree"),
  };
}

function flowFields(before: Counters, now: Counters): Fields<"host"> {
  const seconds = (now.atMs - before.atMs) / 1_000;
  const disk = proc.flowBetween(before.disks, now.disks);
  const network = proc.flowBetween(before.network, now.network);
  return {
    ...(disk && {
      "host.disk.read.bytes": disk.inBytes,
      "host.disk.write.bytes": disk.outBytes,
      "reto.io.disk.read.bytes_per_sec": disk.inBytes / seconds,
      "reto.io.disk.write.bytes_per_sec": disk.outBytes / seconds,
    }),
    ...(network && {
      "host.network.ingress.bytes": network.inBytes,
      "host.network.egress.bytes": network.outBytes,
      "reto.io.network.in.bytes_per_sec": network.inBytes / seconds,
      "reto.io.network.out.bytes_per_sec": network.outBytes / seconds,
    }),
  };
}
