// The results of a setup's runs as a row of a Markdown table: medians, and all values.

import { median } from "../support/rounds.ts";
import type { Run } from "./run.ts";

export class Table {
  static readonly head =
    "| nodes | instances | p50 ms | p99 ms | CPU us/event: reto3 | HAProxy | Cassandra, all nodes | load | all acked and counted |\n" +
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |";
  readonly #rows = new Map<string, Run[]>();

  add(name: string, result: Run): void {
    this.#rows.set(name, [...(this.#rows.get(name) ?? []), result]);
    console.error(`${name}: ${JSON.stringify(result)}`);
  }

  print(): void {
    for (const [name, runs] of this.#rows) {
      const cell = (of: (one: Run) => number, digits = 1) => {
        const all = runs.map((one) => of(one));
        return `${median(all).toFixed(digits)} (${all.map((one) => one.toFixed(digits)).join(", ")})`;
      };
      const cells = [
        cell((one) => one.p50Ms),
        cell((one) => one.p99Ms),
        cell((one) => one.cpuUs.reto3),
        cell((one) => one.cpuUs.haproxy),
        cell((one) => one.cpuUs.cassandra),
        cell((one) => one.cpuUs.load),
        runs.every((one) => one.whole) ? "yes" : "NO",
      ];
      console.log(`| ${name} | ${cells.join(" | ")} |`);
    }
  }
}
