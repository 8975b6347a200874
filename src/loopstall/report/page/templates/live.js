"use strict";
// Asks for the figures once a second and shows them. All text goes in as text, never as markup.
const PAUSE_MS = 1000, SLOW_MS = 5000, TICKS = [1e6, 1e7, 1e8, 1e9, 1e10], HEIGHT = 100;
let shown = "";  // the title of the last answer
const by = (id) => document.getElementById(id);

function made(name, attributes = {}, ...inside) {
  const svg = ["svg", "rect", "line", "title"].includes(name);
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...inside);
  return element;
}

function time(ns) {
  if (ns === 0) return "0 s";
  const [unit, factor] = ns < 1e3 ? ["ns", 1] : ns < 1e6 ? ["µs", 1e3] : ns < 1e9 ? ["ms", 1e6] : ["s", 1e9];
  const value = ns / factor;
  return `${value >= 100 ? value.toFixed(0) : value.toPrecision(3)} ${unit}`;
}

const bound = (ns) => time(ns).replace(/\.0+(?= )/, "");
const lag = (ns, loop) => (ns === null ? "–" : ns ? time(ns) : `under ${bound(loop.floor_ns)}`);
const span = (ns) => new Date(Math.max(0, ns / 1e6)).toISOString().slice(11, 19);
const height = (ns) => (ns <= 0 ? 0 : Math.min(HEIGHT, Math.max(2, (Math.log10(ns / 1e6) / 4) * HEIGHT)));

function cause(name) {
  const known = ["blocking-call", "cpu-python", "cpu-native", "cpu", "gil-wait", "gc", "descheduled"];
  const element = made("span", { class: "cause" }, made("i"), name);
  element.style.color = `var(--${known.includes(name) ? name : "unknown"})`;
  return element;
}

function code(place, source) {
  const parts = [made("code", {}, place)];
  if (source) parts.push(made("pre", { class: "source" }, source));
  return parts;
}

