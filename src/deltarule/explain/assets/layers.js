// The kinds of layers: one object each, with its equation forward and its equations backward, as in
// the notation. A layer is what the plan says of it; parameters are {name: matrix}, those of the
// layers within a parallel one under "part.depth.name", both counted from 1. A cache is what the
// forward pass leaves to the backward one: {A_prev, Z, A, kept}.
"use strict";
const Layers = (() => {
  const { matrix, at, made, map, sumOf, columnwise, rows, stacked } = Algebra;

  // ------------------------------------------------------------------------ what rows compute
  // Every output of an expression, of matrices of one shape by the names of its inputs.
  function entries(expression, matrices, step = {}) {
    const [{ n, m, v }] = Object.values(matrices);
    const inputs = Object.fromEntries(Object.entries(matrices).map(([name, M]) => [name, M.v]));
    return Expressions.evaluate(expression, { ...inputs, ...step }, v.length).map((x) => matrix(n, m, x));
  }
  const entry = (expression, matrices) => entries(expression, matrices)[0];

  const softmax = (column) => {
    const most = Math.max(...column), e = column.map((z) => Math.exp(z - most));
    const sum = e.reduce((s, x) => s + x, 0);
    return e.map((x) => x / sum);
  };
  const activate = (g, Z) => (g.mixes ? columnwise(softmax, Z) : entry(g.g, { z: Z }));

  // ------------------------------------------------------------------- weights and biases
  // A product within each of several groups of units, W's rows being those of one group after
  // another, or the same for all. A dense layer is a single group.
  function weighted(groupsOf, isShared = false) {
    const placed = (layer, W, A) => {
      const groups = groupsOf(layer, A.n), units = isShared ? W.n : W.n / groups, size = A.n / groups;
      const places = [];  // of each unit: its row of W, and where its group's inputs begin
      for (let g = 0; g < groups; g++)
        for (let u = 0; u < units; u++) places.push([isShared ? u : g * units + u, g * size]);
      return { places, size };
    };
    return {
      forward(layer, { W, b }, A) {
        const { places, size } = placed(layer, W, A), m = A.m, Z = matrix(places.length, m);
        places.forEach(([row, first], i) => {
          for (let k = 0; k < size; k++) {
            const w = at(W, row, k), from = (first + k) * m;
            for (let j = 0; j < m; j++) Z.v[i * m + j] += w * A.v[from + j];
          }
          for (let j = 0; j < m; j++) Z.v[i * m + j] += b.v[i * b.m + (b.m === 1 ? 0 : j)];
        });  // b is (n, 1), or as the misprint leaves it, (n, m)
        return { Z };
      },
      sums(layer, { W }, delta, { A_prev: A }, misprint) {
        const { places, size } = placed(layer, W, A), m = A.m, dW = matrix(W.n, W.m);
        places.forEach(([row, first], i) => {
          for (let k = 0; k < size; k++) {
            let sum = 0;
            for (let j = 0; j < m; j++) sum += delta.v[i * m + j] * A.v[(first + k) * m + j];
            dW.v[row * W.m + k] += sum;
          }
        });
        return { W: dW, b: sumOf(delta, misprint === "axis0" ? 0 : 1) };
      },
      dA(layer, { W }, delta, { A_prev: A }) {
        const { places, size } = placed(layer, W, A), m = A.m, dA = matrix(A.n, m);
        places.forEach(([row, first], i) => {
          for (let k = 0; k < size; k++) {
            const w = at(W, row, k), to = (first + k) * m;
            for (let j = 0; j < m; j++) dA.v[to + j] += w * delta.v[i * m + j];
          }
        });
        return dA;
      },
    };
  }

  // ---------------------------------------------------------------------- unit by unit
  const timesColumn = (M, c) => made(M.n, M.m, (i, j) => M.v[i * M.m + j] * c.v[i]);
  const sumOfProducts = (P, Q) => sumOf(map((p, q) => p * q, P, Q), 1);

  const scale = {
    forward: (layer, own, A) => ({ Z: timesColumn(A, own.scale) }),
    sums: (layer, own, delta, { A_prev }) => ({ scale: sumOfProducts(delta, A_prev) }),
    dA: (layer, own, delta) => timesColumn(delta, own.scale),
  };
  const parametric = {
    forward(layer, { alpha }, A) {
      const bent = activate(layer.bend, A);
      return { Z: made(A.n, A.m, (i, j) => at(A, i, j) + alpha.v[i] * (at(bent, i, j) - at(A, i, j))), kept: { bent } };
    },
    sums: (layer, own, delta, { A_prev, kept }) =>
      ({ alpha: sumOfProducts(delta, map((h, a) => h - a, kept.bent, A_prev)) }),
    dA(layer, { alpha }, delta, { A_prev }) {
      const slope = entry(layer.bend.g_prime, { z: A_prev });
      return made(delta.n, delta.m, (i, j) => at(delta, i, j) * (1 - alpha.v[i] + alpha.v[i] * at(slope, i, j)));
    },
  };

  // ------------------------------------------------------------- embeddings of a column
  const TURN = 2 * Math.PI;
  const periodic = {
    forward(layer, { frequency, phase }, A) {
      const each = frequency.n / A.n;
      return { Z: made(frequency.n, A.m, (i, j) => TURN * frequency.v[i] * at(A, Math.floor(i / each), j) + phase.v[i]) };
    },
    sums(layer, { frequency }, delta, { A_prev }) {
      const each = frequency.n / A_prev.n;
      const turned = made(delta.n, delta.m, (i, j) => TURN * at(delta, i, j) * at(A_prev, Math.floor(i / each), j));
      return { frequency: sumOf(turned, 1), phase: sumOf(delta, 1) };
    },
    dA(layer, { frequency }, delta, { A_prev }) {
      const each = frequency.n / A_prev.n, dA = matrix(A_prev.n, A_prev.m);
      for (let i = 0; i < delta.n; i++)
        for (let j = 0; j < delta.m; j++) dA.v[Math.floor(i / each) * dA.m + j] += TURN * frequency.v[i] * at(delta, i, j);
      return dA;
    },
  };
  // Every bin: its column, its ends, and between which values its share is cut off.
  const binsOf = (layer) => layer.edges.flatMap((edges, column) => edges.slice(1).map((end, k) => ({
    column, start: edges[k], end, width: end - edges[k], low: k ? 0 : -Infinity, high: k < edges.length - 2 ? 1 : Infinity,
  })));
  const shareOf = ({ start, width }, x) => (x - start) / width;
  const piecewise_linear = {
    forward(layer, own, A) {
      const bins = binsOf(layer);
      return { Z: made(bins.length, A.m, (i, j) => Math.min(Math.max(shareOf(bins[i], at(A, bins[i].column, j)), bins[i].low), bins[i].high)) };
    },
    sums: () => ({}),
    dA(layer, own, delta, { A_prev }) {
      const dA = matrix(A_prev.n, A_prev.m);
      binsOf(layer).forEach((bin, i) => {
        for (let j = 0; j < dA.m; j++) {
          const share = shareOf(bin, at(A_prev, bin.column, j));
          if (share >= bin.low && share < bin.high) dA.v[bin.column * dA.m + j] += at(delta, i, j) / bin.width;
        }
      });
      return dA;
    },
  };
  // Where the levels of each column begin in E, and the code of an entry; 0 where there is none such.
  const firstsOf = (levels) => levels.map((_, k) => levels.slice(0, k).reduce((sum, count) => sum + count, 0));
  const codeOf = (x, count) => (x >= 0 && x < count && Math.floor(x) === x ? x : 0);
  const placeIn = ({ levels }, column, x) => firstsOf(levels)[column] + codeOf(x, levels[column]);
  const embedding = {
    forward: (layer, { E }, A) => ({
      Z: made(E.n * A.n, A.m, (i, j) => {
        const column = Math.floor(i / E.n);
        return at(E, i % E.n, placeIn(layer, column, at(A, column, j)));
      }),
    }),
    sums(layer, { E }, delta, { A_prev }) {
      const dE = matrix(E.n, E.m);
      for (let i = 0; i < delta.n; i++)
        for (let j = 0; j < delta.m; j++) {
          const column = Math.floor(i / E.n);
          dE.v[(i % E.n) * E.m + placeIn(layer, column, at(A_prev, column, j))] += at(delta, i, j);
        }
      return { E: dE };
    },
    dA: (layer, own, delta, { A_prev }) => matrix(A_prev.n, A_prev.m),  // a code is not a quantity
  };

  // -------------------------------------------------------------------------- normalization
  const gained = (X_hat, { gain, shift }) => made(X_hat.n, X_hat.m, (i, j) => gain.v[i] * at(X_hat, i, j) + shift.v[i]);
  const gainSums = (layer, own, delta, { kept }) => ({ gain: sumOfProducts(delta, kept.X_hat), shift: sumOf(delta, 1) });
  const layer_norm = {
    forward(layer, own, A) {
      const size = matrix(1, A.m);
      const X_hat = columnwise((column, j) => {
        const mean = column.reduce((s, x) => s + x, 0) / A.n;
        const variance = column.reduce((s, x) => s + (x - mean) ** 2, 0) / A.n;
        size.v[j] = 1 / Math.sqrt(variance + layer.epsilon);
        return column.map((x) => (x - mean) * size.v[j]);
      }, A);
      return { Z: gained(X_hat, own), kept: { X_hat, size } };
    },
    sums: gainSums,
    dA(layer, { gain }, delta, { kept: { X_hat, size } }) {
      return columnwise((dX, j) => {
        const mean = dX.reduce((s, x) => s + x, 0) / dX.length;
        const along = dX.reduce((s, x, i) => s + x * at(X_hat, i, j), 0) / dX.length;
        return dX.map((x, i) => (x - mean - at(X_hat, i, j) * along) * size.v[j]);
      }, timesColumn(delta, gain));
    },
  };
  // The examples' shares of their batch; all 0 where none weighs anything.
  const sharesOf = (m, s) => {
    if (!s) return new Float64Array(m).fill(1 / m);
    const sum = s.v.reduce((t, x) => t + x, 0);
    return s.v.map((x) => x / (sum > 0 ? sum : 1));
  };
  const batch_norm = {
    forward(layer, own, A, batch) {
      const p = batch && sharesOf(A.m, batch.s);
      const over = (f) => sumOf(made(A.n, A.m, (i, j) => p[j] * f(i, j)), 1);
      const mean = batch ? over((i, j) => at(A, i, j)) : own.mean;
      const variance = batch ? over((i, j) => (at(A, i, j) - mean.v[i]) ** 2) : own.variance;
      const size = map((v) => 1 / Math.sqrt(v + layer.epsilon), variance);
      const X_hat = made(A.n, A.m, (i, j) => (at(A, i, j) - mean.v[i]) * size.v[i]);
      return { Z: gained(X_hat, own), kept: { X_hat, size, p, mean, variance } };
    },
    sums: gainSums,
    dA(layer, { gain }, delta, { kept: { X_hat, size, p } }) {
      const dX = timesColumn(delta, gain);
      if (!p) return timesColumn(dX, size);
      const sums = sumOf(dX, 1), along = sumOfProducts(dX, X_hat);
      return made(dX.n, dX.m, (i, j) =>
        (at(dX, i, j) - p[j] * sums.v[i] - p[j] * at(X_hat, i, j) * along.v[i]) * size.v[i]);
    },
    averaged: (layer, own, { kept }) => Object.fromEntries(layer.running.map((name) =>
      [name, map((old, now) => (1 - layer.momentum) * old + layer.momentum * now, own[name], kept[name])])),
  };

  // --------------------------------------------------------------------------- side by side
  const trees = new WeakMap();  // of a parallel layer's parameters, those of each layer within
  function within(parameters, part, depth) {
    if (!trees.has(parameters)) {
      const tree = {};
      for (const [name, M] of Object.entries(parameters)) {
        const [, k, d, own] = /^(\d+)\.(\d+)\.(.+)$/.exec(name);
        ((tree[k] ??= {})[d] ??= {})[own] = M;
      }
      trees.set(parameters, tree);
    }
    return trees.get(parameters)[part]?.[depth] ?? {};
  }
  // What each layer within has by name, under its name in the whole.
  const named = (parts, f) => Object.fromEntries(parts.flatMap((part, k) => part.flatMap((own, d) =>
    Object.entries(f(own, k, d)).map(([name, M]) => [`${k + 1}.${d + 1}.${name}`, M]))));
  const parallel = {
    forward(layer, parameters, A_prev, batch) {
      const kept = layer.parts.map(({ first, last, layers }, k) => {
        let A = rows(A_prev, first, last);
        const start = A, caches = layers.map((own, d) => {
          const cache = forward(own, within(parameters, k + 1, d + 1), A, batch);
          A = cache.A;
          return cache;
        });
        return { start, caches, A };
      });
      return { Z: stacked(kept.map((part) => part.A)), kept };
    },
    // Eq. 11 down each part's chain: of every layer within what `backward` returns.
    inner(layer, parameters, delta, { kept }, misprint) {
      let place = 0;
      return layer.parts.map(({ layers }, k) => {
        const { A, caches } = kept[k], found = [];
        let dA = rows(delta, place, place + A.n);
        place += A.n;
        for (let d = layers.length - 1; d >= 0; d--) {
          found.unshift({ ...backward(layers[d], within(parameters, k + 1, d + 1), slope(layers[d], dA, caches[d]), caches[d], misprint), dA });
          dA = found[0].dA_prev;
        }
        return { layers: found, dA };
      });
    },
    sums: (layer, parameters, delta, cache, misprint, parts) => named(parts.map((part) => part.layers), (own) => own.sums),
    dA(layer, parameters, delta, { A_prev }, parts) {
      const dA = matrix(A_prev.n, A_prev.m);
      parts.forEach((part, k) => {
        const place = layer.parts[k].first * dA.m;
        part.dA.v.forEach((x, e) => { dA.v[place + e] += x; });
      });
      return dA;
    },
    averaged: (layer, parameters, { kept }) => named(layer.parts.map((part) => part.layers),
      (own, k, d) => averaged(own, within(parameters, k + 1, d + 1), kept[k].caches[d])),
  };

  const KINDS = {
    dense: weighted(() => 1), grouped: weighted((layer, n) => n / layer.size),
    shared: weighted((layer) => layer.members, true),
    scale, parametric, periodic, piecewise_linear, embedding, layer_norm, batch_norm, parallel,
  };

  // ------------------------------------------------------------------ a layer of any kind
  function forward(layer, parameters, A_prev, batch = null) {
    const { Z, kept } = KINDS[layer.kind].forward(layer, parameters, A_prev, batch);
    return { A_prev, Z, A: activate(layer.activation, Z), kept };
  }
  // Eq. 11a: δ, and g′(Z) where the activation does not mix units.
  function slope({ activation: g }, dA, { Z, A }) {
    if (!g.mixes) {
      const gPrime = entry(g.g_prime, { z: Z });
      return { gPrime, delta: map((d, g1) => d * g1, dA, gPrime) };
    }
    return { gPrime: null, delta: columnwise((a, j) => {
      const sum = a.reduce((s, x, i) => s + x * at(dA, i, j), 0);
      return a.map((x, i) => x * (at(dA, i, j) - sum));
    }, A) };
  }
  // From δ: by each parameter the derivative of the summed loss, dA of the layer before, and of a
  // parallel layer the same of every layer within.
  function backward(layer, parameters, { delta, gPrime }, cache, misprint = null) {
    const kind = KINDS[layer.kind], parts = kind.inner && kind.inner(layer, parameters, delta, cache, misprint);
    return {
      delta, gPrime, parts, sums: kind.sums(layer, parameters, delta, cache, misprint, parts),
      dA_prev: kind.dA(layer, parameters, delta, cache, parts),
    };
  }
  // The running parameters after a step.
  function averaged(layer, parameters, cache) {
    const { averaged: own } = KINDS[layer.kind];
    return own ? own(layer, parameters, cache) : {};
  }
  // The layer that a parameter belongs to, itself or one within, and its name there.
  function owner(layer, name) {
    if (layer.kind !== "parallel") return { layer, name };
    const [k, d, ...own] = name.split(".");
    return owner(layer.parts[k - 1].layers[d - 1], own.join("."));
  }
  const rateOf = (layer, name) => { const own = owner(layer, name); return own.layer.rates[own.name]; };
  const isPenalized = (layer, name) => { const own = owner(layer, name); return own.layer.penalized.includes(own.name); };

  return { KINDS, entries, entry, softmax, activate, forward, slope, backward, averaged, within, owner,
    rateOf, isPenalized, binsOf, placeIn };
})();
