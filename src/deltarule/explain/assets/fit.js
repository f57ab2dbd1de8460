// What the network has learned, for one or two inputs: its curve, or its map, with the examples.
"use strict";
const Fit = (() => {
  const { at } = Engine, { shown } = Matrices, { label } = Drawing;
  const GRID = 48, WIDTH = 300, HEIGHT = 230, LEFT = 44, TOP = 10, BOTTOM = 30;
  const colors = ["1a", "11d", "11b", "11c", "11a", "3", "1b", "9"].map((eq) => `var(--eq-${eq})`);

  // The range of a row of examples, a little wider.
  function range(values) {
    const low = Math.min(...values), high = Math.max(...values), more = 0.15 * (high - low) || 1;
    return [low - more, high + more];
  }
  const row = (M, i) => Array.from({ length: M.m }, (_, j) => at(M, i, j));
  const along = ([low, high], count) => Array.from({ length: count }, (_, k) => low + ((high - low) * k) / (count - 1));
  const outputs = (X) => Engine.forward(Page.plan, Page.now.parameters, X).A.at(-1);
  const scale = ([low, high], from, to) => (x) => from + ((to - from) * (x - low)) / (high - low);

  function frame(what, x, y, parts, caption) {
    const texts = [label(LEFT, HEIGHT - 14, shown(Number(x[0].toPrecision(2))), { class: "axis" }), label(WIDTH - 12, HEIGHT - 14, shown(Number(x[1].toPrecision(2))), { class: "axis" }),
      label(LEFT - 5, HEIGHT - BOTTOM, shown(Number(y[0].toPrecision(2))), { class: "axis", "text-anchor": "end" }), label(LEFT - 5, TOP + 10, shown(Number(y[1].toPrecision(2))), { class: "axis", "text-anchor": "end" }),
      label((LEFT + WIDTH) / 2, HEIGHT - 12, Page.data.inputs[0], { class: "name" })];
    return h("figure", { class: "drawing" }, svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT, role: "img", "aria-label": what }, parts, texts), h("figcaption", {}, caption));
  }
  // One input: every output as a line, the targets as points.
  function curve() {
    const { X, Y } = Page.now, x = range(X.v), xs = along(x, 120), A = outputs(Engine.matrix(1, xs.length, Float64Array.from(xs)));
    const finite = [...A.v, ...Y.v].filter(Number.isFinite);
    if (!finite.length) return [];
    const y = range(finite), px = scale(x, LEFT, WIDTH - 8), py = scale(y, HEIGHT - BOTTOM, TOP);
    const parts = Page.data.outputs.map((_, i) => {
      const d = row(A, i).map((a, k) => (Number.isFinite(a) ? `${k ? "L" : "M"}${px(xs[k]).toFixed(1)} ${py(a).toFixed(1)}` : "")).join("").replace(/^L/, "M");
      return [svg("path", { d, fill: "none", stroke: colors[i % 8], "stroke-width": 2 }),
        row(Y, i).map((target, j) => svg("circle", { cx: px(X.v[j]), cy: py(target), r: 4, fill: colors[i % 8], stroke: "var(--paper)" }))];
    });
    return [frame("The network's outputs over its input, with the targets", x, y, parts, `The outputs over ${Page.data.inputs[0]}; points are the targets.`)];
  }
  // Two inputs: a map of the first output, or of the strongest of several, with the examples.
  function map() {
    const { X, Y } = Page.now, x = range(row(X, 0)), y = range(row(X, 1)), xs = along(x, GRID), ys = along(y, GRID);
    const places = ys.flatMap((v) => xs.map((u) => [u, v]));
    const A = outputs(Engine.matrix(2, places.length, Float64Array.from([...places.map(([u]) => u), ...places.map(([, v]) => v)])));
    const px = scale(x, LEFT, WIDTH - 8), py = scale(y, HEIGHT - BOTTOM, TOP), wide = (WIDTH - 8 - LEFT) / GRID, high = (HEIGHT - BOTTOM - TOP) / GRID;
    const low = Math.min(...Y.v), top = Math.max(...Y.v, low + 1e-9), middle = (low + top) / 2;
    const strongest = (M, j) => Array.from({ length: M.n }, (_, i) => i).reduce((best, i) => (at(M, i, j) > at(M, best, j) ? i : best), 0);
    const fill = (M, j) => (M.n > 1 ? [colors[strongest(M, j) % 8], 0.45]
      : [`var(--${at(M, 0, j) < middle ? "below" : "above"})`, Math.min(1, Math.abs(at(M, 0, j) - middle) / (top - middle)) || 0]);
    const cells = places.map(([u, v], k) => {
      const [color, strength] = fill(A, k), level = Math.round(8 * strength) / 8;
      return level ? svg("rect", { x: px(u) - wide / 2, y: py(v) - high / 2, width: wide + 0.3, height: high + 0.3, fill: color, "fill-opacity": 0.7 * level }) : null;
    });
    const points = row(X, 0).map((u, j) => svg("circle", { cx: px(u), cy: py(at(X, 1, j)), r: 4.5, fill: fill(Y, j)[0], stroke: "var(--ink)", "stroke-width": 1.2 }));
    const what = Y.n > 1 ? "the strongest output" : `${Page.data.outputs[0]} below and above ${shown(middle)}`;
    return [frame("A map of the output over both inputs, with the examples", x, y, [cells, points], `Across ${Page.data.inputs[0]}, up ${Page.data.inputs[1]}: ${what}. Points are the examples, in the color of their target.`)];
  }
  const DRAWN = { 1: curve, 2: map };
  const draw = () => {
    const drawn = DRAWN[Page.data.sizes[0]];
    return drawn && !Page.data.untraced.length ? drawn() : [];
  };
  return { draw };
})();
