// Asks GET /counts, as scripts do. Knows HTTP, no element of the page.

import type { PeriodName } from "../period.ts";
import { formatIso } from "../units.ts";
import { parseCounts, type Counts } from "./counts.ts";
import type { Range } from "./span.ts";

/** What the server said instead of counts; `status` 0: it said nothing. */
export class AskError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Why it is not what was wanted: the server's own words, and not the pages of a proxy before it. */
export async function wordsOf(response: Response): Promise<string> {
  const isPlain = response.headers.get("content-type")?.startsWith("text/plain") === true;
  const words = isPlain ? (await response.text()).trim() : "";
  return words || `the answer was ${response.status} ${response.statusText}`.trim();
}

/** The same question for a script: the path and its query. */
export function questionOf(period: PeriodName, { fromMs, toMs }: Range): string {
  return `counts?period=${period}&from=${formatIso(fromMs * 1_000)}&to=${formatIso(toMs * 1_000)}`;
}

export type Ask = (period: PeriodName, range: Range, signal?: AbortSignal) => Promise<Counts>;

/** `base`: the address that the page came from. Throws AskError, or AbortError when `signal` says so. */
export function askAt(base: string, headers: () => Record<string, string>): Ask {
  return async (period, range, signal) => {
    let response: Response;
    let text: string;
    try {
      response = await fetch(new URL(questionOf(period, range), base), {
        headers: { Accept: "application/json", ...headers() },
        cache: "no-store",
        ...(signal && { signal }),
      });
      text = response.ok ? await response.text() : await wordsOf(response);
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new AskError(0, "the server does not answer");
    }
    if (!response.ok) throw new AskError(response.status, text);
    try {
      return parseCounts(text);
    } catch {
      throw new AskError(0, "the server's answer broke off");
    }
  };
}
