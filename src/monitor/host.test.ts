// A host made of files, as a container has it mounted; and the one that the tests run on, compared with free, df and top.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Reto3Error } from "../errors.ts";
import { ContainerSampler } from "./host-containers.ts";
import { HostSampler, type HostSample, type HostSamples } from "./host.ts";

const LIMITED = "a1".repeat(32);
const FREE = "b2".repeat(32);

/** /proc of a machine with two cores, 8 GiB of memory, and the paths of its mounts where the tests have their folder. */
const MACHINE = {
  "proc/stat": "cpu  100 0 100 1000 100 0 0 0 0 0\ncpu0 50 0 50 500 50 0 0 0 0 0\ncpu1 50 0 50 500 50 0 0 0 0 0\n",
  "proc/loadavg": "1.00 0.50 0.25 1/100 4711\n",
  "proc/meminfo":
    "MemTotal:        8388608 kB\nMemFree:         1000000 kB\nMemAvailable:    6291456 kB\nSwapTotal:       2097152 kB\nSwapFree:        1048576 kB\n",
  "proc/diskstats": "   8 0 sda 0 0 1000 0 0 0 2000 0 0 0 0\n   8 1 sda1 0 0 900 0 0 0 1900 0 0 0 0\n",
  "proc/1/mounts": "/dev/sda1 / ext4 rw 0 0\nproc /proc proc rw 0 0\n",
  "proc/1/net/dev": netDev({ lo: [5, 5], eth0: [100, 200], docker0: [7, 7] }),
  // What a container would see of itself.
  "proc/mounts": "overlay / overlay rw 0 0\n",
  "proc/net/dev": netDev({ eth0: [1, 1] }),
};

/** Two containers, as Docker has them on a host with systemd: one with limits. */
const CONTAINERS_V2 = {
  "sys/fs/cgroup/cgroup.controllers": "cpu memory\n",
  [`sys/fs/cgroup/system.slice/docker-${LIMITED}.scope/cpu.stat`]: "usage_usec 1000000\n",
  [`sys/fs/cgroup/system.slice/docker-${LIMITED}.scope/cpu.max`]: "50000 100000\n",
  [`sys/fs/cgroup/system.slice/docker-${LIMITED}.scope/memory.current`]: "300000\n",
  [`sys/fs/cgroup/system.slice/docker-${LIMITED}.scope/memory.stat`]: "inactive_file 100000\n",
  [`sys/fs/cgroup/system.slice/docker-${LIMITED}.scope/memory.max`]: "800000\n",
  [`sys/fs/cgroup/system.slice/docker-${LIMITED}.scope/init/cpu.stat`]: "usage_usec 1\n",
  [`sys/fs/cgroup/kubepods.slice/pod1.slice/cri-containerd-${FREE}.scope/cpu.stat`]: "usage_usec 5\n",
  [`sys/fs/cgroup/kubepods.slice/pod1.slice/cri-containerd-${FREE}.scope/cpu.max`]: "max 100000\n",
  [`sys/fs/cgroup/kubepods.slice/pod1.slice/cri-containerd-${FREE}.scope/memory.current`]: "4294967296\n",
  [`sys/fs/cgroup/kubepods.slice/pod1.slice/cri-containerd-${FREE}.scope/memory.max`]: "max\n",
  "proc/1/cgroup": "0::/init.scope\n",
  "proc/1/comm": "systemd\n",
  "proc/99/cgroup": `0::/system.slice/docker-${LIMITED}.scope/init\n`,
  "proc/99/comm": "cassandra\n",
  "proc/1000/cgroup": `0::/system.slice/docker-${LIMITED}.scope/init\n`,
  "proc/1000/comm": "helper\n",
};

