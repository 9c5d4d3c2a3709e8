// What clients that mean harm, or know no better, can send: every one gets an error or a closed connection, nobody gets a
// false 200, and the others are served meanwhile. A 200 to POST / means: exactly one event, with exactly that creation time.

import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { open, statuses, storedIn, talk, toBytes, type RawConnection } from "./support/raw-http.ts";
import { serve, temporaryFolder, until, type Server } from "./support/reto3.ts";

/** Where the server's memory stays whatever is sent. It has 65 MB when nothing happens, and more where SQLite's cache is full. */
const RESIDENT_BYTES_MAX = 250e6;

/** Where it stays while 3,000 connections have begun a body each. */
const STALLED_BYTES_MAX = 170e6;

const HOST = "Host: x\r\n";
const CHUNKED = "Transfer-Encoding: chunked\r\n";
const START = `POST / HTTP/1.1\r\n${HOST}`;

/** 2016-05-28 11:11:11 and so many microseconds: 36 characters, another event for every number. */
function event(number: number): string {
  return `value=2016-05-28+11%3A11%3A11.${String(number).padStart(6, "0")}`;
}
const EVENT_BYTES = event(0).length;
const HEX_LENGTH = EVENT_BYTES.toString(16);
const LENGTH = `Content-Length: ${EVENT_BYTES}\r\n`;
const FIRST_US = 1_464_433_871_000_000;

interface Target {
  server: Server;
  /** The creation times of all events in the store, microseconds. */
  created(): number[];
}

/** A server on a file of its own. */
async function target(folder: string): Promise<Target> {
  const file = join(folder, "reto3.db");
  // A row an event, which SQL can read.
  const server = await serve(`sqlite:${file}`, ["--raw-layout", "rows"]);
  const created = () => {
    using db = new Database(file, { readonly: true });
    return db
      .query<{ us: number }, []>("SELECT created_us AS us FROM events")
      .all()
      .map(({ us }) => us);
  };
  return { server, created };
}

let lastNumber = 0;

/** An ordinary event, answered 200. The store takes events in their order: what was taken before it is stored now. */
async function postOrdinary({ server }: Target): Promise<void> {
  const answer = await fetch(server.url, { method: "POST", body: event(++lastNumber) });
  expect([answer.status, await answer.text()]).toEqual([200, "<html><body><h1>POST!</h1></body></html>"]);
}

/** Sends an ordinary event last; tells how many of event `number` came to the store since `before`, and how many others. */
async function addedSince(to: Target, before: number, number: number): Promise<{ own: number; others: number }> {
  await postOrdinary(to);
  const after = to.created();
  const own = after.filter((us) => us === FIRST_US + number).length;
  return { own, others: after.length - before - own - 1 };
}

const sharedFolder = temporaryFolder();
const slowFolder = temporaryFolder();
let shared: Target;
let slow: Target;
let slowTalks: Map<string, Promise<string>>;
beforeAll(async () => {
  [shared, slow] = await Promise.all([target(sharedFolder.path), target(slowFolder.path)]);
  // They take half a minute, and meanwhile the others are tested.
  slowTalks = new Map(SLOW.map(([title, first, then]) => [title, dripped(slow.server.port, first, then)]));
});
afterAll(async () => {
  await Promise.all([shared, slow].map(({ server }) => server[Symbol.asyncDispose]()));
  sharedFolder[Symbol.dispose]();
  slowFolder[Symbol.dispose]();
});

/** A title, what is sent (given an event's body), what comes of it, how many events are stored at most: as many as answers 200, or those sent at once. */
type Case = [string, (body: string) => string | Buffer, string, number];

