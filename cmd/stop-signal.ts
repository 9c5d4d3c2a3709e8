// The signals that end a server in order.

/** Resolves with the words for the first SIGTERM or SIGINT; `onSecond` is called at each that follows. */
export function stopSignal(onSecond: () => void): Promise<string> {
  return new Promise((resolve) => {
    let seen = false;
    for (const name of ["SIGTERM", "SIGINT"] as const) {
      process.on(name, () => {
        if (seen) onSecond();
        seen = true;
        resolve(`${name} received`);
      });
    }
  });
}
