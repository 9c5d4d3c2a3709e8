// SVG as text: elements, the colours, and the file that a chart becomes. Pure.
// No script: a chart is the same in a page, in a README and on paper.

type Attributes = Record<string, string | number | undefined>;

/** An element; children are markup. */
export function element(name: string, attributes: Attributes, ...children: string[]): string {
  const written = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${typeof value === "number" ? short(value) : escapeMarkup(String(value))}"`)
    .join("");
  return children.length === 0 ? `<${name}${written}/>` : `<${name}${written}>${children.join("")}</${name}>`;
}

export function escapeMarkup(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

/** A tenth of a pixel is enough. */
function short(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/**
 * The palette of M. Okabe and K. Ito (2008), which people tell apart whatever their colour vision. Its blue is too dark for a
 * dark ground, its yellow too light for a white one: these are not used.
 */
export const CHART_STYLE = `
.reto3 { --ground: #ffffff; --ink: #1a1a1a; --faint: #6b6b6b; --grid: #e4e4e4;
  --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #cc79a7; --c4: #e69f00; --c5: #56b4e9; }
@media (prefers-color-scheme: dark) {
  .reto3 { --ground: #16181c; --ink: #e8e8e8; --faint: #a3a3a3; --grid: #31343a;
    --c0: #56b4e9; --c1: #ff8a3d; --c2: #2bc79a; --c3: #e29bc4; --c4: #e69f00; --c5: #9bd4f5; }
}
@media print {
  .reto3 { --ground: #ffffff; --ink: #000000; --faint: #555555; --grid: #dddddd;
    --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #cc79a7; --c4: #e69f00; --c5: #56b4e9; }
}
svg.reto3 text { font: 12px system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; fill: var(--ink); }
svg.reto3 .heading { font-size: 14px; font-weight: 600; }
svg.reto3 .tick { fill: var(--faint); font-size: 11px; }
svg.reto3 .ground { fill: var(--ground); }
svg.reto3 .grid { stroke: var(--grid); stroke-width: 1; fill: none; }
svg.reto3 .axis { stroke: var(--faint); stroke-width: 1; fill: none; }
svg.reto3 .line { fill: none; stroke-width: 1.8; stroke-linejoin: round; stroke-linecap: round; }
svg.reto3 .area { stroke: none; fill-opacity: 0.25; }
svg.reto3 .dashed { stroke-dasharray: 5 4; }
`;

/** A chart as a file of its own. */
export function svgFile(svg: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${svg.replace(/<svg [^>]*>/, (tag) => `${tag}<style>${CHART_STYLE}</style>`)}\n`;
}

export function colour(index: number): string {
  return `var(--c${index % 6})`;
}
