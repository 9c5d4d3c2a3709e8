// Brings a dashboard into Kibana: waits until it is available, and imports a file of saved objects over what is there.
// Knows nothing of what is in the file.

import { quote, Reto3Error } from "../errors.ts";
import { askFor, reasonIn, type Server, type Waiting, waitFor } from "./server.ts";

const SHOWN_ERRORS_MAX = 5;

/** Kibana takes no file of another ending. */
const FILE_NAME = "reto3.ndjson";

interface ImportAnswer {
  success?: unknown;
  successCount?: unknown;
  errors?: { type?: string; id?: string; error?: { type?: string; message?: string; references?: unknown } }[];
}

/** Resolves when Kibana takes requests; throws REMOTE as waitFor does. */
export async function waitForKibana(kibana: Server, waiting: Waiting): Promise<void> {
  await waitFor(
    kibana,
    "/api/status",
    ({ status, body }) => {
      const level = (body as { status?: { overall?: { level?: unknown } } } | null)?.status?.overall?.level;
      if (level === "available") return {};
      if (typeof level === "string") return `it is ${level}`;
      if (status >= 500) return `it answers ${status}: ${reasonIn(body)}`;
      throw new Reto3Error("REMOTE", `what answers at ${kibana.url} is not Kibana: ${status}, ${reasonIn(body)}`, {
        hint: "name Kibana with --kibana, with its base path where it has one; --kibana none leaves it out",
      });
    },
    waiting,
  );
}

/** Imports `ndjson`, by whose ids objects of an earlier import are replaced. Returns how many there are. */
export async function importObjects(kibana: Server, ndjson: string): Promise<number> {
  const form = new FormData();
  form.append("file", new File([ndjson], FILE_NAME, { type: "application/ndjson" }));
  const { body } = await askFor(kibana, "POST", "/api/saved_objects/_import?overwrite=true", { body: form });
  // Kibana answers 200 as well where it could not import all.
  const { success, successCount, errors = [] } = (typeof body === "object" ? (body ?? {}) : {}) as ImportAnswer;
  if (success === true && errors.length === 0) return Number(successCount);
  const named = errors.slice(0, SHOWN_ERRORS_MAX).map(({ type, id, error }) => {
    const { type: problem = "unknown", message, references } = error ?? {};
    return `${type} ${quote(id ?? "")}: ${problem}${message ? `, ${message}` : ""}${references ? `, ${JSON.stringify(references)}` : ""}`;
  });
  if (errors.length > named.length) named.push(`${errors.length - named.length} more`);
  throw new Reto3Error("REMOTE", `Kibana did not import the dashboard: ${named.join("; ") || reasonIn(body)}`, {
    hint: "want a Kibana of version 9 or 8.19",
  });
}
