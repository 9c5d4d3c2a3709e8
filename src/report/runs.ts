// What the senders saw: each load run, several of them side by side, and what was sent against what was counted. Pure.

import { SECOND_US } from "../period.ts";
import type { KneeSection, QuantileFigures, RunSection, SentSection } from "./model.ts";
import { isoOf, msOf, percent, rounded, several, span as spanWords, words } from "./numbers.ts";
import type { Run } from "./run.ts";
import { knee } from "./statistics/knee.ts";

const SHARES = [0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995, 0.9999, 1];

/** Runs whose rates differ by less are of one rate. */
const RATE_TOLERANCE = 0.02;

/** Points of the chart; of more seconds every second, third ... is in it. */
const SENT_POINTS_MAX = 720;

/** Null without records. */
export function runSection(run: Run): RunSection | null {
  const { span, result } = run;
  if (span === null) return null;
  const { fromSchedule, fromSend } = result.latencies();
  const figures: Omit<RunSection, "says"> = {
    name: run.name,
    from: isoOf(span.fromUs),
    to: isoOf(span.toUs),
    seconds: rounded((span.toUs - span.fromUs) / SECOND_US),
    askedPerSec: run.askedPerSec === null ? null : rounded(run.askedPerSec, 5),
    ackedPerSec: run.ackedPerSec === null ? null : rounded(run.ackedPerSec, 5),
    requests: result.finished,
    outcomes: { ...result.outcomes },
    reasons: Object.fromEntries(result.reasons),
    latencyMs: { fromSchedule, fromSend },
    sendErrorMs: result.sendError(),
    quantiles: SHARES.map((share) => ({
      share,
      ms: Math.min(fromSchedule.max, msOf(result.sinceDueUs.quantile(share))),
    })),
    overTime: {
      stepSeconds: run.latencies.widthUs / SECOND_US,
      points: run.latencies.entries().map(([us, { sinceDueUs, requests, notAcked }]) => ({
        at: isoOf(us),
        requests,
        notAcked,
        p50Ms: sinceDueUs.total > 0 ? msOf(sinceDueUs.quantile(0.5)) : null,
        p99Ms: sinceDueUs.total > 0 ? msOf(sinceDueUs.quantile(0.99)) : null,
      })),
    },
  };
  return { says: sentences(figures, run), ...figures };
}

function sentences(run: Omit<RunSection, "says">, { isCut, result }: Run): string[] {
  const { acked, refused, unknown, unsent } = run.outcomes;
  const rate = run.askedPerSec === null ? "" : ` at ${words(run.askedPerSec)} a second`;
  const says = [
    `${several(run.requests, "event was", "events were")} due in ${spanWords(run.seconds)}${rate}; ${acked === run.requests ? "all" : percent(acked / run.requests)} of them were acknowledged.`,
  ];
  if (acked < run.requests)
    says.push(
      `Not acknowledged: ${words(refused)} refused, ${words(unknown)} of unknown outcome, ${words(unsent)} never sent for want of a connection.`,
    );
  if (result.sinceDueUs.total > 0) says.push(latencyWords(run.latencyMs.fromSchedule));
  const { p99, max } = run.sendErrorMs;
  if (p99 > run.latencyMs.fromSchedule.p99 / 2 && p99 > 1)
    says.push(
      `Events left up to ${words(p99, "ms")} late (p99; ${words(max, "ms")} at most): much of the latency is waiting to be sent, for a connection or for the sender's own machine.`,
    );
  if (isCut) says.push("The last line of the file is cut off and was left out.");
  return says;
}

function latencyWords({ p50, p99, max }: QuantileFigures): string {
  return `Counted from when it was due, half of the answers came within ${words(p50, "ms")}, 99 of 100 within ${words(p99, "ms")}, the slowest within ${words(max, "ms")}.`;
}

