// A folder that is gone when its owner is: it is made, and later removed, by a shell on a tether, so that a killed owner
// leaves none behind. Knows nothing of what lies in the folder.

import { rm } from "node:fs/promises";
import { ignoreSignals, startTether } from "./tether.ts";

export interface TempFolder {
  readonly path: string;
  /** Removes the folder and all in it. Harmless when called twice, or after the folder was renamed. */
  remove(): Promise<void>;
}

/** The shell makes the folder itself, so there is no moment at which the folder is there and nobody would remove it. */
const folderScript = `${ignoreSignals}
mkdir -p "\${1%/*}" && mkdir -m 700 "$1" || exit 1
echo made
read _ && exit 0
# The processes that write here die at the same time as the owner. One that is a little late makes rm fail, or makes a
# file anew: hence the second look.
tries=0
while [ "$tries" -lt 30 ]; do
  rm -rf "$1"
  sleep 1
  [ -e "$1" ] || exit 0
  tries=$((tries + 1))
done
exit 1`;

/** Makes the folder `<pathPrefix>XXXXXXXX`, and the folders above it. */
export async function makeTempFolder(pathPrefix: string): Promise<TempFolder> {
  const path = pathPrefix + crypto.randomUUID().slice(0, 8);
  const tether = await startTether(folderScript, [path]);
  if (tether.firstLine !== "made") {
    throw new Error(`cannot make the folder ${JSON.stringify(path)}: check that the folder above it can be written to`);
  }
  return {
    path,
    async remove() {
      await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
      await tether.dismiss();
    },
  };
}
