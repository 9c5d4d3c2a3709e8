// Work on a stream of items, several side by side, with the results in the order of the items.

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
