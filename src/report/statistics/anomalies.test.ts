import { describe, expect, test } from "bun:test";
import { findAnomalies, type MinuteCount } from "./anomalies.ts";
import { MINUTE_US } from "../../period.ts";
import { normal, poisson } from "../../../test/support/draws.ts";
import { Random } from "../../random.ts";

// False alarms a day where 0.1 are asked for, of 20 to 42 days each, at 3, 50, 500 and 20,000 events a minute:
//
//                                        1 day      7 days      20 days    42 days
//     steady Poisson                     0-0.15     0-0.18      0-0.18     0.02-0.07
//     daily season of +-50 %             0-0.15     0.04-0.36   0-0.15     0-0.1
//     that, half as many at weekends     0-0.15     0.04-0.36   0-0.53     0-0.1
//     that season, in bursts of 5        0-0.3      0-0.14      0-0.25     0-0.17
//     that season, 5 % noise of 10 min   0-0.45     0-0.57      0-0.3      0-0.17
//
// Found, of minutes with none, half, and twice the events:
//
//     3 a minute      0         0          0-10 %
//     50 a minute     all       3-47 %     67-100 %     in bursts of 5: 50-100 %, 0-3 %, 0-4 %
//     500 and more    all       94-100 %   89-100 %     in bursts of 5: all, 26-82 %, 62-100 %

const DAY_MINUTES = 1_440;

type Draw = (random: Random, mean: number, at: number) => number;

/** Minutes with a daily season of +-50 % around `perMinute`. */
function minutesOf(random: Random, days: number, perMinute: number, draw: Draw = poisson): MinuteCount[] {
  return Array.from({ length: days * DAY_MINUTES }, (_, at) => {
    const season = 1 + 0.5 * Math.sin((2 * Math.PI * (at - 540)) / DAY_MINUTES);
    return { startUs: at * MINUTE_US, events: draw(random, perMinute * season, at) };
  });
}

function change(minutes: MinuteCount[], from: number, count: number, factor: number): void {
  for (const minute of minutes.slice(from, from + count)) minute.events = Math.floor(minute.events * factor);
}

/** The share of the minutes [from, from + count) that were found, with the sign of their score. */
function foundWithin(found: { startUs: number; score: number }[], from: number, count: number): number {
  const within = found.filter(({ startUs }) => startUs >= from * MINUTE_US && startUs < (from + count) * MINUTE_US);
  return within.reduce((sum, { score }) => sum + Math.sign(score), 0) / count;
}

const bursts: Draw = (random, mean) => {
  let events = 0;
  for (let left = poisson(random, mean / 5); left > 0; left--) events += random.geometric(5);
  return events;
};

const halvedAtWeekends: Draw = (random, mean, at) =>
  poisson(random, Math.floor(at / DAY_MINUTES) % 7 >= 5 ? mean / 2 : mean);

