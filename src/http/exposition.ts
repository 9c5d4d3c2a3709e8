// The Prometheus text format 0.0.4: numbers in, text out, and back. Pure.
// Format: https://prometheus.io/docs/instrumenting/exposition_formats/

import type { Histogram } from "../histogram.ts";

/** Labels as they are written, `{a="b"}` or nothing, and the value. */
export type Sample = readonly [written: string, value: number];

export function gauge(name: string, help: string, value: number | null | readonly Sample[]): string {
  return metric(name, "gauge", help, samplesOf(value));
}

export function counter(name: string, help: string, value: number | readonly Sample[]): string {
  return metric(name, "counter", help, samplesOf(value));
}

/** A metric without a value has its head alone. */
function samplesOf(value: number | null | readonly Sample[]): readonly Sample[] {
  if (value === null) return [];
  return typeof value === "number" ? [["", value]] : value;
}

function metric(name: string, type: "gauge" | "counter", help: string, samples: readonly Sample[]): string {
  const lines = samples.map(([written, value]) => `${name}${written} ${value}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

/** `unit`: how many of the histogram's units make one of the metric's. */
export function histogram(
  name: string,
  help: string,
  values: Histogram,
  bounds: readonly number[],
  unit: number,
): string {
  const buckets = bounds.map((bound) => `${name}_bucket{le="${bound / unit}"} ${values.countUpTo(bound)}\n`);
  return (
    `# HELP ${name} ${help}\n# TYPE ${name} histogram\n${buckets.join("")}` +
    `${name}_bucket{le="+Inf"} ${values.total}\n${name}_sum ${values.sum / unit}\n${name}_count ${values.total}\n`
  );
}

/** `{name="value"}`, with what the format does not take in a value made harmless. */
export function labels(values: Record<string, string>): string {
  const written = Object.entries(values).map(([name, value]) => `${name}="${value.replaceAll(/["\\\n]/g, "_")}"`);
  return `{${written.join(",")}}`;
}

/** What a line of such a text says; undefined for one that says nothing of its own (a comment, the end). */
export function sampleOf(line: string): Sample | undefined {
  if (line === "" || line.startsWith("#")) return undefined;
  const at = line.lastIndexOf(" ");
  return [line.slice(0, at), Number(line.slice(at + 1))];
}

/** By name and labels, as they are written. */
export function samplesIn(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  for (const line of text.split("\n")) {
    const sample = sampleOf(line);
    if (sample) samples.set(...sample);
  }
  return samples;
}
