// SQLite answers within the call, so without this a long loop over a store would leave the event loop nothing.

/** Resolves when the timers, sockets and signals that were waiting have been served. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The same items, with a turn for others after every `itemsMax`. */
export async function* inTurns<T>(items: Iterable<T>, itemsMax: number): AsyncGenerator<T> {
  let count = 0;
  for (const item of items) {
    yield item;
    if (++count % itemsMax === 0) await nextTurn();
  }
}