function chart(loop, threshold) {
  const seconds = loop.lags_ns.length;
  const svg = made("svg", { viewBox: `0 0 ${seconds * 10} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
  const worst = loop.worst_ns === null ? "not watched" : lag(loop.worst_ns, loop);
  svg.setAttribute("aria-label", `Lag of the last ${seconds} seconds of ${loop.process}: at worst ${worst}`);
  const rule = (ns, name) => {
    const y = HEIGHT - height(ns);
    svg.append(made("line", { x1: 0, x2: seconds * 10, y1: y, y2: y, class: name }));
  };
  TICKS.forEach((ns) => rule(ns, ""));
  loop.lags_ns.forEach((ns, index) => {
    if (!ns) return;
    const high = height(ns), ago = seconds - 1 - index;
    const bar = made("rect", { x: index * 10 + 1, width: 8, y: HEIGHT - high, height: high, class: ns >= threshold ? "over" : "under" });
    bar.append(made("title", {}, `${time(ns)}, ${ago ? `${ago} s ago` : "now"}`));
    svg.append(bar);
  });
  rule(threshold, "limit");
  const axis = made("div", { class: "axis-y", "aria-hidden": "true" });
  for (const ns of TICKS) {
    const label = made("span", {}, bound(ns));
    label.style.bottom = `${ns === 1e6 ? 0 : height(ns)}%`;
    axis.append(label);
  }
  const below = made("div", { class: "axis-x", "aria-hidden": "true" }, made("span", {}, `${seconds} s ago`), made("span", {}, "now"));
  return made("div", {}, made("div", { class: "plot" }, axis, svg), below);
}

function figure(name, value, late) {
  return made("div", {}, made("dt", {}, name), made("dd", late ? { class: "late" } : {}, value));
}

function card(loop, threshold) {
  const thread = loop.thread && loop.thread !== "MainThread" ? `, ${loop.thread}` : "";
  const figures = made(
    "dl", {},
    figure("now", loop.runs === false ? "no loop runs" : lag(loop.now_ns, loop), loop.now_ns >= threshold),
    figure("worst, last 60 s", lag(loop.worst_ns, loop), loop.worst_ns >= threshold),
  );
  return made("div", { class: "loop" }, made("div", {}, made("h3", {}, `${loop.process}${thread}`), figures), chart(loop, threshold));
}

function blocked(loop) {
  const now = loop.blocked, during = now.during ? `, ${now.during}` : "";
  const head = made("div", {}, made("b", {}, time(now.length_ns)), cause(now.cause), ` in ${loop.process}${during}`);
  return made("div", { class: "now" }, head, ...code(now.place, now.source));
}

function culprit(item) {
  const line = made("td", { class: "wide" }, ...code(item.place, item.source));
  if (item.during) line.append(made("small", {}, `during ${item.during}`));
  if (item.advice) line.append(made("small", {}, item.advice));
  const number = (name, text) => made("td", { class: "num", "data-name": name }, text);
  return made(
    "tr", {},
    number("longest", time(item.longest_ns)), number("in all", time(item.total_ns)), number("stalls", String(item.count)),
    made("td", {}, cause(item.cause)), line,
  );
}

function stall(item) {
  const began = new Date(item.at * 1000).toLocaleTimeString([], { hour12: false });
  return made(
    "tr", {},
    made("td", { class: "num" }, began), made("td", { class: "num" }, time(item.length_ns)), made("td", {}, cause(item.cause)),
    made("td", { class: "wide" }, made("code", {}, item.place)),
    made("td", {}, item.during), made("td", { class: "places" }, item.process),
  );
}

function empty(columns, text) {
  return made("tr", {}, made("td", { colspan: columns, class: "na" }, text));
}

function show(view) {
  const stuck = view.loops.filter((loop) => loop.blocked);
  const threshold = bound(view.threshold_ns);
  shown = view.title;
  by("title").textContent = shown;
  document.title = `${stuck.length ? "blocked · " : ""}${view.title}`;
  const number = `${view.count} stall${view.count === 1 ? "" : "s"}`;
  by("verdict").textContent = stuck.length
    ? `Blocked for ${time(Math.max(...stuck.map((loop) => loop.blocked.length_ns)))} by now.`
    : view.count ? `Nothing is blocked now. ${number} so far, ${time(view.total_ns)} in all.` : `No stall over ${threshold} so far.`;
  by("meta").textContent = `Watched for ${span(view.watched_ns)}; ${number} over ${threshold}${view.longest_ns ? `, ${time(view.longest_ns)} at worst` : ""}.`;
  by("blocked").replaceChildren(...(stuck.length ? stuck.map(blocked) : [made("p", { class: "quiet" }, view.loops.length ? "Nothing." : "No event loop has been seen so far.")]));
  const floor = Math.max(...view.loops.map((loop) => loop.floor_ns), 0);
  by("lagnote").textContent = view.loops.length
    ? `The longest that a due callback waited, at most, by second; the dashed line is the threshold of a stall. Less than ${bound(floor)} is not drawn.`
    : "";
  by("loops").replaceChildren(...view.loops.map((loop) => card(loop, view.threshold_ns)));
  by("culprits").replaceChildren(...(view.culprits.length ? view.culprits.map(culprit) : [empty(5, "no stall so far")]));
  by("latest").replaceChildren(...(view.latest.length ? view.latest.map(stall) : [empty(6, "no stall so far")]));
}

async function ask() {
  let pause = PAUSE_MS;
  if (document.visibilityState === "visible") {
    try {
      const answer = await fetch("live.json", { cache: "no-store" });
      if (!answer.ok) throw new Error(`the command answered with ${answer.status}`);
      show(await answer.json());
      by("gone").hidden = true;
    } catch (error) {
      by("verdict").textContent = "The watch has ended, or cannot be reached.";
      by("gone").textContent = `The figures are those of the last answer (${error.message}).`;
      if (shown) document.title = `no answer · ${shown}`;
      by("gone").hidden = false;
      pause = SLOW_MS;
    }
  }
  setTimeout(ask, pause);
}

ask();
