// Waiting with an end. Kernel: timers only. No timer outlives the wait, so that a process can end when its work is done.

/** Resolves to whether `work` settled within `timeoutMs`; rejects if it rejects within it. What comes later is ignored. */
export async function settlesWithin(work: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => late.resolve(false), timeoutMs);
  try {
    return await Promise.race([work.then(() => true), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
