// The event: what one request's body says, and the errors for everything that it may not say.
// Kernel: pure. Knows nothing of HTTP but the form encoding of the body.

import { quote, Reto3Error } from "./errors.ts";
import { digits, parseTimestampUs, timestampUs, TIMESTAMP_FORM } from "./units.ts";

const FIELD = "value=";
const WANTED = `want one form field: value=${TIMESTAMP_FORM}, UTC, URL-encoded, 0 to 6 fraction digits`;

/**
 * The creation time that a form body carries, in microseconds since 1970 UTC.
 *
 *     value=2016-05-28+11%3A11%3A11.123456   ->   1464433871123456n
 *
 * Throws `EVENT_INVALID` whose message is one line: what was wrong and what is wanted.
 */
export function parseEvent(body: string): bigint {
  return usualForm(body) ?? anyForm(body);
}

/** What nearly all clients send, `value=YYYY-MM-DD+HH%3AMM%3ASS.ffffff`, without taking the text apart; undefined for all else. */
function usualForm(body: string): bigint | undefined {
  const shaped =
    body.length === 36 &&
    body.startsWith(FIELD) &&
    body[10] === "-" &&
    body[13] === "-" &&
    body[16] === "+" &&
    body.startsWith("%3A", 19) &&
    body.startsWith("%3A", 24) &&
    body[29] === ".";
  if (!shaped) return undefined;
  return timestampUs(
    digits(body, 6, 10),
    digits(body, 11, 13),
    digits(body, 14, 16),
    digits(body, 17, 19),
    digits(body, 22, 24),
    digits(body, 27, 29),
    digits(body, 30, 36),
  );
}

function anyForm(body: string): bigint {
  if (!body.startsWith(FIELD))
    throw invalid(body === "" ? "the body is empty" : "the body has no field 'value' at its start");
  if (body.includes("&")) throw invalid("the body has more than one field");
  const text = decodeForm(body.slice(FIELD.length));
  const createdUs = parseTimestampUs(text);
  if (createdUs === undefined) throw invalid(`value ${quote(text)} is not a real date and time of that form`);
  return createdUs;
}

function decodeForm(text: string): string {
  const spaced = text.includes("+") ? text.replaceAll("+", " ") : text;
  if (!spaced.includes("%")) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    throw invalid("value has a % that is no URL encoding of UTF-8");
  }
}

function invalid(problem: string): Reto3Error {
  return new Reto3Error("EVENT_INVALID", `event: ${problem}; ${WANTED}`);
}
