// The arithmetic of one entry, by the kind of layer: of Z, of dA of its input, and of the sums over
// examples that make its gradients. Each is given the step's matrices, the layer and its place.
"use strict";
const LayerArithmetic = (() => {
  const { at } = Algebra, { range, subscript, sum, symbols, together, single, products, applied } = Terms;

  // What enters a layer: after dropout where there is any.
  const entering = (V, l) => {
    const place = Notation.before(l);
    return V[`Am[${place}]`] ? `Am[${place}]` : `A[${place}]`;
  };
  const plain = ({ terms, operands }) => ({ symbolic: symbols(terms), code: (f) => sum(terms, f), operands });
  const row = (M, i) => range(M.m).map((j) => [i, j]);
  const alongExamples = (V, P, Q, i, k, letterP, letterQ) =>
    products(V, P, Q, range(V[P].m).map((j) => [[i, j], [k, j]]), letterP, letterQ);
  const sumOfDelta = (V, layer, l, i) => {
    const key = `delta[${l}]`;
    return { terms: range(V[key].m).map((j) => single(V, key, i, j, "δ")), operands: { [key]: row(V[key], i) } };
  };
  const scaledEntry = (V, P, p, Q, q, letterP, letterQ) => plain(products(V, P, Q, [[p, q]], letterP, letterQ));

  // ------------------------------------------------------------------- weights and biases
  function weighted(groupsOf, isShared = false) {
    const shape = (V, layer, l) => {
      const W = V[`W[${l}]`], n = V[entering(V, l)].n, groups = groupsOf(layer, n);
      return { units: isShared ? W.n : W.n / groups, size: n / groups, groups };
    };
    return {
      Z(V, layer, l, i, j) {
        const A = entering(V, l), { units, size } = shape(V, layer, l), first = Math.floor(i / units) * size;
        const from = isShared ? i % units : i, b = at(V[`b[${l}]`], i, 0);
        const made = products(V, `W[${l}]`, A, range(size).map((k) => [[from, k], [first + k, j]]), "W", "a");
        return {
          symbolic: `${symbols(made.terms)} + b${subscript(i)}`, code: (f) => `${sum(made.terms, f)} + ${f(b)}`,
          operands: { ...made.operands, [`b[${l}]`]: [[i, 0]] },
        };
      },
      sums: {
        W(V, layer, l, i, k) {
          const A = entering(V, l), { units, size, groups } = shape(V, layer, l);
          const places = isShared ? range(groups).map((g) => [g * units + i, g * size + k]) : [[i, Math.floor(i / units) * size + k]];
          const pairs = places.flatMap(([unit, input]) => range(V[A].m).map((j) => [[unit, j], [input, j]]));
          return products(V, `delta[${l}]`, A, pairs, "δ", "a");
        },
        b: sumOfDelta,
      },
      dA(V, layer, l, i, j) {
        const { units, size } = shape(V, layer, l), group = Math.floor(i / size);
        const pairs = range(units).map((u) => [[isShared ? u : group * units + u, i % size], [group * units + u, j]]);
        return plain(products(V, `W[${l}]`, `delta[${l}]`, pairs, "W", "δ"));
      },
    };
  }

  // ------------------------------------------------------------------------- unit by unit
  const scale = {
    Z: (V, layer, l, i, j) => scaledEntry(V, `scale[${l}]`, [i, 0], entering(V, l), [i, j], "scale", "a"),
    sums: { scale: (V, layer, l, i) => alongExamples(V, `delta[${l}]`, entering(V, l), i, i, "δ", "a") },
    dA: (V, layer, l, i, j) => scaledEntry(V, `scale[${l}]`, [i, 0], `delta[${l}]`, [i, j], "scale", "δ"),
  };
  const bent = (V, layer, A, i, j, which) => {
    const own = layer.bend, [value] = Layers.entry(own[which], { z: Algebra.matrix(1, 1, Float64Array.of(at(V[A], i, j))) }).v;
    return { value, ...applied(V, [own.textbook[which], own[which]], value, { z: [A, i, j] }) };
  };
  const parametric = {
    Z(V, layer, l, i, j) {
      const A = entering(V, l), a = at(V[A], i, j), alpha = at(V[`alpha[${l}]`], i, 0), h = bent(V, layer, A, i, j, "g");
      return {
        symbolic: `a${subscript(i, j)} + α${subscript(i)}·(h(a${subscript(i, j)}) − a${subscript(i, j)})`,
        code: (f) => `${f(a)} + ${f(alpha)} * (${h.code(f, 3)} - ${f(a)})`,
        operands: { [A]: [[i, j]], [`alpha[${l}]`]: [[i, 0]] },
      };
    },
    sums: {
      alpha(V, layer, l, i) {
        const A = entering(V, l), key = `delta[${l}]`;
        const terms = range(V[key].m).map((j) => {
          const h = bent(V, layer, A, i, j, "g"), [d, a] = [at(V[key], i, j), at(V[A], i, j)];
          return { text: `δ${subscript(i, j)}·(h(a${subscript(i, j)}) − a${subscript(i, j)})`, value: d * (h.value - a),
            code: (f) => `${f(d)} * (${h.code(f, 3)} - ${f(a)})` };
        });
        return { terms, operands: { [key]: row(V[key], i), [A]: row(V[A], i) } };
      },
    },
    dA(V, layer, l, i, j) {
      const A = entering(V, l), key = `delta[${l}]`, [d, alpha] = [at(V[key], i, j), at(V[`alpha[${l}]`], i, 0)];
      const slope = bent(V, layer, A, i, j, "g_prime");
      return {
        symbolic: `δ${subscript(i, j)}·(1 − α${subscript(i)} + α${subscript(i)}·h′(a${subscript(i, j)}))`,
        code: (f) => `${f(d)} * (1 - ${f(alpha)} + ${f(alpha)} * ${slope.code(f, 4)})`,
        operands: { [key]: [[i, j]], [A]: [[i, j]], [`alpha[${l}]`]: [[i, 0]] },
      };
    },
  };

  // -------------------------------------------------------------- embeddings of a column
  const TURN = 2 * Math.PI;
  const columnOf = (V, l, i) => Math.floor(i / (V[`frequency[${l}]`].n / V[entering(V, l)].n));
  const periodic = {
    Z(V, layer, l, i, j) {
      const A = entering(V, l), k = columnOf(V, l, i), made = products(V, `frequency[${l}]`, A, [[[i, 0], [k, j]]], "frequency", "a");
      const phase = at(V[`phase[${l}]`], i, 0);
      return {
        symbolic: `2π·${symbols(made.terms)} + phase${subscript(i)}`, code: (f) => `${f(TURN)} * ${sum(made.terms, f)} + ${f(phase)}`,
        operands: { ...made.operands, [`phase[${l}]`]: [[i, 0]] },
      };
    },
    sums: {
      frequency: (V, layer, l, i) => ({ ...alongExamples(V, `delta[${l}]`, entering(V, l), i, columnOf(V, l, i), "δ", "a"), factor: ["2π", TURN] }),
      phase: sumOfDelta,
    },
    dA(V, layer, l, i, j) {
      const frequency = `frequency[${l}]`, each = V[frequency].n / V[entering(V, l)].n;
      const made = products(V, frequency, `delta[${l}]`, range(each).map((u) => [[i * each + u, 0], [i * each + u, j]]), "frequency", "δ");
      return { symbolic: `2π·(${symbols(made.terms)})`, code: (f) => `${f(TURN)} * (${sum(made.terms, f)})`, operands: made.operands };
    },
  };
  const piecewise_linear = {
    Z(V, layer, l, i, j) {
      const bin = Layers.binsOf(layer)[i], A = entering(V, l), a = at(V[A], bin.column, j);
      const share = (f) => `(${f(a)} - ${f(bin.start)}) / ${f(bin.width)}`;
      const [least, most] = [Number.isFinite(bin.low), Number.isFinite(bin.high)];
      const cut = (text) => { const low = least ? `max(${text}, 0)` : text; return most ? `min(${low}, 1)` : low; };
      return {
        symbolic: cut(`(a${subscript(bin.column, j)} − start) / width`), code: (f) => cut(share(f)),
        operands: { [A]: [[bin.column, j]] },
      };
    },
    sums: {},
    dA(V, layer, l, i, j) {
      const A = entering(V, l), a = at(V[A], i, j), key = `delta[${l}]`;
      const inside = Layers.binsOf(layer).map((bin, unit) => ({ ...bin, unit, share: (a - bin.start) / bin.width }))
        .filter(({ column, share, low, high }) => column === i && share >= low && share < high);
      const terms = inside.map(({ unit, width }) => {
        const d = at(V[key], unit, j);
        return { text: `δ${subscript(unit, j)} / width`, code: (f) => `${f(d)} / ${f(width)}`, value: d / width };
      });
      return plain({ terms, operands: { [key]: inside.map(({ unit }) => [unit, j]), [A]: [[i, j]] } });
    },
  };
  const embedding = {
    Z(V, layer, l, i, j) {
      const E = `E[${l}]`, A = entering(V, l), column = Math.floor(i / V[E].n);
      const place = [i % V[E].n, Layers.placeIn(layer, column, at(V[A], column, j))], made = single(V, E, ...place, "E");
      return { symbolic: `${made.text}, the entry of the level`, code: made.code, operands: { ...made.operands, [A]: [[column, j]] } };
    },
    sums: {
      E(V, layer, l, i, k) {
        const A = entering(V, l), key = `delta[${l}]`, width = V[`E[${l}]`].n;
        const places = range(V[A].n).flatMap((column) => range(V[A].m).filter((j) =>
          Layers.placeIn(layer, column, at(V[A], column, j)) === k).map((j) => [column * width + i, j]));
        return { terms: places.map(([u, j]) => single(V, key, u, j, "δ")), operands: { [key]: places } };
      },
    },
    dA: () => ({ symbolic: "0: a code is not a quantity", code: () => "0", operands: {} }),
  };

  // -------------------------------------------------------------------------- normalization
  // Over which entries mean and variance go, each with its share: the units of an example, or the
  // examples of a unit.
  const overUnits = (V, A, i, j) => range(V[A].n).map((k) => ({ place: [k, j], share: 1 / V[A].n }));
  const overExamples = (V, A, i) => range(V[A].m).map((j) =>
    ({ place: [i, j], share: V.s ? V.s.v[j] / (Algebra.total(V.s) || 1) : 1 / V[A].m }));

  function statistics(V, layer, A, over) {
    const entries = over.map(({ place, share }) => ({ x: at(V[A], ...place), share }));
    const mean = entries.reduce((s, { x, share }) => s + share * x, 0);
    const variance = entries.reduce((s, { x, share }) => s + share * (x - mean) ** 2, 0);
    const terms = entries.map(({ x, share }) => ({ code: (f) => `${f(share)} * ${f(x)}`, value: share * x }));
    const squares = entries.map(({ x, share }) =>
      ({ code: (f) => `${f(share)} * (${f(x)} - ${f(mean)}) ** 2`, value: share * (x - mean) ** 2 }));
    return {
      mean, variance, size: Math.sqrt(variance + layer.epsilon), operands: { [A]: over.map(({ place }) => place) },
      lines: (f) => [["mean", sum(terms, f), mean], ["variance", sum(squares, f), variance]],
    };
  }
  function normalization(over) {
    return {
      Z(V, layer, l, i, j) {
        const A = entering(V, l), found = statistics(V, layer, A, over(V, A, i, j)), { mean, variance } = found;
        const [gain, shift] = [at(V[`gain[${l}]`], i, 0), at(V[`shift[${l}]`], i, 0)];
        return {
          symbolic: `gain${subscript(i)}·(a${subscript(i, j)} − mean) / √(variance + ε) + shift${subscript(i)}`, lines: found.lines,
          code: (f) => `${f(gain)} * (${f(at(V[A], i, j))} - ${f(mean)}) / sqrt(${f(variance)} + ${f(layer.epsilon)}) + ${f(shift)}`,
          operands: { ...found.operands, [`gain[${l}]`]: [[i, 0]], [`shift[${l}]`]: [[i, 0]] },
        };
      },
      sums: {
        gain(V, layer, l, i) {
          const A = entering(V, l), key = `delta[${l}]`;
          const terms = range(V[key].m).map((j) => {
            const { mean, size } = statistics(V, layer, A, over(V, A, i, j)), [d, a] = [at(V[key], i, j), at(V[A], i, j)];
            return { text: `δ${subscript(i, j)}·x̂${subscript(i, j)}`, value: d * (a - mean) / size,
              code: (f) => `${f(d)} * (${f(a)} - ${f(mean)}) / ${f(size)}` };
          });
          return { terms, operands: { [key]: row(V[key], i), [A]: row(V[A], i) } };
        },
        shift: sumOfDelta,
      },
      dA(V, layer, l, i, j) {
        const A = entering(V, l), key = `delta[${l}]`, entries = over(V, A, i, j), { mean, size, operands } = statistics(V, layer, A, entries);
        const dX = ([u, e]) => at(V[`gain[${l}]`], u, 0) * at(V[key], u, e), normal = ([u, e]) => (at(V[A], u, e) - mean) / size;
        const { share } = entries.find(({ place: [u, e] }) => u === i && e === j), here = [i, j];
        const total = entries.reduce((s, { place }) => s + dX(place), 0), along = entries.reduce((s, { place }) => s + dX(place) * normal(place), 0);
        return {
          symbolic: `(dx̂${subscript(i, j)} − p·Σ dx̂ − p·x̂${subscript(i, j)}·Σ dx̂·x̂) / √(variance + ε), dx̂ = gain·δ`,
          code: (f) => `(${f(dX(here))} - ${f(share)} * ${f(total)} - ${f(share)} * ${f(normal(here))} * ${f(along)}) / ${f(size)}`,
          operands: { ...operands, [key]: entries.map(({ place }) => place), [`gain[${l}]`]: [[i, 0]] },
        };
      },
    };
  }
  const batch_norm = {
    ...normalization(overExamples),
    // A running average after the step.
    averaged(V, layer, l, i, name) {
      const A = entering(V, l), found = statistics(V, layer, A, overExamples(V, A, i)), old = at(V[`${name}[${l}]`], i, 0);
      return {
        symbolic: `(1 − momentum)·${name}${subscript(i)} + momentum·the batch's`, lines: found.lines,
        code: (f) => `${f(1 - layer.momentum)} * ${f(old)} + ${f(layer.momentum)} * ${f(found[name])}`,
        operands: { [`${name}[${l}]`]: [[i, 0]], ...found.operands },
      };
    },
  };

  // --------------------------------------------------------------------------- side by side
  // Which part a row of the stacked outputs comes from: the place of the part's last layer, the row there.
  function partOf(V, layer, l, i) {
    let row = i;
    for (const [k, { layers }] of layer.parts.entries()) {
      const key = `A[${l}.${k + 1}.${layers.length}]`;
      if (row < V[key].n) return { key, row };
      row -= V[key].n;
    }
    return null;
  }
  const parallel = {
    Z(V, layer, l, i, j) {
      const { key, row: own } = partOf(V, layer, l, i);
      return { ...single(V, key, own, j, "a"), symbolic: `a${subscript(own, j)} of ${key}` };
    },
    sums: {},
    dA(V, layer, l, i, j) {
      const reading = layer.parts.map((part, k) => ({ ...part, key: `dA[${l}.${k + 1}.0]` })).filter(({ first, last }) => first <= i && i < last);
      const terms = reading.map(({ key, first }) => single(V, key, i - first, j, "dA"));
      return { ...plain({ terms, operands: {} }), operands: together(terms.map(({ operands }) => operands)) };
    },
  };

  const KINDS = {
    dense: weighted(() => 1), grouped: weighted((layer, n) => n / layer.size), shared: weighted((layer) => layer.members, true),
    scale, parametric, periodic, piecewise_linear, embedding, layer_norm: normalization(overUnits), batch_norm, parallel,
  };
  return { KINDS, entering };
})();
