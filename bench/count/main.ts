// Whether the time of a `count` depends on how much there is, or on how much it prints. The question: README.md.

import { join } from "node:path";
import { bucketStartUs, MINUTE_US } from "../../src/period.ts";
import { formatIso } from "../../src/units.ts";
import { executable, startListening, type Server } from "../../test/support/reto3.ts";
import { benchFlags } from "../support/flags.ts";
import { CLIENT_CORE, finish, pinned, SERVER_CORE } from "../support/process.ts";
import { Measured, report } from "../support/result.ts";
import { inTurns } from "../support/rounds.ts";
import { newStore, pinCassandra, sqliteFolder, startNodes } from "../support/stores.ts";

const flags = benchFlags(
  { stores: "sqlite,cassandra", "ms-hours": "6", "seconds-days": "7", "month-days": "30", pairs: "9" },
  { stores: "sqlite", "ms-hours": "1", "month-days": "2", pairs: "3" },
);

/** What is in the store, in days at 5,000 events/s. */
const AMOUNTS = { "an hour": 1 / 24, "a day": 1, "a month": flags.number("month-days") };

interface Filled {
  kind: string;
  amount: string;
  address: string;
  server: Server;
}

interface Question {
  period: string;
  last: string;
}

/** Asked of each amount: the answer is the same. */
const SAME: Question[] = [
  { period: "10ms", last: "60s" },
  { period: "1s", last: "60s" },
  { period: "1m", last: "1h" },
];

/** Asked of the month: the answer grows. */
const GROWING: Question[] = [
  ...["1s", "10s", "60s", "10m"].map((last) => ({ period: "10ms", last })),
  ...["60s", "10m", "1h", "24h"].map((last) => ({ period: "1s", last })),
  ...["1h", "24h", `${AMOUNTS["a month"]}d`].map((last) => ({ period: "1m", last })),
];

const NOTHING = { period: "1m", last: "1m", to: "2020-01-01" };
const WARM_UP_TIMES = 3;

/** All minutes are over, and nothing of them is old enough to expire. */
const to = formatIso(bucketStartUs(Date.now() * 1_000, MINUTE_US) - MINUTE_US);

const byAmount = new Measured("The same answer from more and more data");
const bySize = new Measured("More and more of an answer, from a month");
for (const kind of flags.words("stores")) await onStore(kind);
await report("count", flags, [byAmount, bySize]);

async function onStore(kind: string): Promise<void> {
  await using resources = new AsyncDisposableStack();
  const cassandra = kind === "cassandra" ? resources.use(await startNodes()) : undefined;
  const on = cassandra ?? resources.use(sqliteFolder());
  const stores: Filled[] = [];
  for (const [amount, days] of Object.entries(AMOUNTS)) {
    const address = newStore(on);
    console.error(`filling ${kind} with ${amount}`);
    await fill(address, days);
    const command = pinned(SERVER_CORE, [executable, "serve", "--port", "0", "--store", address]);
    stores.push({ kind, amount, address, server: resources.use(await startListening(command)) });
  }
  if (cassandra) pinCassandra(cassandra, CLIENT_CORE);
  await askInTurns(
    byAmount,
    SAME.flatMap((question) => stores.map((store) => ({ store, question }))),
  );
  const month = stores.slice(-1);
  await askInTurns(
    bySize,
    GROWING.flatMap((question) => month.map((store) => ({ store, question }))),
  );
}

async function askInTurns(table: Measured, turns: { store: Filled; question: Question }[]): Promise<void> {
  const nameOf = ({ store, question }: (typeof turns)[number]) =>
    `${store.kind}, ${store.amount}, ${question.period} of ${question.last}`;
  // What a server compiles and connects only when it is used, before anything counts.
  for (let time = 0; time < WARM_UP_TIMES; time++) {
    for (const { store, question } of turns) await ask(store, { ...question, to });
  }
  await inTurns(turns, flags.number("pairs"), nameOf, async ({ store, question }) => {
    const empty = await ask(store, NOTHING);
    const full = await ask(store, { ...question, to });
    const { period, last } = question;
    table.add(
      { store: store.kind, period, last, of: store.amount },
      {
        lines: full.lines,
        "GET /counts, ms": full.httpMs,
        "count, ms": full.countMs,
        "of that start and connection, ms": empty.countMs,
      },
    );
  });
}

/** One writer, whose counts of 10 ms are there for the last --ms-hours; merged, as a server would have done it meanwhile. */
async function fill(store: string, days: number): Promise<void> {
  const generator = [process.execPath, join(import.meta.dir, "../ranges/generate.ts"), store];
  const spans = [
    "--days",
    days,
    "--seconds-days",
    Math.min(days, flags.number("seconds-days")),
    "--ms-hours",
    Math.min(days * 24, flags.number("ms-hours")),
  ];
  await finish([...generator, ...spans.map(String), "--writers", "1", "--merged", "--to", to]);
}

async function ask({ address, server }: Filled, question: Question & { to: string }) {
  const args = Object.entries(question).flatMap(([name, value]) => [`--${name}`, value]);
  const query = new URLSearchParams({ ...question }).toString();
  const startedMs = performance.now();
  const { stdout } = await finish(pinned(SERVER_CORE, [executable, "count", "--store", address, ...args]));
  const countedMs = performance.now();
  const response = await fetch(`${server.url}/counts?${query}`, {
    headers: { Accept: "text/plain" },
  });
  const text = await response.text();
  const answeredMs = performance.now();
  if (!response.ok || text !== stdout) throw new Error(`count and GET /counts say different things of ${address}`);
  return { lines: text.split("\n").length - 1, countMs: countedMs - startedMs, httpMs: answeredMs - countedMs };
}
