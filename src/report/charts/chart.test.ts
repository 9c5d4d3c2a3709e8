import { describe, expect, test } from "bun:test";
import { drawChart, type Chart, type Mark } from "./chart.ts";
import { withGaps } from "./charts.ts";
import { svgFile } from "./svg.ts";

function chart(marks: Mark[], given: Partial<Chart> = {}): Chart {
  return {
    id: "some",
    title: "Events & more",
    description: "From <1> to 9",
    x: { label: "x", scale: "linear" },
    y: { label: "y", scale: "linear" },
    marks,
    ...given,
  };
}

/** Pixels of the points of all paths that are lines. */
function pathsOf(svg: string): number[][][] {
  return [...svg.matchAll(/class="line" [^>]* d="([^"]*)"/g)].map(([, d = ""]) =>
    d
      .split(/[ML]/)
      .slice(1)
      .map((pair) => pair.split(",").map(Number)),
  );
}

describe("a chart", () => {
  test("has a title and a description, escaped", () => {
    const svg = drawChart(
      chart([
        {
          kind: "line",
          colour: 0,
          points: [
            [0, 1],
            [1, 2],
          ],
        },
      ]),
    );
    expect(svg).toContain('<title id="chart-some-title">Events &amp; more</title>');
    expect(svg).toContain('<desc id="chart-some-description">From &lt;1&gt; to 9</desc>');
    expect(svg).toContain('role="img" aria-labelledby="chart-some-title chart-some-description"');
  });

  test("draws higher values higher up, and later ones further right", () => {
    const [path] = pathsOf(
      drawChart(
        chart([
          {
            kind: "line",
            colour: 0,
            points: [
              [0, 1],
              [5, 3],
              [9, 2],
            ],
          },
        ]),
      ),
    );
    const [[x1 = 0, y1 = 0] = [], [x2 = 0, y2 = 0] = [], [x3 = 0, y3 = 0] = []] = path ?? [];
    expect(x1 < x2 && x2 < x3).toBeTrue();
    expect(y2 < y3 && y3 < y1).toBeTrue();
  });

  test("gives each tenfold the same height on a logarithmic scale", () => {
    const marks: Mark[] = [
      {
        kind: "line",
        colour: 0,
        points: [
          [0, 1],
          [1, 10],
          [2, 100],
        ],
      },
    ];
    const [path = []] = pathsOf(drawChart(chart(marks, { y: { label: "y", scale: "log" } })));
    const [a = 0, b = 0, c = 0] = path.map(([, y]) => y);
    expect(a - b).toBeCloseTo(b - c, 0);
  });

  test.each([
    ["no points", []],
    ["one point", [[1, 1]]],
    [
      "equal values",
      [
        [1, 5],
        [2, 5],
      ],
    ],
    [
      "zeros",
      [
        [0, 0],
        [0, 0],
      ],
    ],
    [
      "gaps",
      [
        [0, 1],
        [1, Number.NaN],
        [2, 3],
      ],
    ],
  ] as [string, [number, number][]][])("of %s is drawn without NaN", (_, points) => {
    for (const scale of ["linear", "log", "utc"] as const) {
      const marks: Mark[] = [
        { kind: "line", colour: 0, name: "a", points },
        { kind: "band", colour: 1, points: points.map(([x, y]) => [x, y, y]) },
        { kind: "bars", colour: 2, width: 1, points: points.filter(([, y]) => !Number.isNaN(y)) },
        { kind: "points", colour: 3, points: points.filter(([, y]) => !Number.isNaN(y)) },
        { kind: "level", colour: 4, y: 1 },
      ];
      const svg = drawChart(
        chart(marks, { x: { label: "x", scale }, y: { label: "y", scale: scale === "utc" ? "log" : scale } }),
      );
      expect(svg).not.toMatch(/NaN|Infinity|undefined/);
    }
  });

  test("breaks a line over a silence, and not where points are far apart throughout", () => {
    const minutes = [0, 1, 2, 3, 20, 21].map((x) => [x, 1] as const);
    expect(withGaps(minutes).map(([x, y]) => [x, Number.isNaN(y)])).toContainEqual([11.5, true]);
    expect(withGaps(minutes)).toHaveLength(7);
    expect(withGaps([0, 20, 41, 60].map((x) => [x, 1] as const))).toHaveLength(4);
    expect(withGaps([])).toEqual([]);
  });

  test("of a moment tells its times apart", () => {
    const points = [0, 300_000].map((us) => [1_764_000_000_000_000 + us, 1] as const);
    const svg = drawChart(chart([{ kind: "line", colour: 0, points }], { x: { label: "x", scale: "utc" } }));
    const ticks = [...svg.matchAll(/>(\d\d:\d\d\.\d{3})</g)].map(([, label]) => label);
    expect(ticks.length).toBeGreaterThan(3);
    expect(new Set(ticks).size).toBe(ticks.length);
  });

  test("as a file has its colours within it, also for dark surroundings", () => {
    const file = svgFile(
      drawChart(
        chart([
          {
            kind: "line",
            colour: 0,
            points: [
              [0, 1],
              [1, 2],
            ],
          },
        ]),
      ),
    );
    expect(file).toMatch(/^<\?xml [^>]*>\n<svg [^>]*><style>/);
    expect(file).toContain("prefers-color-scheme: dark");
  });
});
