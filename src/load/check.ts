// The proof: what was acked is counted, and nothing is counted that was not sent. Over HTTP, through GET /counts.
//
//     acked <= counted - baseline <= acked + unknown
//
// It holds only if nobody else sends events to the same store in the meantime.

import { messageOf, Reto3Error } from "../errors.ts";
import { bucketCeilUs, bucketStartUs, SECOND_US } from "../period.ts";
import { formatIso, parseInstantUs } from "../units.ts";

/** Servers behind one address may differ by so much. */
const CLOCK_MARGIN_US = SECOND_US;

const ROUND_MS = 200;

/** No answer may take longer. */
const ANSWER_TIMEOUT_MS = 30_000;

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
export async function takeBaseline(url: string): Promise<Baseline> {
  const { nowUs } = await getCounts(url, "last=1s");
  const fromUs = bucketStartUs(nowUs, SECOND_US) - CLOCK_MARGIN_US;
  const { events } = await getCounts(url, rangeQuery(fromUs, bucketCeilUs(nowUs + CLOCK_MARGIN_US, SECOND_US)));
  return { fromUs, events };
}

/** Asks until nothing can be better any more, or `settleMs` have passed. Never throws. */
export async function checkCounts(
  url: string,
  baseline: Baseline,
  sent: { acked: number; unknown: number },
  settleMs: number,
): Promise<CheckResult> {
  const deadlineMs = performance.now() + settleMs;
  let counted: number | null = null;
  try {
    // A restarted server may need a while until it answers again.
    const first = await getCounts(url, "last=1s", deadlineMs);
    const toUs = bucketCeilUs(first.nowUs + CLOCK_MARGIN_US, SECOND_US);
    const query = rangeQuery(baseline.fromUs, toUs);
    for (;;) {
      const answer = await getCounts(url, query, deadlineMs);
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
async function getCounts(url: string, query: string, deadlineMs = 0): Promise<Counts> {
  const address = new URL(`/counts?${query}`, url);
  for (;;) {
    try {
      const response = await fetch(address, { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
      if (!response.ok) throw new Error(`status ${response.status}: ${(await response.text()).trim()}`);
      return parseCounts(await response.json());
    } catch (error) {
      if (performance.now() < deadlineMs) {
        await Bun.sleep(ROUND_MS);
        continue;
      }
      throw new Reto3Error("STORE_UNAVAILABLE", `cannot read the counts from ${address.origin}: ${reasonOf(error)}`, {
        hint: "is 'reto3 serve' running there? name it with --url",
        cause: error,
      });
    }
  }
}

/** The system's code says it better than fetch's advice to programmers. */
function reasonOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : messageOf(error);
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
