import { describe, expect, test } from "bun:test";
import { containerIdIn, containerIdOf, parseCgroupPaths, usageV1, usageV2, type ReadCgroupFile } from "./cgroup.ts";

const ID = "0123456789abcdef".repeat(4);
const OTHER_ID = "fedcba9876543210".repeat(4);

describe("usage", () => {
  const files =
    (texts: Record<string, string>): ReadCgroupFile =>
    (controller, file) =>
      texts[`${controller}/${file}`];

  test("of version 2 is without the inactive pages of files, and of limits", () => {
    const read = files({
      "cpu/cpu.stat": "usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\n",
      "cpu/cpu.max": "150000 100000\n",
      "memory/memory.current": "1000000\n",
      "memory/memory.stat": "anon 5\nactive_file 7\ninactive_file 400000\n",
      "memory/memory.max": "2000000\n",
    });
    expect(usageV2(read)).toEqual({ cpuUs: 2_500_000, coresMax: 1.5, memoryBytes: 600_000, memoryMax: 2_000_000 });
  });

  test("of version 2 may have no limits, and parts may be missing", () => {
    const read = files({ "cpu/cpu.max": "max 100000\n", "memory/memory.current": "7\n", "memory/memory.max": "max\n" });
    expect(usageV2(read)).toEqual({ cpuUs: undefined, coresMax: undefined, memoryBytes: 7, memoryMax: undefined });
  });

  test("of version 1 is the same from other files", () => {
    const read = files({
      "cpuacct/cpuacct.usage": "2500000000\n",
      "cpu/cpu.cfs_quota_us": "50000\n",
      "cpu/cpu.cfs_period_us": "100000\n",
      "memory/memory.usage_in_bytes": "1000000\n",
      "memory/memory.stat": "inactive_file 1\ntotal_inactive_file 400000\n",
      "memory/memory.limit_in_bytes": "2000000\n",
    });
    expect(usageV1(read)).toEqual({ cpuUs: 2_500_000, coresMax: 0.5, memoryBytes: 600_000, memoryMax: 2_000_000 });
  });

  test("of version 1 has -1 for no limit of cores", () => {
    const read = files({ "cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n" });
    expect(usageV1(read).coresMax).toBeUndefined();
  });
});

test.each([
  ["Docker with systemd", `docker-${ID}.scope`, ID],
  ["Docker without", ID, ID],
  ["Podman", `libpod-${ID}.scope`, ID],
  ["containerd under Kubernetes", `cri-containerd-${ID}.scope`, ID],
  ["CRI-O", `crio-${ID}.scope`, ID],
  ["Podman below a unit", `libpod-payload-${ID}`, ID],
  ["Podman's helper", `libpod-conmon-${ID}.scope`, undefined],
  ["a service", "docker.service", undefined],
  ["an id that is too long", `${ID}0`, undefined],
  ["a folder of groups", "docker", undefined],
])("of %s, %s is the container %p", (_, folder, expected) => {
  expect(containerIdOf(folder)).toBe(expected);
});

test.each([
  ["version 2", `0::/system.slice/docker-${ID}.scope\n`, ID],
  ["version 1", `4:memory:/docker/${ID}\n0::/\n`, ID],
  ["as a container sees its neighbour", `0::/../docker-${ID}.scope/init\n`, ID],
  ["a container in a container", `0::/docker/${ID}/docker/${OTHER_ID}\n`, ID],
  ["a helper", `0::/machine.slice/libpod-conmon-${ID}.scope\n`, undefined],
  ["no container", "0::/user.slice\n", undefined],
])("the container of a process, by its groups: %s", (_, text, expected) => {
  expect(containerIdIn(text)).toBe(expected);
});

test("the groups of a process are told by controller, that of version 2 by none", () => {
  expect(Object.fromEntries(parseCgroupPaths("4:memory:/a/b\n2:cpu,cpuacct:/c:d\n1:name=systemd:/\n0::/e\n"))).toEqual({
    memory: "/a/b",
    cpu: "/c:d",
    cpuacct: "/c:d",
    "name=systemd": "/",
    "": "/e",
  });
});