/** Null unless there are runs of several rates. */
export function kneeSection(runs: readonly RunSection[]): KneeSection | null {
  const points = runs.flatMap(({ askedPerSec, latencyMs }) =>
    askedPerSec === null ? [] : [{ rate: askedPerSec, latency: latencyMs.fromSchedule.p99 }],
  );
  const rates = points.map(({ rate }) => rate).sort((a, b) => a - b);
  const distinct = rates.filter((rate, at) => at === 0 || rate > (rates[at - 1] ?? 0) * (1 + RATE_TOLERANCE));
  if (distinct.length < 2) return null;
  const bend = knee(points);
  const says = bend
    ? `Latency (p99) takes off above ${words(bend.rate)} events a second, where it is still ${words(bend.latency, "ms")}: that is the knee.`
    : distinct.length < 5
      ? `There are runs of ${distinct.length} rates; a knee can be told from five on.`
      : "Latency (p99) has no knee within these rates.";
  return { says: [says], ratePerSec: bend?.rate ?? null, p99Ms: bend?.latency ?? null };
}

/** `counted`: of the store, by second. Null without records. */
export function sentSection(
  runs: readonly Run[],
  counted: ReadonlyMap<number, number>,
  total: number,
): SentSection | null {
  const seconds = new Map<number, { sent: number; arrived: number; maybe: number; unknown: number }>();
  const totals = { sent: 0, acked: 0, unknown: 0 };
  for (const run of runs) {
    totals.sent += run.result.sent;
    totals.acked += run.result.outcomes.acked;
    totals.unknown += run.result.outcomes.unknown;
    for (const [us, second] of run.seconds) {
      const known = seconds.get(us) ?? { sent: 0, arrived: 0, maybe: 0, unknown: 0 };
      known.sent += second.sent;
      known.arrived += second.arrived;
      known.maybe += second.maybe;
      known.unknown += second.unknown;
      seconds.set(us, known);
    }
  }
  if (totals.sent === 0) return null;
  for (const us of counted.keys()) if (!seconds.has(us)) seconds.set(us, { sent: 0, arrived: 0, maybe: 0, unknown: 0 });
  let unknownSoFar = 0;
  const all = [...seconds]
    .sort(([a], [b]) => a - b)
    .map(([us, { sent, arrived, maybe, unknown }]) => {
      // What nobody was told of may arrive at any later time.
      unknownSoFar += unknown;
      return { us, sent, counted: counted.get(us) ?? 0, atLeast: arrived, atMost: maybe + unknownSoFar };
    });
  const isBySecond = total === all.reduce((sum, one) => sum + one.counted, 0);
  const section = {
    ...totals,
    counted: total,
    holds: totals.acked <= total && total <= totals.acked + totals.unknown,
    secondsOutside: isBySecond
      ? all.filter((one) => one.counted < one.atLeast || one.counted > one.atMost).length
      : null,
    overTime: thinned(isBySecond ? all : []).map(({ us, ...rest }) => Object.assign({ at: isoOf(us) }, rest)),
  };
  return { says: sentWords(section, all.length), ...section };
}

function thinned<T>(all: readonly T[]): T[] {
  const step = Math.ceil(all.length / SENT_POINTS_MAX);
  return all.filter((_, at) => at % step === 0);
}

function sentWords(section: Omit<SentSection, "says">, seconds: number): string[] {
  const { sent, acked, unknown, counted, holds, secondsOutside } = section;
  const known = `${words(acked)} acknowledged`;
  const most = unknown === 0 ? known : `${known} and ${words(unknown)} of unknown outcome`;
  const says: string[] = [];
  if (holds)
    says.push(
      `Sent ${words(sent)}, acknowledged ${words(acked)}, counted ${words(counted)}: ${unknown === 0 ? "exactly as many as were acknowledged" : `no fewer than were acknowledged, and no more than those and the ${words(unknown)} of unknown outcome`}.`,
    );
  else if (counted < acked)
    says.push(
      `${words(acked - counted)} acknowledged events are not counted (${words(acked)} against ${words(counted)}): these records and this store do not belong together, the clocks of sender and server differ, or events were lost.`,
    );
  else
    says.push(
      `${words(counted - acked - unknown)} more events were counted than these records account for (${words(counted)} against ${most}): others sent events in the same time.`,
    );
  if (secondsOutside === null) return says;
  says.push(
    secondsOutside === 0
      ? `It holds in each of ${several(seconds, "second")}, too.`
      : `By second it does not hold in ${words(secondsOutside)} of ${words(seconds)}: the clocks of sender and server differ, or see above.`,
  );
  return says;
}