const whole = (head: string) => (body: string) => `${head}${LENGTH}\r\n${body}`;
const inChunks = (head: string) => (body: string) => `${head}\r\n${HEX_LENGTH}\r\n${body}\r\n0\r\n\r\n`;
const chunk = (chunks: (body: string) => string) => (body: string) => `${START}${CHUNKED}\r\n${chunks(body)}`;
const lengthed = (length: string) => (body: string) => `${START}Content-Length:${length}\r\n\r\n${body}`;
const withBody = (bytes: (body: string) => Buffer) => (body: string) => {
  const all = bytes(body);
  return Buffer.concat([Buffer.from(`${START}Content-Length: ${all.length}\r\n\r\n`), all]);
};

const LENGTHS: Case[] = [
  ["a Content-Length that is right", lengthed(` ${EVENT_BYTES}`), "200 open", 1],
  ["one with spaces behind it", lengthed(` ${EVENT_BYTES}  `), "200 open", 1],
  ["one with zeros in front", lengthed(` 000${EVENT_BYTES}`), "200 open", 1],
  ["the same one twice", whole(`${START}${LENGTH}`), "200 open", 1],
  ["two that differ", whole(`${START}Content-Length: 5\r\n`), "400 closed", 0],
  [
    "two that differ, the right one first",
    (body) => `${START}${LENGTH}Content-Length: 5\r\n\r\n${body}`,
    "400 closed",
    0,
  ],
  ["a list of the same one", lengthed(` ${EVENT_BYTES}, ${EVENT_BYTES}`), "400 closed", 0],
  ["one with a plus", lengthed(` +${EVENT_BYTES}`), "400 closed", 0],
  ["a negative one", lengthed(` -${EVENT_BYTES}`), "400 closed", 0],
  ["a hexadecimal one", lengthed(` 0x${HEX_LENGTH}`), "400 closed", 0],
  ["one with a fraction", lengthed(` ${EVENT_BYTES}.0`), "400 closed", 0],
  ["one with an exponent", lengthed(" 1e2"), "400 closed", 0],
  ["one with a space in it", lengthed(" 3 6"), "400 closed", 0],
  ["an empty one", lengthed(""), "400 closed", 0],
  ["no length at all: the body is taken for the next request", lengthed(" 0"), "400 400 closed", 0],
  ["one that is too short: the rest is taken for the next request", lengthed(" 5"), "400 400 closed", 0],
  ["one beyond 64 bits", lengthed(" 99999999999999999999999"), "400 closed", 0],
  ["one that is right modulo 2^64", lengthed(` ${2n ** 64n + BigInt(EVENT_BYTES)}`), "400 closed", 0],
  ["one that is right modulo 2^32", lengthed(` ${2 ** 32 + EVENT_BYTES}`), "413 closed", 0],
  ["a body above 1 KiB", withBody(() => Buffer.alloc(2_000, "x")), "413 open", 0],
  ["an event with spaces up to 1 MB", withBody((body) => Buffer.from(body.padEnd(1e6))), "413 closed", 0],
  [
    "an event with so much that it just passes 1 KiB",
    withBody((body) => Buffer.from(body.padEnd(1_025, "0"))),
    "413 open",
    0,
  ],
];

