// Which TCP ports a node may take: a check with a message that says what to do, and a choice of free ones.
// Knows nothing of Cassandra.

// Below the range from which systems take ports for outgoing connections (32768 on Linux, 49152 on macOS): between this
// choice and the node's start no passing connection can take such a port.
const freePortMin = 20_000;
const freePortMax = 31_999;
const triesMax = 200;

/** Throws an error that says what is wrong and what to do when `host:port` can not be listened at. */
export function requireFreePort(host: string, port: number, whatToDo: string): void {
  const code = listenProblem(host, port);
  if (code === undefined) return;
  if (code === "EADDRNOTAVAIL") {
    throw new Error(
      `cannot listen at ${host}: this machine does not have that address. ` +
        `On macOS add it with: sudo ifconfig lo0 alias ${host} up`,
    );
  }
  if (code === "EADDRINUSE") throw new Error(`cannot listen at ${host}:${port}: the port is taken; ${whatToDo}`);
  throw new Error(`cannot listen at ${host}:${port}: ${code}; ${whatToDo}`);
}

/** A port that is free on all `hosts`; each call adds its choice to `taken` and never returns what is in there. */
export function chooseFreePort(hosts: readonly string[], taken: Set<number>): number {
  for (let tries = 0; tries < triesMax; tries++) {
    const port = freePortMin + Math.floor(Math.random() * (freePortMax - freePortMin + 1));
    if (taken.has(port)) continue;
    const problems = hosts.map((host) => listenProblem(host, port));
    // A missing address is missing for every port: say so now instead of after 200 tries.
    const missing = problems.indexOf("EADDRNOTAVAIL");
    if (missing >= 0) requireFreePort(hosts[missing] ?? "", port, "");
    if (problems.some((problem) => problem !== undefined)) continue;
    taken.add(port);
    return port;
  }
  throw new Error(`no free port among ${triesMax} tried from ${freePortMin} to ${freePortMax} on ${hosts.join(", ")}`);
}

function listenProblem(hostname: string, port: number): string | undefined {
  try {
    Bun.listen({ hostname, port, socket: { data() {} } }).stop(true);
    return undefined;
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}