describe("anomalies", () => {
  test.each<[string, number, number, Draw]>([
    ["a week of small counts", 7, 3, poisson],
    ["a week", 7, 500, poisson],
    ["a week of bursts", 7, 50, bursts],
    ["a week of few bursts", 7, 3, bursts],
    ["three weeks", 20, 500, poisson],
    ["three weeks with quiet weekends", 20, 50, halvedAtWeekends],
    ["five weeks with quiet weekends", 35, 500, halvedAtWeekends],
    ["three weeks of noise", 20, 500, (random, mean) => poisson(random, mean * Math.exp(0.1 * normal(random)))],
    ["three weeks of nothing but silence", 20, 0, () => 0],
  ])("are as rare as promised in %s", (_, days, perMinute, draw) => {
    const told = findAnomalies(minutesOf(Random.seeded(51), days, perMinute, draw));
    expect(told.expectedFalseAlarms).toBeCloseTo(days / 10, 8);
    expect(told.found.length).toBeLessThanOrEqual(Math.max(3, 0.5 * days));
  });

  test.each([10, 20, 40, 90])("are as rare as promised in %p minutes, of which the spread is hardly known", (count) => {
    const random = Random.seeded(58);
    const noise = () => Math.round(1_000 * Math.exp(0.1 * normal(random)));
    let [found, promised] = [0, 0];
    for (let range = 0; range < 400; range++) {
      const told = findAnomalies(
        Array.from({ length: count }, (_, at) => ({ startUs: at * MINUTE_US, events: noise() })),
      );
      found += told.found.length;
      promised += told.expectedFalseAlarms;
    }
    expect(found).toBeLessThanOrEqual(Math.max(3, 4 * promised));
  });

  test.each<["robust z-score" | "seasonal median", number]>([
    ["robust z-score", 1],
    ["robust z-score", 7],
    ["seasonal median", 20],
    ["seasonal median", 35],
  ])("are found by %s in %p days: an outage, half of the events, twice as many", (method, days) => {
    const minutes = minutesOf(Random.seeded(52), days, 600);
    change(minutes, 300, 5, 0);
    change(minutes, 700, 10, 0.5);
    change(minutes, 1_000, 3, 2);
    const told = findAnomalies(minutes);
    expect(told.method).toBe(method);
    expect(foundWithin(told.found, 300, 5)).toBe(-1);
    expect(foundWithin(told.found, 700, 10)).toBeLessThan(-0.7);
    expect(foundWithin(told.found, 1_000, 3)).toBe(1);
    expect(told.found.length).toBeLessThan(18 + 0.5 * days + 2);
  });

  test("are found throughout an outage of five hours, and not beside it", () => {
    const minutes = minutesOf(Random.seeded(53), 20, 500);
    change(minutes, 5_000, 300, 0);
    const { found } = findAnomalies(minutes);
    expect(foundWithin(found, 5_000, 300)).toBe(-1);
    expect(found.length).toBeLessThan(310);
  });

  test("tell what was expected, and how far from it the minute was", () => {
    const minutes = minutesOf(Random.seeded(54), 3, 1_000, (random) => poisson(random, 1_000));
    change(minutes, 2_000, 1, 0.8);
    const found = findAnomalies(minutes).found.find(({ startUs }) => startUs === 2_000 * MINUTE_US);
    expect(Math.abs(found!.expected - 1_000)).toBeLessThan(15);
    // 200 missing of 1,000, whose deviation is 32.
    expect(Math.abs(found!.score + 6.3)).toBeLessThan(1.5);
  });

  test("are more where more false alarms are accepted", () => {
    const minutes = minutesOf(Random.seeded(55), 10, 500);
    const strict = findAnomalies(minutes, { falseAlarmsPerDay: 0.01 });
    const loose = findAnomalies(minutes, { falseAlarmsPerDay: 10 });
    expect(strict.threshold).toBeGreaterThan(loose.threshold);
    expect(strict.found.length).toBeLessThan(4);
    expect(loose.found.length).toBeGreaterThan(60);
    expect(loose.found.length).toBeLessThan(140);
  });

  test("are not what happens every hour, once that is known", () => {
    const hourly: Draw = (random, mean, at) => poisson(random, at % 60 < 5 ? mean * 3 : mean);
    for (const days of [16, 35])
      expect(findAnomalies(minutesOf(Random.seeded(56), days, 500, hourly)).found.length).toBeLessThan(0.6 * days);
    const hours = minutesOf(Random.seeded(57), 16, 500, (random, _, at) => hourly(random, 500, at));
    expect(findAnomalies(hours, { seasonUs: 60 * MINUTE_US }).found.length).toBeLessThan(0.6 * 16);
  });

  test("of one minute or of none are none", () => {
    expect(findAnomalies([]).found).toEqual([]);
    expect(findAnomalies([{ startUs: 0, events: 5 }]).found).toEqual([]);
  });
});
