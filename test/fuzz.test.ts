// Seeded random input: bodies for parseEvent, held against an oracle that was written another way, and whole requests for
// the executable. The seed is part of each failure.
//
//   RETO3_FUZZ_INPUTS=1000000   so many bodies, and a tenth as many requests; 20,000 otherwise
//   RETO3_FUZZ_SEED=123         the inputs of an earlier run

import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { join } from "node:path";
import { Reto3Error } from "../src/errors.ts";
import { parseEvent } from "../src/event.ts";
import { decodeEvents } from "../src/store/event-batch.ts";
import { open, statuses, storedIn, toBytes } from "./support/raw-http.ts";
import { serve, temporaryFolder } from "./support/reto3.ts";

const INPUTS = Number(process.env["RETO3_FUZZ_INPUTS"] ?? 20_000);
const SEED = Number(process.env["RETO3_FUZZ_SEED"] ?? Date.now() % 2 ** 32);
const REPEAT = `RETO3_FUZZ_SEED=${SEED} RETO3_FUZZ_INPUTS=${INPUTS}`;
/** Grows with what was asked for; the short form ends long before. */
const TIMEOUT_MS = 15_000 + INPUTS;

/** Whole numbers from 0 below `below`. */
type Random = (below: number) => number;

/** Source: mulberry32, T. Ettinger, public domain. */
function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

const oneOf = <T>(random: Random, all: readonly T[]): T => all[random(all.length)] as T;
const padded = (value: number, size: number) => String(value).padStart(size, "0");

/** A body that is valid, or nearly: dates at the edges of what is real, every form of encoding. */
function body(random: Random): string {
  const year = oneOf(random, [
    0,
    1,
    4,
    100,
    400,
    1582,
    1600,
    1683,
    1900,
    1969,
    1970,
    2000,
    2023,
    2024,
    2256,
    9999,
    random(10_000),
  ]);
  const month = random(20) === 0 ? oneOf(random, [0, 13, 99]) : 1 + random(12);
  const day = random(4) === 0 ? 27 + random(6) : random(20) === 0 ? 0 : 1 + random(28);
  const [hour, minute, second] = [24, 60, 60].map((end) => random(end + (random(20) === 0 ? 2 : 0)));
  const digits = random(8);
  const fraction = random(4) === 0 ? "" : `.${padded(random(10 ** digits), digits).slice(0, digits)}`;
  const clock = [hour, minute, second].map((part) => padded(part ?? 0, 2)).join(":");
  const text = `${padded(year, 4)}-${padded(month, 2)}-${padded(day, 2)} ${clock}${fraction}`;
  const everything = random(10) === 0;
  const written = Array.from(text, (one) => {
    const escaped = `%${one.charCodeAt(0).toString(16)}`;
    if (everything || random(60) === 0) return random(2) === 0 ? escaped : escaped.toUpperCase();
    return one === " " ? oneOf(random, ["+", "+", " ", "%20"]) : one === ":" ? oneOf(random, [":", "%3A", "%3a"]) : one;
  });
  return `value=${written.join("")}`;
}

const SPICE = [
  "\0",
  "%",
  "%0",
  "%00",
  "%ff",
  "%C0%AF",
  "%EF%BB%BF",
  "%2B",
  "%25",
  "&",
  "=",
  "+",
  "-",
  " ",
  ".",
  ":",
  "T",
  "Z",
].concat([
  "\n",
  "\r\n",
  "\t",
  "0",
  "9",
  "/",
  ";",
  "\ufeff",
  "\u0661",
  "\ud800",
  "\udc00",
  "value=",
  "value",
  "\u00a0",
  "1e5",
  "0x1",
  "é",
]);

/** None to four changes: characters dropped, doubled, swapped, replaced, parts moved. */
function mutated(random: Random, text: string, spice: readonly string[], other: () => string): string {
  let result = text;
  for (let left = random(3) === 0 ? 0 : 1 + random(4); left > 0; left--) {
    const at = random(result.length + 1);
    const end = at + random(4);
    const [before, part, after] = [result.slice(0, at), result.slice(at, end), result.slice(end)];
    const changes = [
      () => before + after,
      () => before + part + part + after,
      () => before + oneOf(random, spice) + after,
      () => before + oneOf(random, spice) + part + after,
      () => before + String.fromCharCode(random(256)) + result.slice(at + 1),
      () => before,
      () => before + other().slice(at),
      () => after + before,
    ];
    result = oneOf(random, changes)();
  }
  return result;
}

