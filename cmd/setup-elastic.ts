import { defineCommand } from "./flags.ts";

export const command = defineCommand({
  name: "setup elastic",
  summary: "placeholder",
  flags: {},
  notes: "",
  run: () => Promise.reject(new Error("placeholder")),
});
