"use strict";
/* Copies commands and code, and opens what a link leads to. */
(() => {
  async function copy(text) {
    if (navigator.clipboard && isSecureContext) {
      try { await navigator.clipboard.writeText(text); return true; } catch { /* not allowed here: the old way may be */ }
    }
    const area = document.createElement("textarea");
    area.value = text;
    area.style.cssText = "position:fixed;opacity:0";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("button[data-copy]");
    if (!button) return;
    const before = button.dataset.text ??= button.textContent;
    button.textContent = await copy(button.dataset.copy) ? "Copied" : "Not copied: select it";
    setTimeout(() => { button.textContent = before; }, 1500);
  });

  /** Unfolds what the address points at, also where it stands in something folded. */
  function unfold() {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let around = target.parentElement; around; around = around.parentElement) {
      if (around.tagName === "DETAILS") around.open = true;
    }
    const inside = target.tagName === "TR" && target.querySelector("details");
    if (inside) inside.open = true;
    target.scrollIntoView();
  }
  addEventListener("hashchange", unfold);
  unfold();
})();
