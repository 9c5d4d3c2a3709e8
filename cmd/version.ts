// What this executable is: the version of package.json, and the commit that was checked out when it was built.

import { version } from "../package.json";

export { version };

/** Put in by scripts/build.ts. */
declare const RETO3_COMMIT: string | undefined;

/** 12 digits; "" where the sources were in no git repository. */
export const commit = typeof RETO3_COMMIT === "string" ? RETO3_COMMIT : "";

export const versionText = commit === "" ? version : `${version} (${commit})`;
