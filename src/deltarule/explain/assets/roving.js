// One tab stop for each drawing and each matrix: arrow keys move inside it.
"use strict";
const Roving = (() => {
  const GROUPS = ".matrix table, svg.network, .roving", ITEMS = "button, [role=button]";
  const AHEAD = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

  // Make the first item of each group the one that the tab key reaches.
  function renew(root) {
    for (const group of root.querySelectorAll(GROUPS)) {
      const items = [...group.querySelectorAll(ITEMS)];
      for (const item of items) item.setAttribute("tabindex", -1);
      const reached = items.find((item) => item.getAttribute("aria-current")) || items[0];
      if (reached) reached.setAttribute("tabindex", 0);
    }
  }
  function reach(item) {
    for (const other of item.closest(GROUPS).querySelectorAll(ITEMS)) other.setAttribute("tabindex", other === item ? 0 : -1);
  }
  const centre = (item) => {
    const { left, right, top, bottom } = item.getBoundingClientRect();
    return [(left + right) / 2, (top + bottom) / 2];
  };
  // The item that lies nearest in a direction, straight ahead before aside.
  function nearest(group, from, [dx, dy]) {
    const [x, y] = centre(from);
    let best = null, least = Infinity;
    for (const item of group.querySelectorAll(ITEMS)) {
      const [u, v] = centre(item).map((at, k) => at - [x, y][k]), ahead = u * dx + v * dy, aside = Math.abs(u * dy) + Math.abs(v * dx);
      if (item !== from && ahead > 1 && ahead + 3 * aside < least) { best = item; least = ahead + 3 * aside; }
    }
    return best;
  }
  function keys(event) {
    const item = event.target.closest && event.target.closest(ITEMS), group = item && item.closest(GROUPS);
    if (!group || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key in AHEAD) {
      event.preventDefault();
      const next = nearest(group, item, AHEAD[event.key]);
      if (next) next.focus();
    } else if ((event.key === "Enter" || event.key === " ") && item.tagName !== "BUTTON") {
      event.preventDefault();
      item.dispatchEvent(new MouseEvent("click", { bubbles: true }));
    }
  }
  function boot() {
    document.addEventListener("keydown", keys);
    document.addEventListener("focusin", ({ target }) => { if (target.matches(ITEMS) && target.closest(GROUPS)) reach(target); });
  }
  return { boot, renew };
})();
