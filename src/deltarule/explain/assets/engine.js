// The equations, in the page: a whole step, forward above backward, in the notation of the notes.
// What a row computes of one entry is an expression; what mixes units stands here. A matrix is
// {n, m, v}: n rows, m columns, v its entries row by row in double precision.
"use strict";
const Engine = (() => {
  // ------------------------------------------------------------------------------ matrices
  const matrix = (n, m, v) => ({ n, m, v: v || new Float64Array(n * m) });
  const at = (M, i, j) => M.v[i * M.m + j];
  const map = (f, M, ...more) =>
    matrix(M.n, M.m, M.v.map((x, k) => f(x, ...more.map((other) => other.v[k]))));
  const copy = (M) => matrix(M.n, M.m, M.v.slice());
  const total = (M) => M.v.reduce((sum, x) => sum + x, 0);
  const norm = (M) => Math.sqrt(M.v.reduce((sum, x) => sum + x * x, 0));

  function transpose(M) {
    const T = matrix(M.m, M.n);
    for (let i = 0; i < M.n; i++) for (let j = 0; j < M.m; j++) T.v[j * M.n + i] = at(M, i, j);
    return T;
  }

  function product(P, Q) {
    const R = matrix(P.n, Q.m);
    for (let i = 0; i < P.n; i++)
      for (let k = 0; k < P.m; k++) {
        const p = at(P, i, k);
        for (let j = 0; j < Q.m; j++) R.v[i * Q.m + j] += p * Q.v[k * Q.m + j];
      }
    return R;
  }

  const sumOf = (M, axis) => {  // 1: over the columns, to (n, 1); 0: over the rows, to (1, m)
    const R = axis === 1 ? matrix(M.n, 1) : matrix(1, M.m);
    for (let i = 0; i < M.n; i++)
      for (let j = 0; j < M.m; j++) R.v[axis === 1 ? i : j] += at(M, i, j);
    return R;
  };

  const columnwise = (f, M) => {  // f of one example's column, an array, to a column
    const R = matrix(M.n, M.m);
    for (let j = 0; j < M.m; j++) {
      const column = f(Array.from({ length: M.n }, (_, i) => at(M, i, j)), j);
      column.forEach((x, i) => { R.v[i * M.m + j] = x; });
    }
    return R;
  };

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
  const logSoftmax = (column) => {
    const most = Math.max(...column);
    const log = Math.log(column.reduce((s, z) => s + Math.exp(z - most), 0));
    return column.map((z) => z - most - log);
  };
  const grouped = (f, size) => (column) => {  // f of each group of units
    const parts = Array.from({ length: column.length / size }, (_, k) => column.slice(k * size, (k + 1) * size));
    return parts.flatMap((part) => f(part));
  };
  const activate = (g, Z) => (g.mixes ? columnwise(softmax, Z) : entry(g.g, { z: Z }));

  // Costs that mix the units of an example, by the names of row_expressions.WRITTEN_BY_HAND: each
  // unit's share of the loss, then dA or, of an output pair, δ.
  const BY_HAND = {
    "softmax with categorical_cross_entropy": () => ({
      shares: (Z, A, Y) => map((log, y) => -(y * log), columnwise(logSoftmax, Z), Y),
      delta: (Z, A, Y) => map((a, y) => a - y, A, Y),
    }),
    "softmax with focal": (gamma) => ({
      shares: (Z, A, Y) =>
        map((log, y) => -(y * (1 - Math.exp(log)) ** gamma * log), columnwise(logSoftmax, Z), Y),
      delta: (Z, A, Y) => {
        const easy = (a, log) => (gamma ? gamma * a * (1 - a) ** (gamma - 1) * log : 0);
        const own = map((a, log, y) => y * (easy(a, log) - (1 - a) ** gamma), A, columnwise(logSoftmax, Z), Y);
        const sums = sumOf(own, 0);
        return columnwise((column, j) => column.map((x, i) => x - at(A, i, j) * sums.v[j]), own);
      },
    }),
    softmax_cross_entropy: (classes) => ({
      shares: (Z, A, Y) => map((log, y) => -(y * log), columnwise(grouped(logSoftmax, classes), A), Y),
      dA: (A, Y) => {
        const targets = columnwise(grouped((y) => y.fill(y.reduce((s, x) => s + x, 0)), classes), Y);
        return map((p, sum, y) => p * sum - y, columnwise(grouped(softmax, classes), A), targets, Y);
      },
    }),
  };
  const costRow = (row) => ({
    shares: row.pair ? (Z, A, Y) => entry(row.pair.loss, { z: Z, y: Y }) : (Z, A, Y) => entry(row.loss, { a: A, y: Y }),
    dA: (A, Y) => entry(row.dA, { a: A, y: Y }),
    delta: (Z, A, Y) => entry(row.pair.delta, { z: Z, a: A, y: Y }),
    ...(row.by_hand ? BY_HAND[row.by_hand](...row.numbers) : {}),
  });

  // ---------------------------------------------------------------------------- a whole step
  // plan: layers, cost, optimizer, rules; now: parameters [{W, b}], state, X, Y, weights, alpha,
  // t, masks {l: matrix}. misprint: "axis0" takes Eq. 10c as printed, "twice" divides by m twice.
  const masked = (A, mask) => (mask ? map((a, d) => a * d, A, mask) : A);

  const smoothed = (plan, Y) => {
    const share = plan.rules.label_smoothing;
    return share ? map((y) => y * (1 - share) + share * plan.cost.uniform, Y) : Y;
  };

  function forward(plan, parameters, X, masks = {}) {
    const A = [X], Z = [null];
    plan.layers.forEach((layer, k) => {
      const { W, b } = parameters[k], z = product(W, masked(A[k], masks[k]));
      for (let i = 0; i < z.n; i++)  // b is (n, 1), or as the misprint leaves it, (n, m)
        for (let j = 0; j < z.m; j++) z.v[i * z.m + j] += b.v[i * b.m + (b.m === 1 ? 0 : j)];
      Z.push(z);
      A.push(activate(layer.activation, z));
    });
    return { A, Z };
  }

  // Each unit's share of the loss: an example's is their sum.
  function sharesOf(plan, { A, Z }, Y) {
    const L = plan.layers.length;
    return costRow(plan.cost).shares(Z[L], A[L], Y);
  }

  const weightOf = (X, s) => (s ? total(s) || 1 : X.m);
  const scaled = (M, s) => (s ? matrix(M.n, M.m, M.v.map((x, k) => x * s.v[k % M.m])) : M);

  function penaltyOf(plan, parameters, m) {
    const { l1, l2, over_batch } = plan.rules;
    if (!l1 && !l2) return 0;
    const sum = parameters.filter((_, k) => plan.layers[k].rates.W > 0).reduce((s, { W }) =>
      s + W.v.reduce((u, w) => u + l1 * Math.abs(w) + 0.5 * l2 * w * w, 0), 0);
    return over_batch ? sum / m : sum;
  }

  function costOf(plan, parameters, X, Y, s = null, masks = {}) {
    const loss = sumOf(sharesOf(plan, forward(plan, parameters, X, masks), smoothed(plan, Y)), 0);
    const m = weightOf(X, s);
    return total(scaled(loss, s)) / m + penaltyOf(plan, parameters, m);
  }

  function backward(plan, now, passed, misprint) {
    const L = plan.layers.length, m = weightOf(now.X, now.weights), masks = now.masks || {};
    const { l1, l2, over_batch } = plan.rules, share = over_batch ? 1 / m : 1;
    const { A, Z } = passed, Y = smoothed(plan, now.Y);
    const dA = [], delta = [], gPrime = [null], dW = [null], db = [null];
    const row = costRow(plan.cost);
    dA[L] = scaled(row.dA(A[L], Y), now.weights);
    for (let l = L; l >= 1; l--) {
      const g = plan.layers[l - 1].activation, penalty = plan.layers[l - 1].rates.W > 0 ? share : 0;
      gPrime[l] = g.mixes ? null : entry(g.g_prime, { z: Z[l] });
      if (l === L && plan.cost.fused) {
        delta[l] = scaled(row.delta(Z[l], A[l], Y), now.weights);
      } else if (g.mixes) {
        delta[l] = columnwise((a, j) => {
          const sum = a.reduce((s, x, i) => s + x * at(dA[l], i, j), 0);
          return a.map((x, i) => x * (at(dA[l], i, j) - sum));
        }, A[l]);
      } else delta[l] = map((d, g1) => d * g1, dA[l], gPrime[l]);
      const twice = misprint === "twice" ? m : 1, W = now.parameters[l - 1].W;
      dW[l] = map((d, w) => d / m / twice + penalty * (l1 * Math.sign(w) + l2 * w),
        product(delta[l], transpose(masked(A[l - 1], masks[l - 1]))), W);
      db[l] = map((d) => d / m / twice, sumOf(delta[l], misprint === "axis0" ? 0 : 1));
      dA[l - 1] = masked(product(transpose(W), delta[l]), masks[l - 1]);
    }
    return { dA, delta, gPrime, dW, db };
  }

  function clipped(plan, back) {
    const { clip_value, clip_norm } = plan.rules;
    let all = back.dW.slice(1).map((W, k) => ({ W, b: back.db[k + 1] }));
    const each = (f) => all.map(({ W, b }) => ({ W: map(f, W), b: map(f, b) }));
    if (clip_value) all = each((d) => Math.min(Math.max(d, -clip_value), clip_value));
    if (clip_norm) {
      const size = Math.sqrt(all.reduce((s, { W, b }) => s + norm(W) ** 2 + norm(b) ** 2, 0));
      all = each((d) => d * (clip_norm / Math.max(size, clip_norm)));
    }
    return all;
  }

  // One row or one column repeated; else as it is. A misprint makes (n, m) of b: (n, 1) less (1, m).
  function broadcast(M, n, m) {
    if (M.n === n && M.m === m) return M;
    const wide = matrix(n, m);
    for (let i = 0; i < n; i++)
      for (let j = 0; j < m; j++) wide.v[i * m + j] = at(M, M.n === 1 ? 0 : i, M.m === 1 ? 0 : j);
    return wide;
  }

  // One parameter after the update, its state, and what max-norm scales its rows by.
  function descended(plan, layer, name, own, d, slots, now) {
    const [n, m] = [Math.max(own.n, d.n), Math.max(own.m, d.m)], fitted = (M) => broadcast(M, n, m);
    const isPenalized = name === "W" && layer.rates.W > 0, limit = isPenalized ? plan.rules.max_norm : 0;
    const decay = isPenalized ? plan.rules.decay + plan.optimizer.decay : 0;
    const W = decay ? map((w) => w - now.alpha * decay * w, fitted(own)) : fitted(own);
    const state = Object.fromEntries(plan.optimizer.slots.map((slot, k) => [`slot_${slot}`, fitted(slots[k])]));
    const step = { t: now.t, alpha: now.alpha * layer.rates[name] };
    const [made, ...after] = entries(plan.optimizer.update, { W, dW: fitted(d), ...state }, step);
    if (!limit) return { made, after };
    const factors = map((squares) => limit / Math.max(Math.sqrt(squares), limit), sumOf(map((w) => w * w, made), 1));
    return { made: map((w, factor) => w * factor, made, broadcast(factors, n, m)), after, factors };
  }

  function updated(plan, now, gradients) {
    const after = [], state = [], factors = [];  // factors: what max-norm scales a unit's weights by
    now.parameters.forEach((own, k) => {
      const made = Object.fromEntries(["W", "b"].map((name) =>
        [name, descended(plan, plan.layers[k], name, own[name], gradients[k][name], now.state[k][name], now)]));
      after.push({ W: made.W.made, b: made.b.made });
      state.push({ W: made.W.after, b: made.b.after });
      factors.push(made.W.factors);
    });
    return { after, state, factors };
  }

  function step(plan, now, misprint = null) {
    const passed = forward(plan, now.parameters, now.X, now.masks);
    const m = weightOf(now.X, now.weights);
    const shares = sharesOf(plan, passed, smoothed(plan, now.Y)), loss = sumOf(shares, 0);
    const value = total(scaled(loss, now.weights)) / m + penaltyOf(plan, now.parameters, m);
    const back = backward(plan, now, passed, misprint);
    const own = clipped(plan, back), { after, state, factors } = updated(plan, now, own);
    return { ...passed, ...back, clipped: own, m, shares, loss, cost: value, before: now.parameters, after,
      stateAfter: state, factors };
  }

  const initialState = (plan, parameters) => parameters.map((own) => Object.fromEntries(
    ["W", "b"].map((name) => [name, entries(plan.optimizer.init, { W: own[name] })])));

  // The state after a step: what the next one starts from.
  const next = (now, done) =>
    ({ ...now, parameters: done.after, state: done.stateAfter, t: now.t + 1 });

  return { BY_HAND, matrix, at, map, copy, total, transpose, product, sumOf, masked, smoothed, forward,
    costOf, step, next, initialState };
})();
