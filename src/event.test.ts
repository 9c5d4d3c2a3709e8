import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Reto3Error } from "./errors.ts";
import { parseEvent } from "./event.ts";

describe("parseEvent accepts", () => {
  const cases: [string, string, bigint][] = [
    ["the form of the protocol", "value=2016-05-28+11%3A11%3A11.123456", 1_464_433_871_123_456n],
    ["unencoded text", "value=2016-05-28 11:11:11.123456", 1_464_433_871_123_456n],
    ["%20 for the space", "value=2016-05-28%2011:11:11", 1_464_433_871_000_000n],
    ["one fraction digit", "value=2016-05-28+11:11:11.5", 1_464_433_871_500_000n],
    ["a leap day", "value=2024-02-29+00:00:00", 1_709_164_800_000_000n],
    ["the leap day of a century that has one", "value=2000-02-29+00:00:00", 951_782_400_000_000n],
    ["the first microsecond of year 1", "value=0001-01-01+00:00:00.000000", -62_135_596_800_000_000n],
    ["the last microsecond of year 9999", "value=9999-12-31+23:59:59.999999", 253_402_300_799_999_999n],
    ["the microsecond before 1970", "value=1969-12-31+23:59:59.999999", -1n],
  ];
  test.each(cases)("%s", (_, body, us) => expect(parseEvent(body)).toBe(us));
});

describe("parseEvent refuses", () => {
  const cases: [string, string][] = [
    ["an empty body", ""],
    ["another field", "time=2016-05-28+11:11:11"],
    ["a second field", "value=2016-05-28+11:11:11&x=1"],
    ["no value", "value="],
    ["a day that its month does not have", "value=2016-04-31+11:11:11"],
    ["a leap day of a common year", "value=2023-02-29+11:11:11"],
    ["a leap day of a century that has none", "value=1900-02-29+11:11:11"],
    ["month 13", "value=2016-13-01+11:11:11"],
    ["month 0", "value=2016-00-01+11:11:11"],
    ["day 0", "value=2016-01-00+11:11:11"],
    ["year 0", "value=0000-01-01+00:00:00"],
    ["hour 24", "value=2016-05-28+24:00:00"],
    ["minute 60", "value=2016-05-28+11:60:11"],
    ["second 60", "value=2016-05-28+11:11:60"],
    ["a point without digits", "value=2016-05-28+11:11:11."],
    ["seven fraction digits", "value=2016-05-28+11:11:11.1234567"],
    ["a T in the middle", "value=2016-05-28T11:11:11"],
    ["a time zone", "value=2016-05-28+11:11:11Z"],
    ["a space in front", "value=+2016-05-28+11:11:11"],
    ["a sign for a digit", "value=2016-05-28+11:11:-1"],
    ["digits of another script", "value=2016-05-28+11:11:1%D9%A1"],
    ["a broken escape", "value=2016-05-28+11%3"],
    ["an escape that is not UTF-8", "value=%FF"],
    ["a null byte", "value=2016-05-28+11:11:11%00"],
    ["JSON", '{"value":"2016-05-28 11:11:11"}'],
  ];
  test.each(cases)("%s", (_, body) => {
    const failure = (() => {
      try {
        return parseEvent(body);
      } catch (error) {
        return error;
      }
    })();
    expect(failure).toBeInstanceOf(Reto3Error);
    const { code, message } = failure as Reto3Error;
    expect([code, message.split("\n").length]).toEqual(["EVENT_INVALID", 1]);
    expect(message).toContain("want one form field: value=YYYY-MM-DD HH:MM:SS.ffffff");
  });
});

describe("properties of parseEvent", () => {
  const first = -62_135_596_800_000_000n;
  const last = 253_402_300_799_999_999n;
  const write = (us: bigint) => {
    const ms = us >= 0n ? us / 1_000n : (us - 999n) / 1_000n;
    const iso = new Date(Number(ms)).toISOString();
    return `${iso.slice(0, 10)} ${iso.slice(11, 23)}${String(us - ms * 1_000n).padStart(3, "0")}`;
  };

  test("it reads every microsecond of the years 1 to 9999 exactly, encoded or not", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: first, max: last }), (us) => {
        expect(parseEvent(`value=${write(us)}`)).toBe(us);
        expect(parseEvent(`value=${encodeURIComponent(write(us)).replaceAll("%20", "+")}`)).toBe(us);
      }),
      { numRuns: 2_000 },
    );
  });

  test("whatever it is given, it answers with a time or an EVENT_INVALID", () => {
    const text = fc.oneof(fc.string({ unit: "binary", maxLength: 60 }), fc.stringMatching(/^[-0-9 :.+%&=]{0,40}$/));
    fc.assert(
      fc.property(text, (body) => {
        try {
          expect(typeof parseEvent(`value=${body}`)).toBe("bigint");
        } catch (error) {
          expect((error as Reto3Error).code).toBe("EVENT_INVALID");
        }
      }),
      { numRuns: 5_000 },
    );
  });

  test("it agrees with Date on which dates are real", () => {
    const part = (max: number) => fc.integer({ min: 0, max });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9_999 }),
        part(13),
        part(32),
        part(25),
        part(61),
        (year, month, day, hour, minute) => {
          const pad = (value: number, size = 2) => String(value).padStart(size, "0");
          const time = `${pad(year, 4)}-${pad(month)}-${pad(day)}T${pad(hour)}:${pad(minute)}:07.000`;
          const date = new Date(`${time}Z`);
          // Date takes 30 February for 1 March: only what it writes as it was written is real.
          const real = !Number.isNaN(date.getTime()) && date.toISOString() === `${time}Z`;
          let accepted = true;
          try {
            parseEvent(`value=${time.replace("T", " ")}`);
          } catch {
            accepted = false;
          }
          expect(accepted).toBe(real);
        },
      ),
      { numRuns: 5_000 },
    );
  });
});
