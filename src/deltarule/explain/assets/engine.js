// The equations, in the page: one row a function, forward above backward, in the notation of the
// notes. A matrix is {n, m, v}: n rows, m columns, v its entries row by row in double precision.
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

  // --------------------------------------------------- activations: g, then g', of one number
  const sigma = (z) => { const e = Math.exp(-Math.abs(z)); return (z >= 0 ? 1 : e) / (1 + e); };
  const sigmaPrime = (z) => { const e = Math.exp(-Math.abs(z)); return e / ((1 + e) * (1 + e)); };
  const softplus = (z) => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)));
  const logSigma = (z) => -softplus(-z);
  const tanhPrime = (z) => 4 * sigmaPrime(2 * z);
  const elu = (scale, alpha) => ({
    g: (z) => scale * (z > 0 ? z : alpha * Math.expm1(z)),
    gPrime: (z) => scale * (z > 0 ? 1 : alpha * Math.exp(z)),
  });
  const ACTIVATIONS = {
    identity: () => ({ g: (z) => z, gPrime: () => 1 }),
    sigmoid: () => ({ g: sigma, gPrime: sigmaPrime }),
    tanh: () => ({ g: Math.tanh, gPrime: tanhPrime }),
    relu: () => ({ g: (z) => Math.max(z, 0), gPrime: (z) => (z > 0 ? 1 : 0) }),
    leaky_relu: (slope) => ({
      g: (z) => (z > 0 ? z : slope * z),
      gPrime: (z) => (z > 0 ? 1 : z < 0 ? slope : 0),
    }),
    elu: (alpha) => elu(1, alpha),
    selu: () => elu(1.0507009873554805, 1.6732632423543772),
    softplus: () => ({ g: softplus, gPrime: sigma }),
    silu: () => ({ g: (z) => z * sigma(z), gPrime: (z) => sigma(z) + z * sigmaPrime(z) }),
    mish: () => ({
      g: (z) => z * Math.tanh(softplus(z)),
      gPrime: (z) => Math.tanh(softplus(z)) + z * tanhPrime(softplus(z)) * sigma(z),
    }),
    exp: () => ({ g: Math.exp, gPrime: Math.exp }),
    softmax: () => ({ mixed: true, g: null, gPrime: null }),
  };
  const exponentials = (column) => {
    const most = Math.max(...column);
    return column.map((z) => Math.exp(z - most));
  };
  const softmax = (column) => {
    const e = exponentials(column), sum = e.reduce((s, x) => s + x, 0);
    return e.map((x) => x / sum);
  };
  const logSoftmax = (column) => {
    const most = Math.max(...column);
    const log = Math.log(exponentials(column).reduce((s, x) => s + x, 0));
    return column.map((z) => z - most - log);
  };
  const activation = (row) => ACTIVATIONS[row.base](...row.numbers);
  const activate = (g, Z) => (g.mixed ? columnwise(softmax, Z) : map(g.g, Z));

  // ------------------------------- costs: one entry's part of the loss, then of dA, of a and y
  const yLog = (y, a) => (y === 0 ? 0 : y * Math.log(a));
  const ratio = (y, a) => (y === 0 ? 0 : y / a);
  const COSTS = {
    mse: () => ({ loss: (a, y) => (y - a) ** 2, dA: (a, y) => 2 * (a - y) }),
    mae: () => ({ loss: (a, y) => Math.abs(y - a), dA: (a, y) => Math.sign(a - y) }),
    half_squared_error: () => ({ loss: (a, y) => 0.5 * (y - a) ** 2, dA: (a, y) => a - y }),
    binary_cross_entropy: () => ({
      loss: (a, y) => -(yLog(y, a) + yLog(1 - y, 1 - a)),
      dA: (a, y) => -ratio(y, a) + ratio(1 - y, 1 - a),
    }),
    categorical_cross_entropy: () => ({
      loss: (a, y) => -yLog(y, a), dA: (a, y) => -ratio(y, a),
    }),
    huber: (delta) => ({
      loss: (a, y) => {
        const near = Math.min(Math.abs(y - a), delta);
        return near * (Math.abs(y - a) - 0.5 * near);
      },
      dA: (a, y) => Math.min(Math.max(a - y, -delta), delta),
    }),
    quantile: (tau) => ({
      loss: (a, y) => Math.max(tau * (y - a), (tau - 1) * (y - a)),
      dA: (a, y) => (a > y ? 1 - tau : a < y ? -tau : 0),
    }),
    poisson: () => ({ loss: (a, y) => a - yLog(y, a), dA: (a, y) => 1 - ratio(y, a) }),
  };
  const FUSED = {  // the classical pairs: the loss from z; δ is a − y for all three
    binary_cross_entropy: (Z, Y) => map((z, y) => -(y * logSigma(z) + (1 - y) * logSigma(-z)), Z, Y),
    categorical_cross_entropy: (Z, Y) => map((l, y) => -(y * l), columnwise(logSoftmax, Z), Y),
    poisson: (Z, Y) => map((z, y) => Math.exp(z) - y * z, Z, Y),
  };
  const cost = (row) => COSTS[row.base](...row.numbers);

  // ---------------------- optimizers: (w, d, state, t, α) of one entry to the new w and state
  const bias = (beta, t) => (beta === 0 ? 1 : -Math.expm1(t * Math.log(beta)));
  const adam = (ahead) => (o) => (w, d, [M, V], t, alpha) => {
    M = o.beta_1 * M + (1 - o.beta_1) * d;
    V = o.beta_2 * V + (1 - o.beta_2) * d * d;
    const correction = Math.sqrt(bias(o.beta_2, t));
    const mean = ahead
      ? (o.beta_1 * M) / bias(o.beta_1, t + 1) + ((1 - o.beta_1) * d) / bias(o.beta_1, t)
      : M / bias(o.beta_1, t);
    const step = o.epsilon_inside
      ? (mean * correction) / (Math.sqrt(V) + o.epsilon)
      : mean / (Math.sqrt(V) / correction + o.epsilon);
    return [w - alpha * step, [M, V]];
  };
  const OPTIMIZERS = {
    gradient_descent: () => (w, d, state, t, alpha) => [w - alpha * d, []],
    sgd: (o) => (w, d, [V], t, alpha) => {
      V = o.momentum * V - alpha * d;
      return [w + (o.nesterov ? o.momentum * V - alpha * d : V), [V]];
    },
    adagrad: (o) => (w, d, [G], t, alpha) => {
      G += d * d;
      return [w - (alpha * d) / (Math.sqrt(G) + o.epsilon), [G]];
    },
    adadelta: (o) => (w, d, [G, D], t, alpha) => {
      G = o.rho * G + (1 - o.rho) * d * d;
      const step = (d * Math.sqrt(D + o.epsilon)) / Math.sqrt(G + o.epsilon);
      D = o.rho * D + (1 - o.rho) * step * step;
      return [w - alpha * step, [G, D]];
    },
    rmsprop: (o) => (w, d, [G], t, alpha) => {
      G = o.rho * G + (1 - o.rho) * d * d;
      return [w - (alpha * d) / (Math.sqrt(G) + o.epsilon), [G]];
    },
    adam: adam(false),
    adamw: adam(false),
    nadam: adam(true),
    adamax: (o) => (w, d, [M, U], t, alpha) => {
      M = o.beta_1 * M + (1 - o.beta_1) * d;
      U = Math.max(o.beta_2 * U, Math.abs(d));
      return [w - (alpha * (M / bias(o.beta_1, t))) / (U + o.epsilon), [M, U]];
    },
    lion: (o) => (w, d, [M], t, alpha) => [
      w - alpha * Math.sign(o.beta_1 * M + (1 - o.beta_1) * d),
      [o.beta_2 * M + (1 - o.beta_2) * d],
    ],
  };

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
      A.push(activate(activation(layer.activation), z));
    });
    return { A, Z };
  }

  function lossOf(plan, passed, Y) {
    const L = plan.layers.length, row = cost(plan.cost);
    const parts = plan.cost.fused
      ? FUSED[plan.cost.base](passed.Z[L], Y) : map(row.loss, passed.A[L], Y);
    return sumOf(parts, 0);
  }

  const weightOf = (X, s) => (s ? total(s) || 1 : X.m);
  const scaled = (M, s) => (s ? matrix(M.n, M.m, M.v.map((x, k) => x * s.v[k % M.m])) : M);

  function penaltyOf(plan, parameters, m) {
    const { l1, l2, over_batch } = plan.rules;
    if (!l1 && !l2) return 0;
    const sum = parameters.reduce((s, { W }) =>
      s + W.v.reduce((u, w) => u + l1 * Math.abs(w) + 0.5 * l2 * w * w, 0), 0);
    return over_batch ? sum / m : sum;
  }

  function costOf(plan, parameters, X, Y, s = null, masks = {}) {
    const loss = lossOf(plan, forward(plan, parameters, X, masks), smoothed(plan, Y));
    const m = weightOf(X, s);
    return total(scaled(loss, s)) / m + penaltyOf(plan, parameters, m);
  }

  function backward(plan, now, passed, misprint) {
    const L = plan.layers.length, m = weightOf(now.X, now.weights), masks = now.masks || {};
    const { l1, l2, over_batch } = plan.rules, share = over_batch ? 1 / m : 1;
    const { A, Z } = passed, Y = smoothed(plan, now.Y);
    const dA = [], delta = [], gPrime = [null], dW = [null], db = [null];
    dA[L] = scaled(map(cost(plan.cost).dA, A[L], Y), now.weights);
    for (let l = L; l >= 1; l--) {
      const g = activation(plan.layers[l - 1].activation);
      gPrime[l] = g.mixed ? null : map(g.gPrime, Z[l]);
      if (l === L && plan.cost.fused) {
        delta[l] = scaled(map((a, y) => a - y, A[l], Y), now.weights);
      } else if (g.mixed) {
        delta[l] = columnwise((a, j) => {
          const sum = a.reduce((s, x, i) => s + x * at(dA[l], i, j), 0);
          return a.map((x, i) => x * (at(dA[l], i, j) - sum));
        }, A[l]);
      } else delta[l] = map((d, g1) => d * g1, dA[l], gPrime[l]);
      const twice = misprint === "twice" ? m : 1, W = now.parameters[l - 1].W;
      dW[l] = map((d, w) => d / m / twice + share * (l1 * Math.sign(w) + l2 * w),
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

  function updated(plan, now, gradients) {
    const rule = OPTIMIZERS[plan.optimizer.base](plan.optimizer.settings);
    const decay = plan.rules.decay + plan.optimizer.decay, limit = plan.rules.max_norm;
    const after = [], state = [], factors = [];  // factors: what max-norm scales a unit's weights by
    now.parameters.forEach((own, k) => {
      after.push({}); state.push({}); factors.push([]);
      for (const name of ["W", "b"]) {
        const d = gradients[k][name], layer = plan.layers[k];
        const alpha = now.alpha * layer.rate * (name === "b" ? layer.bias_rate : 1);
        const wide = d.n === own[name].n && d.m === own[name].m ? own[name] : spread(own[name], d);
        const W = copy(wide), fits = (slot) => slot.v.length === W.v.length;
        const slots = now.state[k][name].map((slot) => (fits(slot) ? copy(slot) : spread(slot, d)));
        for (let e = 0; e < W.v.length; e++) {
          if (decay && name === "W") W.v[e] -= now.alpha * decay * W.v[e];
          const d_e = d.n === W.n ? d.v[e] : d.v[e % W.m];
          const [w, s] = rule(W.v[e], d_e, slots.map((slot) => slot.v[e]), now.t, alpha);
          W.v[e] = w;
          s.forEach((x, i) => { slots[i].v[e] = x; });
        }
        if (limit && name === "W")
          for (let i = 0; i < W.n; i++) {
            const row = W.v.subarray(i * W.m, (i + 1) * W.m);
            const size = Math.sqrt(row.reduce((s, w) => s + w * w, 0));
            factors[k][i] = limit / Math.max(size, limit);
            row.forEach((w, j) => { row[j] = w * factors[k][i]; });
          }
        after[k][name] = W; state[k][name] = slots;
      }
    });
    return { after, state, factors };
  }

  // What the misprint does to b: (n, 1) less (1, m) is (n, m).
  const spread = (b, d) => {
    const wide = matrix(b.n, d.m);
    for (let i = 0; i < b.n; i++)
      for (let j = 0; j < d.m; j++) wide.v[i * d.m + j] = b.v[i * b.m + (b.m === 1 ? 0 : j)];
    return wide;
  };

  function step(plan, now, misprint = null) {
    const passed = forward(plan, now.parameters, now.X, now.masks);
    const m = weightOf(now.X, now.weights);
    const loss = lossOf(plan, passed, smoothed(plan, now.Y));
    const value = total(scaled(loss, now.weights)) / m + penaltyOf(plan, now.parameters, m);
    const back = backward(plan, now, passed, misprint);
    const own = clipped(plan, back), { after, state, factors } = updated(plan, now, own);
    return { ...passed, ...back, clipped: own, m, loss, cost: value, before: now.parameters, after,
      stateAfter: state, factors };
  }

  const zeroState = (plan, parameters) => parameters.map((own) => Object.fromEntries(
    ["W", "b"].map((name) =>
      [name, plan.optimizer.slots.map(() => matrix(own[name].n, own[name].m))])));

  // The state after a step: what the next one starts from.
  const next = (now, done) =>
    ({ ...now, parameters: done.after, state: done.stateAfter, t: now.t + 1 });

  return { ACTIVATIONS, COSTS, OPTIMIZERS, FUSED, activation, cost, matrix, at, map, copy, total,
    norm, transpose, product, sumOf, masked, smoothed, forward, costOf, step, next, zeroState };
})();