/** The same two on a host of version 1. */
const CONTAINERS_V1 = {
  [`sys/fs/cgroup/cpuacct/docker/${LIMITED}/cpuacct.usage`]: "1000000000\n",
  [`sys/fs/cgroup/cpu/docker/${LIMITED}/cpu.cfs_quota_us`]: "50000\n",
  [`sys/fs/cgroup/cpu/docker/${LIMITED}/cpu.cfs_period_us`]: "100000\n",
  [`sys/fs/cgroup/memory/docker/${LIMITED}/memory.usage_in_bytes`]: "300000\n",
  [`sys/fs/cgroup/memory/docker/${LIMITED}/memory.stat`]: "total_inactive_file 100000\n",
  [`sys/fs/cgroup/memory/docker/${LIMITED}/memory.limit_in_bytes`]: "800000\n",
  [`sys/fs/cgroup/cpuacct/docker/${FREE}/cpuacct.usage`]: "5000\n",
  [`sys/fs/cgroup/cpu/docker/${FREE}/cpu.cfs_quota_us`]: "-1\n",
  [`sys/fs/cgroup/memory/docker/${FREE}/memory.usage_in_bytes`]: "4294967296\n",
  [`sys/fs/cgroup/memory/docker/${FREE}/memory.limit_in_bytes`]: "9223372036854771712\n",
  "sys/fs/cgroup/unified/cgroup.controllers": "\n",
  "proc/99/cgroup": `4:memory:/docker/${LIMITED}\n0::/\n`,
  "proc/99/comm": "cassandra\n",
};

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "reto3-host-"));
  put(MACHINE);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe("of the machine", () => {
  test("all values are as the kernel's files have them, rates by the difference of two readings", async () => {
    const host = sampler();
    put({
      "proc/stat": "cpu  130 10 110 1040 110 5 5 10 0 0\ncpu0 1 1 1 1 1 1 1 1 1 1\ncpu1 1 1 1 1 1 1 1 1 1 1\n",
      "proc/diskstats": "   8 0 sda 0 0 1010 0 0 0 2040 0 0 0 0\n   8 1 sda1 0 0 990 0 0 0 1990 0 0 0 0\n",
      "proc/1/net/dev": netDev({ lo: [900, 900], eth0: [150, 290], docker0: [900, 900] }),
    });
    const { samples, problems } = await host.sample();
    const fields = machineIn(samples);
    expect(problems).toEqual([]);
    expect(fields).toMatchObject({
      "system.cpu.cores": 2,
      "system.cpu.total.norm.pct": 70 / 120,
      "system.cpu.user.norm.pct": 40 / 120,
      "system.cpu.system.norm.pct": 20 / 120,
      "system.cpu.iowait.norm.pct": 10 / 120,
      "system.cpu.steal.norm.pct": 10 / 120,
      "system.load.1": 1,
      "system.load.5": 0.5,
      "system.load.15": 0.25,
      "system.load.norm.1": 0.5,
      "system.memory.total": 8 * 2 ** 30,
      "system.memory.actual.used.bytes": 2 * 2 ** 30,
      "system.memory.actual.used.pct": 0.25,
      "system.memory.swap.total": 2 * 2 ** 30,
      "system.memory.swap.used.bytes": 2 ** 30,
      "host.disk.read.bytes": 10 * 512,
      "host.disk.write.bytes": 40 * 512,
      "host.network.ingress.bytes": 50,
      "host.network.egress.bytes": 90,
    });
    // The time between the readings is whatever it was; it is the same for all rates.
    const seconds = 50 / (fields["reto.io.network.in.bytes_per_sec"] ?? 0);
    expect(seconds).toBeGreaterThan(0);
    expect((fields["reto.io.network.out.bytes_per_sec"] ?? 0) * seconds).toBeCloseTo(90);
    expect((fields["reto.io.disk.read.bytes_per_sec"] ?? 0) * seconds).toBeCloseTo(5_120);
    expect((fields["reto.io.disk.write.bytes_per_sec"] ?? 0) * seconds).toBeCloseTo(20_480);
    // Nothing has happened since then.
    expect(machineIn((await host.sample()).samples)).toMatchObject({
      "host.disk.read.bytes": 0,
      "host.network.ingress.bytes": 0,
    });
  });

  test("a rate whose counter went backwards is left out, the rest is there", async () => {
    const host = sampler();
    put({ "proc/diskstats": "   8 0 sda 0 0 1 0 0 0 1 0 0 0 0\n" });
    const fields = machineIn((await host.sample()).samples);
    expect(Object.keys(fields).filter((name) => name.includes("disk"))).toEqual([]);
    expect(fields["host.network.ingress.bytes"]).toBe(0);
  });

  test("times of waiting that went backwards are none", async () => {
    const host = sampler();
    put({ "proc/stat": "cpu  150 0 100 1050 90 0 0 0 0 0\ncpu0\n" });
    expect(machineIn((await host.sample()).samples)).toMatchObject({
      "system.cpu.total.norm.pct": 0.5,
      "system.cpu.iowait.norm.pct": 0,
    });
  });

  test("disks and interfaces are those that hardware stands for, where that can be told", async () => {
    put({
      "sys/block/sda/device/model": "a disk\n",
      "sys/block/nbd0/size": "1\n",
      "sys/class/net/wan/device/vendor": "it\n",
      "sys/class/net/vf/device/vendor": "it\n",
      "sys/class/net/vf/master/device/vendor": "it\n",
      "sys/class/net/eth0/address": "of a bridge\n",
      "proc/1/net/dev": netDev({ wan: [0, 0], vf: [0, 0], eth0: [0, 0] }),
      "proc/diskstats": "8 0 sda 0 0 0 0 0 0 0 0 0 0 0\n43 0 nbd0 0 0 0 0 0 0 0 0 0 0 0\n",
    });
    const host = sampler();
    put({
      "proc/1/net/dev": netDev({ wan: [1, 2], vf: [90, 90], eth0: [90, 90] }),
      "proc/diskstats": "8 0 sda 0 0 1 0 0 0 2 0 0 0 0\n43 0 nbd0 0 0 90 0 0 0 90 0 0 0 0\n",
    });
    expect(machineIn((await host.sample()).samples)).toMatchObject({
      "host.network.ingress.bytes": 1,
      "host.network.egress.bytes": 2,
      "host.disk.read.bytes": 512,
      "host.disk.write.bytes": 1_024,
    });
  });

  test("what is missing is told of, and keeps nothing else away", async () => {
    const host = sampler();
    for (const file of ["loadavg", "diskstats", "1/mounts"]) rmSync(join(root, "proc", file));
    const { samples, problems } = await host.sample();
    expect(problems).toEqual([
      `disk counters: there is no ${root}/proc/diskstats`,
      `load: there is no ${root}/proc/loadavg`,
      `mounts: there is no ${root}/proc/1/mounts`,
    ]);
    expect(machineIn(samples)["system.memory.total"]).toBe(8 * 2 ** 30);
  });

  test("without /proc of Linux nothing is sampled: the error says what is wanted", () => {
    rmSync(join(root, "proc/stat"));
    const error = errorOf(sampler);
    expect(error.code).toBe("USAGE");
    expect(error.message).toBe(`--host-root: "${root}" holds no /proc of a Linux host; want its root folder`);
    expect(error.hint).toContain(`-v /:${root}:ro,rslave`);
  });
});

