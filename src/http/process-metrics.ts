// What GET /metrics says of this process, under the names that Prometheus' own clients use, and how late its event loop is.

import { readdirSync, readFileSync } from "node:fs";
import { Histogram } from "../histogram.ts";
import { counter, gauge, histogram } from "./exposition.ts";

const TICK_MS = 20;
/** A machine that slept for hours did not hold anybody up for so long. */
const DELAY_MAX_MS = 10_000;
const DELAY_BOUNDS_US = [1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000];

/** How much later than it should each tick of a timer comes: what every event waits for, too. */
export interface EventLoop {
  readonly delayUs: Histogram;
  stop(): void;
}

export function watchEventLoop(): EventLoop {
  const delayUs = new Histogram();
  let lastMs = performance.now();
  const timer = setInterval(() => {
    const nowMs = performance.now();
    const delayMs = Math.min(Math.max(0, nowMs - lastMs - TICK_MS), DELAY_MAX_MS);
    // The ticks that did not come waited as well, each from its own time on.
    for (let waitedMs = delayMs; waitedMs >= 0; waitedMs -= TICK_MS) delayUs.record(waitedMs * 1_000);
    lastMs = nowMs;
  }, TICK_MS);
  timer.unref();
  return { delayUs, stop: () => clearInterval(timer) };
}

export function processMetrics(): string {
  const { rss, heapUsed } = process.memoryUsage();
  const cpu = process.cpuUsage();
  return [
    counter("process_cpu_seconds_total", "User and system CPU time", (cpu.user + cpu.system) / 1e6),
    gauge("process_resident_memory_bytes", "Resident memory", rss),
    gauge("process_heap_bytes", "JavaScript's heap in use", heapUsed),
    gauge("process_start_time_seconds", "When the process started, since 1970", performance.timeOrigin / 1e3),
    gauge("process_open_fds", "Open file descriptors, connections among them", openFiles()),
    gauge("process_max_fds", "The most that may be open", FILES_MAX),
  ].join("");
}

export function eventLoopMetrics({ delayUs }: EventLoop): string {
  return histogram(
    "reto3_event_loop_delay_seconds",
    "How much later than it should each tick of a timer of 20 ms came",
    delayUs,
    DELAY_BOUNDS_US,
    1e6,
  );
}

const FILES_MAX = filesMax();

/** Null where the system does not tell. */
function openFiles(): number | null {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return null;
  }
}

function filesMax(): number | null {
  try {
    const [, max] = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
    return max === undefined ? null : Number(max);
  } catch {
    return null;
  }
}
