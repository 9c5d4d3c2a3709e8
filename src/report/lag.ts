// How long events take from their creation to their flush: from gathered histograms to figures and sentences. Pure.

import type { Histogram } from "../histogram.ts";
import { HOUR_US, SECOND_US } from "../period.ts";
import type { Lags } from "./lags.ts";
import type { LagFigures, LagSection } from "./model.ts";
import { isoOf, msOf, probability, rounded, words } from "./numbers.ts";
import type { StoreReading } from "./reading.ts";
import { spearman, takeOff, trend } from "./statistics/trend.ts";

/** By hour of the day only where there are several hours. */
const BY_HOUR_MIN = 3;

/** Fewer points tell nothing of a relation. */
const PAIRS_MIN = 20;

/** A probability below it is worth a word. */
const SEEN_P = 0.05;

/** Null without events. */
export function lagSection({ lags, seconds }: StoreReading): LagSection | null {
  if (lags.events === 0) return null;
  const figures: Omit<LagSection, "says"> = {
    events: lags.events,
    ...lagFigures(lags),
    trend: trendOf(lags),
    byHour: byHour(lags),
    overTime: {
      stepSeconds: lags.slots.widthUs / SECOND_US,
      points: lags.slots.entries().map(([us, { events, histogram, minUs, maxUs }]) => ({
        at: isoOf(us),
        events,
        p50Ms: quantileMs(histogram, 0.5, { minUs, maxUs }),
        p99Ms: quantileMs(histogram, 0.99, { minUs, maxUs }),
        maxMs: msOf(maxUs),
      })),
    },
    againstRate: relation(
      seconds.slots
        .entries()
        .filter(([, { lagEvents }]) => lagEvents > 0)
        .map(([, { rate, lagSumUs, lagEvents }]) => ({ ratePerSec: rate.mean, lagMs: lagSumUs / lagEvents / 1_000 })),
    ),
  };
  return { says: sentences(figures), ...figures };
}

function lagFigures({ all, events, sumUs, minUs, maxUs }: Lags): LagFigures {
  const at = (q: number) => quantileMs(all, q, { minUs, maxUs });
  return {
    minMs: msOf(minUs),
    meanMs: msOf(sumUs / events),
    p50Ms: at(0.5),
    p90Ms: at(0.9),
    p99Ms: at(0.99),
    p999Ms: at(0.999),
    maxMs: msOf(maxUs),
  };
}

/** The middle of a bin may lie beyond what is in it: never outside of the extremes. */
function quantileMs(histogram: Histogram, q: number, { minUs, maxUs }: { minUs: number; maxUs: number }): number {
  return msOf(Math.max(minUs, Math.min(maxUs, histogram.quantile(q))));
}

function trendOf({ slots }: Lags): LagSection["trend"] {
  const entries = slots.entries();
  const firstUs = entries[0]?.[0] ?? 0;
  if (entries.length < PAIRS_MIN) return null;
  const found = trend(
    entries.map(([us]) => (us - firstUs) / HOUR_US),
    entries.map(([, { histogram }]) => histogram.quantile(0.5) / 1_000),
  );
  if (!Number.isFinite(found.low) || !Number.isFinite(found.high)) return null;
  const { slope, low, high, pValue } = found;
  return {
    msPerHour: rounded(slope),
    lowMsPerHour: rounded(low),
    highMsPerHour: rounded(high),
    pValue: rounded(pValue, 3),
  };
}

function byHour({ hours, minUs, maxUs }: Lags): LagSection["byHour"] {
  const found = hours
    .map((histogram, hour) => ({
      hour,
      events: histogram.total,
      p50Ms: quantileMs(histogram, 0.5, { minUs, maxUs }),
      p99Ms: quantileMs(histogram, 0.99, { minUs, maxUs }),
    }))
    .filter(({ events }) => events > 0);
  return found.length >= BY_HOUR_MIN ? found : [];
}

function relation(points: { ratePerSec: number; lagMs: number }[]): LagSection["againstRate"] {
  if (points.length < PAIRS_MIN) return null;
  const rates = points.map(({ ratePerSec }) => ratePerSec);
  const lags = points.map(({ lagMs }) => lagMs);
  const { rho, pValue } = spearman(rates, lags);
  const bend = takeOff(rates, lags);
  return {
    rho: rounded(rho, 3),
    pValue: rounded(pValue, 3),
    takeOff: bend && {
      ratePerSec: rounded(bend.rate, 4),
      beforeMs: rounded(bend.before, 4),
      afterMs: rounded(bend.after, 4),
    },
    points: points.map(({ ratePerSec, lagMs }) => ({ ratePerSec: rounded(ratePerSec), lagMs: rounded(lagMs) })),
  };
}

// --- in words ----------------------------------------------------------------------------------------------------------

function sentences(lag: Omit<LagSection, "says">): string[] {
  const says = [
    `Half of the events were being stored within ${words(lag.p50Ms, "ms")} of their creation, 99 of 100 within ${words(lag.p99Ms, "ms")}, the slowest within ${words(lag.maxMs, "ms")}.`,
  ];
  if (lag.minMs < 0)
    says.push(
      `Some were created up to ${words(-lag.minMs, "ms")} in the future: the senders' clocks differ from the server's.`,
    );
  if (lag.trend) says.push(trendWords(lag.trend));
  const [calm, busy] = extremes(lag.byHour);
  if (calm && busy && busy.p99Ms > 1.5 * calm.p99Ms)
    says.push(
      `By time of day, p99 is lowest from ${clockHour(calm.hour)} UTC (${words(calm.p99Ms, "ms")}) and highest from ${clockHour(busy.hour)} (${words(busy.p99Ms, "ms")}).`,
    );
  if (lag.againstRate) says.push(relationWords(lag.againstRate));
  return says;
}

function trendWords({ msPerHour, lowMsPerHour, highMsPerHour, pValue }: NonNullable<LagSection["trend"]>): string {
  const interval = `${words(msPerHour)} ms an hour, with 95 % confidence between ${words(lowMsPerHour)} and ${words(highMsPerHour)}`;
  if (pValue > SEEN_P) return `Over time no rise or fall of the median is seen beyond chance (${interval}).`;
  return `Over time the median ${msPerHour > 0 ? "rises" : "falls"} (${interval}; ${probability(pValue)}).`;
}

function extremes(hours: LagSection["byHour"]): readonly (LagSection["byHour"][number] | undefined)[] {
  const sorted = [...hours].sort((a, b) => a.p99Ms - b.p99Ms);
  return [sorted[0], sorted.at(-1)];
}

function clockHour(value: number): string {
  return `${String(value).padStart(2, "0")}:00`;
}

function relationWords({ rho, pValue, takeOff: bend }: NonNullable<LagSection["againstRate"]>): string {
  const strength = `rank correlation ${words(rho)}, ${probability(pValue)}`;
  if (bend)
    return `LAG takes off above some ${words(bend.ratePerSec)} events a second: from ${words(bend.beforeMs, "ms")} to ${words(bend.afterMs, "ms")} (${strength}).`;
  if (pValue > SEEN_P || Math.abs(rho) < 0.1)
    return `No dependence of LAG on the rate is seen in this range (${strength}).`;
  return `LAG ${rho > 0 ? "rises" : "falls"} with the rate, without a rate at which it takes off (${strength}).`;
}