describe("of file systems", () => {
  test("they are those of the host's first process, below the host's root", async () => {
    const { samples } = await sampler().sample();
    expect(samples.map(({ idSuffix }) => idSuffix)).toEqual(["", "-fs-/"]);
    expect(samples[1]?.fields).toMatchObject({
      "system.filesystem.mount_point": "/",
      "system.filesystem.device_name": "/dev/sda1",
    });
  });

  test("one that cannot be seen is told of once", async () => {
    put({ "proc/1/mounts": "/dev/sda1 / ext4 rw 0 0\n/dev/sdb1 /gone xfs rw 0 0\n" });
    const said: string[] = [];
    const host = new HostSampler({ root, onHidden: (line) => said.push(line) });
    expect((await host.sample()).problems).toEqual([]);
    expect((await host.sample()).problems).toEqual([]);
    expect(said).toHaveLength(1);
    expect(said[0]).toStartWith("file system /gone cannot be seen from here and is left out: ENOENT");
  });
});

describe("of containers", () => {
  const limitedUsage = {
    "container.id": LIMITED,
    "container.name": "cassandra",
    "docker.memory.usage.total": 200_000,
    "docker.memory.usage.pct": 0.25,
    "docker.memory.limit": 800_000,
  };
  /** Where there is no limit, the machine's memory is it. */
  const freeUsage = {
    "container.id": FREE,
    "docker.memory.usage.total": 4 * 2 ** 30,
    "docker.memory.usage.pct": 0.5,
    "docker.memory.limit": 8 * 2 ** 30,
  };

  test.each([
    [
      "version 2",
      CONTAINERS_V2,
      {
        [`sys/fs/cgroup/system.slice/docker-${LIMITED}.scope/cpu.stat`]: "usage_usec 1000600\n",
        [`sys/fs/cgroup/kubepods.slice/pod1.slice/cri-containerd-${FREE}.scope/cpu.stat`]: "usage_usec 605\n",
      },
    ],
    [
      "version 1",
      CONTAINERS_V1,
      {
        [`sys/fs/cgroup/cpuacct/docker/${LIMITED}/cpuacct.usage`]: "1000600000\n",
        [`sys/fs/cgroup/cpuacct/docker/${FREE}/cpuacct.usage`]: "605000\n",
      },
    ],
  ])("in groups of %s, each has its share of what it may use", async (_, before, after) => {
    put(before);
    const host = sampler();
    put(after);
    const { samples, problems } = await host.sample();
    expect(problems).toEqual([]);
    const { limited, free } = containersIn(samples);
    expect(limited).toMatchObject(limitedUsage);
    expect(free).toMatchObject(freeUsage);
    expect(free).not.toHaveProperty("container.name");
    // The same time of processors is a share four times as large for who may use half a core of two.
    const shares = [limited, free].map((fields) => fields?.["docker.cpu.total.norm.pct"] ?? 0);
    expect(shares[0]).toBeGreaterThan(0);
    expect(shares[0]! / shares[1]!).toBeCloseTo(4);
  });

  test("one that has come since the last reading has no share yet, one that has gone is no more", async () => {
    const host = sampler();
    put(CONTAINERS_V2);
    const first = containersIn((await host.sample()).samples);
    expect(first.limited).toMatchObject(limitedUsage);
    expect(first.limited).not.toHaveProperty(["docker.cpu.total.norm.pct"]);

    rmSync(join(root, `sys/fs/cgroup/system.slice/docker-${LIMITED}.scope`), { recursive: true });
    const second = containersIn((await host.sample()).samples);
    expect(second.limited).toBeUndefined();
    expect(second.free?.["docker.cpu.total.norm.pct"]).toBe(0);
  });

  test("the name is that of the first process, also after it has become another program or has ended", async () => {
    put({ ...CONTAINERS_V2, "proc/99/comm": "runc:[2:INIT]\n" });
    const host = sampler();
    const name = async () => containersIn((await host.sample()).samples).limited?.["container.name"];
    expect(await name()).toBe("runc:[2:INIT]");
    put({ "proc/99/comm": "cassandra\n" });
    expect(await name()).toBe("cassandra");
    rmSync(join(root, "proc/99"), { recursive: true });
    expect(await name()).toBe("helper");
  });
});

