// The host's figures from texts as the kernel writes them, in a folder that stands for a host's root: what is counted, what is left out,
// and what containers use. The real machine is in test/monitor-host.test.ts.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { FilesystemSampler, type Space } from "./host-filesystems.ts";
import { HostSampler } from "./host.ts";
import { isOutwardInterface, isWholeDisk, parseMounts } from "./proc.ts";

const ID_A = "a".repeat(64);
const ID_B = "b".repeat(64);
const GIB = 2 ** 30;

/** Ticks: user nice system idle iowait irq softirq steal guest guest_nice. */
const stat = (...ticks: number[]) =>
  `cpu  ${ticks.join(" ")}\ncpu0 1 2 3\ncpu1 1 2 3\ncpu2 1 2 3\ncpu3 1 2 3\nintr 1\n`;
const netDev = (received: number, sent: number) =>
  `Inter-| Receive | Transmit\n face |bytes packets| bytes\n    lo: 99 0 0 0 0 0 0 0 99 0 0 0 0 0 0 0\n  eth0: ${received} 1 0 0 0 0 0 0 ${sent} 1 0 0 0 0 0 0\n  veth1: 77 0 0 0 0 0 0 0 77 0 0 0 0 0 0 0\n`;
const diskstats = (read: number, written: number) =>
  `   8 0 sda 1 0 ${read} 0 1 0 ${written} 0 0 0 0\n   8 1 sda1 1 0 ${read} 0 1 0 ${written} 0 0 0 0\n   7 0 loop0 1 0 50 0 1 0 50 0 0 0 0\n`;

