// What the browser keeps for the next visit, and the read token of this tab. A browser may forbid both: then they live as long as the page.

const memory = new Map<string, string>();

function read(storage: () => Storage, key: string): string | null {
  try {
    return storage().getItem(key);
  } catch {
    return memory.get(key) ?? null;
  }
}

function write(storage: () => Storage, key: string, value: string): void {
  try {
    storage().setItem(key, value);
  } catch {
    memory.set(key, value);
  }
}

type Setting = "zone" | "theme";

export function setting(name: Setting): string | null {
  return read(() => localStorage, `reto3.${name}`);
}

export function keepSetting(name: Setting, value: string): void {
  write(() => localStorage, `reto3.${name}`, value);
}

const TOKEN = "reto3.read-token";

export function readToken(): string {
  return read(() => sessionStorage, TOKEN) ?? "";
}

export function keepReadToken(token: string): void {
  write(() => sessionStorage, TOKEN, token);
}

/** What every question to the server carries. */
export function authorization(): Record<string, string> {
  // No token has others, and with them fetch fails as if the server were away: so the server says that it is not one.
  const token = readToken().replace(/[^\x21-\x7e]/g, "?");
  return token === "" ? {} : { Authorization: `Bearer ${token}` };
}
