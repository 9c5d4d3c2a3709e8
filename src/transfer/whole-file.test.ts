import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Reto3Error } from "../errors.ts";
import { createWholeFile } from "./whole-file.ts";

function folder(): Disposable & { path: string } {
  const path = mkdtempSync(join(tmpdir(), "reto3-test-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

test("a file has its name only when it is whole", async () => {
  using inside = folder();
  const path = join(inside.path, "a.csv");
  const file = await createWholeFile(path, { replace: false });
  await file.put("one,");
  await file.put(new TextEncoder().encode("two"));
  expect(readdirSync(inside.path)).toEqual([expect.stringContaining("a.csv.partial-")]);
  await file.keep();
  await file.discard();
  expect([readdirSync(inside.path), readFileSync(path, "utf8")]).toEqual([["a.csv"], "one,two"]);
});

test("what is discarded leaves nothing behind, and what was there before as it was", async () => {
  using inside = folder();
  const path = join(inside.path, "a.csv");
  writeFileSync(path, "before");
  const file = await createWholeFile(path, { replace: true });
  await file.put("half");
  await file.discard();
  expect([readdirSync(inside.path), readFileSync(path, "utf8")]).toEqual([["a.csv"], "before"]);
});

test("a file that is there is replaced only when that was asked for", async () => {
  using inside = folder();
  const path = join(inside.path, "a.csv");
  writeFileSync(path, "before");
  const refused = await createWholeFile(path, { replace: false }).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(Reto3Error);
  expect(refused).toMatchObject({ code: "USAGE", message: expect.stringContaining("is there already; --force") });
  const file = await createWholeFile(path, { replace: true });
  await file.put("after");
  await file.keep();
  expect(readFileSync(path, "utf8")).toBe("after");
});

test("a folder or a device is not replaced, and a folder that is not there is named", async () => {
  using inside = folder();
  mkdirSync(join(inside.path, "sub"));
  for (const [path, said] of [
    [join(inside.path, "sub"), "is not a plain file"],
    ["/dev/null", "is not a plain file"],
    [join(inside.path, "none", "a.csv"), "cannot be written"],
  ] as const) {
    const refused = await createWholeFile(path, { replace: true }).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "USAGE", message: expect.stringContaining(said) });
  }
  expect(readdirSync(inside.path)).toEqual(["sub"]);
});
