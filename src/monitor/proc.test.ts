import { describe, expect, test } from "bun:test";
import {
  flowBetween,
  isOutwardInterface,
  isWholeDisk,
  withoutCountedPaths,
  parseCpuTimes,
  parseDiskstats,
  parseLoad,
  parseMeminfo,
  parseMounts,
  parseNetDev,
  type Flow,
} from "./proc.ts";

describe("processor times", () => {
  test("are those of all cores, with nice in user, interrupts in system, and guests not counted again", () => {
    const text = `cpu  1000 20 300 5000 40 5 6 7 900 10
cpu0 500 10 150 2500 20 2 3 3 450 5
cpu1 500 10 150 2500 20 3 3 4 450 5
intr 123 0 9
ctxt 1990473
`;
    expect(parseCpuTimes(text)).toEqual({ cores: 2, user: 1_020, system: 311, iowait: 40, idle: 5_000, steal: 7 });
  });

  test("of an old kernel have no steal", () => {
    expect(parseCpuTimes("cpu  1 2 3 4\n")).toEqual({ cores: 1, user: 3, system: 3, iowait: 0, idle: 4, steal: 0 });
  });

  test.each(["", "cpu", "intr 1 2 3", "cpu x y z"])("are not in %p", (text) => {
    expect(parseCpuTimes(text)).toBeUndefined();
  });
});

test("load is the first three numbers", () => {
  expect(parseLoad("0.52 1.25 10.00 3/1234 98765\n")).toEqual([0.52, 1.25, 10]);
  expect(parseLoad("")).toBeUndefined();
});

test("memory is in bytes, and lines without a unit are no memory", () => {
  const sizes = parseMeminfo("MemTotal:       24684092 kB\nMemAvailable:   24208880 kB\nHugePages_Total:       0\n");
  expect([...sizes]).toEqual([
    ["MemTotal", 25_276_510_208],
    ["MemAvailable", 24_789_893_120],
  ]);
});

test("disk counters are in sectors of 512 bytes, with and without the fields of newer kernels", () => {
  const text = ` 254       0 vda 1380911 43685 1000 1628732 11066862 1250066 2000 2592475 0 1219340 4867829 653359 55 135 9 3 5
   8       1 sda1 5 0 8 0 1 0 16 0 0 0 0
`;
  expect([...parseDiskstats(text)]).toEqual([
    ["vda", { inBytes: 512_000, outBytes: 1_024_000 }],
    ["sda1", { inBytes: 4_096, outBytes: 8_192 }],
  ]);
});

