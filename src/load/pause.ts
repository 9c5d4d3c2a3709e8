// A wait of fractions of a millisecond: a timer of Bun's takes 1.1 ms at least, this one about 0.1 ms more than it is told.
// It leaves the thread to whatever else comes up meanwhile.

/** Never written, so whoever waits for a change of it waits until the time is over. */
const UNCHANGED = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));

export async function pause(ms: number): Promise<void> {
  await Atomics.waitAsync(UNCHANGED, 0, 0, ms).value;
}
