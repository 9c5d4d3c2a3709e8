// Processes under measurement: on which core they run, what CPU time and memory they take. Linux only: /proc and taskset.

import { readdirSync, readFileSync } from "node:fs";

/** What is measured, and what drives it, have a core each, so that neither takes the other's time. */
export const SERVER_CORE = 0;
export const CLIENT_CORE = 1;

/** Clock ticks of /proc/PID/stat in a second (sysconf _SC_CLK_TCK on Linux). */
const TICKS = 100;

/** `command`, to be started on one core with all that it starts. */
export function pinned(core: number, command: readonly string[]): string[] {
  return ["taskset", "-c", String(core), ...command];
}

/** Moves a running process there, with all of its threads: Java that is started on one core would plan for one. */
export function pin(pid: number, core: number): void {
  const { exitCode, stderr } = Bun.spawnSync(["taskset", "-a", "-p", "-c", String(core), String(pid)]);
  if (exitCode !== 0) throw new Error(`cannot pin process ${pid} to core ${core}: ${stderr.toString()}`);
}

/** User and system time of a process with all its threads, ended ones too (unlike schedstat). Fields 14 and 15 of proc(5). */
export function cpuSeconds(pid: number): number {
  const fields = statOf(pid);
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** The same of a process and of all below it. */
export function treeCpuSeconds(pid: number): number {
  return treeOf(pid).reduce((sum, one) => sum + cpuSeconds(one), 0);
}

/** Resident memory of a process and of all below it. */
export function rssBytes(pid: number): number {
  const kib = (one: number) =>
    Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${one}/status`, "utf8"))?.[1] ?? 0);
  return treeOf(pid).reduce((sum, one) => sum + kib(one) * 1_024, 0);
}

export interface Finished {
  stdout: string;
  cpuSeconds: number;
  code: number;
}

/** Runs `command` to its end. Throws with its words if its exit status is none of `accepted`. */
export async function finish(command: readonly string[], accepted: readonly number[] = [0]): Promise<Finished> {
  const child = Bun.spawn([...command], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  const code = await child.exited;
  if (!accepted.includes(code)) throw new Error(`${command.join(" ")} ended with ${code}:\n${stderr}${stdout}`);
  return { stdout, code, cpuSeconds: Number(child.resourceUsage()?.cpuTime.total ?? 0) / 1e6 };
}

function treeOf(root: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      parents.set(Number(name), Number(statOf(Number(name))[1]));
    } catch {
      // It has ended meanwhile.
    }
  }
  const tree = [root];
  // Grows while it is walked.
  for (const pid of tree) for (const [child, parent] of parents) if (parent === pid) tree.push(child);
  return tree;
}

/** The fields of /proc/PID/stat from the third on: the second, a name, may hold anything. */
function statOf(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}
