// The texts below /proc as numbers: processor times, load, memory, disks, network, mounts. Pure: others read the files.
// Where a text is not as the kernel writes it (proc(5), Documentation/admin-guide/iostats.rst), the values in question are absent.

/** Since the machine started, in ticks, of all cores together. */
export interface CpuTimes {
  cores: number;
  /** With that of low priority (nice), and that of virtual machines, which the kernel counts in both. */
  user: number;
  /** With that of interrupts. */
  system: number;
  /** Idle, while something waits for a disk. */
  iowait: number;
  idle: number;
  /** Taken by the machine that this one runs in. */
  steal: number;
}

/** /proc/stat; undefined if it does not begin with the times of all cores. */
export function parseCpuTimes(text: string): CpuTimes | undefined {
  const [first = "", ...rest] = text.split("\n");
  const [name, ...times] = first.trim().split(/\s+/);
  const [user = Number.NaN, nice = 0, system = 0, idle = Number.NaN, iowait = 0, irq = 0, softirq = 0, steal = 0] =
    times.map(Number);
  if (name !== "cpu" || Number.isNaN(user + idle)) return undefined;
  const cores = rest.filter((line) => /^cpu\d+ /.test(line)).length;
  return { cores: Math.max(1, cores), user: user + nice, system: system + irq + softirq, iowait, idle, steal };
}

/** /proc/loadavg: the averages of 1, 5 and 15 minutes. */
export function parseLoad(text: string): [number, number, number] | undefined {
  const [one = Number.NaN, five = Number.NaN, fifteen = Number.NaN] = text.split(" ").slice(0, 3).map(Number);
  return Number.isNaN(one + five + fifteen) ? undefined : [one, five, fifteen];
}

/** /proc/meminfo, in bytes by name. */
export function parseMeminfo(text: string): Map<string, number> {
  const found = text.matchAll(/^(\S+):\s+(\d+) kB$/gm);
  return new Map([...found].map(([, name = "", kib]) => [name, Number(kib) * 1_024]));
}

/** Bytes since a device came up. */
export interface Flow {
  /** Read, or received. */
  inBytes: number;
  /** Written, or sent. */
  outBytes: number;
}

/** A sector is 512 bytes here, whatever the device says of itself. */
const SECTOR_BYTES = 512;

/** /proc/diskstats, by name; partitions and devices made of others among them. */
export function parseDiskstats(text: string): Map<string, Flow> {
  const flows = new Map<string, Flow>();
  for (const line of text.split("\n")) {
    const [, , name, , , sectorsRead, , , , sectorsWritten] = line.trim().split(/\s+/);
    if (name === undefined || sectorsWritten === undefined) continue;
    flows.set(name, {
      inBytes: Number(sectorsRead) * SECTOR_BYTES,
      outBytes: Number(sectorsWritten) * SECTOR_BYTES,
    });
  }
  return flows;
}

/** /proc/net/dev, by interface. */
export function parseNetDev(text: string): Map<string, Flow> {
  const flows = new Map<string, Flow>();
  for (const line of text.split("\n")) {
    const [, name, numbers] = /^\s*(\S+):\s*(\d[\d\s]*)$/.exec(line) ?? [];
    const [received, sent] = [0, 8].map((at) => numbers?.trim().split(/\s+/)[at]);
    if (name === undefined || sent === undefined) continue;
    flows.set(name, { inBytes: Number(received), outBytes: Number(sent) });
  }
  return flows;
}

/** Of a device of its own, by its name: no partition, and nothing that passes on to devices which are counted themselves. */
export function isWholeDisk(name: string): boolean {
  if (/^(loop|ram|zram|dm-|md|bcache|zd|sr|fd)\d/.test(name)) return false;
  return !/^((sd|vd|hd|xvd)[a-z]+\d+|(nvme\d+n|mmcblk|nbd)\d+p\d+)$/.test(name);
}

/**
 * An NVMe disk with several paths is there as itself (nvme0n1) and as each path (nvme0c0n1); newer kernels count in both, older ones
 * in the paths alone.
 */
export function withoutCountedPaths(flows: ReadonlyMap<string, Flow>): Map<string, Flow> {
  const isCounted = (name: string) => {
    const flow = flows.get(name.replace(/^(nvme\d+)c\d+(n\d+)$/, "$1$2"));
    return flow !== undefined && flow.inBytes + flow.outBytes > 0;
  };
  return new Map([...flows].filter(([name]) => !/^nvme\d+c\d+n\d+$/.test(name) || !isCounted(name)));
}

/** An interface to the world, by its name: not to itself, nor between this machine and its containers. */
export function isOutwardInterface(name: string): boolean {
  return !/^(lo$|veth|docker|br-|virbr|cni|flannel|cali|cilium|lxc|podman|dummy|ifb)/.test(name);
}

/** All that flowed between two readings, over all that are in both; undefined where none is, or a counter went backwards. */
export function flowBetween(before: Map<string, Flow>, after: Map<string, Flow>): Flow | undefined {
  const sum: Flow = { inBytes: 0, outBytes: 0 };
  let common = 0;
  for (const [name, flow] of after) {
    const earlier = before.get(name);
    if (!earlier) continue;
    if (flow.inBytes < earlier.inBytes || flow.outBytes < earlier.outBytes) return undefined;
    sum.inBytes += flow.inBytes - earlier.inBytes;
    sum.outBytes += flow.outBytes - earlier.outBytes;
    common++;
  }
  return common > 0 ? sum : undefined;
}

export interface Mount {
  device: string;
  mountPoint: string;
  type: string;
}

/** On disks of this machine. What is elsewhere (nfs, cifs) is not this machine's, and may hang; the rest is no disk at all. */
const DISK_TYPES = new Set(
  "ext2 ext3 ext4 xfs btrfs bcachefs zfs f2fs jfs nilfs2 reiserfs vfat exfat ntfs ntfs3 fuseblk hfs hfsplus".split(" "),
);

/** As the root alone: of a container or of a virtual machine. Elsewhere they show again what is counted already. */
const ROOT_TYPES = new Set(["overlay", "aufs", "fuse.fuse-overlayfs", "virtiofs", "9p"]);

/** /proc/mounts: the file systems on disks, each device once, at its shortest mount point. Shorter mount points come first. */
export function parseMounts(text: string): Mount[] {
  // What is mounted over another hides it.
  const visible = new Map<string, Mount>();
  for (const line of text.split("\n")) {
    const [device, mountPoint, type] = line.split(" ").map(decodeOctal);
    if (device === undefined || mountPoint === undefined || type === undefined) continue;
    visible.set(mountPoint, { device, mountPoint, type });
  }
  const onDisks = [...visible.values()]
    .filter(({ type, mountPoint }) => DISK_TYPES.has(type) || (ROOT_TYPES.has(type) && mountPoint === "/"))
    .sort((a, b) => a.mountPoint.length - b.mountPoint.length);
  const devices = new Set<string>();
  return onDisks.filter(({ device }) => !devices.has(device) && devices.add(device));
}

/** Space, tab, newline and backslash are written as \040 \011 \012 \134. Bytes of UTF-8 come as they are. */
function decodeOctal(word: string): string {
  return word.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCodePoint(Number.parseInt(digits, 8)));
}