/** What the documentation says, and nothing of how parseEvent does it: every escape is one byte, and all of the form is ASCII. */
function oracle(text: string): bigint | undefined {
  const decoded = text
    .replace(/^value=/, "\0")
    .replaceAll("+", " ")
    .replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  if (text.startsWith("\0")) return undefined;
  const form = /^\0([0-9]{4})-([0-9]{2})-([0-9]{2}) ([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,6}))?$/.exec(decoded);
  if (!form) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = form.slice(1, 7).map(Number);
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  const iso = `${form[1]}-${form[2]}-${form[3]}T${form[4]}:${form[5]}:${form[6]}.000Z`;
  // Date goes on to the next day or month where there is no such one: it is real if it is written as it was.
  if (year < 1 || date.toISOString() !== iso) return undefined;
  return BigInt(date.getTime()) * 1_000n + BigInt((form[7] ?? "").padEnd(6, "0"));
}

function parsed(text: string): bigint | undefined {
  try {
    return parseEvent(text);
  } catch (error) {
    if (error instanceof Reto3Error && error.code === "EVENT_INVALID" && !error.message.includes("\n"))
      return undefined;
    throw error;
  }
}

test(
  `parseEvent accepts what the documented form says, and nothing else (${REPEAT})`,
  () => {
    const random = randomOf(SEED);
    let accepted = 0;
    for (let input = 0; input < INPUTS; input++) {
      const text = mutated(random, body(random), SPICE, () => body(random));
      const wanted = oracle(text);
      const got = parsed(text);
      if (got !== wanted)
        throw new Error(`${REPEAT}, input ${input}: ${JSON.stringify(text)} is ${got}, want ${wanted}`);
      if (got !== undefined) accepted++;
    }
    // Neither side is hardly ever tried.
    expect(accepted / INPUTS).toBeGreaterThan(0.1);
    expect(accepted / INPUTS).toBeLessThan(0.9);
  },
  TIMEOUT_MS,
);

/** Hardly ever the same one twice. */
function validBody(random: Random): string {
  const at = new Date(random(2 ** 31) * 1_000).toISOString();
  return `value=${at.slice(0, 10)}+${encodeURIComponent(at.slice(11, 19))}.${padded(random(1e6), 6)}`;
}

/**
 * The creation time that a request asks to store: null if it has none, undefined if that is not easily said. `more`: there
 * are bytes behind it.
 */
function asksFor(bytes: string): { us: bigint | null | undefined; more: boolean } {
  if (/HTTP\/.*HTTP\/|chunked/is.test(bytes)) return { us: undefined, more: true };
  const [head = ""] = bytes.split("\r\n\r\n", 1);
  const [, length] = /\r\nContent-Length:[ \t]*(\d+)/i.exec(head) ?? [];
  const end = head.length + 4 + Number(length ?? 0);
  const text = bytes.slice(head.length + 4, end);
  // A byte order mark is no part of the text.
  return { us: oracle(text.replace(/^\xef\xbb\xbf/, "")) ?? null, more: bytes.length > end };
}

const HTTP_SPICE = [
  "\r\n",
  "\n",
  "\r",
  "\0",
  " ",
  "\t",
  ":",
  "HTTP/1.1",
  "HTTP/1.0",
  "POST",
  "GET",
  "/",
  "%00",
  "%",
  "?",
  "\xff",
].concat(
  [
    "Content-Length: 36\r\n",
    "Content-Length: 5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Expect: 100-continue\r\n",
    "0\r\n\r\n",
  ],
  [
    "Connection: close\r\n",
    "Connection: upgrade\r\n",
    "X: y\r\n",
    "x".repeat(5_000),
    "X: y\r\n".repeat(150),
    "24\r\n",
    "-",
    "9",
    "0",
  ],
);

/** One request or two, with a length or in chunks, now and then with a body that is no event. */
function request(random: Random): string {
  const text = random(4) === 0 ? mutated(random, validBody(random), SPICE, () => "") : validBody(random);
  const bytes = Buffer.from(text).toString("latin1");
  const version = random(10) === 0 ? "1.0" : "1.1";
  const path = oneOf(random, ["/", "/", "/", "/", "/", "/", "/", "/?x", "http://x/", "/nope", "/counts"]);
  const head = `${oneOf(random, ["POST", "POST", "POST", "POST", "POST", "POST", "POST", "POST", "PUT", "GET"])} ${path} HTTP/${version}\r\nHost: x\r\n`;
  const framed =
    random(3) === 0
      ? `Transfer-Encoding: chunked\r\n\r\n${bytes.length.toString(16)}\r\n${bytes}\r\n0\r\n\r\n`
      : `Content-Length: ${bytes.length}\r\n\r\n${bytes}`;
  return head + framed + (random(20) === 0 ? request(random) : "");
}

