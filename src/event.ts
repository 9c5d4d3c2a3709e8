// The event: what one request's body says, and the errors for everything that it may not say.
// Kernel: pure. Knows nothing of HTTP but the form encoding of the body.

import { quote, Reto3Error } from "./errors.ts";
import { parseTimestampUs, TIMESTAMP_FORM } from "./units.ts";

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
