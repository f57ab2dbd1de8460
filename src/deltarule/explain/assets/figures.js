// The four figures of the notes, with the numbers that the walk has come to.
"use strict";
const Figures = (() => {
  const { shown } = Matrices, { label } = Drawing;
  let now = null;  // the sub-step that a figure is drawn for

  // What a box says of a matrix: its number, or the range of its numbers.
  function live(key) {
    const M = Page.now.V[key];
    if (!M || !Story.known(key, now)) return "";
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
    const parts = names.map(([text, value, color], k) => {
      const on = step.phase === "update" && k === 3, x = 14 + k * 186;
      return [svg("rect", { x, y: 44, width: 142, height: 52, rx: 8, class: on ? "box active" : "box" }),
        label(x + 71, 66, text, { class: `term ${on ? "strong " : ""}eq-${color}` }), label(x + 71, 84, value, { class: "live" }),
        k ? arrow(`M${x - 42} 70H${x - 4}`) : null];
    });
    parts.push(label(178, 62, "cache", { class: "quiet small" }),
      arrow("M643 42V24H85V40"), label(364, 18, "next batch", { class: "quiet" }),
      svg("path", { d: "M842 36L924 70L842 104L760 70z", class: "box" }), arrow("M716 70H758"), label(842, 75, "converged?", { class: "term" }),
      label(740, 34, "after an epoch", { class: "quiet small" }),
      arrow("M926 70H968"), label(947, 62, "yes", { class: "quiet small" }), label(994, 75, "done", { class: "term" }),
      arrow("M842 106V138H85V100"), label(364, 132, "no: next epoch", { class: "quiet" }));
    return frame(1020, 146, "The training process", parts,
      "Figure 4. The training process: converged? is asked after each epoch. In this page's training one batch holds all rows, so an epoch is one step; the buttons under the network continue it.");
  }
  function figure(step) {
    now = step;
    return [figure1, figure2, figure3, figure4][step.figure - 1](step);
  }
  return { figure };
})();
