"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const block = byId("block");
  for (const button of document.querySelectorAll(".icicle button")) {
    button.addEventListener("click", () => { block.textContent = button.title; });
  }
  const source = byId("data");
  if (!source) return;
  const data = JSON.parse(source.textContent);
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const hues = { inline: 4, async: 265, to_thread: 210, threads: 150, processes: 38 };
  const drawn = {};
  const cells = Object.entries(data.timelines);
  let chosen = -1;

  const color = (strategy) => `hsl(${hues[strategy.split("/")[1]] ?? 320} 75% ${dark.matches ? 68 : 38}%)`;
  const causeColor = (cause) => css(`--${cause}`) || css("--unknown");
  const ms = (u, ticks) => ticks.map((v) => v == null ? "" : v >= 1 ? v.toLocaleString("en") : `${+v.toPrecision(2)}`);
  const rarity = (p) => p >= 100 ? null : Math.log10(100 / (100 - p));
  const percent = (x) => `p${+(100 - 100 / 10 ** x).toFixed(3)}`;

  function axis(label, extra) {
    return { label, stroke: css("--soft"), grid: { stroke: css("--line"), width: 0.5 }, ticks: { stroke: css("--line") }, ...extra };
  }
  function draw(id, options, series) {
    const box = byId(id);
    drawn[id]?.destroy();
    box.textContent = "";
    drawn[id] = new uPlot({ width: box.clientWidth - 18, height: 300, ...options }, series, box);
    return drawn[id];
  }
  function table(id, heads, rows) {
    const head = document.createElement("thead"), body = document.createElement("tbody");
    const line = head.insertRow();
    for (const text of heads) { const cell = document.createElement("th"); cell.scope = "col"; cell.textContent = text; line.append(cell); }
    for (const row of rows) { const made = body.insertRow(); for (const text of row) made.insertCell().textContent = text; }
    byId(id).replaceChildren(head, body);
  }

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

  function tell(index) {
    const cell = data.timelines[byId("cell").value];
    chosen = index;
    const told = byId("told"), stall = cell.stalls[index];
    told.replaceChildren();
    if (!stall) { told.append(cell.stalls.length ? "" : "No stall in this run."); return; }
    const [start, length, cause, stack] = stall;
    const line = document.createElement("p"), text = document.createElement("pre");
    line.className = "note";
    line.textContent = `Stall ${index + 1} of ${cell.stalls.length}${cell.count > cell.stalls.length ? ` drawn (${cell.count} in all)` : ""}: ${length} ms from ${start} ms, ${cause}`;
    text.tabIndex = 0;
    text.textContent = data.stacks[stack];
    told.append(line, text);
    drawn.line?.redraw();
  }

  function timeline() {
    const cell = data.timelines[byId("cell").value];
    const causes = [...new Set(cell.stalls.map((stall) => stall[2]))];
    const legend = byId("causes");
    legend.replaceChildren(...causes.map((cause) => {
      const item = document.createElement("span"), swatch = document.createElement("i");
      swatch.style.background = causeColor(cause);
      item.append(swatch, cause);
      return item;
    }));
    const bands = { hooks: {
      drawClear: [(u) => {
        const { ctx } = u;
        ctx.save();
        cell.stalls.forEach(([start, length, cause], index) => {
          const left = u.valToPos(start, "x", true), right = u.valToPos(start + length, "x", true);
          ctx.globalAlpha = index === chosen ? 0.7 : +css("--band");
          ctx.fillStyle = causeColor(cause);
          ctx.fillRect(left, u.bbox.top, Math.max(right - left, 2), u.bbox.height);
        });
        ctx.restore();
      }],
      setCursor: [(u) => {
        if (u.cursor.left < 0 || u.cursor.left == null) return;
        const x = u.posToVal(u.cursor.left, "x"), slack = u.posToVal(4, "x") - u.posToVal(0, "x");
        const hit = cell.stalls.findIndex(([start, length]) => x >= start - slack && x <= start + length + slack);
        if (hit >= 0 && hit !== chosen) tell(hit);
      }],
    } };
    const series = [{ label: "at", value: (u, v) => v == null ? "–" : `${v} ms` },
      { label: "loop lag", stroke: css("--accent"), width: 1.5, spanGaps: true, points: { show: cell.at.length < 80, size: 4 }, value: (u, v) => v == null ? "–" : `${v} ms` }];
    let columns = [cell.at, cell.lag];
    if (cell.base) {
      series.push({ label: "baseline", stroke: css("--soft"), width: 1, spanGaps: true, points: { show: false }, value: (u, v) => v == null ? "–" : `${v} ms` });
      columns = uPlot.join([[cell.at, cell.lag], [cell.base.at, cell.base.lag]]);
    }
    chosen = -1;
    draw("line", {
      plugins: [bands], scales: { x: { time: false, range: [0, cell.wall] }, y: { range: (u, low, high) => [0, Math.max(high * 1.08, 1)] } },
      axes: [axis("ms from the start"), axis("loop lag, ms", { values: ms, size: 64 })], series,
    }, columns);
    tell(cell.stalls.reduce((best, stall, index) => best < 0 || stall[1] > cell.stalls[best][1] ? index : best, -1));
    table("line-table", ["from, ms", "length, ms", "cause", "where"], cell.stalls.map(([start, length, cause, stack]) => [start, length, cause, data.stacks[stack].split("\n")[0]]));
  }

  function step(by) {
    const count = data.timelines[byId("cell").value].stalls.length;
    if (count) tell((chosen + by + count) % count);
  }

  for (const name of Object.keys(data.rows)) byId("row").add(new Option(name, name));
  for (const [number, cell] of cells) byId("cell").add(new Option(cell.name, number));
  const worst = document.querySelector("ol.findings a[data-cell]");
  if (worst) byId("cell").value = worst.dataset.cell;
  byId("row").addEventListener("change", curve);
  byId("kind").addEventListener("change", curve);
  byId("cell").addEventListener("change", timeline);
  byId("previous").addEventListener("click", () => step(-1));
  byId("next").addEventListener("click", () => step(1));
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[data-cell]");
    if (!link || !(link.dataset.cell in data.timelines)) return;
    byId("cell").value = link.dataset.cell;
    timeline();
  });
  const all = () => { curve(); timeline(); };
  dark.addEventListener("change", all);
  let timer, width = innerWidth;
  addEventListener("resize", () => { if (innerWidth === width) return; width = innerWidth; clearTimeout(timer); timer = setTimeout(all, 150); });
  all();
})();
