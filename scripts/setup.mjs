// Makes a fresh clone ready: installs what package-lock.json says, sees that Bun works, builds the executable.
// Runs on plain Node.js, before anything is installed. Does nothing that is done already.
//
//   node scripts/setup.mjs [--no-build]

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { join } from "node:path";

process.chdir(join(import.meta.dirname ?? ".", ".."));

const STAMP = "node_modules/.reto3-installed";
const wanted = createHash("sha256").update(readFileSync("package-lock.json")).digest("hex");
const installed = existsSync(STAMP) ? readFileSync(STAMP, "utf8") : "";
if (installed !== wanted) {
  // Not `npm ci`: it refuses a lock file that does not list the optional packages of every other platform.
  // --no-save leaves the lock file as it is; what it names is installed at just that version.
  run("npm", ["install", "--no-save", "--no-audit", "--no-fund"], "installing");
  writeFileSync(STAMP, wanted);
}
// Where install scripts are blocked, npm leaves a stub in the place of Bun.
if (!works("node_modules/.bin/bun")) run(process.execPath, ["node_modules/bun/install.js"], "completing Bun");

if (!process.argv.includes("--no-build") && isStale("dist/reto3"))
  run("npm", ["run", "-s", "build"], "building dist/reto3");

function works(command) {
  return spawnSync(command, ["--version"], { stdio: "ignore" }).status === 0;
}

function isStale(target) {
  if (!existsSync(target)) return true;
  const builtMs = statSync(target).mtimeMs;
  // The last of these changes with the commit, which the executable names.
  const sources = ["package.json", "package-lock.json", "scripts/build.ts", ".git/logs/HEAD"].filter((file) =>
    existsSync(file),
  );
  for (const folder of ["src", "cmd"]) {
    for (const name of readdirSync(folder, { recursive: true })) sources.push(join(folder, String(name)));
  }
  return sources.some((file) => statSync(file).mtimeMs > builtMs);
}

function run(command, args, what) {
  process.stderr.write(`reto3 setup: ${what}\n`);
  // What it prints is for people, not part of the output of the command that needed it.
  const { status, error } = spawnSync(command, args, { stdio: ["ignore", 2, 2] });
  if (status === 0) return;
  process.stderr.write(`reto3 setup: ${what} failed${error ? `: ${error.message}` : ""}\n`);
  process.exit(1);
}