describe("of containers that one cannot see into", () => {
  test("what nobody may know of a process leaves out a name, and keeps nothing else away", async () => {
    put(CONTAINERS_V2);
    const file = join(root, "proc/99/cgroup");
    rmSync(file);
    // Not even root may read it: it can only be written.
    symlinkSync("/proc/sys/vm/drop_caches", file);
    const { samples, problems } = await sampler().sample();
    expect(problems).toEqual([]);
    expect(containersIn(samples).limited).toHaveProperty(["docker.memory.usage.pct"]);
  });

  test("the one that this process is in has its name, though its processes tell nothing of it", async () => {
    put(CONTAINERS_V2);
    for (const pid of ["99", "1000"]) rmSync(join(root, "proc", pid), { recursive: true });
    put({
      [`sys/fs/cgroup/system.slice/docker-${LIMITED}.scope/cgroup.procs`]: `0\n${process.pid}\n`,
      "proc/self/comm": "reto3\n",
    });
    expect(containersIn((await sampler().sample()).samples).limited?.["container.name"]).toBe("reto3");
  });

  test("one whose first process is not found is looked for again after a while, not each time", () => {
    put(CONTAINERS_V2);
    for (const pid of ["99", "1000"]) rmSync(join(root, "proc", pid), { recursive: true, force: true });
    const containers = new ContainerSampler(root);
    const nameAt = (ms: number) =>
      containers.sample({ cores: 2, memoryBytes: 2 ** 33 }, ms).find(({ fields }) => fields["container.id"] === LIMITED)
        ?.fields["container.name"];
    expect(nameAt(0)).toBeUndefined();
    put(CONTAINERS_V2);
    expect(nameAt(59_000)).toBeUndefined();
    expect(nameAt(60_000)).toBe("cassandra");
  });
});

