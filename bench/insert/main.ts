// Runs `reto3 bench-insert` and loops over drivers in turns and compares their medians. The question: README.md.

import { benchFlags } from "../support/flags.ts";
import { SERVER_CORE } from "../support/process.ts";
import { Measured, report } from "../support/result.ts";
import { inTurns, median, ratios } from "../support/rounds.ts";
import { newStore, warmCassandra } from "../support/stores.ts";
import { sides, type Side } from "./sides.ts";

const flags = benchFlags(
  {
    store: "",
    sides: "bare,rows,packed,rust,java",
    batches: "1,10,50,200,500,1000,2000",
    writers: "1,2,4,8",
    "writers-batch": "50",
    pairs: "5",
    seconds: "2",
  },
  { batches: "50,500", writers: "1,4", pairs: "1", seconds: "1" },
);
const seconds = flags.number("seconds");
const warmUpSeconds = flags.short ? 3 : 20;

const taking: Side[] = [];
for (const name of flags.words("sides")) {
  const side = await sides[name]?.();
  if (side) taking.push(side);
  else
    console.error(`left out: ${name} (${name in sides ? "this version has no such layout" : "there is no such side"})`);
}

await using cassandra = flags.values.store === "" ? await warmCassandra(SERVER_CORE, { warmUpSeconds }) : undefined;
const store = cassandra ? newStore(cassandra) : flags.values.store;

const byBatch = new Measured("Rows/s by size of the batch, one batch in flight");
for (const batch of flags.numbers("batches")) {
  await inTurns(
    taking,
    flags.number("pairs"),
    ({ name }) => `batch ${batch}, ${name}`,
    async (side) => {
      byBatch.add(
        { batch, side: side.name },
        { "rows/s": await side.rowsPerSec({ store, batch, writers: 1, seconds }) },
      );
    },
  );
}

const byWriters = new Measured(`Rows/s by writers side by side in one thread, batch ${flags.number("writers-batch")}`);
const turns = taking
  .filter(({ severalWriters }) => severalWriters)
  .flatMap((side) => flags.numbers("writers").map((writers) => ({ side, writers })));
await inTurns(
  turns,
  flags.number("pairs"),
  ({ side, writers }) => `${writers} writers, ${side.name}`,
  async (turn) => {
    const { side, writers } = turn;
    const rowsPerSec = await side.rowsPerSec({ store, batch: flags.number("writers-batch"), writers, seconds });
    byWriters.add({ writers, side: side.name }, { "rows/s": rowsPerSec });
  },
);

await report("insert", flags, [byBatch, shares(), byWriters]);

/** reto3 over each of the loops. */
function shares(): Measured {
  const measured = new Measured("reto3 over the loops, pair by pair and of medians");
  const loops = taking.filter(({ severalWriters }) => !severalWriters);
  for (const batch of flags.numbers("batches")) {
    for (const { name } of taking.filter(({ severalWriters }) => severalWriters)) {
      const own = byBatch.of({ batch, side: name }, "rows/s");
      for (const loop of loops) {
        const other = byBatch.of({ batch, side: loop.name }, "rows/s");
        measured.add(
          { batch, side: name },
          {
            [`over ${loop.name}`]: ratios(own, other),
            [`over ${loop.name}, medians`]: median(own) / median(other),
          },
        );
      }
    }
  }
  return measured;
}
