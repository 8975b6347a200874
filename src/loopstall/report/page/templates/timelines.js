"use strict";
/* The timelines of a run, one below the other on one axis of time: loop lag with its stalls, jobs in flight, CPU, memory. */
(() => {
  const byId = (id) => document.getElementById(id);
  const source = byId("data");
  if (!source) return;
  const data = JSON.parse(source.textContent);
  const { css, drawn, number, ms, axis, draw, clear, table, onPaper } = pageCharts;
  const LEFT = 64;  // px: the same for all, so that they lie one below the other
  const together = uPlot.sync("timelines");
  const causeColor = (cause) => css(`--${cause}`) || css("--unknown");
  let chosen = -1;

  const OTHERS = [
    { id: "flight", name: "in flight", label: "in flight", of: "requests or jobs", unit: "", color: "--gc", stepped: true },
    { id: "cpu", name: "CPU", label: "CPU, %", of: "of one core, of the measuring process", unit: " %", color: "--cpu-python" },
    { id: "memory", name: "memory", label: "MB", of: "resident, of the measuring process", unit: " MB", color: "--cpu-native" },
  ];
  const cellNow = () => data.timelines[byId("cell").value];

  function clock(cell) {
    if (!cell.began) return { label: "ms from the start", values: undefined, at: (v) => `${v} ms` };
    const text = (v, digits) => new Date(1000 * cell.began + v).toISOString().slice(11, digits);
    return {
      label: `clock time, UTC, ${new Date(1000 * cell.began).toISOString().slice(0, 10)}`,
      values: (u, ticks) => ticks.map((v) => text(v, ticks.length > 1 && ticks[1] - ticks[0] < 1000 ? 23 : 19)),
      at: (v) => `${text(v, 23)} (${v} ms from the start)`,
    };
  }

  function tell(index) {
    const cell = cellNow(), told = byId("told"), stall = cell.stalls[index];
    chosen = index;
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

  /** The longest stall at the line that the finding of the cell names, else the longest of all. */
  function first(cell) {
    const place = document.querySelector(`.card a[data-cell="${byId("cell").value}"][data-place]`)?.dataset.place;
    const there = ([, , , stack]) => data.stacks[stack].startsWith(`${place}\n`) || data.stacks[stack].includes(`at ${place}\n`);
    const named = place && cell.stalls.some(there);
    return cell.stalls.reduce((best, stall, index) => (!named || there(stall)) && (best < 0 || stall[1] > cell.stalls[best][1]) ? index : best, -1);
  }

  function legend(cell) {
    const swatch = (background, text, dashed) => {
      const item = document.createElement("span"), mark = document.createElement("i");
      if (dashed) mark.className = "dashed"; else mark.style.background = background;
      item.append(mark, text);
      return item;
    };
    const causes = [...new Set(cell.stalls.map((stall) => stall[2]))];
    byId("causes").replaceChildren(
      swatch(css("--fg"), "loop lag"),
      ...cell.base ? [swatch("", "dashed: the baseline's loop lag", true)] : [],
      ...causes.map((cause) => swatch(causeColor(cause), `stall: ${cause}`)),
    );
  }

  function bands(cell) {
    return { hooks: {
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
        if (u.cursor.left < 0 || u.cursor.left == null || u.cursor.event == null) return;
        const x = u.posToVal(u.cursor.left, "x"), slack = u.posToVal(4, "x") - u.posToVal(0, "x");
        const hit = cell.stalls.findIndex(([start, length]) => x >= start - slack && x <= start + length + slack);
        if (hit >= 0 && hit !== chosen) tell(hit);
      }],
    } };
  }

  function chart(id, cell, { label, height, series, columns, plugins, last }) {
    const time = clock(cell);
    draw(id, {
      height: height + (last ? 42 : 0), plugins, cursor: { sync: { key: together.key } },
      scales: { x: { time: false, range: [0, cell.wall] }, y: { range: (u, low, high) => [0, Math.max((high ?? 0) * 1.08, 1)] } },
      axes: [axis(last ? time.label : undefined, { values: last ? time.values : (u, ticks) => ticks.map(() => ""), space: 110, size: last ? 30 : 12, labelSize: last ? 24 : 0 }), axis(label, { values: ms, size: LEFT })],
      series: [{ label: "at", value: (u, v) => v == null ? "–" : time.at(v) }, ...series],
    }, columns);
  }

  function timeline() {
    const cell = cellNow(), shown = OTHERS.filter(({ id }) => cell[id]);
    chosen = -1;
    legend(cell);
    const value = (u, v) => v == null ? "–" : `${v} ms`;
    const series = [{ label: "loop lag", stroke: css("--fg"), width: 1.5, spanGaps: true, points: { show: cell.at.length < 80, size: 4 }, value }];
    let columns = [cell.at, cell.lag];
    if (cell.base) {
      series.push({ label: "the baseline's loop lag", stroke: css("--soft"), width: 1, dash: [5, 4], spanGaps: true, points: { show: false }, value });
      columns = uPlot.join([[cell.at, cell.lag], [cell.base.at, cell.base.lag]]);
    }
    chart("line", cell, { label: "loop lag, ms", height: onPaper() ? 160 : 270, series, columns, plugins: [bands(cell)], last: !shown.length });
    for (const { id, name, label, unit, color, stepped } of OTHERS) {
      byId(`box-${id}`).hidden = !cell[id];
      if (!cell[id]) { clear(id); continue; }
      const line = { label: name, stroke: css(color), width: 1.5, points: { show: cell[id][0].length < 60, size: 4 }, value: (u, v) => v == null ? "–" : `${number(v)}${unit}` };
      if (stepped) line.paths = uPlot.paths.stepped({ align: 1 });
      chart(id, cell, { label, height: onPaper() ? 76 : 130, series: [line], columns: cell[id], last: id === shown.at(-1).id });
    }
    byId("left-out").textContent = cell.left_out;
    table("line-values", ["", "median", "99th percentile", "greatest"], cell.values);
    tell(first(cell));
    table("line-table", ["from, ms", "length, ms", "cause", "where"], cell.stalls.map(([start, length, cause, stack]) => [start, length, cause, data.stacks[stack].split("\n")[0]]));
  }

  function step(by) {
    const count = cellNow().stalls.length;
    if (count) tell((chosen + by + count) % count);
  }

  for (const [name, cell] of Object.entries(data.timelines)) byId("cell").add(new Option(cell.name, name));
  const worst = document.querySelector(".card a[data-cell]");
  if (worst) byId("cell").value = worst.dataset.cell;
  byId("cell").addEventListener("change", timeline);
  byId("previous").addEventListener("click", () => step(-1));
  byId("next").addEventListener("click", () => step(1));
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[data-cell]");
    if (!link || !(link.dataset.cell in data.timelines)) return;
    byId("cell").value = link.dataset.cell;
    timeline();
  });
  pageCharts.drawnAnew(timeline);
})();
