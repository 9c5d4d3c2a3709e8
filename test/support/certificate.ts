// Certificates for tests, made by openssl; nothing of them is kept. Where there is no openssl, tests that want one are skipped.

import { writeFileSync } from "node:fs";
import { join } from "node:path";

const openssl = Bun.which("openssl");

export const canMakeCertificates = openssl !== null;

export interface Certificate {
  certFile: string;
  keyFile: string;
}

/** An authority's certificate in `folder`, and one that it signed for `names`, such as "IP:127.0.0.1"; 0 days: it has expired. */
export function makeCertificate(folder: string, names: string, days = 2): Certificate & { caFile: string } {
  const at = (name: string) => join(folder, name);
  const key = (name: string) => [
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
    "-keyout",
    at(name),
  ];
  run("req", "-x509", ...key("ca.key"), "-out", at("ca.pem"), "-days", "2", "-subj", "/CN=an authority for tests");
  run("req", ...key("key.pem"), "-out", at("request.pem"), "-subj", "/CN=reto3");
  writeFileSync(at("names.txt"), `subjectAltName=${names}\n`);
  const signer = ["-CA", at("ca.pem"), "-CAkey", at("ca.key"), "-CAcreateserial"];
  run(
    "x509",
    "-req",
    "-in",
    at("request.pem"),
    ...signer,
    "-days",
    String(days),
    "-extfile",
    at("names.txt"),
    "-out",
    at("cert.pem"),
  );
  return { certFile: at("cert.pem"), keyFile: at("key.pem"), caFile: at("ca.pem") };
}

function run(...args: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync([openssl ?? "openssl", ...args], { stdout: "ignore", stderr: "pipe" });
  if (exitCode !== 0) throw new Error(`openssl ${args[0]} ended with ${exitCode}: ${stderr.toString()}`);
}