const CHUNKS: Case[] = [
  ["one chunk", inChunks(`${START}${CHUNKED}`), "200 open", 1],
  [
    "a chunk a byte",
    chunk((body) => `${Array.from(body, (one) => `1\r\n${one}\r\n`).join("")}0\r\n\r\n`),
    "200 open",
    1,
  ],
  ["a size with zeros in front", chunk((body) => `0000${HEX_LENGTH}\r\n${body}\r\n0\r\n\r\n`), "200 open", 1],
  ["an extension", chunk((body) => `${HEX_LENGTH};a="b"\r\n${body}\r\n0\r\n\r\n`), "200 open", 1],
  [
    "an extension with a line feed in it",
    chunk((body) => `${HEX_LENGTH};a\nb\r\n${body}\r\n0\r\n\r\n`),
    "400 closed",
    0,
  ],
  [
    "an extension of 100 kB",
    chunk((body) => `${HEX_LENGTH};${"a".repeat(1e5)}\r\n${body}\r\n0\r\n\r\n`),
    "413 closed",
    0,
  ],
  ["a size that is too small", chunk((body) => `5\r\n${body}\r\n0\r\n\r\n`), "400 closed", 0],
  [
    "a size that is one too large",
    chunk((body) => `${(EVENT_BYTES + 1).toString(16)}\r\n${body}\r\n0\r\n\r\n`),
    "400 closed",
    0,
  ],
  ["a size with a space behind it", chunk((body) => `${HEX_LENGTH} \r\n${body}\r\n0\r\n\r\n`), "400 closed", 0],
  ["a size with 0x", chunk((body) => `0x${HEX_LENGTH}\r\n${body}\r\n0\r\n\r\n`), "400 closed", 0],
  ["a negative size", chunk((body) => `-${HEX_LENGTH}\r\n${body}\r\n0\r\n\r\n`), "400 closed", 0],
  ["a size beyond 64 bits", chunk((body) => `ffffffffffffffffff\r\n${body}\r\n0\r\n\r\n`), "400 closed", 0],
  ["line feeds alone", chunk((body) => `${HEX_LENGTH}\n${body}\n0\n\n`), "400 closed", 0],
  ["no line end behind the chunk", chunk((body) => `${HEX_LENGTH}\r\n${body}0\r\n\r\n`), "400 closed", 0],
  ["more than a body may have", chunk(() => `186a0\r\n${"x".repeat(1e5)}\r\n0\r\n\r\n`), "413 closed", 0],
];

const SMUGGLING: Case[] = [
  ["a length, then chunked", inChunks(`${START}${LENGTH}${CHUNKED}`), "400 closed", 0],
  ["chunked, then a length", inChunks(`${START}${CHUNKED}${LENGTH}`), "400 closed", 0],
  [
    "a whole request behind a length that ends in the chunks",
    (body) => `${START}Content-Length: 4\r\n${CHUNKED}\r\n0\r\n\r\n${START}${LENGTH}\r\n${body}`,
    "400 closed",
    0,
  ],
  ["chunked in capitals", inChunks(`${START}Transfer-Encoding: CHUNKED\r\n`), "200 open", 1],
  ["chunked behind a tab", inChunks(`${START}Transfer-Encoding:\tchunked\r\n`), "200 open", 1],
  ["chunked behind a vertical tab", inChunks(`${START}Transfer-Encoding:\x0bchunked\r\n`), "400 closed", 0],
  ["a space before the colon", inChunks(`${START}Transfer-Encoding : chunked\r\n`), "400 closed", 0],
  ["xchunked", inChunks(`${START}Transfer-Encoding: xchunked\r\n`), "400 closed", 0],
  ["identity", inChunks(`${START}Transfer-Encoding: identity\r\n`), "400 closed", 0],
  ["gzip, chunked", inChunks(`${START}Transfer-Encoding: gzip, chunked\r\n`), "400 closed", 0],
  ["chunked, identity", inChunks(`${START}Transfer-Encoding: chunked, identity\r\n`), "400 closed", 0],
  ["chunked twice", inChunks(`${START}${CHUNKED}${CHUNKED}`), "400 closed", 0],
  [
    "chunked, and identity in a second header",
    inChunks(`${START}${CHUNKED}Transfer-Encoding: identity\r\n`),
    "400 closed",
    0,
  ],
  [
    "identity, and chunked in a second header",
    inChunks(`${START}Transfer-Encoding: identity\r\n${CHUNKED}`),
    "400 closed",
    0,
  ],
  ["an empty encoding beside a length", whole(`${START}Transfer-Encoding:\r\n`), "400 closed", 0],
  ["an underscore, which is another header", whole(`${START}Transfer_Encoding: chunked\r\n`), "200 open", 1],
  ["chunked on a folded line", whole(`${START}Transfer-Encoding:\r\n chunked\r\n`), "400 closed", 0],
  ["chunked in HTTP/1.0", inChunks(`POST / HTTP/1.0\r\n${HOST}${CHUNKED}`), "400 closed", 0],
  ["chunked behind a line feed alone", whole(`${START}X: a\n${CHUNKED}`), "400 closed", 0],
  ["chunked behind a carriage return alone", whole(`${START}X: a\r${CHUNKED}`), "400 closed", 0],
  [
    "an event in the body of a path that is not there",
    (body) => `POST /nope HTTP/1.1\r\n${HOST}Content-Length: ${whole(START)(body).length}\r\n\r\n${whole(START)(body)}`,
    "404 open",
    0,
  ],
  [
    "an event in the body of a GET",
    (body) => `GET / HTTP/1.1\r\n${HOST}Content-Length: ${whole(START)(body).length}\r\n\r\n${whole(START)(body)}`,
    "200 open",
    0,
  ],
];

