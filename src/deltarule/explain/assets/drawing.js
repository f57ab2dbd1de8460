// What is drawn: the network, coloured around zero, and the four figures of the notes, live.
"use strict";
const Drawing = (() => {
  const { at } = Engine, { shown, largest } = Matrices;
  const UNITS = 9;  // of a layer, before the middle is left out

  const stroke = (x, most) => (x === 0 || !most ? "var(--line)" : `var(${x < 0 ? "--below" : "--above"})`);
  const opacity = (x, most) => (most ? 0.15 + 0.85 * Math.min(1, Math.abs(x) / most) : 0.15);
  const label = (x, y, text, attributes) => svg("text", { x, y, "text-anchor": "middle", ...attributes }, text);

  // A number short enough for a circle.
  function brief(x) {
    if (!Number.isFinite(x) || x === 0 || (Number.isInteger(x) && Math.abs(x) < 1000)) return shown(x);
    const size = Math.abs(x);
    const text = size >= 1e4 || size < 0.01 ? x.toExponential(0) : String(Number(x.toPrecision(size >= 100 ? 3 : 2)));
    return text.replace(/-/g, "−").replace("+", "");
  }
  // The units of a layer that are drawn: indices, null for those left out.
  const drawn = (n) => (n <= UNITS ? Array.from({ length: n }, (_, k) => k)
    : [0, 1, 2, 3, null, n - 3, n - 2, n - 1]);

  // ---------------------------------------------------------------------------- the network
  // Forward: units show A, lines W. Backward: units show δ (the input dA), lines dW.
  function network(step, example) {
    const { V } = Page.now, sizes = Page.data.sizes, backward = step.phase === "backward";
    const gap = 150, high = 58, tall = Math.max(...sizes.map((n) => drawn(n).length)) * high;
    const left = 122, width = left + gap * (sizes.length - 1) + 122, height = tall + 58;
    const place = sizes.map((n, l) => {
      const rows = drawn(n), top = 34 + (tall - rows.length * high) / 2;
      return rows.map((unit, k) => ({ unit, x: left + gap * l, y: top + high * (k + 0.5) }));
    });
    const lines = [], units = [];
    for (let l = 1; l < sizes.length; l++) {
      if (Page.plan.layers[l - 1].kind !== "dense") continue;
      const W = V[`${backward ? "dW" : "W"}[${l}]`], most = largest(W), active = step.layer === l;
      for (const to of place[l]) for (const from of place[l - 1]) {
        if (to.unit === null || from.unit === null) continue;
        const w = at(W, to.unit, from.unit);
        lines.push(svg("line", {
          x1: from.x + 18, y1: from.y, x2: to.x - 18, y2: to.y, stroke: stroke(w, most),
          "stroke-opacity": opacity(w, most) * (active ? 1 : 0.55), "stroke-width": 0.8 + (most ? 2.4 * Math.abs(w) / most : 0),
        }, svg("title", {}, `${backward ? "dW" : "W"}[${l}] row ${to.unit + 1}, column ${from.unit + 1}: ${shown(w)}`)));
      }
    }
    sizes.forEach((n, l) => {
      const key = backward ? (l ? `delta[${l}]` : "dA[0]") : `A[${l}]`, M = V[key], most = largest(M);
      units.push(label(left + gap * l, 16, l === 0 ? "input" : l === sizes.length - 1 ? "output" : `layer ${l}`, { class: step.layer === l ? "strong" : "quiet" }));
      for (const { unit, x, y } of place[l]) {
        if (unit === null) { units.push(label(x, y + 4, `⋮ ${n - 7} more`, { class: "quiet" })); continue; }
        const value = at(M, unit, Math.min(example, M.m - 1));
        units.push(svg("circle", {
          cx: x, cy: y, r: 18, fill: "var(--paper)", stroke: step.layer === l ? `var(--eq-${step.colour})` : "var(--muted)",
          "stroke-width": step.layer === l ? 2.5 : 1,
        }), svg("circle", { cx: x, cy: y, r: 17, fill: stroke(value, most), "fill-opacity": 0.55 * opacity(value, most) * (value !== 0) }),
        label(x, y + 4, brief(value), { class: "value" }));
        if (l > 0 && Page.plan.layers[l - 1].kind === "dense") {
          const b = at(V[`${backward ? "db" : "b"}[${l}]`], unit, 0), size = largest(V[`${backward ? "db" : "b"}[${l}]`]);
          units.push(svg("rect", { x: x - 15, y: y + 21, width: 30, height: 13, rx: 3, fill: stroke(b, size), "fill-opacity": 0.4 * opacity(b, size) * (b !== 0), stroke: "var(--line)" },
            svg("title", {}, `${backward ? "db" : "b"}[${l}] row ${unit + 1}: ${shown(b)}`)), label(x, y + 31, brief(b), { class: "bias" }));
        }
        const names = l === 0 ? Page.data.inputs : l === sizes.length - 1 ? Page.data.outputs : null;
        if (names) {
          const side = l === 0 ? -24 : 24, name = names[unit];
          units.push(label(x + side, y + 4, name.length > 11 ? `${name.slice(0, 10)}…` : name, { class: "name", "text-anchor": l === 0 ? "end" : "start" }));
        }
      }
    });
    const what = backward ? "units show δ, lines dW, small boxes db" : "units show A, lines W, small boxes b";
    return h("figure", { class: "drawing" },
      h("div", { class: "scroll" }, svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": `The network ${sizes.join("–")}: ${what}` }, lines, units)),
      h("figcaption", {}, `Example ${example + 1}: ${what}. `, h("span", { class: "key-below" }, "■"), " below zero, ", h("span", { class: "key-above" }, "■"), " above. ",
        sizes.some((n) => n > UNITS) ? "Large layers are drawn in part; all their numbers are in the download." : ""));
  }

  // ------------------------------------------------------------------------ the four figures
  // What a box says of a matrix: its number, or the range of its numbers.
  function live(key) {
    const M = Page.now.V[key];
    if (!M) return "";
    if (M.v.length === 1) return shown(M.v[0]);
    let low = Infinity, high = -Infinity;
    for (const x of M.v) { low = Math.min(low, x); high = Math.max(high, x); }
    return low === high ? `all ${shown(low)}` : `${shown(low)} … ${shown(high)}`;
  }
  function box(x, y, width, lines, active) {
    const height = 16 + 34 * lines.length;
    return svg("g", {}, svg("rect", { x, y, width, height, rx: 8, class: active ? "box active" : "box" }),
      lines.map(([text, key], k) => [
        label(x + width / 2, y + 24 + 34 * k, text, { class: `term ${active === key ? "strong " : ""}eq-${Formulas.equationOf(key)}` }),
        label(x + width / 2, y + 39 + 34 * k, live(key), { class: "live" }),
      ]));
  }
  const arrow = (d, extra) => svg("path", { d, class: `arrow ${extra || ""}`, "marker-end": "url(#head)" });
  const frame = (width, height, alt, parts, caption) => h("figure", { class: "drawing" },
    h("div", { class: "scroll" }, svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": alt },
      svg("defs", {}, svg("marker", { id: "head", viewBox: "0 0 10 10", refX: 9, refY: 5, markerWidth: 7, markerHeight: 7, orient: "auto-start-reverse" },
        svg("path", { d: "M0 0L10 5L0 10z", fill: "currentColor" }))), parts)),
    h("figcaption", {}, caption));
  const active = (step, ...keys) => (keys.includes(step.out) ? step.out : null);
  // At most five layers in a figure: around the current one.
  function near(step) {
    const L = Page.plan.layers.length;
    if (L <= 5) return Array.from({ length: L }, (_, k) => k + 1);
    const first = Math.max(1, Math.min(step.layer - 2, L - 4));
    return Array.from({ length: 5 }, (_, k) => first + k);
  }

  // A product as text, the other way round where examples are rows.
  const product = (P, Q) => (Page.rows ? `${Q} ${P}` : `${P} ${Q}`);
  function figure1(step) {
    const layers = near(step), w = 132, gap = 34;
    const parts = [label(48, 62, `A[${layers[0] - 1}]`, { class: "term eq-" + Formulas.equationOf(`A[${layers[0] - 1}]`) }),
      label(48, 77, live(`A[${layers[0] - 1}]`), { class: "live" })];
    layers.forEach((l, k) => {
      const x = 122 + k * (w + gap);
      parts.push(arrow(`M${x - gap + 4} 58H${x - 4}`));
      parts.push(box(x, 16, w, [[`z = ${Kinds.text(l)}`, `Z[${l}]`], ["a = g(z)", `A[${l}]`]], active(step, `Z[${l}]`, `A[${l}]`, `Am[${l}]`)));
      parts.push(label(x + w / 2, 116, `layer ${l}`, { class: "quiet" }));
    });
    return frame(130 + layers.length * (w + gap), 126, "Feed-forward flow, a box a layer", parts, "Figure 1. Feed forward: a box a layer.");
  }
  function figure2(step) {
    const L = Page.plan.layers.length, keys = [`A[${L - 1}]`, `Z[${L}]`, `A[${L}]`, "loss", "C"];
    const texts = [`A[${L - 1}]`, `Z = ${product("W", "A")} + b`, `A = g(Z)`, "loss ℓ(A, Y)", "cost C"];
    const parts = keys.map((key, k) => [
      k ? arrow(`M${k * 148 - 18} 46H${k * 148 + 6}`) : null,
      box(10 + k * 148, 20, 118, [[texts[k], key]], step.out === key ? key : null)]);
    return frame(10 + 5 * 148, 92, "The output layer and the cost", parts, "Figure 2. The output layer: its activations and the targets make the cost.");
  }
  // The formula of δ that the step uses: fused, of softmax, or element-wise.
  function deltaOf(l) {
    const last = l === Page.plan.layers.length;
    const { cost } = Page.plan;
    if (last && cost.fused) return `δ[${l}] = ${cost.output_error ? `A[${l}] − Y` : `δ(Z[${l}], A[${l}], Y)`}`;
    const { mixes, name } = Page.plan.layers[l - 1].activation;
    return `δ[${l}] = ${name === "softmax" ? "A ⊙ (dA − Σ A ⊙ dA)" : mixes ? `δ(dA[${l}], A[${l}])` : `dA[${l}] ⊙ g′(Z[${l}])`}`;
  }
  const isDense = (l) => Page.plan.layers[l - 1].kind === "dense";
  function figure3(step) {
    const layers = near(step), high = 106, L = Page.plan.layers.length, share = Page.plan.weighted ? "1/Σs" : "1/m";
    const parts = [label(110, 14, "forward", { class: "strong" }), label(400, 14, "backward", { class: "strong" })];
    layers.forEach((l, k) => {
      const y = 24 + k * high;
      parts.push(box(20, y, 180, [[isDense(l) ? `Z[${l}] = ${product("W", `A[${l - 1}]`)} + b` : Kinds.text(l), `Z[${l}]`], [`A[${l}] = g(Z[${l}])`, `A[${l}]`]], null));
      parts.push(box(310, y, 180, [[deltaOf(l), `delta[${l}]`], [isDense(l) ? `dA[${l - 1}] = ${product("Wᵀ", `δ[${l}]`)}` : `dA[${l - 1}]`, `dA[${l - 1}]`]], active(step, `delta[${l}]`, `dA[${l - 1}]`)));
      parts.push(arrow(`M204 ${y + 42}H306`, "cache"), label(255, y + 34, "cache", { class: "quiet" }), label(255, y + 58, `A[${l - 1}], Z[${l}]`, { class: "live" }));
      for (const [name, dy, sum] of !isDense(l) ? [] : [["dW", 24, product(`δ[${l}]`, `A[${l - 1}]ᵀ`)], ["db", 58, `Σ ${Page.rows ? "rows" : "columns"} δ[${l}]`]]) {
        const key = `${name}[${l}]`, on = step.out === key;
        parts.push(arrow(`M494 ${y + dy}H520`), label(622, y + dy - 1, `${key} = ${share} ${sum}`, { class: `term ${on ? "strong " : ""}eq-${Formulas.equationOf(key)}` }), label(622, y + dy + 14, live(key), { class: "live" }));
      }
      if (k < layers.length - 1) parts.push(arrow(`M110 ${y + 86}V${y + high - 3}`), arrow(`M400 ${y + high - 3}V${y + 88}`));
    });
    const y = 24 + layers.length * high;
    parts.push(arrow(`M110 ${y - 20}V${y + 8}H196`), arrow(`M314 ${y + 8}H400V${y - 16}`));
    parts.push(label(255, y + 3, "cost C", { class: "term eq-2" }), label(255, y + 18, live("C"), { class: "live" }));
    return frame(726, y + 30, "Forward boxes, caches and backward boxes", parts,
      `Figure 3. Forward down the left, backward up the right; a cache between them in every layer${layers.length < L ? ` (layers ${layers[0]} to ${layers.at(-1)} of ${L})` : ""}.`);
  }
  function figure4(step) {
    const names = [["feed forward", "Eq. 1", "1a"], ["cost", `C = ${live("C")}`, "2"], ["back propagation", `δ[1]: ${live("delta[1]")}`, "11a"],
      ["gradient descent", `α = ${shown(Page.now.alpha)}`, "3"]];
    const parts = names.map(([text, value, colour], k) => {
      const on = step.phase === "update" && k === 3, x = 14 + k * 186;
      return [svg("rect", { x, y: 44, width: 142, height: 52, rx: 8, class: on ? "box active" : "box" }),
        label(x + 71, 66, text, { class: `term ${on ? "strong " : ""}eq-${colour}` }), label(x + 71, 84, value, { class: "live" }),
        k ? arrow(`M${x - 42} 70H${x - 4}`) : null];
    });
    parts.push(label(178, 62, "cache", { class: "quiet small" }),
      arrow("M643 42V24H85V40"), label(364, 18, "next batch", { class: "quiet" }),
      svg("path", { d: "M842 36L924 70L842 104L760 70z", class: "box" }), arrow("M716 70H758"), label(842, 75, "converged?", { class: "term" }),
      label(740, 34, "after an epoch", { class: "quiet small" }),
      arrow("M926 70H968"), label(947, 62, "yes", { class: "quiet small" }), label(994, 75, "done", { class: "term" }),
      arrow("M842 106V138H85V100"), label(364, 132, "no: next epoch", { class: "quiet" }));
    return frame(1020, 146, "The training process", parts,
      "Figure 4. The training process: converged? is asked after each epoch. In this page's training one batch holds all rows, so an epoch is one step; the train button below goes on.");
  }
  const figure = (step) => [figure1, figure2, figure3, figure4][step.figure - 1](step);

  // ------------------------------------------------------------------------------- curves
  // list: [{name, colour, values, dash}], over so many steps; a logarithmic axis where all are
  // above zero and far apart.
  function curves(list, caption, steps) {
    const width = 620, height = 220, left = 62, bottom = 34, top = 12, right = 14;
    const every = list.flatMap((c) => c.values).filter(Number.isFinite);
    const log = every.length && Math.min(...every) > 0 && Math.max(...every) > 8 * Math.min(...every);
    const scale = log ? Math.log10 : (x) => x;
    let low = Math.min(...every.map(scale)), high = Math.max(...every.map(scale));
    if (!(high > low)) { low -= 0.5 + Math.abs(low) / 2; high += 0.5 + Math.abs(high) / 2; }
    const count = Math.max(2, ...list.map((c) => c.values.length));
    const X = (k) => left + ((width - left - right) * k) / (count - 1);
    const Y = (v) => top + ((height - top - bottom) * (high - scale(v))) / (high - low);
    const parts = [0, 0.5, 1].map((share) => {
      const value = low + (high - low) * share, y = top + (height - top - bottom) * (1 - share);
      return [svg("line", { x1: left, x2: width - right, y1: y, y2: y, class: "grid" }), label(left - 6, y + 4, shown(log ? 10 ** value : value), { class: "axis", "text-anchor": "end" })];
    });
    for (const curve of list) {
      const d = curve.values.map((v, k) => (Number.isFinite(v) ? `${k ? "L" : "M"}${X(k).toFixed(1)} ${Y(v).toFixed(1)}` : "")).join("").replace(/^L/, "M");
      parts.push(svg("path", { d, fill: "none", stroke: curve.colour, "stroke-width": 2, "stroke-dasharray": curve.dash || null }));
    }
    parts.push(label(left, height - 12, "0", { class: "axis" }), label(width - right, height - 12, `step ${steps}`, { class: "axis", "text-anchor": "end" }));
    return h("figure", { class: "drawing" },
      h("div", { class: "scroll" }, svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": caption }, parts)),
      h("figcaption", {}, list.map((c) => h("span", { class: "legend" }, svg("svg", { width: 26, height: 8, "aria-hidden": "true" }, svg("line", { x1: 0, x2: 26, y1: 4, y2: 4, stroke: c.colour, "stroke-width": 2.5, "stroke-dasharray": c.dash || null })), ` ${c.name} `)), caption));
  }
  return { network, figure, curves };
})();
