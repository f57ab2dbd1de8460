// What is drawn: the network with its numbers, colored around zero, and curves.
"use strict";
const Drawing = (() => {
  const { at } = Engine, { shown, largest } = Matrices;
  const UNITS = 8;  // of a layer, before the middle is left out

  const color = (x, most) => (x === 0 || !most ? "var(--line)" : `var(${x < 0 ? "--below" : "--above"})`);
  const opacity = (x, most) => (most && Number.isFinite(x) ? 0.2 + 0.8 * Math.min(1, Math.abs(x) / most) : 0.2);
  const label = (x, y, text, attributes) => svg("text", { x, y, "text-anchor": "middle", ...attributes }, text);
  const cut = (text, most) => (text.length > most ? `${text.slice(0, Math.max(1, most - 1))}…` : text);

  // A number short enough for a circle.
  function brief(x) {
    if (!Number.isFinite(x) || x === 0 || (Number.isInteger(x) && Math.abs(x) < 1000)) return shown(x);
    const size = Math.abs(x);
    const text = size >= 1e4 || size < 0.01 ? x.toExponential(0) : String(Number(x.toPrecision(size >= 100 ? 3 : 2)));
    return text.replace(/-/g, "−").replace("+", "");
  }
  // A number short enough for an axis.
  const tick = (x) => (shown(x).length > 8 ? x.toExponential(1).replace(/-/g, "−") : shown(x));
  // The units of a layer that are drawn: indices, null for those left out.
  const drawn = (n) => (n <= UNITS ? Array.from({ length: n }, (_, k) => k)
    : [0, 1, 2, 3, null, n - 3, n - 2, n - 1]);
  const kindOf = (l) => Page.plan.layers[l - 1].kind;

  // ---------------------------------------------------------------- parts, and what they show
  // A part of the drawing carries the entry that it shows, as an entry of a matrix does.
  function part(name, key, i, j, attributes, ...children) {
    const x = at(Page.now.V[key], i, j);
    return svg("g", {
      "data-part": name, "data-key": key, "data-i": i, "data-j": j, role: "button", tabindex: -1,
      "aria-label": `${Formulas.text(key)} ${Matrices.placeOf(key, i, j)}: ${shown(x)}`, ...attributes,
    }, ...children);
  }
  // Which part an entry of a matrix belongs to.
  function partOf(key, i, j) {
    const { name, l } = Formulas.split(key), own = name.replace(/^d(?=[Wb]$)|_new$|\..*$/g, "");
    if (own === "W") return `wire-${l}-${i}-${j}`;
    if (own === "b") return `bias-${l}-${i}`;
    if (own === "Y") return `target-${i}`;
    if (own === "delta" || own === "dA") return `blame-${l}-${i}`;
    return l === null ? own : `unit-${l}-${i}`;
  }
  const first = (keys, known) => keys.find((key) => Page.now.V[key] && known(key));

  // What the parts of layer l show at this point of the walk.
  function contents(step, l, known) {
    const { phase } = step;
    const parameters = (name) => (phase === "update" && first([`${name}_new[${l}]`], known)) || (phase === "backward" && first([`d${name}[${l}]`], known)) || `${name}[${l}]`;
    return {
      signal: first([`A[${l}]`, `Z[${l}]`], known),
      blame: step.phase === "backward" || step.phase === "update" ? first(l ? [`delta[${l}]`, `dA[${l}]`] : ["dA[0]"], known) : undefined,
      wires: parameters("W"), biases: parameters("b"),
    };
  }
  // What a sub-step lights: wires and which way they run, units, biases.
  function lit(step, l) {
    const { out } = step, is = (...keys) => keys.includes(out);
    return {
      wires: is(`Z[${l}]`, `dW[${l}]`, `W_new[${l}]`, `dA[${l - 1}]`),
      back: is(`dA[${l - 1}]`, `dW[${l}]`),
      units: is(`Z[${l}]`, `A[${l}]`, `Am[${l}]`, `delta[${l}]`, `dA[${l}]`) || (l === step.layer && is("loss")),
      biases: is(`db[${l}]`, `b_new[${l}]`, `Z[${l}]`),
    };
  }

  // ---------------------------------------------------------------------------- the network
  // known: whether the walk has come to a quantity; width and height: the room there is.
  function network(step, example, { known = () => true, width = 720, height = 420 } = {}) {
    const { sizes, inputs, outputs } = Page.data, L = sizes.length - 1, narrow = width < 520;
    const left = narrow ? 48 : 104, right = narrow ? 82 : 124, gap = Math.max(70, (width - left - right) / L);
    const most = Math.max(...sizes.map((n) => drawn(n).length)), high = Math.max(50, Math.min(74, (height - 44) / most));
    const tall = most * high, total = { width: Math.floor(left + gap * L + right), height: tall + 62 };
    const place = sizes.map((n, l) => drawn(n).map((unit, k, all) =>
      ({ unit, x: left + gap * l, y: 30 + (tall - all.length * high) / 2 + high * (k + 0.5) })));
    const radius = high < 65 ? 15 : 18, room = { example, step, known, radius, gap, tight: high < 55 };
    const layers = sizes.map((_, l) => l).slice(1);
    const shownTexts = { inputs: Math.floor((left - radius - 8) / 6.3), outputs: Math.floor((right - radius - 10) / 6.3) };
    const parts = [
      sizes.map((n, l) => label(left + gap * l, 14, l === 0 ? "input" : l === L ? "output" : `layer ${l}`, { class: step.layer === l ? "strong" : "quiet" })),
      layers.map((l) => (kindOf(l) === "dense" ? wires(l, place, room) : stage(l, place, room))),
      sizes.map((n, l) => place[l].map((spot) => (spot.unit === null ? label(spot.x, spot.y + 4, gap < 90 ? `+${n - 7}` : `⋮ ${n - 7} more`, { class: "quiet" })
        : unit(l, spot, room, l === 0 ? cut(inputs[spot.unit], shownTexts.inputs) : l === L ? cut(outputs[spot.unit], shownTexts.outputs) : "")))),
      outcome(L, place[L], room),
    ];
    return h("figure", { class: "drawing" },
      h("div", { class: "scroll" }, svg("svg", { class: "network", viewBox: `0 0 ${total.width} ${total.height}`, ...total, role: "group", "aria-label": `The network ${sizes.join("–")} on example ${example + 1}. Arrow keys move between its parts.` }, parts)),
      h("figcaption", {}, legend(step), sizes.some((n) => n > UNITS) ? " Large layers are drawn in part; all their numbers are in the download." : ""));
  }
  function legend({ phase }) {
    const lines = { backward: "lines W, then dW", update: "lines the new W" }[phase] || "lines W";
    const isForward = phase === "forward", blame = phase === "backward" || phase === "update" ? ", dA or δ above them" : "";
    return [isForward ? "Circles: Z, then A" : "Circles: A", blame, "; ", lines, "; boxes: biases. ", h("span", { class: "key-below" }, "■"), " below zero, ", h("span", { class: "key-above" }, "■"), " above."];
  }
  function wires(l, place, { step, known, radius }) {
    const { wires: key } = contents(step, l, known), on = lit(step, l), W = Page.now.V[key], most = largest(W);
    return place[l].flatMap((to) => place[l - 1].map((from) => {
      if (to.unit === null || from.unit === null) return null;
      const w = at(W, to.unit, from.unit), ends = { x1: from.x + radius, y1: from.y, x2: to.x - radius, y2: to.y };
      return part(`wire-${l}-${to.unit}-${from.unit}`, key, to.unit, from.unit, { class: `wire${on.wires ? ` lit${on.back ? " back" : ""}` : ""}` },
        svg("line", { ...ends, class: "reach" }),
        svg("line", { ...ends, class: "ink", stroke: color(w, most), "stroke-opacity": opacity(w, most), "stroke-width": 0.8 + (most ? 2.4 * Math.min(1, Math.abs(w) / most) : 0) }));
    }));
  }
  // A layer of another kind than dense: its name and how many units go in and come out.
  function stage(l, place, { gap }) {
    const [from, to] = [place[l - 1][0], place[l][0]], middle = from.x + gap / 2, half = Math.min(44, gap / 2 - 20);
    const kind = kindOf(l).replaceAll("_", " "), flow = `${Page.data.sizes[l - 1]} → ${Page.data.sizes[l]}`;
    const [low, high] = [Math.min(from.y, to.y), Math.max(place[l - 1].at(-1).y, place[l].at(-1).y)];
    return svg("g", { class: "stage" },
      svg("rect", { x: middle - half, y: low - 14, width: 2 * half, height: high - low + 28, rx: 8, class: "box" }),
      half < 40 ? label(middle, (low + high) / 2, `${kind}, ${flow}`, { class: "name", transform: `rotate(-90 ${middle - 4} ${(low + high) / 2})` })
        : [label(middle, (low + high) / 2 - 2, cut(kind, Math.floor(half / 3)), { class: "name" }), label(middle, (low + high) / 2 + 14, flow, { class: "name" })]);
  }
  function badge(x, y, value, most, attributes = {}) {
    const text = brief(value), wide = Math.max(24, 6 * text.length + 8);
    return [svg("rect", { x: x - wide / 2, y: y - 7, width: wide, height: 14, rx: 4, class: "badge", ...attributes }),
      svg("rect", { x: x - wide / 2, y: y - 7, width: wide, height: 14, rx: 4, class: "wash", fill: color(value, most), "fill-opacity": 0.45 * opacity(value, most) * (value !== 0) }),
      label(x, y + 3.6, text, { class: "bias" })];
  }
  function unit(l, { unit: i, x, y }, { example, step, known, radius, tight }, name) {
    const { V } = Page.now, { signal, blame, biases } = contents(step, l, known), on = lit(step, l), parts = [];
    const column = (key) => Math.min(example, V[key].m - 1);
    if (signal) {
      const value = at(V[signal], i, column(signal)), most = largest(V[signal]);
      parts.push(part(`unit-${l}-${i}`, signal, i, column(signal), { class: `unit${on.units ? " lit" : ""}` },
        svg("circle", { cx: x, cy: y, r: radius, class: "rim" }),
        svg("circle", { cx: x, cy: y, r: radius - 1, class: "wash", fill: color(value, most), "fill-opacity": 0.55 * opacity(value, most) * (value !== 0) }),
        label(x, y + 4, brief(value), { class: brief(value).length > (radius < 18 ? 4 : 5) ? "value long" : "value" })));
    } else parts.push(svg("circle", { cx: x, cy: y, r: radius, class: "rim empty" }));
    if (l > 0 && kindOf(l) === "dense" && V[biases])
      parts.push(part(`bias-${l}-${i}`, biases, i, 0, { class: `bias-box${on.biases ? " lit" : ""}` }, badge(x, y + radius + 4, at(V[biases], i, 0), largest(V[biases]))));
    if (blame) parts.push(part(`blame-${l}-${i}`, blame, i, column(blame), { class: `blame${on.units ? " lit" : ""}` },
      badge(x, y - radius - 3, at(V[blame], i, column(blame)), largest(V[blame]), { class: "badge blamed" })));
    if (name) parts.push(label(x + (l ? radius + 7 : -radius - 6), y + 4, name, { class: "name", "text-anchor": l ? "start" : "end" }));
    else parts.push(label(x + (blame ? 22 : tight ? 1 - radius : 0), y - radius + (blame ? 1 : tight ? 3 : -4), `u${i + 1}`, { class: "small quiet", "text-anchor": blame ? "start" : tight ? "end" : "middle" }));
    return parts;
  }
  // Beside the output: the target, and once they are known the loss and the cost.
  function outcome(L, spots, { example, known, radius }) {
    const { V } = Page.now, last = spots.at(-1), j = Math.min(example, V.Y.m - 1);
    const targets = spots.filter(({ unit: i }) => i !== null).map(({ unit: i, x, y }) =>
      part(`target-${i}`, "Y", i, j, { class: "outcome" }, label(x + radius + 7, y + 18, `target ${brief(at(V.Y, i, j))}`, { class: "name", "text-anchor": "start" })));
    const costs = [["loss", 0, j], ["C", 0, 0]].filter(([key]) => V[key] && known(key)).map(([key, i, column], k) =>
      part(key, key, i, column, { class: "outcome" }, label(last.x + radius + 7, last.y + 36 + 16 * k, `${key === "C" ? "cost" : "loss"} ${brief(at(V[key], i, column))}`, { class: `term eq-2`, "text-anchor": "start" })));
    return [targets, costs];
  }

  // ------------------------------------------------------------------------------- curves
  // list: [{name, color, values, dash}], over a number of steps; a logarithmic axis where all are
  // above zero and far apart, unless a linear one is asked for.
  function curves(list, caption, steps, { linear = false, width = 620, height = 220 } = {}) {
    const left = 62, bottom = 34, top = 12, right = 14;
    const every = list.flatMap((c) => c.values).filter(Number.isFinite);
    const log = !linear && every.length && Math.min(...every) > 0 && Math.max(...every) > 8 * Math.min(...every);
    const scale = log ? Math.log10 : (x) => x;
    let low = Math.min(...every.map(scale), ...(linear ? [0] : [])), high = Math.max(...every.map(scale));
    if (!(high > low)) { low -= 0.5 + Math.abs(low) / 2; high += 0.5 + Math.abs(high) / 2; }
    const count = Math.max(2, ...list.map((c) => c.values.length));
    const X = (k) => left + ((width - left - right) * k) / (count - 1);
    const Y = (v) => top + ((height - top - bottom) * (high - scale(v))) / (high - low);
    const parts = [0, 0.5, 1].map((share) => {
      const value = low + (high - low) * share, y = top + (height - top - bottom) * (1 - share);
      return [svg("line", { x1: left, x2: width - right, y1: y, y2: y, class: "grid" }), label(left - 6, y + 4, tick(log ? 10 ** value : value), { class: "axis", "text-anchor": "end" })];
    });
    for (const curve of list) {
      const d = curve.values.map((v, k) => (Number.isFinite(v) ? `${k ? "L" : "M"}${X(k).toFixed(1)} ${Y(v).toFixed(1)}` : "")).join("").replace(/^L/, "M");
      parts.push(svg("path", { d, fill: "none", stroke: curve.color, "stroke-width": 2, "stroke-dasharray": curve.dash || null }));
    }
    parts.push(label(left, height - 12, "0", { class: "axis" }), label(width - right, height - 12, `step ${steps}`, { class: "axis", "text-anchor": "end" }));
    return h("figure", { class: "drawing" },
      h("div", { class: "scroll" }, svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": caption }, parts)),
      h("figcaption", {}, list.map((c) => h("span", { class: "legend" }, svg("svg", { width: 26, height: 8, "aria-hidden": "true" }, svg("line", { x1: 0, x2: 26, y1: 4, y2: 4, stroke: c.color, "stroke-width": 2.5, "stroke-dasharray": c.dash || null })), ` ${c.name} `)), caption));
  }
  return { network, partOf, curves, label };
})();
