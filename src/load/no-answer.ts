// Why a server did not answer, in words that say what to do. Pure.

import { messageOf } from "../errors.ts";

/** What `fetch` failed with: the system's code says it better than fetch's advice to programmers. */
export function noAnswer(error: unknown): { reason: string; hint: string } {
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
  if (code === "EPROTO" || code.startsWith("ERR_SSL"))
    return { reason: "it does not speak TLS there", hint: "want http:// in --url where serve has no --tls-cert" };
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID")
    return { reason: "its certificate is for another name", hint: "want a name of the certificate in --url" };
  if (/CERT|VERIFY|ISSUER/.test(code)) {
    const hint = "want the file with the certificate of the authority that signed it as --ca";
    return { reason: `its certificate is not trusted (${code})`, hint };
  }
  const hint = "is 'reto3 serve' running there? name it with --url; want https:// where it has --tls-cert";
  return { reason: code || messageOf(error), hint };
}
