// What must hold for every program that is started here, shown with small ones: none of these tests needs Java.

import { existsSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { type GuardedProcess, startGuarded } from "./guarded-process.ts";
import { makeTempFolder, type TempFolder } from "./temp-folder.ts";
import { isRunning, startOwner, until } from "./test-support.ts";

const prefix = join(tmpdir(), "reto3-guarded-test-");

async function withShell(
  script: string,
  use: (process: GuardedProcess, logFile: string, folder: TempFolder) => Promise<void>,
) {
  const folder = await makeTempFolder(prefix);
  try {
    const logFile = join(folder.path, "log");
    await use(await startGuarded(["sh", "-c", script], { folder: folder.path, logFile }), logFile, folder);
  } finally {
    await folder.remove();
  }
}

test("when the owner is killed, all its programs die and their folder goes", async () => {
  const code = `
    import { makeTempFolder } from "${import.meta.dir}/temp-folder.ts";
    import { startGuarded } from "${import.meta.dir}/guarded-process.ts";
    const folder = await makeTempFolder(${JSON.stringify(prefix)});
    const settings = { folder: folder.path, logFile: folder.path + "/log" };
    // One that writes without end, one that ignores SIGTERM, one that is stopped.
    const scripts = ["while :; do echo x >file; done", "trap '' TERM; exec sleep 600", "exec sleep 600"];
    const programs = [];
    for (const script of scripts) programs.push(await startGuarded(["sh", "-c", script], settings));
    programs[2].signal("SIGSTOP");
    console.log(JSON.stringify({ path: folder.path, pids: programs.map((program) => program.pid) }));
    await Promise.all(programs.map((program) => program.exited));`;
  const { owner, firstLine } = await startOwner(["-e", code]);
  const { path, pids } = JSON.parse(firstLine) as { path: string; pids: number[] };
  expect(pids.map(isRunning)).toEqual([true, true, true]);
  expect(existsSync(path)).toBe(true);

  owner.kill("SIGKILL");
  await until("all programs are gone", () => !pids.some(isRunning));
  await until("the folder is gone", () => !existsSync(path));
});

test("a Ctrl-C in the owner's terminal does not reach a program before the owner decides", async () => {
  const code = `
    import { makeTempFolder } from "${import.meta.dir}/temp-folder.ts";
    import { startGuarded } from "${import.meta.dir}/guarded-process.ts";
    const folder = await makeTempFolder(${JSON.stringify(prefix)});
    const program = await startGuarded(["sleep", "600"], { folder: folder.path, logFile: folder.path + "/log" });
    process.on("SIGINT", async () => {
      await program.end(60_000);
      await folder.remove();
      process.exit(await program.exited);
    });
    console.log("up");
    await program.exited;`;
  const { owner } = await startOwner(["-e", code]);
  process.kill(-owner.pid, "SIGINT");
  // Ended by the owner's SIGTERM; had the SIGINT reached it first, this would be 128 + 2.
  expect(await owner.exited).toBe(128 + 15);
});

test("the log has what the program printed, on both outputs, and the exit code is the program's", () =>
  withShell("echo one; echo two >&2; exit 7", async (program, logFile) => {
    expect(await program.exited).toBe(7);
    expect(readFileSync(logFile, "utf8")).toBe("one\ntwo\n");
    expect(program.signal("SIGTERM")).toBe(false);
  }));

test("SIGTERM reaches the program, which may end in its own way", () =>
  withShell("trap 'exit 5' TERM; echo up; while :; do sleep 0.05; done", async (program, logFile) => {
    await until("its trap is set", () => existsSync(logFile) && readFileSync(logFile, "utf8") === "up\n");
    await program.end(10_000);
    expect(await program.exited).toBe(5);
  }));

test("a program that ignores SIGTERM is killed after the grace", () =>
  withShell("trap '' TERM; echo up; exec sleep 600", async (program, logFile) => {
    await until("its trap is set", () => existsSync(logFile) && readFileSync(logFile, "utf8") === "up\n");
    await program.end(100);
    expect(await program.exited).toBe(128 + 9);
  }));

test("a program that is stopped ends on SIGTERM, without waiting for the grace", () =>
  withShell("exec sleep 600", async (program) => {
    expect(program.signal("SIGSTOP")).toBe(true);
    await program.end(60_000);
    expect(await program.exited).toBe(128 + 15);
  }));

test("a program whose handle was forgotten lives on", () =>
  withShell("exec sleep 600", async ({ pid, exited }) => {
    for (let round = 0; round < 5; round++) {
      Bun.gc(true);
      await Bun.sleep(10);
    }
    expect(isRunning(pid)).toBe(true);
    process.kill(pid, "SIGKILL");
    await exited;
  }));

test("a program that is not there ends with 127, and the log says so", async () => {
  const folder = await makeTempFolder(prefix);
  const logFile = join(folder.path, "log");
  const program = await startGuarded(["/nowhere/java"], { folder: folder.path, logFile });
  expect(await program.exited).toBe(127);
  expect(readFileSync(logFile, "utf8")).toContain("/nowhere/java");
  await folder.remove();
  expect(existsSync(folder.path)).toBe(false);
});

test("a folder that can not be made is an error that names it", async () => {
  await expect(makeTempFolder("/proc/reto3-")).rejects.toThrow('cannot make the folder "/proc/reto3-');
});