/** How many events the store has of each creation time. */
function createdIn(file: string): Map<bigint, number> {
  using db = new Database(file, { readonly: true });
  const batches = db.query<{ minute: number; seq: number; cell: Uint8Array }, []>(
    "SELECT minute, seq, cell FROM event_batches",
  );
  const created = new Map<bigint, number>();
  for (const { minute, seq, cell } of batches.all()) {
    for (const { createdUs } of decodeEvents(minute, seq, cell))
      created.set(createdUs, (created.get(createdUs) ?? 0) + 1);
  }
  return created;
}

/** A connection that neither answers nor closes waits for more; it does not get any. Decides what counts as unanswered only. */
const PATIENCE_MS = 1_000;
const CONNECTIONS = 200;

test(
  `whatever is sent, the server lives, and who is told so has an event in the store (${REPEAT})`,
  async () => {
    using folder = temporaryFolder();
    await using server = await serve(`sqlite:${join(folder.path, "reto3.db")}`);
    const random = randomOf(SEED + 1);
    let unsent = Math.ceil(INPUTS / 10);
    const seen = { sent: unsent, acked: 0, mayBeStored: 0, refused: 0, silent: 0 };
    const ackedUs: bigint[] = [];
    const sendAll = async () => {
      while (unsent-- > 0) {
        const bytes = mutated(random, request(random), HTTP_SPICE, () => request(random));
        const connection = await open(server.port);
        connection.socket.write(toBytes(bytes));
        const patience = setTimeout(() => connection.socket.destroy(), PATIENCE_MS);
        await connection.until((received) => statuses(received).some((status) => status !== "100"));
        clearTimeout(patience);
        connection.socket.destroy();
        await connection.closed;
        const received = connection.received();
        const acked = storedIn(received);
        const others = statuses(received).filter((status) => status !== "100").length - acked;
        seen.acked += acked;
        const { us: sentUs, more } = asksFor(bytes);
        // What has no answer, or perhaps one to what came behind it, may have been taken all the same.
        if (others > 0 && !more) expect(acked).toBe(0);
        else if (sentUs === undefined) seen.mayBeStored += Math.max(0, bytes.split("HTTP/").length - 1 - acked);
        else if (sentUs !== null && acked === 0) seen.mayBeStored++;
        else if (sentUs !== null) ackedUs.push(sentUs);
        if (others > 0) seen.refused++;
        if (acked + others === 0) seen.silent++;
        // The other answers that are 2xx say what they are: the home page, or counts.
        const told = received.split("<h1>reto3</h1>").length + received.split("application/json").length - 2 + acked;
        const successes = statuses(received).filter((status) => status.startsWith("2")).length;
        if (successes !== told || (acked > 0 && sentUs === null)) {
          throw new Error(`${REPEAT}: ${JSON.stringify(bytes)} was answered ${JSON.stringify(received)}`);
        }
      }
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, sendAll));
    const answer = await fetch(server.url, { method: "POST", body: "value=2016-05-28+11%3A11%3A11.123456" });
    expect(answer.status).toBe(200);
    const created = createdIn(join(folder.path, "reto3.db"));
    // Each was drawn from 2 * 10^15: the same one twice in the store is one event stored twice.
    for (const us of ackedUs) {
      const times = created.get(us) ?? 0;
      if (times !== 1) throw new Error(`${REPEAT}: 200 for the event created at ${us}, which is stored ${times} times`);
    }
    const stored = (await server.metric("reto3_events_stored_total")) - 1;
    const said = `${REPEAT}: ${JSON.stringify({ ...seen, timesChecked: ackedUs.length, stored })}`;
    if (stored < seen.acked || stored > seen.acked + seen.mayBeStored) throw new Error(`false answers, ${said}`);
    if (/\[(error|warn)\]/.test(server.said())) throw new Error(`${said}\n${server.said()}`);
    // Each way of ending is tried.
    expect(seen.acked / seen.sent).toBeGreaterThan(0.05);
    expect(seen.refused / seen.sent).toBeGreaterThan(0.05);
    expect(await server.metric("process_resident_memory_bytes")).toBeLessThan(250e6);
    if (process.env["RETO3_FUZZ_INPUTS"] !== undefined) process.stderr.write(`${said}\n`);
  },
  TIMEOUT_MS,
);