describe("a host below a folder", () => {
  let root: string;
  const put = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "reto3-host-"));
    put("proc/stat", stat(1_000, 0, 1_000, 5_000, 0, 0, 0, 0));
    put("proc/loadavg", "2.00 1.50 1.00 1/200 999\n");
    put(
      "proc/meminfo",
      "MemTotal: 8388608 kB\nMemFree: 1 kB\nMemAvailable: 6291456 kB\nSwapTotal: 1024 kB\nSwapFree: 256 kB\n",
    );
    put("proc/diskstats", diskstats(1_000, 2_000));
    put("proc/1/net/dev", netDev(10_000, 20_000));
    put("proc/1/mounts", "/dev/sda1 / ext4 rw 0 0\nproc /proc proc rw 0 0\n");
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const sampler = () => new HostSampler({ root, onHidden: () => {} });
  const fieldsOf = async (one: HostSampler) => {
    const { samples, problems } = await one.sample();
    expect(problems).toEqual([]);
    return Object.fromEntries(samples.map(({ idSuffix, fields }) => [idSuffix, fields]));
  };

  test("is told in shares of the time since the sample before, guests not counted twice", async () => {
    const one = sampler();
    // 100 ticks: 30 user with nice, 20 system with interrupts, 10 waiting, 5 stolen, 35 idle; guests are part of user.
    put("proc/stat", stat(1_020, 10, 1_010, 5_035, 10, 4, 6, 5, 20, 0));
    put("proc/diskstats", diskstats(1_100, 2_300));
    put("proc/1/net/dev", netDev(15_000, 20_600));
    const host = (await fieldsOf(one))[""] ?? {};
    expect(host).toMatchObject({
      "system.cpu.cores": 4,
      "system.cpu.total.norm.pct": 0.55,
      "system.cpu.user.norm.pct": 0.3,
      "system.cpu.system.norm.pct": 0.2,
      "system.cpu.iowait.norm.pct": 0.1,
      "system.cpu.steal.norm.pct": 0.05,
      "system.load.1": 2,
      "system.load.norm.1": 0.5,
      "system.memory.total": 8 * GIB,
      "system.memory.actual.used.bytes": 2 * GIB,
      "system.memory.actual.used.pct": 0.25,
      "system.memory.swap.used.bytes": 768 * 1_024,
      "host.disk.read.bytes": 100 * 512,
      "host.disk.write.bytes": 300 * 512,
      "host.network.ingress.bytes": 5_000,
      "host.network.egress.bytes": 600,
    });
    const seconds = 600 / (host["reto.io.network.out.bytes_per_sec"] ?? 0);
    expect(5_000 / (host["reto.io.network.in.bytes_per_sec"] ?? 0)).toBeCloseTo(seconds);
  });

  test("whose counters went backwards has no rates until the next sample", async () => {
    const one = sampler();
    put("proc/diskstats", diskstats(10, 20));
    expect((await fieldsOf(one))[""]).not.toHaveProperty(["host.disk.read.bytes"]);
    put("proc/diskstats", diskstats(11, 20));
    expect((await fieldsOf(one))[""]).toMatchObject({ "host.disk.read.bytes": 512 });
  });

  test("of which a part cannot be read is told without that part, and with what was wrong", async () => {
    const one = sampler();
    rmSync(join(root, "proc/meminfo"));
    put("proc/loadavg", "?\n");
    const { samples, problems } = await one.sample();
    expect(samples[0]?.fields).toMatchObject({ "system.cpu.cores": 4 });
    expect(samples[0]?.fields).not.toHaveProperty(["system.memory.total"]);
    expect(problems.join()).toContain("meminfo");
  });

  test("that is none is refused, with what is wanted", () => {
    rmSync(join(root, "proc/stat"));
    expect(sampler).toThrow("--host-root");
  });

  test.each([
    ["version 2 under systemd", `system.slice/docker-${ID_A}.scope`, `system.slice/docker-${ID_B}.scope`],
    ["version 2 under cgroupfs", `docker/${ID_A}`, `docker/${ID_B}`],
    [
      "version 2, Podman and Kubernetes",
      `machine.slice/libpod-${ID_A}.scope`,
      `kubepods.slice/a.slice/cri-containerd-${ID_B}.scope`,
    ],
  ])("has its containers, each against its own limits: %s", async (_, a, b) => {
    const group = (path: string, cpuUs: number) => {
      put(`sys/fs/cgroup/${path}/cpu.stat`, `usage_usec ${cpuUs}\nuser_usec 1\n`);
      put(`sys/fs/cgroup/${path}/memory.current`, `${3 * GIB}\n`);
      put(`sys/fs/cgroup/${path}/memory.stat`, `anon 1\ninactive_file ${GIB}\n`);
    };
    put("sys/fs/cgroup/cgroup.controllers", "cpu memory\n");
    for (const [path, quota, memory] of [
      [a, "200000 100000", String(4 * GIB)],
      [b, "max 100000", "max"],
    ] as const) {
      group(path, 1_000_000);
      put(`sys/fs/cgroup/${path}/cpu.max`, `${quota}\n`);
      put(`sys/fs/cgroup/${path}/memory.max`, `${memory}\n`);
    }
    put("proc/77/comm", "java\n");
    put("proc/77/cgroup", `0::/${a}\n`);
    const startedMs = performance.now();
    const one = sampler();
    await Bun.sleep(20);
    for (const path of [a, b]) group(path, 1_100_000);
    const found = await fieldsOf(one);
    const passedUs = (performance.now() - startedMs) * 1_000;
    const [fieldsA = {}, fieldsB = {}] = [
      found[`-container-${ID_A.slice(0, 12)}`],
      found[`-container-${ID_B.slice(0, 12)}`],
    ];
    expect(fieldsA).toMatchObject({
      "container.id": ID_A,
      "container.name": "java",
      "docker.memory.usage.total": 2 * GIB,
      "docker.memory.usage.pct": 0.5,
      "docker.memory.limit": 4 * GIB,
    });
    expect(fieldsB).toMatchObject({
      "container.id": ID_B,
      "docker.memory.usage.pct": 0.25,
      "docker.memory.limit": 8 * GIB,
    });
    // Two cores, and four: at least this share, for less time passed between the two readings than here.
    expect(fieldsA["docker.cpu.total.norm.pct"]).toBeGreaterThanOrEqual(100_000 / (passedUs * 2));
    expect((fieldsA["docker.cpu.total.norm.pct"] ?? 0) / (fieldsB["docker.cpu.total.norm.pct"] ?? 1)).toBeCloseTo(2);
  });

  test("of version 1 has its containers, too", async () => {
    put(`sys/fs/cgroup/cpuacct/docker/${ID_A}/cpuacct.usage`, "5000000\n");
    put(`sys/fs/cgroup/cpu/docker/${ID_A}/cpu.cfs_quota_us`, "-1\n");
    put(`sys/fs/cgroup/cpu/docker/${ID_A}/cpu.cfs_period_us`, "100000\n");
    put(`sys/fs/cgroup/memory/docker/${ID_A}/memory.usage_in_bytes`, `${2 * GIB}\n`);
    put(`sys/fs/cgroup/memory/docker/${ID_A}/memory.limit_in_bytes`, "9223372036854771712\n");
    put(`sys/fs/cgroup/memory/docker/${ID_A}/memory.stat`, `total_inactive_file ${GIB}\n`);
    const found = await fieldsOf(sampler());
    expect(found[`-container-${ID_A.slice(0, 12)}`]).toMatchObject({
      "docker.memory.usage.total": GIB,
      "docker.memory.limit": 8 * GIB,
    });
  });
});

