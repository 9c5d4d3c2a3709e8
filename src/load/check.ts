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

/** A restarted server may need a while until it answers again. */
const ANSWER_WAIT_MS = 30_000;

export interface Baseline {
  /** Where the range of this run starts, by the server's clock. */
  fromUs: number;
  /** Events that were in it before the run. */
  events: number;
}

export interface CheckResult {
  counted: number;
  /** The bounds hold. */
  holds: boolean;
  /** Every event that may still come has come, but for what a server without its store holds back. */
  final: boolean;
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

/** Asks until the count is final, or can be no better, or `settleMs` have passed. */
export async function checkCounts(
  url: string,
  baseline: Baseline,
  sent: { acked: number; unknown: number },
  settleMs: number,
): Promise<CheckResult> {
  const deadlineMs = performance.now() + settleMs;
  const first = await getCounts(url, "last=1s", ANSWER_WAIT_MS);
  const toUs = bucketCeilUs(first.nowUs + CLOCK_MARGIN_US, SECOND_US);
  const query = rangeQuery(baseline.fromUs, toUs);
  for (;;) {
    const answer = await getCounts(url, query, ANSWER_WAIT_MS);
    const counted = answer.events - baseline.events;
    const holds = sent.acked <= counted && counted <= sent.acked + sent.unknown;
    const final = answer.completeUs >= toUs || (holds && sent.unknown === 0);
    if (final || counted > sent.acked + sent.unknown || performance.now() > deadlineMs)
      return { counted, holds, final };
    await Bun.sleep(ROUND_MS);
  }
}

function rangeQuery(fromUs: number, toUs: number): string {
  return `period=1s&from=${formatIso(fromUs)}&to=${formatIso(toUs)}`;
}

async function getCounts(url: string, query: string, waitMs = 0): Promise<Counts> {
  const address = new URL(`/counts?${query}`, url);
  const deadlineMs = performance.now() + waitMs;
  for (;;) {
    try {
      const response = await fetch(address, { signal: AbortSignal.timeout(ANSWER_WAIT_MS) });
      if (!response.ok) throw new Error(`status ${response.status}: ${(await response.text()).trim()}`);
      return parseCounts(await response.json());
    } catch (error) {
      if (performance.now() < deadlineMs) {
        await Bun.sleep(ROUND_MS);
        continue;
      }
      throw new Reto3Error("STORE_UNAVAILABLE", `cannot read the counts from ${address.origin}: ${messageOf(error)}`, {
        hint: "is 'reto3 serve' running there? name it with --url",
        cause: error,
      });
    }
  }
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
