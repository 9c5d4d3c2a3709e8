// Which buckets a question is about: from what people wrote to whole numbers. The same rules for `count` and GET /counts.
// Pure. A bucket is in the range when its start is in [fromUs, toUs).

import { quote, Reto3Error } from "../errors.ts";
import { bucketCeilUs, PERIOD_NAMES, PERIODS, periodNamed, type Period } from "../period.ts";
import { INSTANT_FORM, parseDurationMs, parseInstantUs } from "../units.ts";

/** 0001-01-01, the first day that can be written. */
const FIRST_US = -62_135_596_800_000_000;

/** What was asked for, as text; undefined where nothing was said. `name` makes the messages speak of flags or of parameters. */
export interface RangeQuestion {
  period: string | undefined;
  from: string | undefined;
  to: string | undefined;
  last: string | undefined;
}

export interface Range {
  period: Period;
  fromUs: number;
  toUs: number;
  /** True if no part of the range was asked for. */
  isDefault: boolean;
}

/** Throws USAGE. `to` defaults to the end of the current bucket, `from` to the period's default range before `to`. */
export function resolveRange(question: RangeQuestion, nowUs: number, name = (key: string) => `--${key}`): Range {
  const period = question.period === undefined ? PERIODS["1s"] : periodNamed(question.period);
  if (!period) throw usage(name("period"), question.period, `one of ${PERIOD_NAMES.join(", ")}`);
  if (question.last !== undefined && question.from !== undefined) {
    throw new Reto3Error("USAGE", `${name("last")} and ${name("from")} exclude each other; want one of them`);
  }
  const lastMs = question.last === undefined ? undefined : parseDurationMs(question.last);
  if (question.last !== undefined && lastMs === undefined) {
    throw usage(name("last"), question.last, "a duration such as 60s, 10m, 24h, at most 100000d");
  }
  const toUs = instant(name("to"), question.to) ?? bucketCeilUs(nowUs + 1, period.us);
  const spanUs = lastMs === undefined ? period.defaultRangeUs : lastMs * 1_000;
  const fromUs = instant(name("from"), question.from) ?? toUs - spanUs;
  if (question.to === undefined && fromUs >= toUs) {
    throw new Reto3Error("USAGE", `${name("from")} is in the future; there is nothing to count yet`);
  }
  if (fromUs >= toUs) throw new Reto3Error("USAGE", `${name("from")} is not before ${name("to")}; the range is empty`);
  if (fromUs < FIRST_US) {
    throw new Reto3Error(
      "USAGE",
      `the range begins before the year 1; want a later ${name("to")} or less of ${name("last")}`,
    );
  }
  const isDefault = question.from === undefined && question.to === undefined && question.last === undefined;
  return { period, fromUs, toUs, isDefault };
}

function instant(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const us = parseInstantUs(text);
  if (us === undefined) throw usage(flag, text, INSTANT_FORM);
  return us;
}

function usage(flag: string, value: string | undefined, wanted: string): Reto3Error {
  return new Reto3Error("USAGE", `${flag}: ${quote(value ?? "")} is not understood; want ${wanted}`);
}
