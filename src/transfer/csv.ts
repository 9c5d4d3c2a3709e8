// Raw events as CSV. Pure.

import type { EventPage } from "./events.ts";

/** All times are RFC 3339 in UTC with microseconds. */
export async function* eventsCsv(pages: AsyncIterable<EventPage>): AsyncGenerator<string> {
  yield "received,created,minute,writer,seq\n";
  const received = timestampFormat();
  const created = timestampFormat();
  for await (const { minuteUs, writer, rows } of pages) {
    const partition = `${timestampFormat()(BigInt(minuteUs))},${writer}`;
    let lines = "";
    for (const { seq, createdUs, receivedUs } of rows) {
      lines += `${received(BigInt(receivedUs))},${created(createdUs)},${partition},${seq}\n`;
    }
    yield lines;
  }
}

/** `2026-11-23T05:11:11.123456Z`, for the years 1 to 9999. Remembers the last second, because the next time is mostly within it. */
export function timestampFormat(): (us: bigint) => string {
  let second: bigint | undefined;
  let text = "";
  return (us) => {
    const fraction = ((us % 1_000_000n) + 1_000_000n) % 1_000_000n;
    const whole = us - fraction;
    if (whole !== second) {
      second = whole;
      text = new Date(Number(whole / 1_000n)).toISOString().slice(0, 20);
    }
    return `${text}${String(fraction).padStart(6, "0")}Z`;
  };
}
