// Numbers for people. Pure.

const WHOLE = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** `1,234,567`. */
export function formatCount(value: number): string {
  return WHOLE.format(value);
}

/** `950`, `12.3k`, `4.56M`: three digits, for axes. */
export function formatShort(value: number): string {
  const size = Math.abs(value);
  const [unit, divisor] = size >= 1e9 ? ["G", 1e9] : size >= 1e6 ? ["M", 1e6] : size >= 1e4 ? ["k", 1e3] : ["", 1];
  return `${Number((value / divisor).toPrecision(size >= 1e4 ? 3 : 4))}${unit}`;
}

/** `0.42 ms`, `12 ms`, `3.1 s`, `2.5 min`: two digits below 10, for how long something took. */
export function formatMs(ms: number): string {
  const size = Math.abs(ms);
  if (size < 1_000) return `${digits(ms)} ms`;
  if (size < 60_000) return `${digits(ms / 1_000)} s`;
  return size < 3_600_000 ? `${digits(ms / 60_000)} min` : `${digits(ms / 3_600_000)} h`;
}

const UNITS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1_000],
] as const;

/** `1 h 30 min`, `7 d`, `250 ms`: a stretch of time, its two largest units. */
export function formatSpan(ms: number): string {
  if (ms < 10_000 && ms % 1_000 !== 0) return ms < 1_000 ? `${Math.round(ms)} ms` : `${digits(ms / 1_000)} s`;
  const at = UNITS.findIndex(([, size]) => ms >= size);
  if (at < 0) return "0 s";
  const [unit, size] = UNITS[at] ?? ["s", 1_000];
  const next = UNITS[at + 1];
  const whole = Math.floor(ms / size);
  const rest = next ? Math.floor((ms - whole * size) / next[1]) : 0;
  return next && rest > 0 ? `${whole} ${unit} ${rest} ${next[0]}` : `${whole} ${unit}`;
}

/** A lifetime in seconds; null: it never ends. */
export function formatLifetime(seconds: number | null): string {
  return seconds === null ? "for good" : `for ${formatSpan(seconds * 1_000)}`;
}

function digits(value: number): string {
  const size = Math.abs(value);
  return size < 10 ? String(Number(value.toFixed(size < 1 ? 2 : 1))) : String(Math.round(value));
}