describe("of this machine", () => {
  const here = () => new HostSampler({ root: "/", onHidden: () => {} });

  test("memory and swap are as free has them", async () => {
    const host = here();
    // Memory moves between two looks: looks again until they fall together.
    let free: number[];
    let ours: HostSample["fields"];
    do {
      const lines = (await output(["free", "-b"])).split("\n");
      ours = machineIn((await host.sample()).samples);
      // total, used, free, shared, buff/cache, available; total, used, free of swap
      free = lines.slice(1, 3).flatMap((line) => line.split(/\s+/).slice(1).map(Number));
    } while (Math.abs((free[0] ?? 0) - (free[5] ?? 0) - (ours["system.memory.actual.used.bytes"] ?? 0)) > 32 * 2 ** 20);
    expect(ours["system.memory.total"]).toBe(free[0]);
    expect(ours["system.memory.swap.total"]).toBe(free[6]);
    expect(ours["system.memory.actual.used.pct"]).toBeGreaterThan(0);
  });

  test("file systems are as df has them", async () => {
    const types = "ext2 ext3 ext4 xfs btrfs zfs f2fs vfat overlay".split(" ").flatMap((type) => ["-t", type]);
    const host = here();
    let ours: DiskRow[];
    let df: DiskRow[];
    do {
      ours = (await host.sample()).samples.flatMap(({ fields }) => diskRow(fields));
      const text = await output(["df", "-B1", "--output=target,source,size,used,avail", ...types]);
      df = text.trim().split("\n").slice(1).map(dfRow);
      // Others write in between, but little.
    } while (!ours.every((row) => df.some((other) => isNear(row, other))));
    const names = (rows: DiskRow[]) => rows.map(({ target, source, size }) => `${target} ${source} ${size}`);
    expect(names(df)).toEqual(expect.arrayContaining(names(ours)));
    expect(ours.map(({ target }) => target)).toContain("/");
    expect(new Set(ours.map(({ source }) => source)).size).toBe(ours.length);
  });

  test("processors are as top has them while one is kept busy", async () => {
    // It ends with the tests, whatever becomes of them.
    const loop = "i=0; while [ $i -lt 10000 ]; do i=$((i+1)); done";
    await using burner = Bun.spawn(["sh", "-c", `while kill -0 $PPID; do ${loop}; done`], { stderr: "ignore" });
    const host = here();
    let ours: HostSample["fields"];
    let busyByTop: number;
    do {
      // Two looks of top, of which the second is of the time between them; ours is of the same time and a little more.
      await host.sample();
      const text = await output(["top", "-b", "-n2", "-d0.5"]);
      ours = machineIn((await host.sample()).samples);
      const last = text.split("\n").findLast((line) => line.startsWith("%Cpu(s):")) ?? "";
      const share = (name: string) => Number(new RegExp(`([\\d.]+) ${name}`).exec(last)?.[1]) / 100;
      busyByTop = 1 - share("id") - share("wa");
    } while (Math.abs(busyByTop - (ours["system.cpu.total.norm.pct"] ?? 0)) > 0.15);
    expect(burner.exitCode).toBeNull();
    expect(ours["system.cpu.total.norm.pct"]).toBeGreaterThan(0.75 / (ours["system.cpu.cores"] ?? 0));
    expect(ours["system.cpu.user.norm.pct"]).toBeGreaterThan(0);
    const parts = ["user", "system", "steal"].map((name) => ours[`system.cpu.${name}.norm.pct` as keyof typeof ours]);
    expect(parts.reduce<number>((sum, part) => sum + Number(part), 0)).toBeCloseTo(
      ours["system.cpu.total.norm.pct"] ?? 0,
    );
  });
});

