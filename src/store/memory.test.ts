import { storeConformance } from "./conformance.ts";
import { emptyMemory, memoryStore } from "./memory.ts";

storeConformance("memory", async () => {
  const data = emptyMemory();
  return { open: async () => memoryStore(data) };
});
