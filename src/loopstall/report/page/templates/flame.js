"use strict";
/* The flame graph: blocks from the task inwards, laid out anew for each zoom, fold and direction. */
(() => {
  const byId = (id) => document.getElementById(id);
  const source = byId("flame-data"), box = byId("flame");
  if (!source || !box) return;
  const { frames, tasks, stacks } = JSON.parse(source.textContent);
  const FUNCTION = 0, PLACE = 1, LIBRARY = 2, SOURCE = 3;
  const LEAST = 0.002;  // of the width: a narrower block cannot be seen
  const ROW = 1.5;  // rem
  const time = (us) => us >= 1e6 ? `${(us / 1e6).toPrecision(3)} s` : us >= 1000 ? `${(us / 1000).toPrecision(3)} ms` : `${us} µs`;
  const share = (part) => `${(100 * part).toFixed(1)}%`;
  const counted = (number, what) => `${number} ${what}${number === 1 ? "" : "s"}`;
  let root, zoomed;

  function blocksOf([task, , culprit, numbers], folded) {
    const made = [{ key: `t${task}`, text: tasks[task], told: tasks[task], kind: "task" }];
    if (!numbers.length) made.push({ key: "rest", text: "rarer stacks", told: "stacks that took too little time to be drawn each", kind: "library" });
    for (let at = 0; at < numbers.length;) {
      const frame = frames[numbers[at]];
      let end = at + 1;
      if (folded && frame[LIBRARY]) while (end < numbers.length && frames[numbers[end]][LIBRARY]) end++;
      const kind = numbers[at] === culprit ? "culprit" : frame[LIBRARY] ? "library" : "own";
      if (end - at > 1) {
        const run = numbers.slice(at, end).map((number) => frames[number]);
        const names = [...new Set(run.map((one) => one[LIBRARY]))].join(", ");
        made.push({ key: `f${names}`, text: names, told: `${names}, folded; ends in ${run.at(-1)[PLACE]}`, kind, names: run.map((one) => one[PLACE]).join(" ") });
      } else {
        made.push({ key: `${kind}${numbers[at]}`, text: frame[FUNCTION], told: frame[PLACE], kind, source: frame[SOURCE] });
      }
      at = end;
    }
    return made;
  }

  function build() {
    const folded = !byId("flame-all").checked, inverted = byId("flame-inverted").checked;
    root = zoomed = { us: 0, children: new Map(), text: "all stalls", told: "all stalls with a stack", kind: "all", parent: null };
    for (const stack of stacks) {
      const us = stack[1], blocks = blocksOf(stack, folded);
      root.us += us;
      let node = root;
      for (const block of inverted ? blocks.reverse() : blocks) {
        let child = node.children.get(block.key);
        if (!child) { child = { ...block, us: 0, children: new Map(), parent: node }; node.children.set(block.key, child); }
        child.us += us;
        node = child;
      }
    }
  }

  function tell(node) {
    const lines = [`${node.told}: ${time(node.us)}, ${share(node.us / root.us)} of the stalled time`];
    if (node.kind === "culprit") lines[0] += ", the line to blame";
    if (node.source) lines.push(`    ${node.source}`);
    byId("block").textContent = lines.join("\n");
  }

  function block(node, left, width, depth, hit) {
    const made = document.createElement("button");
    made.type = "button";
    made.className = node.kind + (hit ? " hit" : "");
    made.style.cssText = `left:${100 * left}%;width:${100 * width}%;top:${depth * ROW}rem`;
    made.textContent = node.text;
    made.title = `${node.told}, ${time(node.us)}, ${share(node.us / root.us)}`;
    made.addEventListener("click", () => { zoomed = node; show(); tell(node); box.querySelector("[aria-current]")?.focus(); });
    if (node === zoomed && node !== root) made.setAttribute("aria-current", "true");
    return made;
  }

  function show() {
    const wanted = byId("flame-search").value.trim().toLowerCase();
    const fits = (node) => wanted !== "" && `${node.text} ${node.told} ${node.names ?? ""}`.toLowerCase().includes(wanted);
    const made = [], above = [];
    for (let node = zoomed.parent; node; node = node.parent) above.unshift(node);
    above.forEach((node, depth) => made.push(block(node, 0, 1, depth, fits(node))));
    let deepest = above.length;
    (function lay(node, left, depth) {
      const width = node.us / zoomed.us;
      deepest = Math.max(deepest, depth);
      made.push(block(node, left, width, depth, fits(node)));
      for (const child of [...node.children.values()].sort((a, b) => b.us - a.us)) {
        if (child.us / zoomed.us < LEAST) break;
        lay(child, left, depth + 1);
        left += child.us / zoomed.us;
      }
    })(zoomed, 0, above.length);
    box.replaceChildren(...made);
    box.style.height = `${(deepest + 1) * ROW}rem`;
    byId("flame-reset").disabled = zoomed === root;
    let found = 0;
    (function sum(node) {
      if (fits(node)) found += node.us; else node.children.forEach(sum);
    })(root);
    byId("flame-found").textContent = wanted ? `found in ${share(found / root.us)} of the stalled time` : "";
  }

  const anew = () => { build(); show(); byId("block").textContent = ""; };
  byId("flame-all").addEventListener("change", anew);
  byId("flame-inverted").addEventListener("change", anew);
  byId("flame-search").addEventListener("input", show);
  byId("flame-reset").addEventListener("click", () => { zoomed = root; show(); });
  box.addEventListener("keydown", (event) => { if (event.key === "Escape" && zoomed !== root) { zoomed = zoomed.parent; show(); box.querySelector("[aria-current], button")?.focus(); } });
  const folded = frames.some((frame) => frame[LIBRARY]);
  byId("flame-all").closest("label").hidden = !folded;
  byId("flame-size").textContent = `${counted(stacks.length, "different stack")}, ${counted(tasks.length, "task or callback")}.`.replace("task or callbacks", "tasks and callbacks");
  anew();
})();
