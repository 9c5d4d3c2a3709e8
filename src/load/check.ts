// The proof: what was acked is counted, and nothing is counted that was not sent. Over HTTP, through GET /counts.
//
//     acked <= counted - baseline <= acked + unknown
//
// It holds only if nobody else sends events to the same store in the meantime.

import { messageOf, Reto3Error } from "../errors.ts";
import { noAnswer } from "./no-answer.ts";
import { bucketCeilUs, bucketStartUs, SECOND_US } from "../period.ts";
import { formatIso, parseInstantUs } from "../units.ts";

/** Servers behind one address may differ by so much. */
const CLOCK_MARGIN_US = SECOND_US;

const ROUND_MS = 200;

/** No answer may take longer. */
const ANSWER_TIMEOUT_MS = 30_000;

/** What the server wants of who reads, and the certificates (PEM) that it is trusted by. */
export interface Access {
  token?: string;
  ca?: string;
}

export interface Baseline {
  /** Where the range of this run starts, by the server's clock. */
  fromUs: number;
  /** Events that were in it before the run. */
  events: number;
}

export interface CheckResult {
  /** Events of this run that are counted; null if the server did not say. */
  counted: number | null;
  /** What contradicts the proof, or why there is none; undefined if all is well. */
  problem: string | undefined;
}

interface Counts {
  nowUs: number;
  events: number;
  completeUs: number;
}

/** Asks for the server's clock and what it counts already. Throws if the server does not answer. */
export async function takeBaseline(url: string, access: Access = {}): Promise<Baseline> {
  const { nowUs } = await getCounts(url, access, "last=1s");
  const fromUs = bucketStartUs(nowUs, SECOND_US) - CLOCK_MARGIN_US;
  const { events } = await getCounts(url, access, rangeQuery(fromUs, bucketCeilUs(nowUs + CLOCK_MARGIN_US, SECOND_US)));
  return { fromUs, events };
}

/** Asks until nothing can be better any more, or `settleMs` have passed. Never throws. */
export async function checkCounts(
  url: string,
  baseline: Baseline,
  sent: { acked: number; unknown: number },
  settleMs: number,
  access: Access = {},
): Promise<CheckResult> {
  const deadlineMs = performance.now() + settleMs;
  let counted: number | null = null;
  try {
    // A restarted server may need a while until it answers again.
    const first = await getCounts(url, access, "last=1s", deadlineMs);
    const toUs = bucketCeilUs(first.nowUs + CLOCK_MARGIN_US, SECOND_US);
    const query = rangeQuery(baseline.fromUs, toUs);
    for (;;) {
      const answer = await getCounts(url, access, query, deadlineMs);
      counted = answer.events - baseline.events;
      const tooMany = counted > sent.acked + sent.unknown;
      const settled = answer.completeUs >= toUs || (counted >= sent.acked && sent.unknown === 0);
      if (tooMany || settled || performance.now() > deadlineMs)
        return { counted, problem: contradiction(counted, sent) };
      await Bun.sleep(ROUND_MS);
    }
  } catch (error) {
    return { counted, problem: `it could not be made: ${messageOf(error)}` };
  }
}

function contradiction(counted: number, { acked, unknown }: { acked: number; unknown: number }): string | undefined {
  if (counted < acked) return `${acked - counted} acked events are NOT counted`;
  if (counted <= acked + unknown) return undefined;
  const more = counted - acked - unknown;
  return `${more} events more are counted than this run sent: did somebody else send to that store meanwhile?`;
}

function rangeQuery(fromUs: number, toUs: number): string {
  return `period=1s&from=${formatIso(fromUs)}&to=${formatIso(toUs)}`;
}

/** Asks again until `deadlineMs` (performance.now()) while there is no answer; once without it. */
async function getCounts(url: string, { token, ca }: Access, query: string, deadlineMs = 0): Promise<Counts> {
  const address = new URL(`/counts?${query}`, url);
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  for (;;) {
    try {
      const response = await fetch(address, {
        headers,
        // Said here, or a variable of the environment could switch it off (NODE_TLS_REJECT_UNAUTHORIZED).
        tls: { rejectUnauthorized: true, ...(ca !== undefined && { ca }) },
        // A token is for this server and no other.
        redirect: "manual",
        signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      });
      if (response.status === 401) throw unauthorized(address.origin, token !== undefined);
      if (!response.ok) throw new Error(`status ${response.status}: ${(await response.text()).trim()}`);
      return parseCounts(await response.json());
    } catch (error) {
      if (error instanceof Reto3Error) throw error;
      if (performance.now() < deadlineMs) {
        await Bun.sleep(ROUND_MS);
        continue;
      }
      const { reason, hint } = noAnswer(error);
      throw new Reto3Error("STORE_UNAVAILABLE", `cannot read the counts from ${address.origin}: ${reason}`, {
        hint,
        cause: error,
      });
    }
  }
}

/** Asking again does not help. */
function unauthorized(origin: string, given: boolean): Reto3Error {
  const problem = given ? "it does not accept the token of --read-token-file" : "the server wants a token";
  return new Reto3Error("REMOTE", `cannot read the counts from ${origin}: ${problem}`, {
    hint: "want a file with a token that serve has in its --read-token-file as --read-token-file",
  });
}

function parseCounts(answer: unknown): Counts {
  const { now, events, completeUntil } = (answer ?? {}) as Record<string, unknown>;
  const nowUs = parseInstantUs(String(now));
  const completeUs = parseInstantUs(String(completeUntil));
  if (nowUs === undefined || completeUs === undefined || typeof events !== "number") {
    throw new Error("the answer is not that of reto3");
  }
  return { nowUs, events, completeUs };
}
