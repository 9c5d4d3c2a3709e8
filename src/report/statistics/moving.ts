// The level around each value of a series: a moving median, or a moving mean where counts are too small for one.

/**
 * Of `values` / `scale`, each over the `reach` values either side that are not left out; where fewer than half of
 * these remain, of all that are not left out. A median keeps edges: a level that halves for good halves at once.
 */
export function movingLevel(
  values: Float64Array,
  scale: Float64Array,
  reach: number,
  isLeftOut: (at: number) => boolean,
  byMedian: boolean,
): Float64Array {
  const kept = (at: number) => at >= 0 && at < values.length && !isLeftOut(at);
  const ratioAt = (at: number) => (values[at] ?? 0) / (scale[at] ?? 1);
  const window = byMedian ? new SortedWindow() : new SummedWindow();
  const whole = byMedian ? new SortedWindow() : new SummedWindow();
  const all = Array.from(values, (_, at) => at).filter(kept);
  whole.fill(
    all.map(ratioAt),
    all.map((at) => scale[at] ?? 1),
  );
  for (let at = 0; at < reach; at++) if (kept(at)) window.add(ratioAt(at), scale[at] ?? 1);
  return values.map((_, at) => {
    if (kept(at + reach)) window.add(ratioAt(at + reach), scale[at + reach] ?? 1);
    if (kept(at - reach - 1)) window.remove(ratioAt(at - reach - 1), scale[at - reach - 1] ?? 1);
    const within = Math.min(values.length, at + reach + 1) - Math.max(0, at - reach);
    return window.count * 2 < within ? whole.level : window.level;
  });
}

/** The median of what it holds; adding and removing cost a binary search and a short move. */
class SortedWindow {
  #sorted: number[] = [];

  fill(values: number[]): void {
    this.#sorted = values.sort((a, b) => a - b);
  }

  add(value: number): void {
    this.#sorted.splice(this.#place(value), 0, value);
  }

  remove(value: number): void {
    this.#sorted.splice(this.#place(value), 1);
  }

  get count(): number {
    return this.#sorted.length;
  }

  get level(): number {
    const middle = this.#sorted.length >> 1;
    const high = this.#sorted[middle] ?? 0;
    return this.#sorted.length % 2 === 1 ? high : ((this.#sorted[middle - 1] ?? high) + high) / 2;
  }

  #place(value: number): number {
    let [low, high] = [0, this.#sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#sorted[middle] ?? 0) < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** The mean of what it holds, weighted by scale: all events / all that the season would have. */
class SummedWindow {
  #events = 0;
  #scales = 0;
  count = 0;

  fill(ratios: number[], scales: number[]): void {
    for (const [at, ratio] of ratios.entries()) this.add(ratio, scales[at] ?? 1);
  }

  add(ratio: number, scale: number): void {
    this.#events += ratio * scale;
    this.#scales += scale;
    this.count += 1;
  }

  remove(ratio: number, scale: number): void {
    this.#events -= ratio * scale;
    this.#scales -= scale;
    this.count -= 1;
  }

  get level(): number {
    return this.#scales > 0 ? this.#events / this.#scales : 0;
  }
}
