// Asks a server of the Elastic stack over HTTP: one request, and waiting until it is up. Knows nothing of what is asked.
// A password or key is in no message: addresses come without them, and the header is never shown.

import { messageOf, quote, Reto3Error } from "../errors.ts";
import { formatDurationMs } from "../units.ts";

const REQUEST_TIMEOUT_MS = 30_000;
const ASK_EVERY_MS = 500;
const SAY_EVERY_MS = 10_000;
const SHOWN_CHARS_MAX = 200;

export interface Server {
  /** For messages. */
  name: "Elasticsearch" | "Kibana";
  /** Without a slash at the end, and without user and password. */
  url: string;
  /** The header's value; null: none. */
  authorization: string | null;
}

export interface Answer {
  status: number;
  /** Parsed where it is JSON, else text. */
  body: unknown;
}

export interface Waiting {
  /** By performance.now(). */
  deadlineMs: number;
  /** The whole of it, for messages. */
  timeoutMs: number;
  /** Told at once, and every 10 s, why it waits. */
  say: (line: string) => void;
}

/** What it answered, whatever the status; throws REMOTE where there is no answer, or one that says who may ask. */
export async function ask(
  server: Server,
  method: "GET" | "PUT" | "POST",
  path: string,
  body?: object | FormData,
): Promise<Answer> {
  const headers: Record<string, string> = {
    // Kibana takes nothing that changes something without it.
    "kbn-xsrf": "reto3",
    ...(server.authorization !== null && { authorization: server.authorization }),
  };
  const isForm = body instanceof FormData;
  if (body && !isForm) headers["content-type"] = "application/json";
  try {
    const response = await fetch(server.url + path, {
      method,
      headers,
      ...(body && { body: isForm ? body : JSON.stringify(body) }),
      redirect: "manual",
      // Said here, or a variable of the environment could switch it off (NODE_TLS_REJECT_UNAUTHORIZED).
      tls: { rejectUnauthorized: true },
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    const answer = { status: response.status, body: parsed(await response.text()) };
    if (answer.status === 401 || answer.status === 403) throw refusal(server, method, path, answer);
    return answer;
  } catch (error) {
    throw error instanceof Reto3Error ? error : noAnswer(server, error);
  }
}

/** As `ask`; throws REMOTE for every status but 200 to 299 and those of `others`. */
export async function askFor(
  server: Server,
  method: "GET" | "PUT" | "POST",
  path: string,
  { body, others = [] }: { body?: object | FormData; others?: number[] } = {},
): Promise<Answer> {
  const answer = await ask(server, method, path, body);
  if ((answer.status >= 200 && answer.status < 300) || others.includes(answer.status)) return answer;
  throw new Reto3Error(
    "REMOTE",
    `${server.name} refuses ${method} ${path} with ${answer.status}: ${reasonIn(answer.body)}`,
  );
}

/**
 * Asks GET `path` until `isReady` takes the answer; `isReady` says what is missing while that may come, and throws what will not.
 * Throws REMOTE when the time is over, with the last thing that was missing, and at once where waiting does not help.
 */
export async function waitFor<T extends object>(
  server: Server,
  path: string,
  isReady: (answer: Answer) => T | string,
  { deadlineMs, timeoutMs, say }: Waiting,
): Promise<T> {
  let saidMs = Number.NEGATIVE_INFINITY;
  for (;;) {
    const outcome = await tried(() => ask(server, "GET", path), isReady);
    if (!("missing" in outcome)) return outcome.value;
    const nowMs = performance.now();
    if (nowMs + ASK_EVERY_MS > deadlineMs) {
      throw new Reto3Error(
        "REMOTE",
        `${server.name} at ${server.url} is not ready after ${formatDurationMs(timeoutMs)}: ${outcome.missing}`,
        { hint: hintFor(server) },
      );
    }
    if (nowMs >= saidMs + SAY_EVERY_MS) {
      say(`waiting for ${server.name} at ${server.url}: ${outcome.missing}`);
      saidMs = nowMs;
    }
    await Bun.sleep(ASK_EVERY_MS);
  }
}

async function tried<T>(
  question: () => Promise<Answer>,
  isReady: (answer: Answer) => T | string,
): Promise<{ value: T } | { missing: string }> {
  try {
    const answer = await question();
    if (isOverloaded(answer.status)) return { missing: `it answers ${answer.status}: ${reasonIn(answer.body)}` };
    const result = isReady(answer);
    return typeof result === "string" ? { missing: result } : { value: result };
  } catch (error) {
    if (error instanceof NoAnswer && error.mayCome) return { missing: error.reason };
    throw error;
  }
}

/** A proxy in front of it, or itself, while it starts. */
function isOverloaded(status: number): boolean {
  return status === 429 || (status >= 502 && status <= 504);
}

class NoAnswer extends Reto3Error {
  readonly reason: string;
  /** Waiting may help. */
  readonly mayCome: boolean;

  constructor(server: Server, reason: string, options: { mayCome: boolean; hint: string; cause: unknown }) {
    super("REMOTE", `no answer from ${server.name} at ${server.url}: ${reason}`, options);
    this.reason = reason;
    this.mayCome = options.mayCome;
  }
}

function noAnswer(server: Server, error: unknown): NoAnswer {
  // The system's code says it better than fetch's advice to programmers.
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
  if (code === "EPROTO" || code.startsWith("ERR_SSL")) {
    return new NoAnswer(server, "it does not speak TLS there", {
      mayCome: false,
      hint: `want http:// where the server has no TLS (${flagOf(server)})`,
      cause: error,
    });
  }
  if (/CERT|VERIFY|ISSUER/.test(code)) {
    return new NoAnswer(server, `its certificate is not trusted (${code})`, {
      mayCome: false,
      hint: "want the file with its authority's certificate in NODE_EXTRA_CA_CERTS",
      cause: error,
    });
  }
  // A TLS server hangs up on who speaks plain HTTP to it. So does one that is just starting or ending.
  const reason =
    code === "ECONNRESET" && server.url.startsWith("http:")
      ? "it hangs up without an answer; does it want https://?"
      : code || messageOf(error);
  return new NoAnswer(server, reason, { mayCome: true, hint: hintFor(server), cause: error });
}

function refusal(server: Server, method: string, path: string, { status, body }: Answer): Reto3Error {
  const given = server.authorization === null ? "without user and password" : "with this user or key";
  const wanted =
    server.name === "Elasticsearch"
      ? "a user with the cluster privileges monitor, manage_index_templates and manage_ilm, and for metrics-reto.* view_index_metadata and manage_data_stream_lifecycle"
      : "a user who may save dashboards and data views";
  return new Reto3Error(
    "REMOTE",
    `${server.name} at ${server.url} refuses ${method} ${path} ${given}: ${status}, ${reasonIn(body)}`,
    {
      hint: `want ${wanted}: --user with its password in RETO3_ELASTIC_PASSWORD, or an API key in RETO3_ELASTIC_API_KEY`,
    },
  );
}

function hintFor(server: Server): string {
  const without = server.name === "Kibana" ? "; --kibana none leaves it out" : "";
  return `is it running there? name it with ${flagOf(server)}, or give it longer with --timeout${without}`;
}

function flagOf(server: Server): string {
  return server.name === "Elasticsearch" ? "--elasticsearch" : "--kibana";
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/**
 * Why a server says that it refuses, its causes included:
 * {"error":{"type":"...","reason":"...","caused_by":{"reason":"...", ...}},"status":400}, or Kibana's {"message":"..."}.
 */
export function reasonIn(body: unknown): string {
  if (typeof body === "string") return body.trim() === "" ? "(no text)" : quote(body.trim(), SHOWN_CHARS_MAX);
  const reasons: string[] = [];
  const found = body as { error?: unknown; message?: unknown } | null;
  let at = found?.error as { reason?: unknown; caused_by?: unknown } | undefined;
  while (at && typeof at === "object") {
    if (typeof at.reason === "string" && !reasons.includes(at.reason)) reasons.push(at.reason);
    at = at.caused_by as typeof at;
  }
  if (typeof found?.message === "string") reasons.push(found.message);
  return reasons.length > 0 ? reasons.join(": ") : quote(JSON.stringify(body), SHOWN_CHARS_MAX);
}
