"use strict";
/* Sorts and filters the decision table. */
(() => {
  const table = document.getElementById("table");
  if (!table) return;
  const body = table.tBodies[0], all = [...body.rows], said = document.getElementById("rows");
  const filter = document.getElementById("filter"), over = document.getElementById("over"), loop = document.getElementById("loop");
  const heads = [...table.querySelectorAll("th[data-column]")];
  let column = -1, upward = true;

  const figure = () => document.querySelector("input[name=figure]:checked").value;
  function value(row, at) {
    const shown = row.cells[at].querySelector(`.v[data-m="${figure()}"]`);
    return shown ? Number(shown.dataset.v) : null;
  }
  function compared(a, b) {
    if (column === 0) return (upward ? 1 : -1) * a.cells[0].textContent.localeCompare(b.cells[0].textContent, "en", { numeric: true });
    const [left, right] = [value(a, column), value(b, column)];
    if (left === null || right === null) return (left === null) - (right === null);  // those without a figure stay last
    return (upward ? 1 : -1) * (left - right);
  }
  function sort() {
    for (const head of heads) {
      const here = Number(head.dataset.column) === column;
      head.setAttribute("aria-sort", here ? upward ? "ascending" : "descending" : "none");
    }
    body.append(...(column < 0 ? all : [...all].sort(compared)));
  }
  function show() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let left = 0;
    for (const row of all) {
      const name = row.cells[0].firstChild.textContent.toLowerCase() + " " + [...row.cells[0].querySelectorAll("small")].map((part) => part.textContent.toLowerCase()).join(" ");
      const trapped = [...row.querySelectorAll("td:not([hidden]) .v .flag")].length > 0;
      row.hidden = !words.every((word) => name.includes(word)) || (over.checked && !trapped);
      left += !row.hidden;
    }
    said.textContent = left === all.length ? "" : `${left} of ${all.length} rows`;
  }
  function choose() {
    for (const cell of table.querySelectorAll("[data-loop]")) cell.hidden = Boolean(loop.value) && cell.dataset.loop !== loop.value;
    show();
  }
  for (const head of heads) {
    head.querySelector("button").addEventListener("click", () => {
      const at = Number(head.dataset.column);
      if (column !== at) { column = at; upward = true; }
      else if (upward) upward = false;
      else { column = -1; upward = true; }  // as it came
      sort();
    });
  }
  for (const choice of document.querySelectorAll("input[name=figure]")) choice.addEventListener("change", sort);
  filter.addEventListener("input", show);
  over.addEventListener("change", show);
  loop?.addEventListener("change", choose);
})();
