"use strict";
/* Percentile curves. */
(() => {
  const byId = (id) => document.getElementById(id);
  const source = byId("data");
  if (!source) return;
  const data = JSON.parse(source.textContent);
  const { css, dark, ms, axis, draw, table } = pageCharts;
  const hues = { inline: 4, async: 265, to_thread: 210, threads: 150, processes: 38 };
  const color = (strategy) => `hsl(${hues[strategy.split("/")[1]] ?? 320} 75% ${dark.matches ? 68 : 38}%)`;
  const rarity = (p) => p >= 100 ? null : Math.log10(100 / (100 - p));
  const percent = (x) => `p${+(100 - 100 / 10 ** x).toFixed(3)}`;

  function curve() {
    const lines = data.rows[byId("row").value], kind = byId("kind").value;
    const names = Object.keys(lines);
    const xs = new Set();
    for (const name of names) for (const [p] of lines[name][kind]) { const x = rarity(p); if (x !== null) xs.add(x); }
    const end = Math.max(0, ...xs) + 0.4;
    const grid = [...xs, end].sort((a, b) => a - b);
    const columns = names.map((name) => {
      const at = new Map(lines[name][kind].map(([p, v]) => [rarity(p) ?? end, v]));
      return grid.map((x) => at.has(x) ? Math.max(at.get(x), 0.001) : null);
    });
    const stops = [0, Math.log10(2), 1, 2, 3, 4].filter((x) => x < end - 0.45).concat(end);
    const label = (x) => x === end ? "max" : percent(x);
    draw("curve", {
      scales: { x: { time: false }, y: { distr: 3 } },
      axes: [axis("percentile", { splits: () => stops, values: (u, s) => s.map(label) }), axis("ms", { values: ms, size: 64 })],
      series: [{ label: "percentile", value: (u, x) => x == null ? "–" : label(x) },
        ...names.map((name) => ({ label: name, stroke: color(name), width: 2, dash: name.startsWith("uvloop") ? [6, 4] : undefined, spanGaps: true, points: { size: 5 }, value: (u, v) => v == null ? "–" : `${v} ms` }))],
    }, [grid, ...columns]);
    table("curve-table", ["percentile", ...names.map((name) => `${name}, ms`)], grid.map((x, i) => [label(x), ...columns.map((column) => column[i] ?? "")]));
  }

  for (const name of Object.keys(data.rows)) byId("row").add(new Option(name, name));
  byId("row").addEventListener("change", curve);
  byId("kind").addEventListener("change", curve);
  byId("dashes").hidden = !Object.values(data.rows).some((lines) => Object.keys(lines).some((name) => name.startsWith("uvloop")));
  pageCharts.drawnAnew(curve);
})();
