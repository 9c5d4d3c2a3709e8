// The page that GET / shows a browser. Knows the server by HTTP alone: GET /live and GET /counts.

import uPlot from "uplot";
import type { Snapshot } from "../live-messages.ts";

const rate = document.querySelector("#rate");
const show = (snapshot: Snapshot | null) => {
  if (rate) rate.textContent = snapshot ? `${snapshot.status.storedPerSec} events/s` : `connecting (${typeof uPlot})`;
};
show(null);
