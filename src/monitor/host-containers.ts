// What each container uses, read from the control groups below a root; and, in a container or a service with limits, what this
// process's own group uses. Needs no container engine, so it knows ids, and no names that an engine gave.

import { join } from "node:path";
import { containerIdIn, containerIdOf, parseCgroupPaths, usageV1, usageV2, type ReadCgroupFile } from "./cgroup.ts";
import type { Fields } from "./documents.ts";
import { folderNames, readText, readTextOfProcess } from "./host-files.ts";

/** As engines show them. */
const SHORT_ID_CHARS = 12;

/** user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope is at five. */
const DEPTH_MAX = 6;

/** A container whose first process was not found is looked for again after so long. */
const SEEK_AGAIN_MS = 60_000;

export interface ContainerSample {
  shortId: string;
  fields: Fields<"host">;
}

/** What a container may use that has no limit of its own. */
export interface Machine {
  cores: number;
  memoryBytes: number;
}

interface Group {
  id: string;
  isOwn: boolean;
  read: ReadCgroupFile;
}

export class ContainerSampler {
  readonly #root: string;
  /** Processor time at the last sample, by id. */
  #before = new Map<string, { cpuUs: number; atMs: number }>();
  /** The first process of each container that has one, by id. */
  #firstPids = new Map<string, string>();
  /** When it was looked for in vain, by id. */
  #soughtMs = new Map<string, number>();

  /** `root`: where /proc and /sys of the host are. */
  constructor(root: string) {
    this.#root = root;
  }

  /** `nowMs` by a clock that only goes forward. The processor's share is of the time since the last call. */
  sample(machine: Machine, nowMs: number): ContainerSample[] {
    const cgroups = join(this.#root, "sys/fs/cgroup");
    const isV2 = readText(join(cgroups, "cgroup.controllers")) !== undefined;
    const groups = isV2 ? groupsV2(cgroups) : groupsV1(cgroups);
    const own = this.#root === "/" ? ownGroup(cgroups, isV2) : undefined;
    if (own && !groups.some(({ id }) => id === own.id)) groups.push(own);
    this.#findFirstPids(groups, nowMs);
    const samples: ContainerSample[] = [];
    const now = new Map<string, { cpuUs: number; atMs: number }>();
    for (const group of groups) {
      const usage = isV2 ? usageV2(group.read) : usageV1(group.read);
      const { cpuUs, memoryBytes } = usage;
      const isGone = cpuUs === undefined && memoryBytes === undefined;
      const coresMax = Math.min(usage.coresMax ?? machine.cores, machine.cores);
      const memoryMax = Math.min(usage.memoryMax ?? machine.memoryBytes, machine.memoryBytes);
      const isLimited = coresMax < machine.cores || memoryMax < machine.memoryBytes;
      if (isGone || (group.isOwn && !isLimited)) continue;
      if (cpuUs !== undefined) now.set(group.id, { cpuUs, atMs: nowMs });
      const before = this.#before.get(group.id);
      const name = this.#nameOf(group);
      const fields: Fields<"host"> = { "container.id": group.id, "docker.memory.limit": memoryMax };
      if (name !== undefined) fields["container.name"] = name;
      if (before && cpuUs !== undefined && cpuUs >= before.cpuUs)
        fields["docker.cpu.total.norm.pct"] = (cpuUs - before.cpuUs) / ((nowMs - before.atMs) * 1_000 * coresMax);
      if (memoryBytes !== undefined) {
        fields["docker.memory.usage.total"] = memoryBytes;
        fields["docker.memory.usage.pct"] = memoryBytes / memoryMax;
      }
      samples.push({ shortId: group.id.slice(0, SHORT_ID_CHARS), fields });
    }
    this.#before = now;
    return samples;
  }

  #nameOf({ id, isOwn }: Group): string | undefined {
    const pid = isOwn ? "self" : this.#firstPids.get(id);
    // Read each time: a container begins as the program that starts it.
    return pid === undefined ? undefined : readTextOfProcess(join(this.#root, "proc", pid, "comm"))?.trim();
  }

  /**
   * Looks through all processes, but only when a container is new, its first process has ended, or it was not found a while ago. The
   * group's own list of processes (cgroup.procs) would not do: where the reader is in a container, it is zeros, but for its own group.
   */
  #findFirstPids(groups: readonly Group[], nowMs: number): void {
    const proc = join(this.#root, "proc");
    const [known, sought] = [this.#firstPids, this.#soughtMs];
    this.#firstPids = new Map();
    this.#soughtMs = new Map();
    const missing = new Set<string>();
    for (const { id, isOwn, read } of groups) {
      if (isOwn) continue;
      const pid = known.get(id);
      const atMs = sought.get(id);
      const isOurs = read("memory", "cgroup.procs")?.split("\n").includes(String(process.pid));
      if (isOurs) this.#firstPids.set(id, "self");
      else if (pid !== undefined && containerOf(join(proc, pid)) === id) this.#firstPids.set(id, pid);
      else if (pid === undefined && atMs !== undefined && nowMs < atMs + SEEK_AGAIN_MS) this.#soughtMs.set(id, atMs);
      else missing.add(id);
    }
    if (missing.size === 0) return;
    const pids = folderNames(proc).filter((name) => /^\d+$/.test(name));
    for (const pid of pids.sort((a, b) => Number(a) - Number(b))) {
      const id = containerOf(join(proc, pid));
      if (id !== undefined && missing.delete(id)) this.#firstPids.set(id, pid);
    }
    for (const id of missing) this.#soughtMs.set(id, nowMs);
  }
}

/** The container of a process, by its folder in /proc. */
function containerOf(process: string): string | undefined {
  return containerIdIn(readTextOfProcess(join(process, "cgroup")) ?? "");
}

function groupsV2(cgroups: string): Group[] {
  return containersBelow(cgroups).map(({ id, path }) => ({
    id,
    isOwn: false,
    read: (_, file) => readText(join(cgroups, path, file)),
  }));
}

function groupsV1(cgroups: string): Group[] {
  return containersBelow(join(cgroups, "memory")).map(({ id, path }) => ({
    id,
    isOwn: false,
    read: (controller, file) => readText(join(cgroups, controller, path, file)),
  }));
}

/** The paths below `folder` of all groups that hold a container. Containers in containers are part of the outer one. */
function containersBelow(folder: string, path = "", depth = 0): { id: string; path: string }[] {
  return folderNames(join(folder, path)).flatMap((name) => {
    const id = containerIdOf(name);
    const below = join(path, name);
    if (id !== undefined) return [{ id, path: below }];
    return depth < DEPTH_MAX ? containersBelow(folder, below, depth + 1) : [];
  });
}

/** The group that this process is in. */
function ownGroup(cgroups: string, isV2: boolean): Group | undefined {
  const text = readText("/proc/self/cgroup");
  if (text === undefined) return undefined;
  const paths = parseCgroupPaths(text);
  return {
    id: containerIdIn(text) ?? "self",
    isOwn: true,
    read: (controller, file) => {
      const top = isV2 ? cgroups : join(cgroups, controller);
      const path = paths.get(isV2 ? "" : controller) ?? "/";
      // In a container the path may be the host's, where the container has its own group as the root of all.
      return readText(join(top, path, file)) ?? readText(join(top, file));
    },
  };
}
