// The equations, in the page: a whole step, forward above backward, in the notation of the notes.
// What a row computes of one entry is an expression; costs that mix units stand here.
"use strict";
const Engine = (() => {
  const { matrix, at, map, copy, total, norm, transpose, product, sumOf, columnwise, broadcast, masked } = Algebra;
  const { entries, entry, softmax } = Layers;

  // ----------------------------------------------------------------------------------- costs
  const logSoftmax = (column) => {
    const most = Math.max(...column);
    const log = Math.log(column.reduce((s, z) => s + Math.exp(z - most), 0));
    return column.map((z) => z - most - log);
  };
  const grouped = (f, size) => (column) => {  // f of each group of units
    const parts = Array.from({ length: column.length / size }, (_, k) => column.slice(k * size, (k + 1) * size));
    return parts.flatMap((part) => f(part));
  };

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
  // plan: layers, cost, optimizer, rules; now: parameters [{name: matrix}], state, X, Y, weights,
  // alpha, t, masks {l: matrix}. misprint: "axis0" takes Eq. 10c as printed, "twice" divides by m twice.
  const smoothed = (plan, Y) => {
    const share = plan.rules.label_smoothing;
    return share ? map((y) => y * (1 - share) + share * plan.cost.uniform, Y) : Y;
  };

  // batch: null where it predicts; in a step of training {s}, the examples' weights or none.
  function forward(plan, parameters, X, masks = {}, batch = null) {
    const A = [X], Z = [null], caches = [];
    plan.layers.forEach((layer, k) => {
      caches.push(Layers.forward(layer, parameters[k], masked(A[k], masks[k]), batch));
      Z.push(caches[k].Z);
      A.push(caches[k].A);
    });
    return { A, Z, caches };
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
    let sum = 0;
    parameters.forEach((own, k) => {
      for (const [name, { v }] of Object.entries(own))
        if (Layers.isPenalized(plan.layers[k], name)) sum += v.reduce((u, w) => u + l1 * Math.abs(w) + 0.5 * l2 * w * w, 0);
    });
    return over_batch ? sum / m : sum;
  }

  function costOf(plan, parameters, X, Y, s = null, masks = {}, batch = null) {
    const loss = sumOf(sharesOf(plan, forward(plan, parameters, X, masks, batch), smoothed(plan, Y)), 0);
    const m = weightOf(X, s);
    return total(scaled(loss, s)) / m + penaltyOf(plan, parameters, m);
  }

  // From δ of the last layer down: backs[l] is what Layers.backward returns of layer l.
  function chained(plan, parameters, caches, last, masks, misprint) {
    const L = plan.layers.length, backs = [null], dA = [];
    for (let l = L; l >= 1; l--) {
      const layer = plan.layers[l - 1], cache = caches[l - 1];
      backs[l] = Layers.backward(layer, parameters[l - 1], l === L ? last : Layers.slope(layer, dA[l], cache), cache, misprint);
      dA[l - 1] = masked(backs[l].dA_prev, masks[l - 1]);
    }
    return { backs, dA };
  }

  // The derivative of the cost by each parameter: the sums' averages, and the penalties'.
  function gradientsOf(plan, parameters, backs, m, misprint) {
    const { l1, l2, over_batch } = plan.rules, share = over_batch ? 1 / m : 1, twice = misprint === "twice" ? m : 1;
    return plan.layers.map((layer, k) => Object.fromEntries(Object.entries(backs[k + 1].sums).map(([name, sum]) =>
      [name, Layers.isPenalized(layer, name) && (l1 || l2)
        ? map((d, w) => d / m / twice + share * (l1 * Math.sign(w) + l2 * w), sum, parameters[k][name])
        : map((d) => d / m / twice, sum)])));
  }

  function backward(plan, now, passed, misprint) {
    const L = plan.layers.length, Y = smoothed(plan, now.Y), masks = now.masks || {};
    const { A, Z, caches } = passed, row = costRow(plan.cost), output = plan.layers[L - 1];
    const dA_L = scaled(row.dA(A[L], Y), now.weights), last = Layers.slope(output, dA_L, caches[L - 1]);
    if (plan.cost.fused) last.delta = scaled(row.delta(Z[L], A[L], Y), now.weights);
    const { backs, dA } = chained(plan, now.parameters, caches, last, masks, misprint);
    dA[L] = dA_L;
    const gradients = gradientsOf(plan, now.parameters, backs, weightOf(now.X, now.weights), misprint);
    const each = (name) => [null, ...backs.slice(1).map((own) => own[name])];
    return { dA, delta: each("delta"), gPrime: each("gPrime"), backs, gradients };
  }

  // dA[0]: the derivative of one output by every input, of each example on its own.
  function inputGradient(plan, parameters, passed, unit) {
    const L = plan.layers.length, { n, m } = passed.A[L], chosen = Algebra.made(n, m, (i) => Number(i === unit));
    const last = Layers.slope(plan.layers[L - 1], chosen, passed.caches[L - 1]);
    return chained(plan, parameters, passed.caches, last, {}, null).dA[0];
  }

  function clipped(plan, gradients) {
    const { clip_value, clip_norm } = plan.rules;
    let all = gradients;
    const each = (f) => all.map((own) => Object.fromEntries(Object.entries(own).map(([name, d]) => [name, map(f, d)])));
    if (clip_value) all = each((d) => Math.min(Math.max(d, -clip_value), clip_value));
    if (clip_norm) {
      const size = Math.sqrt(all.flatMap(Object.values).reduce((s, d) => s + norm(d) ** 2, 0));
      all = each((d) => d * (clip_norm / Math.max(size, clip_norm)));
    }
    return all;
  }

  // One parameter after the update, its state, and what max-norm scales its rows by. A misprint
  // makes (n, m) of b: (n, 1) less (1, m).
  function descended(plan, layer, name, own, d, slots, now) {
    const [n, m] = [Math.max(own.n, d.n), Math.max(own.m, d.m)], fitted = (M) => broadcast(M, n, m);
    const isPenalized = Layers.isPenalized(layer, name), limit = isPenalized ? plan.rules.max_norm : 0;
    const decay = isPenalized ? plan.rules.decay + plan.optimizer.decay : 0;
    const W = decay ? map((w) => w - now.alpha * decay * w, fitted(own)) : fitted(own);
    const state = Object.fromEntries(plan.optimizer.slots.map((slot, k) => [`slot_${slot}`, fitted(slots[k])]));
    const step = { t: now.t, alpha: now.alpha * Layers.rateOf(layer, name) };
    const [made, ...after] = entries(plan.optimizer.update, { W, dW: fitted(d), ...state }, step);
    if (!limit) return { made, after };
    const factors = map((squares) => limit / Math.max(Math.sqrt(squares), limit), sumOf(map((w) => w * w, made), 1));
    return { made: map((w, factor) => w * factor, made, broadcast(factors, n, m)), after, factors };
  }

  // factors: what max-norm scales the rows of a parameter by.
  function updated(plan, now, gradients, caches) {
    const after = [], state = [], factors = [];
    now.parameters.forEach((own, k) => {
      const layer = plan.layers[k], made = Object.entries(gradients[k]).map(([name, d]) =>
        [name, descended(plan, layer, name, own[name], d, now.state[k][name], now)]);
      const each = (part) => Object.fromEntries(made.map(([name, one]) => [name, one[part]]));
      after.push({ ...own, ...Layers.averaged(layer, own, caches[k]), ...each("made") });
      state.push(each("after"));
      factors.push(each("factors"));
    });
    return { after, state, factors };
  }

  function step(plan, now, misprint = null) {
    const passed = forward(plan, now.parameters, now.X, now.masks, { s: now.weights });
    const m = weightOf(now.X, now.weights);
    const shares = sharesOf(plan, passed, smoothed(plan, now.Y)), loss = sumOf(shares, 0);
    const value = total(scaled(loss, now.weights)) / m + penaltyOf(plan, now.parameters, m);
    const back = backward(plan, now, passed, misprint);
    const own = clipped(plan, back.gradients), { after, state, factors } = updated(plan, now, own, passed.caches);
    return { ...passed, ...back, clipped: own, m, shares, loss, cost: value, before: now.parameters, after,
      stateAfter: state, factors };
  }

  const initialState = (plan, parameters) => parameters.map((own) => Object.fromEntries(
    Object.entries(own).map(([name, W]) => [name, entries(plan.optimizer.init, { W })])));

  // The state after a step: what the next one starts from.
  const next = (now, done) =>
    ({ ...now, parameters: done.after, state: done.stateAfter, t: now.t + 1 });

  return { BY_HAND, matrix, at, map, copy, total, transpose, product, sumOf, masked, smoothed, forward,
    inputGradient, costOf, step, next, initialState };
})();
