// `npm run bench -- NAME [--flags]` runs bench/NAME/main.ts; `render` puts the kept results into docs.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { render } from "./render.ts";

const [name = ""] = process.argv.splice(2, 1);
const program = join(import.meta.dir, name, "main.ts");
if (name === "render") await render();
else if (name !== "" && existsSync(program)) await import(program);
else {
  console.error(`bench: there is no ${JSON.stringify(name)}; want render, or a folder that bench/README.md lists`);
  process.exit(2);
}
