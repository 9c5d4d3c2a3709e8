// The --from, --to and --last of commands that look at whole minutes of a store; without them: all that it has.

import { resolveRange } from "../src/counts/range.ts";
import { HOUR_US } from "../src/period.ts";
import type { Store } from "../src/store/store.ts";
import { INSTANT_FORM } from "../src/units.ts";
import { text } from "./flags.ts";

export const rangeFlags = {
  from: text("time", { description: `start of the range: ${INSTANT_FORM}; default: the oldest hour` }),
  to: text("time", { description: "end of the range, not in it; default: now" }),
  last: text("duration", { description: "the range that ends at --to" }),
};

export interface StoreRange {
  fromUs: number;
  toUs: number;
  /** The hours of the range in which there is anything. */
  hours: readonly number[];
}

/** Throws USAGE for a range that is none. */
export async function rangeOrAll(
  values: { from: string | undefined; to: string | undefined; last: string | undefined },
  open: () => Promise<Store>,
  nowUs: number,
): Promise<{ store: Store; range: StoreRange }> {
  const { fromUs, toUs, isDefault } = resolveRange({ ...values, period: "1m" }, nowUs);
  const fromStart = isDefault || (values.from === undefined && values.last === undefined);
  const store = await open();
  try {
    const claimed = await store.claimedHours();
    const startUs = fromStart ? Math.min(toUs, claimed[0] ?? toUs) : fromUs;
    return {
      store,
      range: { fromUs: startUs, toUs, hours: claimed.filter((hour) => hour + HOUR_US > startUs && hour < toUs) },
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}
