// Builds the executable: `bun scripts/build.ts [--arch amd64|arm64] [--outfile dist/reto3]`.
// An --arch other than this machine's makes a Linux executable for that one; Bun fetches its own part of it then.
// Before that it makes dist/page.html of src/page, which is a part of the executable.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";

const root = join(import.meta.dir, "..");

/** Docker's names of architectures, and Bun's. */
const ARCHES: Record<string, string> = { amd64: "x64", arm64: "arm64" };

const { values } = parseArgs({ options: { arch: { type: "string" }, outfile: { type: "string" } } });
const { arch, outfile = join(root, "dist/reto3") } = values;
if (arch !== undefined && ARCHES[arch] === undefined) {
  console.error(`--arch: ${arch} is not accepted; want ${Object.keys(ARCHES).join(" or ")}`);
  process.exit(2);
}
const flags = "--compile --bytecode --format=esm --minify-syntax --minify-whitespace --sourcemap".split(" ");
if (arch !== undefined && ARCHES[arch] !== process.arch) flags.push(`--target=bun-linux-${ARCHES[arch]}`);
// What lies in the folder where it is started must not change what it does.
flags.push("--no-compile-autoload-dotenv", "--no-compile-autoload-bunfig");
flags.push("--define", `RETO3_COMMIT=${JSON.stringify(commit())}`, `--outfile=${outfile}`);

mkdirSync(join(root, "dist"), { recursive: true });
writeFileSync(join(root, "dist/page.html"), await page());

const threads = ["src/store/sqlite/housekeeper.ts", "src/store/sqlite/writing-thread.ts"];
const command = [process.execPath, "build", ...flags, "cmd/reto3.ts", ...threads];
process.exit(Bun.spawnSync(command, { cwd: root, stdio: ["ignore", "inherit", "inherit"] }).exitCode);

/**
 * The page, whole in one file: index.html with its style sheet and its script inside, and nothing else that a browser would have
 * to fetch. One <style> and one <script>, for the server's content security policy names each by its hash.
 */
async function page(): Promise<string> {
  const folder = join(root, "src/page");
  const script = await bundle(join(folder, "main.ts"));
  const style = await bundle(join(folder, "page.css"));
  // A function as replacement: in a string "$&" would have a meaning.
  return readFileSync(join(folder, "index.html"), "utf8")
    .replace(/<!--.*?-->\n/s, "")
    .replace(/<link rel="stylesheet"[^>]*>/, () => `<style>${style}</style>`)
    .replace(/<script[^>]*>/, () => `<script type="module">${script}`);
}

async function bundle(entry: string): Promise<string> {
  const { outputs } = await Bun.build({ entrypoints: [entry], target: "browser", minify: true, throw: true });
  const text = (await outputs[0]?.text()) ?? "";
  // What would end the element too early, in a string.
  return text.trim().replace(/<\/(script|style)/gi, String.raw`<\/$1`);
}

/** The commit that is checked out, 12 digits, without the need of git; "" where .git is not there or has another form. */
function commit(): string {
  const given = process.env["RETO3_COMMIT"];
  if (given) return given.slice(0, 12);
  const read = (name: string) => {
    const file = join(root, ".git", name);
    return existsSync(file) ? readFileSync(file, "utf8").trim() : "";
  };
  const head = read("HEAD");
  if (!head.startsWith("ref: ")) return head.slice(0, 12);
  const ref = head.slice("ref: ".length);
  const packed = read("packed-refs")
    .split("\n")
    .find((line) => line.endsWith(` ${ref}`));
  return (read(ref) || packed || "").slice(0, 12);
}
