// The story of the other kinds of layers, and of layers within a parallel one: sub-steps with their
// equations as the documentation numbers them. Of parts side by side one is walked through at a time.
"use strict";
const Kinds = (() => {
  const { entering } = LayerArithmetic;
  const V = () => Page.now.V, layerAt = (l) => Notation.layerAt(Page.plan, l);
  const pair = (P, Q) => (Page.rows ? [Q, P] : [P, Q]);
  const outer = (l) => Number(String(l).split(".")[0]);

  // Each kind: its equations, a sentence, the pieces of Z and of dA, and of each parameter what a
  // sum over the examples goes over, beside δ. In: the key of what enters, the place, the layer.
  const products = (eq, say, note) => ({
    eq: { Z: `${eq}1`, d: `${eq}2`, dA: `${eq}3` }, say, text: `W a + b${note}`,
    Z: (A, l) => [...pair({ key: `W[${l}]` }, { key: A }), "+", { key: `b[${l}]` }],
    dA: (l) => (Page.rows ? [{ key: `delta[${l}]` }, { key: `W[${l}]`, turned: true }] : [{ key: `W[${l}]`, turned: true }, { key: `delta[${l}]` }]),
    sums: { W: (A) => [{ key: A, turned: true }], b: () => [] },
  });
  const normalized = (eq, say) => ({
    eq: { Z: `${eq}2`, d: `${eq}3`, dA: `${eq}4` }, say, text: "gain x̂ + shift",
    Z: (A, l) => [{ key: `gain[${l}]` }, "⊙ (", { key: A }, "− mean ) / √(variance + ε) +", { key: `shift[${l}]` }],
    dA: (l) => ["d x̂ less its mean and its share along x̂, of", { key: `gain[${l}]` }, "⊙", { key: `delta[${l}]` }],
    sums: { gain: (A) => ["⊙ x̂ of", { key: A }], shift: () => [] },
  });
  const KINDS = {
    dense: { ...products("", "Each unit adds up what comes in, times its weights, plus its bias.", ""), eq: { Z: "1a", d: "11b", dA: "11d" } },
    grouped: products("G", "Each group of units is a small dense layer that sees its own inputs alone: a column's.", " by group"),
    shared: products("M", "Every member of the network computes this with the same weights and different biases.", " by member"),
    scale: {
      eq: { Z: "S1", d: "S2", dA: "S3" }, say: "Each unit is multiplied by a learned factor: how much it counts.", text: "scale ⊙ a",
      Z: (A, l) => [{ key: `scale[${l}]` }, "⊙", { key: A }], dA: (l) => [{ key: `scale[${l}]` }, "⊙", { key: `delta[${l}]` }],
      sums: { scale: (A) => ["⊙", { key: A }] },
    },
    parametric: {
      eq: { Z: "A1", d: "A2", dA: "A3" }, say: "Each unit is bent by an activation as far as its learned α says.", text: "a + α ⊙ (h(a) − a)",
      Z: (A, l) => [{ key: A }, "+", { key: `alpha[${l}]` }, "⊙ ( h(a) − a )"],
      dA: (l) => [{ key: `delta[${l}]` }, "⊙ ( 1 − α + α h′(a) ), α:", { key: `alpha[${l}]` }],
      sums: { alpha: (A) => ["⊙ ( h(a) − a ), a:", { key: A }] },
    },
    periodic: {
      eq: { Z: "P1", d: "P2", dA: "P3" }, say: "Each column becomes several angles, each with a learned frequency and phase; their cosines show fine detail.", text: "2π f x + phase",
      Z: (A, l) => ["2π", { key: `frequency[${l}]` }, "⊙", { key: A }, "+", { key: `phase[${l}]` }],
      dA: (l) => ["2π Σ", { key: `frequency[${l}]` }, "⊙", { key: `delta[${l}]` }],
      sums: { frequency: (A) => ["⊙ 2π", { key: A }], phase: () => [] },
    },
    piecewise_linear: {
      eq: { Z: "Q1", dA: "Q2" }, say: "Piecewise-linear encoding: a bin is 0 for values below it, 1 above it, a share within.", text: "share of each bin",
      Z: (A) => ["share of each bin (", { key: A }, ")"], dA: (l) => ["Σ of the bin it lies in,", { key: `delta[${l}]` }, "/ width"], sums: {},
    },
    embedding: {
      eq: { Z: "E1", d: "E2" }, say: "Each level of a column has its own numbers, which are learned; the code says which to take.", text: "E of the level",
      Z: (A, l) => ["the columns of", { key: `E[${l}]` }, "that are named by", { key: A }],
      dA: () => ["0: a code is not a quantity"], sums: { E: (A) => ["where the level is that of", { key: A }] },
    },
    layer_norm: normalized("N", "Each example's units are brought to mean 0 and variance 1 (Eq. N1), then scaled and shifted."),
    batch_norm: normalized("B", "Each unit is brought to mean 0 and variance 1 over the batch (Eq. B1), then scaled and shifted."),
    parallel: {
      eq: { Z: "C1", dA: "C2" }, say: "What the parts make, one below the other.", text: "parts side by side",
      Z: (A, l) => ["one below the other:", { key: endOf(l, chosen(l)) }, "and the other parts"],
      dA: (l) => ["Σ of what the parts that read it send back, one of them", { key: `dA[${l}.${chosen(l) + 1}.0]` }], sums: {},
    },
  };
  const naming = (l) => `layer ${l}`.replace(/\.(\d+)\.(\d+)/g, ", part $1, layer $2");

  // --------------------------------------------------------------------------- parts
  const choices = {};  // the part that is looked at, by the place of its parallel layer
  const chosen = (l) => choices[l] || 0;
  const endOf = (l, k) => `A[${l}.${k + 1}.${layerAt(l).parts[k].layers.length}]`;
  // Whether the parts are whole networks, or members that differ by their scales: all see the same.
  const isEnsemble = ({ parts }) => parts.length > 1 && parts.every(({ first, last, layers }) =>
    first === parts[0].first && last === parts[0].last && layers.length > 0 && ["dense", "scale"].includes(layers.at(-1).kind));
  function nameOf(l, k) {
    const layer = layerAt(l), { first, last } = layer.parts[k];
    if (isEnsemble(layer)) return `${layer.parts[0].layers.length > 1 ? "network" : "member"} ${k + 1} of ${layer.parts.length}`;
    const before = Notation.before(l), names = (before === 0 ? Page.data.inputs : Page.data.units[before]) || [], own = names.slice(first, last);
    const text = own.length > 3 ? `${own.slice(0, 2).join(", ")} and ${own.length - 2} more` : own.join(", ");
    return `part ${k + 1} of ${layer.parts.length}: ${text || `inputs ${first + 1} to ${last}`}`;
  }
  function select(l) {
    const { parts } = layerAt(l), change = ({ target }) => { choices[l] = Number(target.value); Walk.rebuild(); Walk.show(); };
    const options = parts.map((_, k) => h("option", { value: k, selected: k === chosen(l) }, nameOf(l, k)));
    return parts.length > 1 ? h("label", { class: "part" }, "Look at ", h("select", { "data-part": l, onchange: change }, options)) : null;
  }

  // ------------------------------------------------------------------------- sub-steps
  function forward(l) {
    const layer = layerAt(l), kind = KINDS[layer.kind], A = entering(V(), l), { activation: g } = layer;
    const isPlain = g.name === "identity", title = layer.kind === "parallel" && isEnsemble(layer) ? "The networks side by side" : layer.kind.replaceAll("_", " ");
    const inner = layer.kind === "parallel" ? within(l, layer) : [];
    const made = { phase: "forward", layer: outer(l), say: kind.say, feeds: [] };
    const weighted = { ...made, eq: kind.eq.Z, out: isPlain ? `A[${l}]` : `Z[${l}]`, title: `${naming(l)}: ${title}`, pieces: () => kind.Z(A, l), choice: inner.length ? () => select(l) : null };
    const activated = { ...made, eq: "1b", out: `A[${l}]`, title: `Activation of ${naming(l)}: ${g.name}`, say: "The activation is applied to each entry on its own.",
      pieces: () => ["g", "(", { key: `Z[${l}]` }, ")"], note: () => Formulas.g(g) };
    return [...inner, weighted, ...(isPlain ? [] : [activated])].map(capital);
  }
  function within(l, layer) {
    const k = chosen(l), start = `${l}.${k + 1}.0`, places = layer.parts[k].layers.map((_, d) => `${l}.${k + 1}.${d + 1}`);
    return [{
      phase: "forward", eq: "C1", layer: outer(l), out: `A[${start}]`, title: `${naming(l)}: into ${nameOf(l, k)}`,
      say: isEnsemble(layer) ? `${layer.parts.length} stand side by side and see the same; all are computed, one is shown.`
        : `${layer.parts.length} parts stand side by side, each on different columns; all are computed, one is shown.`,
      pieces: () => [`rows ${layer.parts[k].first + 1} to ${layer.parts[k].last} of`, { key: entering(V(), l) }], feeds: [], choice: () => select(l),
    }, ...places.flatMap(forward)];
  }
  function backward(l) {
    const layer = layerAt(l), kind = KINDS[layer.kind], A = entering(V(), l), { activation: g } = layer;
    const made = { phase: "backward", layer: outer(l), feeds: [] }, before = Notation.before(l), delta = { key: `delta[${l}]` };
    const error = { ...made, eq: "11a", out: `delta[${l}]`, title: `δ, the error of ${naming(l)}`,
      say: g.mixes ? "The activation mixes units, so each δ depends on all of its example's dA." : "What arrives from above, let through as far as the activation's slope allows.",
      pieces: () => (g.mixes ? [{ key: `A[${l}]` }, "⊙ (", { key: `dA[${l}]` }, "− Σ A ⊙ dA )"] : [{ key: `dA[${l}]` }, "⊙", { key: `gPrime[${l}]` }]),
      note: g.mixes ? null : () => Formulas.gPrimeOf(g) };
    const gradients = learned(layer).map((name) => ({
      ...made, eq: layer.kind === "dense" && name === "b" ? "11c" : kind.eq.d, out: `d${name}[${l}]`, check: true, title: `How the cost changes with ${name} of ${naming(l)}`,
      say: "The error, times what came in through it, averaged over the examples.", pieces: () => ["1/m", "Σ", delta, ...kind.sums[name](A)],
    }));
    const input = { ...made, eq: kind.eq.dA || "E1", out: `dA[${before}]`, title: `What ${before ? naming(before).replace(/, layer 0$/, "") : "the input"} gets back`,
      say: "How the loss changes with what this layer was given.",
      pieces: () => [...kind.dA(l), ...(V()[`D[${before}]`] ? ["⊙", { key: `D[${before}]` }] : [])] };
    return [error, ...(layer.kind === "parallel" ? backwardWithin(l, layer) : []), ...gradients, input].map(capital);
  }
  function backwardWithin(l, layer) {
    const k = chosen(l), { layers } = layer.parts[k], last = `${l}.${k + 1}.${layers.length}`;
    return [{
      phase: "backward", eq: "C2", layer: outer(l), out: `dA[${last}]`, title: `${naming(l)}: back into ${nameOf(l, k)}`, say: "The part's own rows of δ.",
      pieces: () => ["its rows of", { key: `delta[${l}]` }], feeds: [], choice: () => select(l),
    }, ...layers.map((_, d) => `${l}.${k + 1}.${d + 1}`).toReversed().flatMap(backward)];
  }
  const learned = (layer) => layer.parameters.filter((name) => !layer.running.includes(name));
  function update(l, made) {
    const layer = layerAt(l);
    if (layer.kind !== "parallel") return layer.parameters.map((name) => ({ ...made(l, name), layer: outer(l) })).map(capital);
    return layer.parts[chosen(l)].layers.flatMap((_, d) => update(`${l}.${chosen(l) + 1}.${d + 1}`, made));
  }
  const capital = (step) => ({ ...step, title: step.title.replace(/^[a-z]/, (letter) => letter.toUpperCase()) });  // no Δ of a δ

  // Whether a dense layer averages the networks of the layer before it.
  const averages = (l) => l > 1 && layerAt(l - 1).kind === "parallel" && isEnsemble(layerAt(l - 1)) && l === Page.plan.layers.length;
  // What a layer computes, in short.
  const text = (l) => KINDS[layerAt(l).kind].text;

  return { KINDS, forward, backward, update, chosen, isEnsemble, averages, text };
})();
