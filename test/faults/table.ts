// What the faults did, as the table in docs/faults.md: printed at the end of a run, in the order of the tests.

import type { FaultFigures } from "./oracle.ts";

const rows: { fault: string; store: string; figures: FaultFigures }[] = [];

export function note(fault: string, store: string, figures: FaultFigures): void {
  rows.push({ fault, store, figures });
}

export function tableText(): string {
  const lines = rows.map(({ fault, store, figures }) => {
    const { sent, acked, refused, unknown, stored, outageSeconds } = figures;
    const numbers = [sent, acked, refused, unknown, stored].map((number) => number.toLocaleString("en"));
    return `| ${[fault, store, ...numbers, outageSeconds.toFixed(1)].join(" | ")} |`;
  });
  const head = "| fault | store | sent | acked | refused | unknown | stored | longest without an ack, s |";
  return [head, "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |", ...lines].join("\n");
}
