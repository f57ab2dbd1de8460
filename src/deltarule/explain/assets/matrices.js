// Matrices on the page: tables of buttons, colored around zero, large ones through a window.
"use strict";
const Matrices = (() => {
  const { at } = Engine;
  const MOST = 8;  // rows or columns that are shown at once
  const origins = {};  // where the window into a large matrix stands, by its key

  // Four digits; whole numbers as they are.
  function shown(x) {
    if (!Number.isFinite(x)) return Number.isNaN(x) ? "NaN" : x > 0 ? "∞" : "−∞";
    if (x === 0) return "0";
    const size = Math.abs(x);
    const text = Number.isInteger(x) && size < 1e5 ? String(x)
      : size >= 1e5 || size < 1e-4 ? x.toExponential(2) : String(Number(x.toPrecision(size < 1 ? 3 : 4)));
    return text.replace(/-/g, "−");
  }
  // A color around zero: blue below, orange above, as strong as the entry is large.
  function tint(x, most) {
    if (!Number.isFinite(x) || !most) return "";
    const share = Math.round(62 * Math.min(1, Math.abs(x) / most) ** 0.7);
    return `background:color-mix(in srgb, var(${x < 0 ? "--below" : "--above"}) ${share}%, transparent)`;
  }
  const largest = (M) => M.v.reduce((most, x) => (Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most), 0);

  // Which indices of a side are shown: all, or a window, with null where some are left out.
  function indices(size, origin) {
    if (size <= MOST) return Array.from({ length: size }, (_, k) => k);
    const first = Math.max(0, Math.min(origin, size - MOST + 1));
    const inside = Array.from({ length: MOST - 1 }, (_, k) => first + k);
    return [...(first > 0 ? [null] : []), ...inside, ...(first + MOST - 1 < size ? [null] : [])];
  }
  // What a row ("n") or a column ("m") of a matrix stands for: {short, long}; null for nothing.
  function naming(key, side, k) {
    const { name, l } = Formulas.split(key), L = Page.plan.layers.length;
    if (key === "C" || k === null) return null;
    if (side === "m" && !/^d?[Wb](_new|\..+)?$/.test(name)) return { short: `#${k + 1}`, long: `example ${k + 1}` };
    if (side === "m" && /^d?b/.test(name)) return null;
    if (l === null && key !== "Y") return null;
    const layer = key === "Y" ? L : side === "m" ? Notation.before(l) : l;
    const own = Page.data.units[layer] ? Page.data.units[layer][k] : layer === 0 ? Page.data.inputs[k] : layer === L ? Page.data.outputs[k] : undefined;
    return own === undefined ? { short: `u${k + 1}`, long: `unit ${k + 1} of layer ${layer}` } : { short: own, long: own };
  }
  // An entry's place in words, by the names of its row and column.
  const placeOf = (key, i, j) =>
    [naming(key, "n", i), naming(key, "m", j)].filter(Boolean).map(({ long }) => long).join(", ");

  // options: turned (the equation transposes it), hidden (predict first), old (to compare with)
  function draw(key, options = {}) {
    const M = Page.now.V[key], flip = Boolean(options.turned) !== Page.rows;
    const origin = origins[key] || [0, 0], most = largest(M), [down, across] = flip ? ["m", "n"] : ["n", "m"];
    const rows = indices(flip ? M.m : M.n, origin[flip ? 1 : 0]);
    const columns = indices(flip ? M.n : M.m, origin[flip ? 0 : 1]);
    const head = (scope, side) => (k) => {
      const name = naming(key, side, k);
      return h("th", { scope, title: name && name.long }, name ? name.short : "");
    };
    const isNamed = (side) => naming(key, side, 0) !== null;
    const body = rows.map((r) => h("tr", {}, isNamed(down) ? head("row", down)(r) : null, columns.map((c) => {
      if (r === null || c === null) return h("td", { class: "gap" }, r === null && c === null ? "⋱" : r === null ? "⋮" : "⋯");
      const [i, j] = flip ? [c, r] : [r, c];
      return h("td", {}, entry(key, M, i, j, most, options));
    })));
    const names = isNamed(across) ? h("thead", {}, h("tr", {}, isNamed(down) ? h("td", {}) : null, columns.map(head("col", across)))) : null;
    const size = `${flip ? M.m : M.n}×${flip ? M.n : M.m}`;
    const caption = h("figcaption", {},
      h("span", { class: "symbol" }, Formulas.math(Formulas.symbol(key, options.turned))),
      h("span", { class: "shape" }, size));
    return h("figure", { class: `matrix eq-${Formulas.equationOf(key)}`, "data-key": key },
      h("div", { class: "brackets" }, h("table", { "aria-label": `${Formulas.text(key)}, ${size}` }, names, h("tbody", {}, body))),
      caption);
  }
  function entry(key, M, i, j, most, { hidden, old }) {
    const x = at(M, i, j), before = old ? at(old, i, j) : x;
    const changed = before !== x && !(Number.isNaN(before) && Number.isNaN(x));
    const classes = [Page.isEditable(key) ? "given" : "", changed ? "changed" : ""];
    return h("button", {
      type: "button", tabindex: -1, class: classes.filter(Boolean).join(" ") || null, style: hidden ? "" : tint(x, most),
      "data-key": key, "data-i": i, "data-j": j, title: changed ? `was ${shown(before)}` : null,
      "aria-label": `${Formulas.text(key)} row ${i + 1} column ${j + 1} (${placeOf(key, i, j) || "one number"}): ${hidden ? "hidden" : shown(x)}`,
    }, hidden ? "?" : shown(x));
  }
  // An entry and what it is made of, marked where they are drawn within an element: in matrices, and
  // where else a selector finds them.
  function mark(root, entry, elsewhere = () => []) {
    for (const each of root.querySelectorAll(".chosen, .operand")) each.classList.remove("chosen", "operand");
    if (!entry) return;
    const flag = (name, key, i, j) => {
      const places = [`.matrix [data-key="${key}"][data-i="${i}"][data-j="${j}"]`, ...elsewhere(key, i, j)];
      for (const found of root.querySelectorAll(places.join())) found.classList.add(name);
    };
    flag("chosen", entry.key, entry.i, entry.j);
    const found = Arithmetic.of(entry.key, entry.i, entry.j);
    for (const [key, places] of Object.entries(found ? found.operands : {})) for (const [i, j] of places.slice(0, 200)) flag("operand", key, i, j);
  }
  const isLarge = (key) => Math.max(Page.now.V[key].n, Page.now.V[key].m) > MOST;
  function goTo(key, i, j) { origins[key] = [Math.max(0, i - 3), Math.max(0, j - 3)]; }

  return { draw, mark, placeOf, shown, tint, largest, isLarge, goTo };
})();
