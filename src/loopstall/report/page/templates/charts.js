"use strict";
/* What all charts share: colours of the theme, axes, tables, and drawing anew for a theme, a width or a printer. */
const pageCharts = (() => {
  const PAPER = 980;  // px: a landscape A4 page without its margins
  const dark = matchMedia("screen and (prefers-color-scheme: dark)"), print = matchMedia("print");
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const drawn = {}, all = [];
  let printing = false;

  const number = (value) => value == null ? "–" : Math.abs(value) >= 100 ? Math.round(value).toLocaleString("en") : `${+value.toPrecision(3)}`;
  const ms = (u, ticks) => ticks.map((v) => v == null ? "" : v >= 1 ? v.toLocaleString("en") : `${+v.toPrecision(2)}`);
  function axis(label, extra) {
    return { label, stroke: css("--soft"), grid: { stroke: css("--line"), width: 0.5 }, ticks: { stroke: css("--line") }, ...extra };
  }
  function draw(id, options, series) {
    const box = document.getElementById(id);
    drawn[id]?.destroy();
    box.textContent = "";
    drawn[id] = new uPlot({ width: (printing ? PAPER : box.clientWidth) - 18, height: 300, ...options }, series, box);
    return drawn[id];
  }
  function clear(id) {
    drawn[id]?.destroy();
    delete drawn[id];
  }
  function table(id, heads, rows) {
    const head = document.createElement("thead"), body = document.createElement("tbody");
    const line = head.insertRow();
    for (const text of heads) { const cell = document.createElement("th"); cell.scope = "col"; cell.textContent = text; line.append(cell); }
    for (const row of rows) { const made = body.insertRow(); for (const text of row) made.insertCell().textContent = text; }
    document.getElementById(id).replaceChildren(head, body);
  }
  const again = () => { for (const drawing of all) drawing(); };
  function drawnAnew(drawing) {
    all.push(drawing);
    drawing();
  }
  function toPrint(now) {
    if (now === printing) return;
    printing = now;
    again();
  }
  dark.addEventListener("change", again);
  print.addEventListener("change", () => { toPrint(print.matches); again(); });  // again: the printer's colours are known by now
  addEventListener("beforeprint", () => toPrint(true));
  addEventListener("afterprint", () => toPrint(false));
  let timer, width = innerWidth;
  addEventListener("resize", () => { if (printing || innerWidth === width) return; width = innerWidth; clearTimeout(timer); timer = setTimeout(again, 150); });
  return { css, dark, drawn, number, ms, axis, draw, clear, table, drawnAnew, onPaper: () => printing };
})();