describe("file systems", () => {
  const space: Space = { deviceNumber: 1, isFolder: true, blockBytes: 4_096, blocks: 100, free: 40, available: 20 };

  test("are told as df tells them: used of what a plain user may use", async () => {
    const one = new FilesystemSampler("/", { ask: () => Promise.resolve(space) });
    const { found } = await one.sample([{ device: "/dev/a", mountPoint: "/data", type: "xfs" }]);
    expect(found).toMatchObject([
      {
        mountPoint: "/data",
        fields: {
          "system.filesystem.total": 409_600,
          "system.filesystem.used.bytes": 60 * 4_096,
          "system.filesystem.available": 20 * 4_096,
          "system.filesystem.used.pct": 0.75,
        },
      },
    ]);
  });

  test("that do not answer are a problem, once asked, and hold up nothing", async () => {
    let asked = 0;
    const ask = (path: string) => {
      if (!path.endsWith("gone")) return Promise.resolve(space);
      asked++;
      return new Promise<Space>(() => {});
    };
    const one = new FilesystemSampler("/", { ask, answerMaxMs: 20 });
    const mounts = ["/gone", "/data"].map((mountPoint) => ({ device: mountPoint, mountPoint, type: "ext4" }));
    for (const problem of ["no answer in 20 ms", "still no answer"]) {
      const { found, problems } = await one.sample(mounts);
      expect(found.map(({ mountPoint }) => mountPoint)).toEqual(["/data"]);
      expect(problems).toEqual([`file system /gone: ${problem}`]);
    }
    expect(asked).toBe(1);
  });

  test("are those on disks, each device once, with spaces in their names", () => {
    const text = [
      "overlay / overlay rw 0 0",
      "/dev/sda1 /var/lib/docker ext4 rw 0 0",
      "/dev/sda1 /etc/hosts ext4 rw 0 0",
      "/dev/sdb /mnt/my\\040disk xfs rw 0 0",
      "overlay /var/lib/docker/overlay2/x/merged overlay rw 0 0",
      "tmpfs /run tmpfs rw 0 0",
      "server:/x /nfs nfs4 rw 0 0",
    ].join("\n");
    expect(
      parseMounts(text)
        .map(({ mountPoint }) => mountPoint)
        .sort(),
    ).toEqual(["/", "/etc/hosts", "/mnt/my disk"]);
  });
});

test.each([
  ["sda", true],
  ["sda1", false],
  ["nvme0n1", true],
  ["nvme0n1p2", false],
  ["vdb", true],
  ["loop3", false],
  ["dm-0", false],
  ["md127", false],
  ["mmcblk0", true],
  ["mmcblk0p1", false],
])("%s is a disk of its own: %p", (name, is) => {
  expect(isWholeDisk(name)).toBe(is);
});

test.each([
  ["eth0", true],
  ["enp3s0", true],
  ["wlan0", true],
  ["lo", false],
  ["veth12ab", false],
  ["docker0", false],
  ["br-0123", false],
])("%s leads to the world: %p", (name, is) => {
  expect(isOutwardInterface(name)).toBe(is);
});
