// The switches at the top of the page and the table buttons: how it is shown, not what.

import { byId, press } from "./dom.ts";
import { keepSetting, setting } from "./settings.ts";
import { CHARTS, type ChartName } from "./view-state.ts";
import type { Zone } from "./zone.ts";

export function watchZone(zone: Zone, onChange: (zone: Zone) => void): void {
  const select = byId("zone", HTMLSelectElement);
  const local = select.options[1];
  if (local) local.textContent = `Local times (${Intl.DateTimeFormat().resolvedOptions().timeZone})`;
  select.value = zone;
  select.addEventListener("change", () => {
    const chosen = select.value === "local" ? "local" : "utc";
    keepSetting("zone", chosen);
    onChange(chosen);
  });
}

/** `onChange`: colours are others now, also because the system's have changed. */
export function watchTheme(onChange: () => void): void {
  const select = byId("theme", HTMLSelectElement);
  const apply = () => {
    const { dataset } = document.documentElement;
    if (select.value === "light" || select.value === "dark") dataset["theme"] = select.value;
    else delete dataset["theme"];
    onChange();
  };
  select.value = setting("theme") ?? "system";
  if (select.selectedIndex < 0) select.value = "system";
  apply();
  select.addEventListener("change", () => {
    keepSetting("theme", select.value);
    apply();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", onChange);
}

export function watchPause(onChange: (isPaused: boolean) => void): void {
  const button = byId("pause", HTMLButtonElement);
  button.addEventListener("click", () => {
    const isPaused = button.getAttribute("aria-pressed") !== "true";
    press(button, isPaused);
    onChange(isPaused);
  });
}

/** Changes `tables` itself. */
export function watchTables(tables: Set<ChartName>, onChange: () => void): void {
  for (const chart of CHARTS) {
    const button = byId(`${chart}-table-button`, HTMLButtonElement);
    const apply = () => {
      press(button, tables.has(chart));
      byId(`${chart}-table`, HTMLElement).hidden = !tables.has(chart);
      byId(chart === "history" ? "history-chart" : `${chart}-plot`, HTMLElement).hidden = tables.has(chart);
    };
    apply();
    button.addEventListener("click", () => {
      if (!tables.delete(chart)) tables.add(chart);
      apply();
      onChange();
    });
  }
}