test("network counters are the first number of either half, also where no space follows the name", () => {
  const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0
  eth0:2090954152   48539    0    0    0     0          0         0  3564122   32057    0    0    0     0       0          0
`;
  expect([...parseNetDev(text)]).toEqual([
    ["lo", { inBytes: 100, outBytes: 100 }],
    ["eth0", { inBytes: 2_090_954_152, outBytes: 3_564_122 }],
  ]);
});

test("an NVMe disk is counted by itself where it counts, and by its paths where they alone do", () => {
  const names = (heads: number) => {
    const flows = new Map([
      ["nvme0n1", { inBytes: heads, outBytes: 0 }],
      ["nvme0c0n1", { inBytes: 7, outBytes: 1 }],
      ["nvme0c1n1", { inBytes: 3, outBytes: 1 }],
      ["nvme1c0n2", { inBytes: 1, outBytes: 1 }],
      ["sda", { inBytes: 1, outBytes: 1 }],
    ]);
    return [...withoutCountedPaths(flows).keys()];
  };
  expect(names(10)).toEqual(["nvme0n1", "nvme1c0n2", "sda"]);
  expect(names(0)).toEqual(["nvme0n1", "nvme0c0n1", "nvme0c1n1", "nvme1c0n2", "sda"]);
});

test.each([
  ["sda", true],
  ["sda1", false],
  ["vdb", true],
  ["vdb12", false],
  ["xvda", true],
  ["xvda1", false],
  ["nvme0n1", true],
  ["nvme0n1p2", false],
  ["mmcblk0", true],
  ["mmcblk0p1", false],
  ["loop7", false],
  ["ram0", false],
  ["zram0", false],
  ["dm-3", false],
  ["md0", false],
  ["sr0", false],
  ["nvme0c1n1", true],
])("by its name, %s is a whole disk: %p", (name, expected) => {
  expect(isWholeDisk(name)).toBe(expected);
});

test.each([
  ["eth0", true],
  ["enp3s0", true],
  ["wlan0", true],
  ["bond0", true],
  ["lo", false],
  ["vethb1c2d3e", false],
  ["docker0", false],
  ["br-9f8e7d6c5b4a", false],
  ["virbr0", false],
])("by its name, %s leads to the world: %p", (name, expected) => {
  expect(isOutwardInterface(name)).toBe(expected);
});

describe("between two readings", () => {
  const flows = (of: Record<string, [number, number]>): Map<string, Flow> =>
    new Map(Object.entries(of).map(([name, [inBytes, outBytes]]) => [name, { inBytes, outBytes }]));

  test.each([
    ["all devices add up", { a: [10, 20], b: [1, 2] }, { a: [15, 40], b: [2, 4] }, { inBytes: 6, outBytes: 22 }],
    [
      "a new device counts from the next reading on",
      { a: [10, 20] },
      { a: [11, 20], b: [999, 999] },
      { inBytes: 1, outBytes: 0 },
    ],
    ["a device that has gone counts no more", { a: [10, 20], b: [9, 9] }, { a: [11, 20] }, { inBytes: 1, outBytes: 0 }],
    ["a counter that went backwards tells nothing", { a: [10, 20], b: [9, 9] }, { a: [11, 20], b: [0, 10] }, undefined],
    ["without devices nothing is told", {}, {}, undefined],
  ] as const)("%s", (_, before, after, expected) => {
    const between = flowBetween(
      flows(before as unknown as Record<string, [number, number]>),
      flows(after as unknown as Record<string, [number, number]>),
    );
    expect(between).toEqual(expected);
  });
});

describe("mounts", () => {
  const mountPoints = (text: string) => parseMounts(text).map(({ mountPoint }) => mountPoint);

  test("are those of disks, not of the kernel, of memory or of the network", () => {
    const text = `sysfs /sys sysfs rw 0 0
proc /proc proc rw 0 0
/dev/nvme0n1p2 / ext4 rw,relatime 0 0
tmpfs /run tmpfs rw 0 0
/dev/nvme0n1p1 /boot/efi vfat rw 0 0
tank/home /home zfs rw 0 0
nas:/export /mnt/nas nfs4 rw 0 0
/dev/loop3 /snap/core/1 squashfs ro 0 0
overlay /var/lib/docker/overlay2/abc/merged overlay rw 0 0
systemd-1 /proc/sys/fs/binfmt_misc autofs rw 0 0
`;
    expect(parseMounts(text)).toEqual([
      { device: "/dev/nvme0n1p2", mountPoint: "/", type: "ext4" },
      { device: "tank/home", mountPoint: "/home", type: "zfs" },
      { device: "/dev/nvme0n1p1", mountPoint: "/boot/efi", type: "vfat" },
    ]);
  });

  test("name each device once, where its path is shortest", () => {
    expect(mountPoints("/dev/sda1 /var/lib/volume ext4 rw 0 0\n/dev/sda1 / ext4 rw 0 0\n")).toEqual(["/"]);
  });

  test("that another one hides are left out", () => {
    expect(mountPoints("/dev/sda1 /data ext4 rw 0 0\ntmpfs /data tmpfs rw 0 0\n")).toEqual([]);
  });

  test("of a container have its root", () => {
    expect(mountPoints("overlay / overlay rw 0 0\n/dev/sda1 /logs ext4 rw 0 0\n")).toEqual(["/", "/logs"]);
  });

  test("may have spaces, backslashes and letters of all kinds in their names", () => {
    expect(mountPoints("/dev/sda1 /mnt/my\\040disk\\134a\\011b xfs rw 0 0\n")).toEqual(["/mnt/my disk\\a\tb"]);
    expect(mountPoints("/dev/sda1 /mnt/años xfs rw 0 0\n")).toEqual(["/mnt/años"]);
  });
});
