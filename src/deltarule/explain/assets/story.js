// The story of a step: every sub-step in order, each with its equation, formula and sentence.
"use strict";
const Story = (() => {
  const F = Formulas, { shown } = Matrices;
  const PHASES = { forward: "Forward", cost: "Cost", backward: "Backward", update: "Update" };
  const FIGURES = { forward: 1, cost: 2, backward: 3, update: 4 };
  const sizeOf = (key) => {
    const M = Page.now.V[key];
    const [n, m] = Page.rows ? [M.m, M.n] : [M.n, M.m];
    return `${n}×${m}`;
  };
  // What an equation multiplies stands the other way round where examples are rows.
  const pair = (P, Q) => (Page.rows ? [Q, P] : [P, Q]);
  const entering = (l) => (Page.now.V[`Am[${l}]`] ? `Am[${l}]` : `A[${l}]`);

  const isDense = (l) => Page.plan.layers[l - 1].kind === "dense";
  function forward(l) {
    const steps = isDense(l) ? denseForward(l) : Kinds.forward(l);
    return Page.now.V[`D[${l}]`] ? [...steps, dropout(l)] : steps;
  }
  function denseForward(l) {
    const A = entering(l - 1), row = Page.plan.layers[l - 1].activation;
    return [{
      phase: "forward", eq: "1a", layer: l, out: `Z[${l}]`, title: Kinds.averages(l) ? "The average of the networks" : `Weighted input of layer ${l}`,
      say: Kinds.averages(l) ? "Each output is the sum of what the networks say, with equal weights: their average." : `Each unit of layer ${l} adds up what comes in, times its weights, plus its bias.`,
      pieces: () => [...pair({ key: `W[${l}]` }, { key: A }), "+", { key: `b[${l}]` }],
      feeds: [`A[${l}]`, `gPrime[${l}]`],
    }, {
      phase: "forward", eq: "1b", layer: l, out: `A[${l}]`, title: `Activation of layer ${l}: ${row.name}`,
      say: row.name === "softmax"
        ? "Softmax turns each example's numbers into shares that add up to 1: it mixes the units."
        : row.mixes ? "The activation mixes the units of each example."
        : "The activation is applied to each entry on its own.",
      pieces: () => ["g", "(", { key: `Z[${l}]` }, ")"], note: () => F.g(row),
      feeds: l < Page.plan.layers.length ? [`Z[${l + 1}]`, `dW[${l + 1}]`] : ["loss", `delta[${l}]`],
    }];
  }
  function dropout(l) {
    return {
      phase: "forward", eq: "1b", layer: l, out: `Am[${l}]`, title: `Dropout after layer ${l}`,
      say: "Some entries are dropped for this step, the others scaled up; the mask is used again on the way back.",
      pieces: () => [{ key: `A[${l}]` }, "⊙", { key: `D[${l}]` }], feeds: [`Z[${l + 1}]`],
    };
  }
  function cost(L) {
    const { fused, output_error } = Page.plan.cost, name = Page.plan.cost.name.replaceAll("_", " ");
    const weights = Page.now.V.s ? ["·", { key: "s" }] : [];
    return [{
      phase: "cost", eq: "2", layer: L, out: "loss", title: `Loss of each example: ${name}`,
      say: "How far each example's output is from its target: one number an example.",
      pieces: () => ["ℓ", "(", { key: `A[${L}]` }, ",", { key: "Y" }, ")"],
      note: () => F.loss(Page.plan.cost), feeds: ["C", `dA[${L}]`],
    }, {
      phase: "cost", eq: "2", layer: L, out: "C", title: "Cost: the average loss",
      say: "One number for the whole batch. Everything that follows asks: how does it change with each weight?",
      pieces: () => ["1/m", "Σ", { key: "loss" }, ...weights], feeds: [`dA[${L}]`],
    }, {
      phase: "backward", eq: "2", layer: L, out: `dA[${L}]`, title: "How the loss changes with the output",
      say: fused
        ? "Shown for the chain of thought. Activation and cost belong together here, so δ in the next sub-step comes out " + (output_error ? "as A − Y" : "in one piece") + ", without ever dividing by A."
        : "The derivative of the summed loss by each output. No 1/m here: it comes once, in dW and db.",
      pieces: () => ["∂ℓ/∂A", "(", { key: `A[${L}]` }, ",", { key: "Y" }, ")", ...weights],
      note: () => F.dA(Page.plan.cost),
      feeds: [`delta[${L}]`],
    }];
  }
  const backward = (l) => (isDense(l) ? denseBackward(l) : Kinds.backward(l));
  function denseBackward(l) {
    const L = Page.plan.layers.length, number = l === L ? "10" : "11", A = entering(l - 1);
    const fused = l === L && Page.plan.cost.fused, { output_error } = Page.plan.cost;
    const { mixes: mixed, name } = Page.plan.layers[l - 1].activation, isSoftmax = name === "softmax";
    const delta = `delta[${l}]`, rules = Page.plan.rules;
    const weights = Page.now.V.s ? ["·", { key: "s" }] : [];
    return [{
      phase: "backward", eq: `${number}a`, layer: l, out: delta, title: `δ, the error of layer ${l}`,
      say: fused
        ? output_error ? "The output pair makes it simple: δ is output minus target." : "Output activation and cost make δ together, without ever dividing by A."
        : mixed ? "The activation mixes units, so each δ depends on all of its example's dA."
          : "What arrives from above, let through as far as the activation's slope allows. Where the slope is 0, nothing passes.",
      pieces: () => (fused ? [...(output_error ? ["("] : ["δ", "(", { key: `Z[${L}]` }, ","]), { key: `A[${L}]` }, output_error ? "−" : ",", { key: "Y" }, ")", ...weights]
        : isSoftmax ? [{ key: `A[${l}]` }, "⊙ (", { key: `dA[${l}]` }, "− Σ A ⊙ dA )"]
          : mixed ? ["δ", "(", { key: `dA[${l}]` }, ",", { key: `A[${l}]` }, ")"]
          : [{ key: `dA[${l}]` }, "⊙", { key: `gPrime[${l}]` }]),
      note: fused || mixed ? null : () => F.gPrimeOf(Page.plan.layers[l - 1].activation),
      feeds: [`dW[${l}]`, `db[${l}]`, `dA[${l - 1}]`],
    }, {
      phase: "backward", eq: `${number}b`, layer: l, out: `dW[${l}]`, check: true, reuse: 0,
      title: `How the cost changes with the weights of layer ${l}`,
      say: "Each weight's share: the error it fed, times what came in through it, averaged over the examples.",
      pieces: () => ["1/m", ...(Page.rows ? [{ key: A, turned: true }, { key: delta }] : [{ key: delta }, { key: A, turned: true }]),
        ...(rules.l1 || rules.l2 ? ["+ penalty of", { key: `W[${l}]` }] : [])],
      feeds: [`W_new[${l}]`],
    }, {
      phase: "backward", eq: `${number}c`, layer: l, out: `db[${l}]`, check: true, reuse: 1,
      title: `How the cost changes with the biases of layer ${l}`,
      say: "A bias is a weight whose input is always 1: the errors, averaged over the examples. The notes print axis=0 here; see the experiment at the end of the page.",
      pieces: () => ["1/m", Page.rows ? "Σ rows" : "Σ columns", { key: delta }], feeds: [`b_new[${l}]`],
    }, {
      phase: "backward", eq: `${number}d`, layer: l, out: `dA[${l - 1}]`, reuse: 2,
      title: l > 1 ? `What layer ${l - 1} needs` : "How the loss changes with the input",
      say: l > 1
        ? "The same weights carry the error back that carried the signal forward. From here layer " + (l - 1) + " does just what this one did."
        : "Nobody below needs it; it says which inputs matter, and costs nothing more.",
      pieces: () => [...(Page.rows ? [{ key: delta }, { key: `W[${l}]`, turned: true }] : [{ key: `W[${l}]`, turned: true }, { key: delta }]),
        ...(Page.now.V[`D[${l - 1}]`] ? ["⊙", { key: `D[${l - 1}]` }] : [])],
      feeds: l > 1 ? [`delta[${l - 1}]`] : [],
    }];
  }
  function updateOf(l, name) {
    const { optimizer, rules } = Page.plan, plain = optimizer.descends && !rules.decay;
    const limits = [rules.clip_value || rules.clip_norm ? "clipped" : "", rules.max_norm ? "limited in norm" : ""].filter(Boolean);
    const isRunning = Notation.layerAt(Page.plan, l).running.includes(name);
    return {
      phase: "update", eq: name === "b" ? "3b" : "3a", layer: l, out: `${name}_new[${l}]`,
      title: `New ${{ W: "weights", b: "biases" }[name] || name} of layer ${l}`,
      say: isRunning ? "A running average of the batches, which prediction uses; no derivative changes it." : (plain ? "A small step against the derivative: downhill." : `${optimizer.name} turns the derivative into a step, with what it remembers of earlier ones (${optimizer.slots.join(", ") || "nothing"}).`)
        + (limits.length ? ` Gradients or weights are ${limits.join(" and ")} as the plan says.` : ""),
      pieces: () => (isRunning ? ["a running average of", { key: `${name}[${l}]` }] : plain
        ? [{ key: `${name}[${l}]` }, "−", "α", "·", { key: `d${name}[${l}]` }]
        : [{ key: `${name}[${l}]` }, ",", { key: `d${name}[${l}]` }, `by ${optimizer.name}`,
          ...(optimizer.slots.length && Page.now.V[`${name}.${optimizer.slots[0]}[${l}]`]
            ? ["with", ...optimizer.slots.map((slot) => ({ key: `${name}.${slot}[${l}]` }))] : [])]),
      feeds: [],
    };
  }
  const update = (l) => Kinds.update(l, updateOf);

  function steps() {
    const L = Page.plan.layers.length, all = Array.from({ length: L }, (_, k) => k + 1);
    const first = Page.now.V["D[0]"] ? [dropout(0)] : [];
    const made = [...Cells.steps(), ...first, ...all.flatMap(forward), ...cost(L), ...all.toReversed().flatMap(backward), ...all.flatMap(update)];
    const numbered = made.map((step, k) => ({ ...step, index: k, color: F.equationOf(step.out), figure: FIGURES[step.phase] }));
    places = new Map(numbered.map(({ out, index }) => [out, index]));
    return numbered;
  }
  // Whether a sub-step, or one before it, makes a quantity; what no sub-step makes is given. Z comes
  // with A where the activation has no separate sub-step.
  let places = new Map();
  const known = (key, step) => (places.get(key) ?? places.get(key.replace(/^Z/, "A")) ?? -1) <= step.index;

  // ----------------------------------------------------------------- the question, the answer
  // The example that is furthest off, and the output that is furthest off there.
  function furthest() {
    const { V } = Page.now, A = V[`A[${Page.plan.layers.length}]`], gap = (i, j) => Math.abs(Engine.at(A, i, j) - Engine.at(V.Y, i, j));
    const most = (count, f) => Array.from({ length: count }, (_, k) => k).reduce((best, k) => (f(k) > f(best) ? k : best), 0);
    const j = most(V.loss.m, (k) => V.loss.v[k]), i = most(A.n, (k) => gap(k, j));
    return { i, j, a: Engine.at(A, i, j), y: Engine.at(V.Y, i, j) };
  }
  // What the table says of the outputs: classes, and the numbers that targets are standardized by.
  const ofTable = () => (Page.now.isPasted ? null : Page.data.cells);
  const unitOf = (i) => { const { means = [], stds = [] } = ofTable() || {}; return means.length === Page.data.outputs.length ? (x) => means[i] + stds[i] * x : null; };
  function said(i, a) {
    const { outputs } = Page.data, { classes = [] } = ofTable() || {}, inUnit = unitOf(i);
    if (inUnit) return `${outputs[i]} = ${shown(inUnit(a))} (output ${shown(a)})`;
    if (classes.length === 2 && outputs.length === 1) return `${outputs[i]} = ${classes[1]} with ${shown(a)}`;
    return classes.length ? `${outputs[i]} with ${shown(a)}` : `${outputs[i]} = ${shown(a)}`;
  }
  function answer(i, j, y) {
    const { outputs } = Page.data, { classes = [] } = ofTable() || {}, inUnit = unitOf(i), { Y } = Page.now.V;
    if (inUnit) return `${shown(inUnit(y))} (target ${shown(y)})`;
    if (classes.length === 2 && outputs.length === 1) return y === 0 || y === 1 ? classes[y] : shown(y);
    const sure = classes.length ? outputs.findIndex((_, k) => Engine.at(Y, k, j) === 1) : -1;
    return sure < 0 ? shown(y) : outputs[sure];
  }
  // What the network predicts where a step drops units: the question is about the step's own output.
  function withoutDropout(i, j) {
    const { plan, now } = Page;
    if (!Object.keys(now.masks || {}).length || Page.data.untraced.length) return "";
    const A = Engine.forward(plan, now.parameters, now.X).A.at(-1);
    return `Without the step’s dropout it says ${said(i, Engine.at(A, i, j))}. `;
  }
  function opening() {
    const { i, j, a, y } = furthest();
    if (Math.abs(a - y) < 1e-9) return ["Every answer is right: nothing is anyone's fault, and nothing has to move."];
    const cells = ofTable(), row = cells ? `row ${cells.names[j]}, example ${j + 1},` : `example ${j + 1}`;
    return [`For ${row} the network says `, h("b", {}, said(i, a)), "; the answer is ", h("b", {}, answer(i, j, y)), ". ", withoutDropout(i, j), h("em", {}, "Whose fault is that, and by how much?")];
  }
  // After the last sub-step: which numbers moved most, and what the network says now.
  function closing() {
    const { now, plan } = Page, { V } = now, { i, j, a } = furthest();
    const keys = Object.keys(V).filter((key) => key.includes("_new["));
    const moves = keys.flatMap((key) => Array.from(V[key].v, (x, k) => ({ key, k, m: V[key].m, before: V[key.replace("_new", "")].v[k], x })));
    const moved = moves.filter(({ before, x }) => before !== x).sort((p, q) => Math.abs(q.x - q.before) - Math.abs(p.x - p.before));
    const named = ({ key, k, m, before, x }) => h("li", {}, h("b", {}, F.text(key.replace("_new", ""))), ` ${Matrices.placeOf(key, Math.floor(k / m), k % m)}: ${shown(before)} → ${shown(x)}`);
    const after = now.done.after && Engine.forward(plan, now.done.after, now.X, now.masks).A.at(-1);
    return h("div", { class: "answer" }, h("p", {}, h("b", {}, "The answer. "), `${moved.length} of ${moves.length} weights and biases had a share in it and moved. ${moved.length > 5 ? "The five that moved most:" : ""}`),
      h("ul", {}, moved.slice(0, 5).map(named)),
      after ? h("p", { class: "now" }, `With them the network says ${said(i, Engine.at(after, i, j))} for example ${j + 1}, where it said ${said(i, a)}; the cost goes from ${shown(V.C.v[0])} to ${shown(Engine.costOf(plan, now.done.after, now.X, now.Y, now.weights, now.masks))}. Many such steps are training.`) : null);
  }
  // The formula of a sub-step in MathML: the pieces as symbols.
  function formula(step) {
    const parts = step.pieces().map((piece) => {
      if (typeof piece !== "string") return F.symbol(piece.key, piece.turned);
      if (piece === "1/m") return F.oneOver();
      if (/^\p{L}{2}/u.test(piece)) return F.words(piece);
      return /^\p{L}/u.test(piece) ? F.mi(piece) : F.mo(piece);
    });
    const math = F.math(F.symbol(step.out), F.mo(step.phase === "update" ? "←" : "="), ...parts);
    return [math, step.note ? F.math(step.note()) : null, step.choice ? step.choice() : null].filter(Boolean);
  }
  return { PHASES, steps, known, opening, closing, formula, sizeOf };
})();
