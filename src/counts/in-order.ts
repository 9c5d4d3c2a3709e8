// Work on many items, several side by side: with the results in the order of the items, or so many at once at most.

/** `work` on each item, `atOnce` of them side by side. */
export async function* mapInOrder<T, R>(
  items: AsyncIterable<T> | Iterable<T>,
  atOnce: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<{ item: T; result: R }> {
  const running: { item: T; result: Promise<R> }[] = [];
  for await (const item of items) {
    const result = work(item);
    // Whoever awaits it later sees the error; until then it must not count as unhandled.
    result.catch(() => {});
    running.push({ item, result });
    const first = running.length >= atOnce ? running.shift() : undefined;
    if (first) yield { item: first.item, result: await first.result };
  }
  for (const { item, result } of running) yield { item, result: await result };
}

/** Lets so many pieces of work run at once; the others wait for their turn. */
export class Gate {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(atOnce: number) {
    this.#free = atOnce;
  }

  async run<R>(work: () => Promise<R>): Promise<R> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}
