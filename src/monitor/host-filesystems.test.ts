import { describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FilesystemSampler, type Space } from "./host-filesystems.ts";

const mount = (mountPoint: string) => ({ device: `/dev${mountPoint}`, mountPoint, type: "ext4" });

describe("real file systems", () => {
  test("are told in bytes, as statfs has them", async () => {
    using folder = temporaryFolder();
    const [disk] = (await new FilesystemSampler(folder.path).sample([mount("/")])).found;
    const { bsize, blocks } = await statfs(folder.path);
    expect(disk?.fields).toMatchObject({
      "system.filesystem.mount_point": "/",
      "system.filesystem.device_name": "/dev/",
      "system.filesystem.type": "ext4",
      "system.filesystem.total": blocks * bsize,
    });
  });

  test("are told once, whatever else they are bound to; what is a file, missing or not visible is left out", async () => {
    using folder = temporaryFolder();
    mkdirSync(join(folder.path, "bound"));
    using inMemory = temporaryFolder("/dev/shm");
    writeFileSync(join(inMemory.path, "file"), "");
    symlinkSync(join(inMemory.path, "file"), join(folder.path, "file"));
    symlinkSync(inMemory.path, join(folder.path, "other"));
    mkdirSync(join(inMemory.path, "hidden"));
    const mounts = ["/", "/file", "/bound", "/other/hidden", "/other", "/missing"].map(mount);
    const { found, hidden, problems } = await new FilesystemSampler(folder.path).sample(mounts);
    expect(found.map(({ mountPoint }) => mountPoint)).toEqual(["/", "/other"]);
    expect([...hidden.keys()]).toEqual(["/missing"]);
    expect(problems).toEqual([]);
  });
});

const space = (of: Partial<Space>): Space => ({
  deviceNumber: 1,
  isFolder: true,
  isMount: true,
  blockBytes: 4_096,
  blocks: 1_000,
  free: 300,
  available: 200,
  ...of,
});

test("what is reserved for root is neither used nor available, as df has it", async () => {
  const sampler = new FilesystemSampler("/", { ask: async () => space({}) });
  expect((await sampler.sample([mount("/")])).found[0]?.fields).toMatchObject({
    "system.filesystem.total": 4_096_000,
    "system.filesystem.used.bytes": 2_867_200,
    "system.filesystem.available": 819_200,
    "system.filesystem.used.pct": 700 / 900,
  });
});

test("one that does not answer, or fails, holds up none of the others, and is asked again only when it has answered", async () => {
  const asked: string[] = [];
  const hanging = Promise.withResolvers<Space>();
  const sampler = new FilesystemSampler("/", {
    answerMaxMs: 1,
    ask: (path) => {
      asked.push(path);
      if (path === "/broken") return Promise.reject(new Error("input/output error"));
      return path === "/hangs" ? hanging.promise : Promise.resolve(space({}));
    },
  });
  const mounts = ["/", "/hangs", "/broken"].map(mount);

  const first = await sampler.sample(mounts);
  expect(first.found.map(({ mountPoint }) => mountPoint)).toEqual(["/"]);
  expect(first.problems.sort()).toEqual([
    "file system /broken: input/output error",
    "file system /hangs: no answer in 1 ms",
  ]);

  expect((await sampler.sample(mounts)).problems).toContain("file system /hangs: still no answer");
  expect(asked.filter((path) => path === "/hangs")).toHaveLength(1);

  hanging.resolve(space({ deviceNumber: 2 }));
  await hanging.promise;
  const { found, problems } = await sampler.sample(mounts);
  expect(found.map(({ mountPoint }) => mountPoint)).toEqual(["/", "/hangs"]);
  expect(problems).toEqual(["file system /broken: input/output error"]);
});

function temporaryFolder(parent = tmpdir()): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(parent, "reto3-filesystems-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
