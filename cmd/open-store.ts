// Opens the store of a server, and waits for one that is not there yet: after a power cut the database takes longer to come back.

import { messageOf, Reto3Error } from "../src/errors.ts";
import { openStoreAt } from "./store-flag.ts";
import type { OpenOptions, Store } from "../src/store/store.ts";
import { formatDurationMs } from "../src/units.ts";
import { pause } from "../src/writer/retry.ts";
import { log } from "./output.ts";

const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 10_000;

/**
 * Tries again while the store cannot be reached, for `waitMs`, and says so. What trying again would not mend, such as a wrong
 * password or a schema of another version, is thrown at once. Undefined when `signal` aborts.
 */
export async function openStoreInTime(
  address: string,
  options: OpenOptions,
  { waitMs, signal }: { waitMs: number; signal: AbortSignal },
): Promise<Store | undefined> {
  const deadlineMs = performance.now() + waitMs;
  for (let backoffMs = BACKOFF_FIRST_MS; !signal.aborted; backoffMs = Math.min(BACKOFF_MAX_MS, backoffMs * 2)) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- one attempt at a time
      return await openStoreAt(address, options);
    } catch (error) {
      const isAway =
        error instanceof Reto3Error && (error.code === "STORE_UNAVAILABLE" || error.code === "STORE_UNKNOWN");
      const leftMs = deadlineMs - performance.now();
      if (!isAway || leftMs <= 0) throw error;
      const hint = error.hint === undefined ? "" : `; ${error.hint}`;
      log.warn(
        `${messageOf(error)}${hint}; trying again in ${formatDurationMs(Math.round(backoffMs))}, for ${formatDurationMs(Math.ceil(leftMs / 1_000) * 1_000)} more`,
      );
      // oxlint-disable-next-line no-await-in-loop -- one attempt at a time
      await pause(Math.min(backoffMs, leftMs), signal);
    }
  }
  return undefined;
}