function sampler(): HostSampler {
  return new HostSampler({ root, onHidden: () => {} });
}

/** Writes files below the root. */
function put(files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

/** /proc/net/dev with bytes received and sent. */
function netDev(interfaces: Record<string, [number, number]>): string {
  const lines = Object.entries(interfaces).map(
    ([name, [received, sent]]) => `${name}: ${received} 0 0 0 0 0 0 0 ${sent} 0 0 0 0 0 0 0`,
  );
  return `Inter-| Receive | Transmit\n face |bytes|bytes\n${lines.join("\n")}\n`;
}

function machineIn(samples: HostSamples["samples"]): HostSample["fields"] {
  const [machine] = samples;
  expect(machine?.idSuffix).toBe("");
  return machine?.fields ?? {};
}

function containersIn(samples: HostSamples["samples"]) {
  const found = new Map(
    samples
      .filter(({ idSuffix }) => idSuffix.startsWith("-container-"))
      .map(({ idSuffix, fields }) => [idSuffix, fields]),
  );
  return {
    limited: found.get(`-container-${LIMITED.slice(0, 12)}`),
    free: found.get(`-container-${FREE.slice(0, 12)}`),
  };
}

function errorOf(work: () => unknown): Reto3Error {
  try {
    work();
  } catch (error) {
    if (error instanceof Reto3Error) return error;
  }
  throw new Error("it did not fail");
}

async function output(command: string[]): Promise<string> {
  const child = Bun.spawn(command, {
    stdout: "pipe",
    stderr: "ignore",
    stdin: "ignore",
    env: { ...process.env, LC_ALL: "C" },
  });
  return new Response(child.stdout).text();
}

interface DiskRow {
  target: string;
  source: string;
  size: number;
  used: number;
  available: number;
}

function diskRow(fields: HostSample["fields"]): DiskRow[] {
  const target = fields["system.filesystem.mount_point"];
  if (target === undefined) return [];
  return [
    {
      target,
      source: fields["system.filesystem.device_name"] ?? "",
      size: fields["system.filesystem.total"] ?? 0,
      used: fields["system.filesystem.used.bytes"] ?? 0,
      available: fields["system.filesystem.available"] ?? 0,
    },
  ];
}

function dfRow(line: string): DiskRow {
  const [target = "", source = "", ...sizes] = line.split(/\s+/);
  const [size = 0, used = 0, available = 0] = sizes.map(Number);
  return { target, source, size, used, available };
}

function isNear(a: DiskRow, b: DiskRow): boolean {
  const little = 100 * 2 ** 20;
  return a.target === b.target && Math.abs(a.used - b.used) < little && Math.abs(a.available - b.available) < little;
}
