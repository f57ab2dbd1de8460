// Down through the network: a unit, what it is computed from, and the units before it. A place is a
// unit of a chain of layers: {chain, depth, unit}; depth 0 is what the chain reads. A chain knows
// its layers, their caches of this row, and where what it reads comes from; how many layers stand
// before it (`offset`), which the path's units took off, and its first unit among these (`base`).
"use strict";
const Descent = (() => {
  const value = (M, i) => M.v[i];  // of one row, a column

  // ------------------------------------------------------------------------- kinds of layers
  // How a unit is computed: its equation, terms {from, weight, product} and what is added.
  const weighted = (equation, groups, isShared = false) => (layer, { W, b }, { A_prev }, i) => {
    const count = groups(layer, A_prev.n), units = isShared ? W.n : W.n / count, size = A_prev.n / count;
    const first = Math.floor(i / units) * size, row = isShared ? i % units : i;
    const terms = Array.from({ length: size }, (_, k) => ({ from: first + k, weight: W.v[row * W.m + k] }));
    return { equation, formula: "z = Σ w·a + b", terms, added: b.v[i] };
  };
  const alone = (equation, formula, own) => (layer, parameters, cache, i) =>
    ({ equation, formula, terms: [], ...own(layer, parameters, cache, i) });
  const said = (x) => Dom.number(x);
  const normalized = (equation) => alone(equation, "z = gain · x̂ + shift", (layer, { gain, shift }, { kept }, i) => ({
    uses: [i], says: `${said(gain.v[i])} · ${said(value(kept.X_hat, i))} + ${said(shift.v[i])}`,
  }));
  const KINDS = {
    dense: weighted("Eq. 1a", () => 1),
    grouped: weighted("Eq. G1", (layer, n) => n / layer.size),
    shared: weighted("Eq. M1", (layer) => layer.members, true),
    scale: alone("Eq. S1", "z = scale · a", (layer, own, cache, i) => ({
      terms: [{ from: i, weight: own.scale.v[i] }], added: 0,
    })),
    parametric: alone("Eq. A1", "z = a + α (h(a) − a)", (layer, own, { A_prev, kept }, i) => {
      const a = said(value(A_prev, i));
      return { uses: [i], says: `${a} + ${said(own.alpha.v[i])} · (${said(value(kept.bent, i))} − ${a})` };
    }),
    periodic: alone("Eq. P1", "z = 2π f·x + phase", (layer, { frequency, phase }, { A_prev }, i) => {
      const column = Math.floor(i / (frequency.n / A_prev.n));
      return { terms: [{ from: column, weight: 2 * Math.PI * frequency.v[i] }], added: phase.v[i] };
    }),
    piecewise_linear: alone("Eq. Q1", "z = (x − start) / width, at least 0 but in a first bin, at most 1 but in a last one",
      (layer, own, { A_prev }, i) => {
        const { column, start, width } = Layers.binsOf(layer)[i];
        return { uses: [column], says: `(${said(value(A_prev, column))} − ${said(start)}) / ${said(width)}` };
      }),
    embedding: alone("Eq. E1", "z = the number that was learned for this level", (layer, { E }, { A_prev }, i) => {
      const column = Math.floor(i / E.n);
      return { uses: [column], says: `number ${(i % E.n) + 1} of ${E.n} of code ${value(A_prev, column)}` };
    }),
    layer_norm: normalized("Eq. N2"),
    batch_norm: normalized("Eq. B2"),
  };

  // -------------------------------------------------------------------------------- chains
  // One network: the chain behind the units of its path, and those units' own chains; `what` its
  // parts are.
  function chainOf(own, passed, name, what) {
    const [head] = own.layers, parts = head?.kind === "parallel" ? head.parts : [];
    let width = 0;
    const groups = own.units.map((each, g) => {
      const base = width, k = parts.findIndex(({ first, last }) => first <= base && base < last);
      width += passed.units[g].A.n;
      return { ...each, ...passed.units[g], name: k < 0 ? name : `${name}${what} ${k + 1}, `, base, offset: 0,
        below: (i) => ({ input: each.inputs[i] }) };
    });
    const before = (base, count) => groups.find((each) => each.base === base && each.A.n === count)?.layers.length ?? 0;
    const places = groups.flatMap(unitsOf);
    return { ...passed, ...own, name, what, before, base: 0, offset: before(0, width), below: (i) => places[i] };
  }
  const unitsOf = (chain) => Array.from({ length: chain.A.n }, (_, unit) => ({ chain, depth: chain.layers.length, unit }));

  // The networks of one row, and the chain that ends in the outputs: their average, or the only one.
  function network(model, cells) {
    const passed = Predicting.passed(model, Predicting.inputsOf([cells])), count = model.networks.length;
    const inputs = model.columns.flatMap(({ outputs }, column) =>
      outputs.map((name, k) => ({ name, column, value: cells[column].units[k] })));
    const whatOf = (n) => (n > 1 && n === model.about.settings?.n_ensemble ? "network" : "part"), what = whatOf(count);
    if (count === 1) {
      const [own] = model.networks, root = chainOf(own, passed.networks[0], "", whatOf(own.layers[0].parts?.length));
      return { inputs, networks: [root], root };
    }
    const networks = model.networks.map((own, k) => chainOf(own, passed.networks[k], `${what} ${k + 1}, `, "part"));
    const places = networks.flatMap(unitsOf), title = `average of ${count} ${what}s`;
    return { inputs, networks, root: { ...passed.average, ...model.average, name: "", title, base: null, below: (i) => places[i] } };
  }

  // The same unit where it is computed: a chain's input is a unit before it, and of a parallel
  // layer a unit is one of a chain within.
  function resolved(place) {
    if ("input" in place) return place;
    const { chain, depth, unit } = place;
    if (!depth) return resolved(chain.below(unit));
    const layer = chain.layers[depth - 1];
    if (layer.kind !== "parallel") return place;
    let first = 0;
    const parts = chain.caches[depth - 1].kept, k = parts.findIndex(({ A }) => unit < (first += A.n));
    const { first: reads, last, layers } = layer.parts[k];
    const base = depth === 1 && chain.base !== null ? chain.base + reads : null;
    const within = {
      layers, parameters: layers.map((_, d) => Layers.within(chain.parameters[depth - 1], k + 1, d + 1)),
      start: parts[k].start, caches: parts[k].caches, name: `${chain.name}${(depth === 1 && chain.what) || "part"} ${k + 1}, `,
      base, before: chain.before, offset: base === null ? 0 : chain.before(base, last - reads),
      below: (i) => ({ chain, depth: depth - 1, unit: reads + i }),
    };
    return resolved({ chain: within, depth: layers.length, unit: unit - first + parts[k].A.n });
  }

  // What there is to say of a resolved place: its name, value, equation, terms and what it uses.
  function described({ inputs }, place) {
    if ("input" in place) return { ...inputs[place.input], terms: [], uses: [] };
    const { chain, depth, unit } = place, layer = chain.layers[depth - 1], cache = chain.caches[depth - 1];
    const found = KINDS[layer.kind](layer, chain.parameters[depth - 1], cache, unit);
    const before = (i) => resolved({ chain, depth: depth - 1, unit: i });
    const terms = found.terms.map(({ from, weight }) => {
      const a = value(cache.A_prev, from);
      return { place: before(from), weight, value: a, product: weight * a };
    });
    return {
      ...found, terms, uses: (found.uses || []).map(before), layer, z: value(cache.Z, unit), value: value(cache.A, unit),
      name: `${chain.title ?? `${chain.name}layer ${chain.offset + depth} (${layer.kind.replaceAll("_", " ")})`}, unit ${unit + 1}`,
    };
  }

  return { KINDS, network, resolved, described };
})();