const HEADERS: Case[] = [
  ["a folded header", whole(`${START}X: a\r\n b\r\n`), "400 closed", 0],
  ["a first header that begins with a space", whole(`POST / HTTP/1.1\r\n ${HOST}`), "400 closed", 0],
  ["a null byte in a value", whole(`${START}X: a\0b\r\n`), "400 closed", 0],
  ["a null byte in a name", whole(`${START}X\0: ab\r\n`), "400 closed", 0],
  ["no colon", whole(`${START}nocolon\r\n`), "400 closed", 0],
  ["no name", whole(`${START}: v\r\n`), "400 closed", 0],
  ["no Host", whole("POST / HTTP/1.1\r\n"), "400 closed", 0],
  ["two Hosts, of which none is looked at", whole(`${START}Host: y\r\n`), "200 open", 1],
  ["bytes above 127 in a value", whole(`${START}X: \xff\xfe\r\n`), "200 open", 1],
  ["100 headers", whole(START + "X: y\r\n".repeat(100)), "200 open", 1],
  ["300 headers", whole(START + "X: y\r\n".repeat(300)), "431 closed", 0],
  ["a header of 20 kB", whole(`${START}X: ${"y".repeat(20_000)}\r\n`), "431 closed", 0],
  ["a header of 1 MB", whole(`${START}X: ${"y".repeat(1e6)}\r\n`), "431 closed", 0],
  ["1 MB of headers", whole(START + `X: ${"y".repeat(95)}\r\n`.repeat(10_000)), "431 closed", 0],
  ["Expect: 100-continue", whole(`${START}Expect: 100-continue\r\n`), "100 200 open", 1],
  [
    "a wish for WebSocket",
    whole(`${START}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n`),
    "200 open",
    1,
  ],
  [
    "a wish for HTTP/2",
    whole(`${START}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n`),
    "200 open",
    1,
  ],
  ["Connection: close", whole(`${START}Connection: close\r\n`), "200 closed", 1],
];

