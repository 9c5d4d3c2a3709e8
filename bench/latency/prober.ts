// Sends one event at a time beside a load, and asks GET /counts until it is there. Prints one JSON line with times in milliseconds.
//
//   bun bench/latency/prober.ts URL SECONDS
//
// The load's events are in the same buckets. The probe says that it was created half an hour ahead, so the bucket that it is in
// has a lag that no other event can have.

import { bucketStartUs, MINUTE_US } from "../../src/period.ts";
import { formatIso, formatTimestamp } from "../../src/units.ts";

const [url = "", secondsText = "5"] = process.argv.slice(2);

const AHEAD_US = 30 * MINUTE_US;

/** Between two probes: the questions must not become the load, and no two probes may be in what one question is about. */
const PAUSE_MS = 30;

/** The server's clock may be behind this one by so much, and it names buckets by their start. */
const CLOCK_MARGIN_US = 20_000;
const BUCKET_US = 10_000;

/** What is not there by then is not late but lost. */
const LOST_MS = 10_000;

export interface Probe {
  ackedMs: number;
  /** Until the answer came that showed it. */
  visibleMs: number;
  /** Questions asked after the 200 whose answer did not show it. */
  blindAfterAck: number;
}

const probes: Probe[] = [];
const endMs = performance.now() + Number(secondsText) * 1_000;
while (performance.now() < endMs) {
  const one = await probe();
  if (one) probes.push(one);
  await Bun.sleep(PAUSE_MS);
}
console.log(JSON.stringify(probes));

/** Undefined when the event was not acked. */
async function probe(): Promise<Probe | undefined> {
  const sentUs = Date.now() * 1_000;
  const fromUs = bucketStartUs(sentUs - CLOCK_MARGIN_US, BUCKET_US);
  const sentMs = performance.now();
  let answer: { acked: boolean; ms: number } | undefined;
  const posting = post(sentUs + AHEAD_US).then((acked) => (answer = { acked, ms: performance.now() }));
  let blindAfterAck = 0;
  for (;;) {
    const wasAcked = answer?.acked === true;
    const visible = await isVisible(fromUs);
    const visibleMs = performance.now() - sentMs;
    if (visible) {
      const { acked, ms } = await posting;
      return acked ? { ackedMs: ms - sentMs, visibleMs, blindAfterAck } : undefined;
    }
    if (answer?.acked === false) return undefined;
    if (wasAcked) blindAfterAck++;
    if (visibleMs > LOST_MS) throw new Error(`a probe was not visible ${LOST_MS} ms after it was sent`);
  }
}

async function post(createdUs: number): Promise<boolean> {
  const response = await fetch(url, {
    method: "POST",
    body: new URLSearchParams({ value: formatTimestamp(createdUs) }),
  });
  await response.text();
  return response.status === 200;
}

async function isVisible(fromUs: number): Promise<boolean> {
  const to = formatIso(fromUs + LOST_MS * 1_000);
  const response = await fetch(`${url}/counts?period=10ms&from=${formatIso(fromUs)}&to=${to}`);
  if (!response.ok) throw new Error(`GET /counts was answered ${response.status}: ${await response.text()}`);
  const { buckets } = (await response.json()) as { buckets: { lagUs?: { min: number } }[] };
  return buckets.some(({ lagUs }) => lagUs !== undefined && lagUs.min < -AHEAD_US / 2);
}
