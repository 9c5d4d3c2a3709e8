// What this executable is: the version of package.json, and the commit that it was built from.

import { version } from "../package.json";

/** Put in by scripts/build.ts. */
declare const RETO3_COMMIT: string | undefined;

/** 12 digits; "" where the sources were in no git repository. */
export const commit = typeof RETO3_COMMIT === "string" ? RETO3_COMMIT : "";

export const versionText = commit === "" ? version : `${version} (${commit})`;

export { version };