const LINES: Case[] = [
  ["HTTP/1.0 without Host", whole("POST / HTTP/1.0\r\n"), "200 closed", 1],
  ["HTTP/1.0 without a length", (body) => `POST / HTTP/1.0\r\n\r\n${body}`, "400 closed", 0],
  ["HTTP/0.9", () => "GET /\r\n", "505 closed", 0],
  ["HTTP/1.2", whole(`POST / HTTP/1.2\r\n${HOST}`), "505 closed", 0],
  ["HTTP/2.0", whole(`POST / HTTP/2.0\r\n${HOST}`), "505 closed", 0],
  ["the preface of HTTP/2", () => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400 closed", 0],
  ["a TLS greeting", () => Buffer.from("160301020001000001fc0303", "hex"), "400 closed", 0],
  ["bare line feeds", (body) => `POST / HTTP/1.1\nHost: x\nContent-Length: ${body.length}\n\n${body}`, "505 closed", 0],
  ["post in lower case", whole(`post / HTTP/1.1\r\n${HOST}`), "closed", 0],
  ["Post in mixed case", whole(`Post / HTTP/1.1\r\n${HOST}`), "closed", 0],
  ["a method that is none", whole(`FROB / HTTP/1.1\r\n${HOST}`), "closed", 0],
  ["PUT", whole(`PUT / HTTP/1.1\r\n${HOST}`), "405 open", 0],
  ["TRACE", () => `TRACE / HTTP/1.1\r\n${HOST}\r\n`, "405 open", 0],
  ["OPTIONS *", () => `OPTIONS * HTTP/1.1\r\n${HOST}\r\n`, "400 closed", 0],
  ["a GET that would be a POST", whole(`GET / HTTP/1.1\r\n${HOST}X-HTTP-Method-Override: POST\r\n`), "200 open", 0],
  ["a whole URL", whole(`POST http://x/ HTTP/1.1\r\n${HOST}`), "200 open", 1],
  ["a whole URL without a path", whole(`POST http://x HTTP/1.1\r\n${HOST}`), "200 open", 1],
  ["a whole URL of another host", whole(`POST https://elsewhere/ HTTP/1.1\r\n${HOST}`), "200 open", 1],
  ["a whole URL of another protocol", whole(`POST ftp://x/ HTTP/1.1\r\n${HOST}`), "400 closed", 0],
  ["no slash", whole(`POST x HTTP/1.1\r\n${HOST}`), "400 closed", 0],
  ["two slashes", whole(`POST // HTTP/1.1\r\n${HOST}`), "404 open", 0],
  ["a way up", whole(`POST /a/../ HTTP/1.1\r\n${HOST}`), "404 open", 0],
  ["an encoded slash", whole(`POST /%2f HTTP/1.1\r\n${HOST}`), "404 open", 0],
  ["a broken escape in the path", whole(`POST /%zz HTTP/1.1\r\n${HOST}`), "404 open", 0],
  ["an escape in the path that is not UTF-8", whole(`POST /%ff%fe HTTP/1.1\r\n${HOST}`), "404 open", 0],
  ["bytes in the path that are not UTF-8", whole(`POST /\xff\xfe HTTP/1.1\r\n${HOST}`), "404 open", 0],
  ["a null byte in the path", whole(`POST /\0 HTTP/1.1\r\n${HOST}`), "505 closed", 0],
  ["an encoded null byte in the path", whole(`POST /%00 HTTP/1.1\r\n${HOST}`), "404 open", 0],
  ["a query that is nonsense", whole(`POST /?a=%zz&&=& HTTP/1.1\r\n${HOST}`), "200 open", 1],
  ["a query of /counts that is nonsense", () => `GET /counts?last=%ff%zz HTTP/1.1\r\n${HOST}\r\n`, "400 open", 0],
  ["a query of /counts with __proto__", () => `GET /counts?__proto__=1 HTTP/1.1\r\n${HOST}\r\n`, "400 open", 0],
  ["a path of 8 kB", whole(`POST /${"a".repeat(8_000)} HTTP/1.1\r\n${HOST}`), "404 open", 0],
  ["a path of 1 MB", whole(`POST /${"a".repeat(1e6)} HTTP/1.1\r\n${HOST}`), "431 closed", 0],
  ["a space in front", whole(` POST / HTTP/1.1\r\n${HOST}`), "400 closed", 0],
  ["two spaces", whole(`POST  / HTTP/1.1\r\n${HOST}`), "400 closed", 0],
  ["tabs for the spaces", whole(`POST\t/\tHTTP/1.1\r\n${HOST}`), "505 closed", 0],
  ["empty lines in front", whole(`\r\n\r\n${START}`), "400 closed", 0],
  ["nothing but null bytes", () => Buffer.alloc(1_000), "400 closed", 0],
];

const BODIES: Case[] = [
  ["a null byte at the end", withBody((body) => Buffer.from(`${body}\0`)), "400 open", 0],
  ["a null byte for a digit", withBody((body) => Buffer.from(`${body.slice(0, -1)}\0`)), "400 open", 0],
  ["a byte that is not UTF-8", withBody((body) => Buffer.from(`${body.slice(0, -1)}\xff`, "latin1")), "400 open", 0],
  ["a slash in overlong UTF-8", withBody((body) => Buffer.from(`${body}%C0%AF`)), "400 open", 0],
  ["half an escape", withBody((body) => Buffer.from(`${body.slice(0, -1)}%3`)), "400 open", 0],
  [
    "a digit encoded, which is the same event",
    withBody((body) => Buffer.from(body.replace("2016", "%32016"))),
    "200 open",
    1,
  ],
  ["a digit encoded twice", withBody((body) => Buffer.from(body.replace("2016", "%2532016"))), "400 open", 0],
  ["a byte order mark, which is no part of the text", withBody((body) => Buffer.from(`\ufeff${body}`)), "200 open", 1],
  ["two byte order marks", withBody((body) => Buffer.from(`\ufeff\ufeff${body}`)), "400 open", 0],
  ["UTF-16", withBody((body) => Buffer.from(`\ufeff${body}`, "utf16le")), "400 open", 0],
  ["a second field", withBody((body) => Buffer.from(`${body}&${body}`)), "400 open", 0],
  ["another field in front", withBody((body) => Buffer.from(`x=1&${body}`)), "400 open", 0],
  ["a line end behind it", withBody((body) => Buffer.from(`${body}\r\n`)), "400 open", 0],
  ["zipped bytes", withBody((body) => Buffer.from(Bun.gzipSync(body))), "400 open", 0],
];

// While an event waits for its answer, Bun cuts a connection on which more comes (see src/http/server.ts). Nobody is told
// "stored" who should not be: the 400 is the second one's, and the event before it has no answer. Bun takes a trailer, which it
// does not know, for a second request too.
const MANY: Case[] = [
  ["three GETs at once", () => `GET / HTTP/1.1\r\n${HOST}\r\n`.repeat(3), "200 200 200 open", 0],
  ["an event and garbage behind it", (body) => `${whole(START)(body)}garbage\r\n\r\n`, "400 closed", 1],
  ["an event and a line end behind it", (body) => `${whole(START)(body)}\r\n`, "400 closed", 1],
  ["two events at once", (body) => whole(START)(body).repeat(2), "closed", 2],
  ["50 events at once", (body) => whole(START)(body).repeat(50), "closed", 50],
  ["a trailer", chunk((body) => `${HEX_LENGTH}\r\n${body}\r\n0\r\nX: y\r\n\r\n`), "400 closed", 1],
  ["a length in a trailer", chunk((body) => `${HEX_LENGTH}\r\n${body}\r\n0\r\n${LENGTH}\r\n`), "400 closed", 1],
  ["an event and a GET at once", (body) => `${whole(START)(body)}GET / HTTP/1.1\r\n${HOST}\r\n`, "closed", 1],
  ["a GET and an event at once", (body) => `GET / HTTP/1.1\r\n${HOST}\r\n${whole(START)(body)}`, "200 200 open", 1],
];

/** A title, what is sent first, what then comes byte by byte, what is answered. */
const SLOW: [string, string, string, string][] = [
  ["nothing at all", "", "", "closed"],
  ["half a request line", "POST / HT", "", "closed"],
  ["no end of the headers", `${START}${LENGTH}`, "", "closed"],
  ["headers byte by byte", `${START}X: `, "y".repeat(500), "closed"],
  ["a body that does not come", `${START}${LENGTH}\r\n`, "", "closed"],
  ["half a body", `${START}${LENGTH}\r\nvalue=2016`, "", "closed"],
  ["a body byte by byte", `${START}Content-Length: 999\r\n\r\nvalue=`, "x".repeat(500), "closed"],
  ["half a chunk", `${START}${CHUNKED}\r\n${HEX_LENGTH}\r\nvalue=`, "", "closed"],
  [
    "a chunk of 4 GB and an event",
    `${START}${CHUNKED}\r\n1000000${HEX_LENGTH}\r\n${event(0)}\r\n0\r\n\r\n`,
    "",
    "closed",
  ],
  ["chunks byte by byte", `${START}${CHUNKED}\r\n`, "1\r\nx\r\n".repeat(80), "closed"],
  ["the body of a path that is not there", `POST /nope HTTP/1.1\r\n${HOST}${LENGTH}\r\n`, "", "404 closed"],
  ["the body of a GET", `GET / HTTP/1.1\r\n${HOST}${LENGTH}\r\n`, "", "200 closed"],
  ["a tunnel", `CONNECT example.com:80 HTTP/1.1\r\n${HOST}\r\n`, "", "404 closed"],
  ["nothing more after an answer", `GET / HTTP/1.1\r\n${HOST}\r\n`, "", "200 closed"],
];

/** Sends `first` and then the rest slowly, until the server closes; what came till then. */
async function dripped(port: string, first: string, then: string): Promise<string> {
  const connection = await open(port);
  connection.socket.write(toBytes(first));
  let sent = 0;
  const timer = setInterval(() => {
    if (sent < then.length && connection.socket.writable) connection.socket.write(then.charAt(sent++));
  }, 250);
  await connection.closed;
  clearInterval(timer);
  return [...statuses(connection.received()), "closed"].join(" ");
}

describe.each([
  ["lengths", LENGTHS],
  ["chunks", CHUNKS],
  ["smuggling", SMUGGLING],
  ["headers", HEADERS],
  ["request lines", LINES],
  ["bodies", BODIES],
  ["several at once", MANY],
])("%s:", (_, cases) => {
  test.each(cases)("%s", async (_title, request, expected, storedMax) => {
    const number = ++lastNumber;
    const before = shared.created().length;
    const { outcome, stored } = await talk(shared.server.port, request(event(number)), expected);
    expect(outcome).toBe(expected);
    const { own, others } = await addedSince(shared, before, number);
    expect(others).toBe(0);
    expect(own).toBeGreaterThanOrEqual(stored);
    expect(own).toBeLessThanOrEqual(storedMax);
    // Only what was sent in the wake of something that waits may be stored and not answered.
    if (cases !== MANY) expect(stored).toBe(storedMax);
  });
});

describe("requests that are cut:", () => {
  test.each([
    ["closed", (connection: RawConnection) => void connection.socket.end()],
    ["reset", (connection: RawConnection) => void connection.socket.resetAndDestroy()],
  ])("%s after each of its bytes but the last, an event is not stored", async (_, cut) => {
    const number = ++lastNumber;
    const before = shared.created().length;
    const request = toBytes(whole(START)(event(number)));
    const received = await Promise.all(
      Array.from({ length: request.length }, async (_unused, length) => {
        const connection = await open(shared.server.port);
        await new Promise((resolve) => connection.socket.write(request.subarray(0, length), resolve));
        cut(connection);
        await connection.closed;
        return connection.received();
      }),
    );
    // A body that ends too early is answered, if anybody is there to read it.
    for (const one of received) expect(storedIn(one)).toBe(0);
    expect(await addedSince(shared, before, number)).toEqual({ own: 0, others: 0 });
  });

  test.each([
    ["with a length", whole(START)],
    ["in chunks", inChunks(`${START}${CHUNKED}`)],
  ])("in two after each of its bytes, an event %s is stored once", async (_, request) => {
    const number = ++lastNumber;
    const before = shared.created().length;
    const bytes = toBytes(request(event(number)));
    const connections = await Promise.all(
      Array.from({ length: bytes.length - 1 }, async (_unused, index) => {
        const connection = await open(shared.server.port);
        await new Promise((resolve) => connection.socket.write(bytes.subarray(0, index + 1), resolve));
        return connection;
      }),
    );
    // Whatever it answers now came after the first halves.
    await postOrdinary(shared);
    await Promise.all(
      connections.map(async (connection, index) => {
        const { socket } = connection;
        socket.write(bytes.subarray(index + 1));
        await connection.until((received) => storedIn(received) === 1);
        expect(statuses(connection.received())).toEqual(["200"]);
        socket.destroy();
      }),
    );
    expect(await addedSince(shared, before + 1, number)).toEqual({ own: bytes.length - 1, others: 0 });
  });

  test("a client that closes its half after an event gets no false answer, and the event is stored once at most", async () => {
    const number = ++lastNumber;
    const before = shared.created().length;
    const connection = await open(shared.server.port);
    connection.socket.end(toBytes(whole(START)(event(number))));
    await connection.closed;
    const { own, others } = await addedSince(shared, before, number);
    expect(others).toBe(0);
    expect(own).toBeGreaterThanOrEqual(storedIn(connection.received()));
    expect(own).toBeLessThanOrEqual(1);
  });
});

describe("many connections:", () => {
  const many = (count: number, each: () => Promise<RawConnection>) =>
    Promise.all(Array.from({ length: count }, () => each()));
  const dropAll = (connections: RawConnection[]) => {
    for (const { socket } of connections) socket.destroy();
  };

  test("3,000 that say nothing more hold up nobody", async () => {
    const first = lastNumber;
    const silent = await many(1_500, () => open(shared.server.port));
    const kept = await many(1_500, async () => {
      const connection = await open(shared.server.port);
      connection.socket.write(toBytes(whole(START)(event(++lastNumber))));
      await connection.until((received) => storedIn(received) === 1);
      return connection;
    });
    await until(async () => (await shared.server.metric("process_open_fds")) > 3_000);
    for (let round = 0; round < 20; round++) await postOrdinary(shared);
    expect([...silent, ...kept].filter(({ socket }) => socket.closed)).toEqual([]);
    const created = shared.created().filter((us) => us > FIRST_US + first);
    expect([created.length, new Set(created).size]).toEqual([1_520, 1_520]);
    dropAll([...silent, ...kept]);
    await until(async () => (await shared.server.metric("process_open_fds")) < 1_000);
  }, 20_000);

  test.each([
    ["of 60 kB, which is refused", 60_000],
    ["of 4 kB, which is waited for", 4_000],
  ])(
    "3,000 that begin a body %s, and do not end it take little memory",
    async (_, bytes) => {
      const before = shared.created().length;
      const stalled = await many(3_000, async () => {
        const connection = await open(shared.server.port);
        connection.socket.write(toBytes(`${START}${CHUNKED}\r\n${(bytes + 1).toString(16)}\r\n${"x".repeat(bytes)}`));
        return connection;
      });
      await postOrdinary(shared);
      expect(await shared.server.metric("process_resident_memory_bytes")).toBeLessThan(STALLED_BYTES_MAX);
      dropAll(stalled);
      expect(shared.created().length - before).toBe(1);
    },
    20_000,
  );

  test("20 that ask and never read take no memory for their answers", async () => {
    const deaf = await many(20, async () => {
      const connection = await open(shared.server.port);
      connection.socket.pause();
      connection.socket.write(toBytes(`GET /metrics HTTP/1.1\r\n${HOST}\r\n`.repeat(2_000)));
      return connection;
    });
    await postOrdinary(shared);
    expect(await shared.server.metric("process_resident_memory_bytes")).toBeLessThan(RESIDENT_BYTES_MAX);
    dropAll(deaf);
  }, 20_000);
});

describe("slow clients are cut off by the server:", () => {
  test.each(SLOW)(
    "%s",
    async (title, _first, _then, expected) => {
      expect(await slowTalks.get(title)).toBe(expected);
    },
    60_000,
  );

  test("and nothing of theirs is stored", () => expect(slow.created()).toEqual([]));
});

test("after all that both servers take events, have no more memory than before, and saw no error of their own", async () => {
  for (const one of [shared, slow]) {
    await postOrdinary(one);
    expect(await one.server.metric("reto3_events_stored_total")).toBe(one.created().length);
    expect(await one.server.metric("process_resident_memory_bytes")).toBeLessThan(RESIDENT_BYTES_MAX);
    expect(one.server.said()).not.toMatch(/\[(error|warn)\]/);
  }
});
