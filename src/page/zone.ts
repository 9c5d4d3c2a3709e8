// Times for people, in UTC or in the time of whoever looks. Pure, but for the zone that the browser is in.

export type Zone = "utc" | "local";

/** Parts of a second that are shown: none, or thousandths. */
export type Detail = "minute" | "second" | "ms";

const LENGTHS: Record<Detail, number> = { minute: 16, second: 19, ms: 23 };

/** `2026-11-26 03:04:05.678` in `zone`, as far as `detail` goes. */
export function formatTime(ms: number, zone: Zone, detail: Detail): string {
  return new Date(shifted(ms, zone)).toISOString().replace("T", " ").slice(0, LENGTHS[detail]);
}

/** The same without its date. */
export function formatClock(ms: number, zone: Zone, detail: Detail): string {
  return formatTime(ms, zone, detail).slice(11);
}

/** `2026-11-26 03:00 – 04:00`: the date a second time only where it is another. */
export function formatRange(fromMs: number, toMs: number, zone: Zone, detail: Detail): string {
  const from = formatTime(fromMs, zone, detail);
  const to = formatTime(toMs, zone, detail);
  return `${from} – ${from.slice(0, 10) === to.slice(0, 10) ? to.slice(11) : to}`;
}

/** `UTC`, `UTC+05:30`: of the zone at that moment, for summer time changes it. */
export function zoneLabel(ms: number, zone: Zone): string {
  const minutes = zone === "utc" ? 0 : -new Date(ms).getTimezoneOffset();
  if (minutes === 0) return "UTC";
  const two = (value: number) => String(Math.trunc(value)).padStart(2, "0");
  const size = Math.abs(minutes);
  return `UTC${minutes < 0 ? "−" : "+"}${two(size / 60)}:${two(size % 60)}`;
}

/** What an <input type="datetime-local"> holds, as milliseconds since 1970; null where it is no time. */
export function parseField(text: string, zone: Zone): number | null {
  const ms = Date.parse(zone === "utc" ? `${text}Z` : text);
  return Number.isNaN(ms) ? null : ms;
}

/** The form that <input type="datetime-local"> wants. */
export function formatField(ms: number, zone: Zone): string {
  return formatTime(ms, zone, "ms").replace(" ", "T");
}

/** As finely as all of these moments need. */
export function detailOf(...moments: number[]): Detail {
  if (moments.some((ms) => ms % 1_000 !== 0)) return "ms";
  return moments.some((ms) => ms % 60_000 !== 0) ? "second" : "minute";
}

/** As finely as the buckets of a view of so much time need. */
export function detailFor(stepMs: number): Detail {
  return stepMs < 1_000 ? "ms" : stepMs < 60_000 ? "second" : "minute";
}

/** Labels of an axis with a tick each `stepMs`; the date stands below the first one and wherever it changes. */
export function tickLabels(ticksMs: readonly number[], stepMs: number, zone: Zone): string[] {
  const detail = detailFor(stepMs);
  let dateBefore = "";
  return ticksMs.map((ms) => {
    const date = formatTime(ms, zone, "minute").slice(0, 10);
    const isNew = date !== dateBefore;
    dateBefore = date;
    const clock = formatClock(ms, zone, detail);
    return isNew ? `${clock}\n${date}` : clock;
  });
}

/** The moment at which a clock in UTC shows what one in `zone` shows at `ms`. */
function shifted(ms: number, zone: Zone): number {
  return zone === "utc" ? ms : ms - new Date(ms).getTimezoneOffset() * 60_000;
}
