import { expect, test } from "bun:test";
import { settlesWithin } from "./deadline.ts";

test("work that is done in time is told from work that is not", async () => {
  expect(await settlesWithin(Promise.resolve(), 1_000)).toBe(true);
  expect(await settlesWithin(new Promise(() => {}), 1)).toBe(false);
});

test("what fails in time is thrown", async () => {
  await expect(settlesWithin(Promise.reject(new Error("broken")), 1_000)).rejects.toThrow("broken");
});

test("no timer outlives the wait: the process ends when its work is done", async () => {
  const code = `import { settlesWithin } from "${import.meta.dir}/deadline.ts"; await settlesWithin(Promise.resolve(), 600_000);`;
  const child = Bun.spawn([process.execPath, "-e", code], { stderr: "pipe" });
  expect(await child.exited).toBe(0);
});
